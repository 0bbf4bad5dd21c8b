"""Presets: settings that suit small sets of molecules; the defaults suit 100,000 molecules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ..chem.textfile import numbered_lines
from ..errors import InputError, unknown
from .config import TrainConfig

FEW = 5_000  # largest number of molecules for which "auto" is "small"
MODEL = "point"
TABLES = (".csv", ".tsv")
# a small network that sees distances and the bond graph: the orientations of RDKit's conformers
# have no meaning, and a network cannot learn from few molecules to ignore them
SMALL: dict[str, Any] = {
    "features": "bonds",
    "batch_size": 32,
    "epochs": 50,
    "readout": "auto",
    "distribution": "Identity",
    "model_args": {"width": 64, "layers": 3, "hidden": 32, "kernels": 8, "geometry": "distance"},
}
STARTED = ("batch_size", "epochs", "readout")  # the settings that also apply to fine-tuning
PRESETS: dict[str, dict[str, Any]] = {
    "none": {},
    "small": SMALL,
    "large": {"features": "bonds"},
}
NOTE = (
    "preset {kind}, for a table of {few} 5,000 rows: {changed}. --preset none keeps the defaults."
)
# whoever sets one of these wants to learn a symmetry
LEARNED = ("group", "distribution", "distribution_args", "regularizer", "lam", "lam_start", "cost")
LEARNED += ("settle", "wait", "group_lr", "group_end", "copies", "center", "shift", "rotate")


def fitted(config: TrainConfig, given: Collection[str] = ()) -> TrainConfig:
    """Replace defaults by the settings of the preset, which is "none" in the result.

    Settings in `given`, which the user named explicitly, do not change, nor do settings that differ
    from their default. If one of `LEARNED` is among them, the preset sets neither the distribution
    nor the geometry, so that the network sees coordinates and learns a distribution. "auto" is
    "small" for a table (.csv, .tsv) of up to 5,000 rows, "large" for a longer table, and "none" for
    other data and for other models than `point`. With `init`, only `STARTED` are set. Raises
    InputError for an unknown preset, and for "small" with another model.
    """
    if config.preset not in ("auto", *PRESETS):
        raise unknown("preset", config.preset, ("auto", *PRESETS))
    if config.preset == "small" and config.model != MODEL:
        raise InputError(
            f"preset small sets the architecture of the model {MODEL}: leave out --preset or "
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
    """Notes for the user on the settings that `fitted` has changed from `before` to `after`."""
    was, now = asdict(replace(before, preset="none")), asdict(after)
    changed = ", ".join(f"{name} {now[name]}" for name in now if now[name] != was[name])
    kind = _kind(before)
    few = "up to" if kind == "small" else "more than"
    if not changed:
        return []
    made = [NOTE.format(kind=kind, few=few, changed=changed)]
    if after.distribution == "Identity" != before.distribution:
        made.append(
            "The network sees distances, which do not depend on orientation, so no distribution "
            "is learned. --distribution UniformBox learns one from coordinates."
        )
    return made


def _kind(config: TrainConfig) -> str:
    """The preset; for "auto", the one that suits the data."""
    if config.preset != "auto":
        return config.preset
    if not config.data.lower().removesuffix(".gz").endswith(TABLES):
        return "none"
    if config.model != MODEL or not Path(config.data).is_file():
        return "none"
    lines = (text for _, text in numbered_lines(Path(config.data)) if text.strip())
    try:
        rows = sum(1 for _ in islice(lines, FEW + 2)) - 1  # without the header
    except InputError:  # reading the data will report it
        return "none"
    return "small" if rows <= FEW else "large"
