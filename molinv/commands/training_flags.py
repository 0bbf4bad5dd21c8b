"""Flags of the commands that train."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from ..datasets.own import is_own
from ..datasets.own_targets import RESERVED
from ..errors import InputError
from ..names import outside

NAMES = ("model", "model_args", "group", "distribution", "distribution_args", "task", "task_args")


def add_flags(parser: Any, config: type, workers: bool = True, skip: Collection[str] = ()) -> None:
    """Declare `--config`, the settings of a config class except those in `skip`, and `--trust`.

    With `workers`, also declare the number of processes that search conformers.
    """
    parser.add_argument(
        "--config", action="config", help="config.yaml with settings; flags override it"
    )
    parser.add_class_arguments(config, skip=set(skip))
    if workers:
        parser.add_argument(
            "--workers",
            type=int,
            default=os.cpu_count() or 1,
            help="number of processes that search conformers for a file without 3-D coordinates",
        )
    parser.add_argument(
        "--trust", action="store_true", help="allow the config to import code outside molinv"
    )


def typed(arguments: list[str]) -> set[str]:
    """Names of the flags on the command line."""
    return {a[2:].partition("=")[0].replace("-", "_") for a in arguments if a.startswith("--")}


def keep_config(settings: dict[str, Any], arguments: list[str]) -> None:
    """Turn off the preset if a config file is given that does not name one.

    Otherwise a preset would change settings that the config leaves at their defaults.
    """
    names = [a for a in arguments if a == "--preset" or a.startswith("--preset=")]
    files = [a.partition("=")[2] for a in arguments if a.startswith("--config=")]
    files += [b for a, b in itertools.pairwise(arguments) if a == "--config"]
    if files and not names and not any("preset" in _keys(file) for file in files):
        settings["preset"] = "none"


def _keys(file: str) -> set[str]:
    """The settings in a config file, which jsonargparse has already checked."""
    return set(yaml.safe_load(Path(file).read_text(encoding="utf-8")) or ())


def check_targets(settings: dict[str, Any], named: Collection[str]) -> None:
    """Raise InputError if a user's file is missing, or given without targets to learn from it."""
    if "config" in named or not is_own(settings["data"]):
        return
    path = Path(settings["data"])
    if not path.is_file():
        raise InputError(f"no data set at {path}: no such file.")
    if "targets" in named:
        return
    from ..chem.labels import labels
    from ..chem.structure import ReadOptions

    first = next(iter(labels(path, ReadOptions(smiles_column=settings["smiles_column"]))), {})
    columns = [name for name in first if name.lower() not in RESERVED]
    listed = ", ".join(name[:40] for name in columns[:30]) or "no values"
    raise InputError(
        f"{path}: name what to learn with --targets, as in --targets "
        f'"{columns[0] if columns else "NAME"}"; the file has {listed}.'
    )


def check_names(settings: dict[str, Any], arguments: list[str], trust: bool) -> None:
    """Raises InputError if a config names code outside molinv, unless trusted."""
    for name in NAMES:
        # a name that is not on the command line came from the config
        foreign = [s for s in outside(settings[name]) if not any(s in a for a in arguments)]
        if foreign and not trust:
            raise InputError(
                f"the config's {name} needs code outside molinv ({', '.join(foreign)}); pass "
                "--trust if you know where it comes from."
            )
