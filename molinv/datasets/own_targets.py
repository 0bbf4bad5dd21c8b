"""Find the targets of a user's file: their columns, kinds and units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError, unknown
from .own_values import kind_of, missing, number
from .targets import Target
from .units import spelled

RESERVED = {"name", "source", "embedded", "geometry", "outside", "conformers", "row", "smiles"}
RESERVED |= {"error"}
# what follows a target's name in the columns of predictions
ENDS = (
    "std",
    "ensemble_std",
    "conformer_std",
    "low",
    "high",
    "radius",
    "mae",
    "unit",
    "probability",
    "class",
)
ENDS += ("x", "y", "z", *(a + b for a in "xyz" for b in "xyz"))
TOTAL = "energy"  # ASE's key of total energies


def numeric(path: Path, said: list[dict[str, Any]]) -> tuple[Target, ...]:
    """A target for every column whose values are all numbers; raises InputError without any."""
    names = [n for n in _columns(said) if n.lower() not in RESERVED]
    found = []
    for name in names:
        given = [row[name] for row in said if not missing(row.get(name))]
        if given and all(number(value) is not None for value in given):
            found.append(Target(name, ""))
    if not found:
        listed = ", ".join(repr(n[:40]) for n in _columns(said)[:30]) or "nothing"
        raise InputError(
            f"{path}: expected a column of numbers to learn, got {listed} beside the molecules"
            f"{_texts(names, said)}; name a column of classes with --targets."
        )
    return _described(path, said, found)


def _texts(names: Sequence[str], said: list[dict[str, Any]]) -> str:
    """A clause on the first text in the column that has the most numbers, or nothing."""
    given = {n: [row[n] for row in said if not missing(row.get(n))] for n in names}
    counts = {n: sum(number(value) is not None for value in given[n]) for n in names}
    best = max(names, key=lambda n: counts[n], default=None)
    text = next((v for v in given.get(best or "", ()) if number(v) is None), None)
    if best is None or text is None:
        return ""
    shown = f"; {best!r} has the text {str(text)[:40]!r}"
    if isinstance(text, str) and number(text.replace(",", ".")) is not None:
        return f"{shown}: write numbers with a decimal point"
    return shown + (f" (--targets {best} leaves such rows out)" if counts[best] else "")


def known(path: Path, said: list[dict[str, Any]], targets: Sequence[Target]) -> tuple[Target, ...]:
    """The requested targets with their kinds and units.

    Adds each target to the records `said` under its name if its column has another one, such as
    "IC50 [nM]". Raises InputError for a target that the file does not have, and for a name that a
    column of predictions has.
    """
    columns = _columns(said)
    written = {_bare(column): column for column in columns}
    for target in targets:
        name, column = target.name, written.get(_bare(f"{target.name}[{target.unit}]"))
        if column is not None:  # the unit is a part of the column's name
            for row in said:
                row[name] = row.get(column)
        elif name not in columns:
            usable = [column for column in columns if column.lower() not in RESERVED]
            raise unknown(f"target of {path}:", name, usable or ["(it has no values)"])
        if name.lower() in RESERVED:
            raise InputError(
                f"{path}: a target cannot be called {name!r}, because every prediction has a "
                "column of that name; rename it."
            )
        for other in targets:
            if name in [f"{other.name}_{end}" for end in ENDS]:
                raise InputError(
                    f"{path}: predictions of {other.name!r} have a column {name!r} too: rename "
                    "one of these targets, or learn them in two runs."
                )
    return _described(path, said, targets)


def _described(
    path: Path, said: list[dict[str, Any]], targets: Sequence[Target]
) -> tuple[Target, ...]:
    """The targets with their kinds, and with units from the file or from ASE's conventions."""
    from ..chem.labels import ASE, follows_ase, units

    declared, convention = units(path), ASE if follows_ase(path) else {}
    made = []
    for target in targets:
        name, kind = target.name, kind_of(row.get(target.name) for row in said)
        unit, asked = spelled(declared.get(name, "")), spelled(target.unit)
        if unit and asked not in ("", unit):
            raise InputError(f"{path} gives {name} in {unit}, not in {asked}: leave out the unit.")
        total = name == TOTAL and TOTAL in convention and kind == "scalar"
        usual = convention.get(name, "") if total or kind != "scalar" else ""
        atomwise = target.atomwise or total
        made.append(replace(target, kind=kind, unit=asked or unit or usual, atomwise=atomwise))
    return tuple(made)


def _columns(said: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in said for name in row))


def _bare(name: str) -> str:
    return "".join(name.split())
