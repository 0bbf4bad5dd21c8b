"""Settings that suit a small set of molecules, in place of defaults that suit 100,000."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..chem.textfile import numbered_lines
from ..errors import InputError, unknown
from .config import TrainConfig

FEW = 5_000  # molecules, up to which the preset is chosen
MODEL = "point"
TABLES = (".csv", ".tsv")
# a small network that sees distances and the bond graph: RDKit's conformers have no orientation
# that could mean anything, and few molecules cannot teach a network to ignore it
SMALL: dict[str, Any] = {
    "features": "bonds",
    "batch_size": 32,
    "epochs": 50,
    "readout": "auto",
    "distribution": "Identity",
    "model_args": {"width": 64, "layers": 3, "hidden": 32, "kernels": 8, "geometry": "distance"},
}
STARTED = (
    "batch_size",
    "epochs",
    "readout",
)  # of them, those for a network that is trained already
PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "small": SMALL,
    "large": {"features": "bonds"},
}
NOTE = (
    "preset {kind}, for a table of {few} 5,000 rows: {changed}. --preset none keeps the defaults."
)
# by any of these a symmetry is learned
LEARNED = ("group", "distribution", "distribution_args", "regularizer", "lam", "lam_start", "cost")
LEARNED += ("settle", "wait", "group_lr", "group_end", "copies", "center", "shift", "rotate")


def fitted(config: TrainConfig, given: Collection[str] = ()) -> TrainConfig:
    """The settings with those of their preset, in place of defaults; the preset is then "none".

    `given` are the settings that were named explicitly: they stay as they are, and so do all that
    differ from their default. Without the preset's distribution a network sees coordinates too.
    "auto" is "small" for a table of up to 5,000 rows (.csv, .tsv), "large" for a longer one, and
    "none" for other data and for other models than `point`. With `init`, whose architecture and
    features stay, only `STARTED` are set. Raises InputError for an unknown preset, and for "small"
    with another model.
    """
    if config.preset not in ("auto", *PRESETS):
        raise unknown("preset", config.preset, ("auto", *PRESETS))
    if config.preset == "small" and config.model != MODEL:
        raise InputError(
            f"preset small has an architecture of its own, of the model {MODEL}: leave it out, or "
            "--model."
        )
    made = dict(PRESETS[_kind(config)])
    if config.init is not None:
        made = {name: value for name, value in made.items() if name in STARTED}
    usual = TrainConfig()
    own = {f.name for f in fields(TrainConfig) if f.name in given}
    own |= {
        f.name for f in fields(TrainConfig) if getattr(config, f.name) != getattr(usual, f.name)
    }
    args = dict(made.pop("model_args", {}))
    if own & {*LEARNED} or "geometry" in config.model_args:
        made.pop("distribution", None)
        args.pop("geometry", None)
    made = {name: value for name, value in made.items() if name not in own}
    return replace(config, **made, model_args=args | config.model_args, preset="none")


def notes(before: TrainConfig, after: TrainConfig) -> list[str]:
    """What to tell the user whose settings `before` became these by `fitted`."""
    was, now = asdict(replace(before, preset="none")), asdict(after)
    changed = ", ".join(f"{name} {now[name]}" for name in now if now[name] != was[name])
    kind = _kind(before)
    few = "up to" if kind == "small" else "more than"
    return [NOTE.format(kind=kind, few=few, changed=changed)] if changed else []


def _kind(config: TrainConfig) -> str:
    """The preset, of "auto" the one that suits the data."""
    if config.preset != "auto":
        return config.preset
    if not config.data.lower().removesuffix(".gz").endswith(TABLES):
        return "none"
    if config.model != MODEL or not Path(config.data).is_file():
        return "none"
    lines = (text for _, text in numbered_lines(Path(config.data)) if text.strip())
    try:
        rows = sum(1 for _ in islice(lines, FEW + 2)) - 1  # without the header
    except InputError:  # reading it says what is wrong
        return "none"
    return "small" if rows <= FEW else "large"
