"""Predictions as a table on the screen or as a file, and what a reader of them has to know."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import takewhile
from math import ceil, isfinite, isnan, log10
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from ..atomic import atomic_write
from ..chem.structure import Rejected
from ..datasets.geometries import EMBEDDED, GIVEN, HYDROGENS
from ..datasets.references import ATOMWISE
from ..datasets.targets import Target
from ..errors import InputError
from .conformal import FEWEST
from .fields import shown, unit_of
from .input_columns import InputColumns
from .predictor import GEOMETRY, Predictor, tested

WIDE = 4  # targets side by side; more of them go one below the other
TOTAL = "total energies, with the atom energies fitted on the training molecules"
SUFFIXES = (".csv", ".json", ".sdf")

WHOSE = {
    GIVEN: "that set's geometries",
    EMBEDDED: "RDKit's geometries",
    HYDROGENS: "hydrogens that RDKit added",
}
UNKNOWN = {
    GIVEN: "given geometries",
    EMBEDDED: "RDKit's geometries",
    HYDROGENS: "given geometries with added hydrogens",
}
SHOWN = {GIVEN: "given", EMBEDDED: "RDKit", HYDROGENS: "H added"}

Rows = Sequence[dict[str, Any]]


def table(rows: Rows, predictor: Predictor) -> Table:
    """Rows of `Predictor.predict` as a table: a column a target, or a line each where many."""
    title = "value +- standard deviation over rotations (not its error)"
    if any(f"{t.name}_low" in row for row in rows for t in predictor.targets):
        title += " [90 % prediction interval]"
    if any(t.kind not in ("scalar", "class") for t in predictor.targets):
        title += ", as the molecule lies [within 90 %]"
    if any(_among(row, t.name) is not None for row in rows for t in predictor.targets):
        title += ", then +- over the ensemble's members"
    if any(row.get("conformers") for row in rows):
        title += ", then +- over conformers"
    return (_across if len(predictor.targets) <= WIDE else _down)(rows, predictor, title)


def notes(rows: Rows, predictor: Predictor) -> Iterator[str]:
    """What does not fit into the table: sentences on errors, energies, intervals and limits."""
    each = [(kind, predictor.of_kind(kind)) for kind in _kinds(rows)]
    if predictor.targets[0].kind == "class":
        yield from _on_classes(predictor)
    else:
        for kind, own in each:
            yield from _on_errors(kind, own)
    relative = [t.name for t in predictor.targets if t.atomwise]
    if relative:
        what = TOTAL if predictor.total else ATOMWISE
        yield f"{', '.join(relative)}: {what}."
    caveats: list[str] = []
    for kind, own in each:
        yield from _on_intervals(kind, own, any(row.get("conformers") for row in rows))
        caveats += own.calibration.caveats(kind) if own.calibration else []
    if predictor.targets[0].kind != "class":
        yield from dict.fromkeys(caveats)
    if predictor.saved.task.gradient:
        forces = predictor.saved.task.targets[-1]
        yield (
            f"{_with_unit(forces.name, forces.unit)}, the gradient of the averaged energy, are in "
            "the file that -o writes."
        )
    far = [f"{row['name']} ({row['outside']})" for row in rows if row["outside"]]
    if far:
        shown = "; ".join(far[:3]) + (f"; and {len(far) - 3} more" if len(far) > 3 else "")
        yield (
            "Outside what the model has learned from, where its errors and intervals do not hold: "
            f"{shown}."
        )


def _kinds(rows: Rows) -> list[str]:
    there = {row["geometry"] for row in rows}
    return [kind for kind, name in GEOMETRY.items() if name in there]


def _errors(rows: Rows, predictor: Predictor) -> dict[str, float]:
    """Test errors that apply to all rows; empty if their geometries are of different kinds."""
    kinds = _kinds(rows)
    return predictor.of_kind(kinds[0]).errors_of(kinds[0]) if len(kinds) == 1 else {}


def _on_classes(predictor: Predictor) -> Iterator[str]:
    """How well classes are ranked, and on which molecules that rests."""
    if predictor.evaluation is None:
        return
    number, found = predictor.evaluation["molecules"], predictor.evaluation["targets"]
    for name in predictor.units:
        best = found[name].get("averaged", found[name]["rotated"])
        if not isnan(best):
            yield f"{name}: {found[name]['unit']} {best:.3f} on {number:,} test molecules."


def _on_errors(kind: str, predictor: Predictor) -> Iterator[str]:
    """On which molecules the test MAE of one kind of geometry rests."""
    if predictor.evaluation is None:
        return
    measured = predictor.evaluation.get("intervals", {})
    known = kind in measured
    if not known and kind not in tested(predictor.evaluation):
        yield (
            f"Test MAE: not measured for {UNKNOWN[kind]}, where {predictor.name} can err twice "
            f"as much as for {UNKNOWN[tested(predictor.evaluation)[0]]}, or more."
        )
        return
    number = (measured[kind] if known else predictor.evaluation)["molecules"]
    text = f"{number:,} test molecules of its own data set, with {WHOSE[kind]}"
    yield f"Test MAE: {predictor.name}'s mean absolute error on {text}."


def _on_intervals(kind: str, predictor: Predictor, several: bool) -> Iterator[str]:
    """On which molecules the 90 % intervals of one kind of geometry rest, or why it has none."""
    found = predictor.calibration
    if found is None or predictor.targets[0].kind == "class":
        return
    if number := found.molecules(kind):
        one = ", one conformer each" if several else ""
        if number >= FEWEST:
            yield (
                f"90 % intervals: from residuals of {number:,} held-out molecules with "
                f"{WHOSE[kind]}{one}; for molecules like those of the data set."
            )
        return
    task = predictor.saved.task
    turns = task.kind != "scalar" or task.gradient
    addable = kind == EMBEDDED and not turns  # what turns is not RDKit's geometries'
    yield (
        f"No intervals for {UNKNOWN[kind]}: {predictor.name} was calibrated on others "
        "only" + ("; molinv evaluate --embedded 500 adds them." if addable else ".")
    )


def check_path(path: str) -> Path:
    """The path of an output file, checked before anything is predicted.

    Raises InputError for an unknown ending and for a missing folder.
    """
    if Path(path).suffix not in SUFFIXES:
        raise InputError(
            f"cannot write {path}: expected a name ending in .csv, .json, .sdf or .parquet."
        )
    if not Path(path).parent.is_dir():
        raise InputError(
            f"cannot write {path}: there is no folder {Path(path).parent}; create it first."
        )
    return Path(path)


def rows_of(
    results: Sequence[dict[str, Any] | Rejected],
    inputs: Sequence[str] = (),
    smiles_column: str | None = None,
) -> list[dict[str, Any]]:
    """A row for the output file, for each result of `Predictor.predict`.

    The columns of `inputs` are first (see `chem.columns`), and `error` is last: the reason why
    there are no values, or None.
    """
    made: list[dict[str, Any]] = [
        {"name": r.name, "smiles": None, "source": r.source, "error": r.reason}
        if isinstance(r, Rejected)
        else r | {"error": None}
        for r in results
    ]
    taken = {name for row in made for name in row}
    given = InputColumns(inputs, smiles_column, taken).cells([row["source"] for row in made])
    return [cells | row for cells, row in zip(given, made, strict=True)]


def write(path: Path, rows: Rows) -> None:
    """Write rows as .csv or .json, atomically."""
    with (
        atomic_write(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        if path.suffix == ".json":
            json.dump([_finite(row) for row in rows], file, indent=1, allow_nan=False)
        else:
            writer = csv.DictWriter(file, _columns(rows))
            writer.writeheader()
            writer.writerows(rows)


def _finite(value: Any) -> Any:
    """The value with NaN and infinity replaced by None, because JSON lacks them."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


def _columns(rows: Rows) -> list[str]:
    """The columns of all rows. Those of the inputs, which precede "name", are first."""
    # only some rows have columns of conformers
    longest = sorted(rows, key=len, reverse=True) or [{"name": ""}]
    given = [k for row in rows for k in takewhile(lambda k: k != "name", row)]
    return list(dict.fromkeys([*given, *(k for row in longest for k in row)]))


def _with_unit(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _across(rows: Rows, predictor: Predictor, title: str) -> Table:
    made, errors = Table("molecule", "geometry", title=title), _errors(rows, predictor)
    for target in predictor.targets:
        error = errors.get(target.name)
        known = "" if error is None else f", test MAE {error:.3g}"
        heading = _with_unit(target.name, unit_of(target)) + known
        made.add_column(escape(heading), justify="right")
    for row in rows:
        values = [_value(row, t) for t in predictor.targets]
        made.add_row(escape(row["name"]), _geometry(row), *values)
    return made


def _down(rows: Rows, predictor: Predictor, title: str) -> Table:
    made = Table("molecule", "geometry", "target", title=title)
    made.add_column("value", justify="right")
    made.add_column("unit")
    if predictor.errors:
        made.add_column("test MAE", justify="right")  # of each row's kind of geometry
    for row in rows:
        for i, target in enumerate(predictor.targets):
            first = "" if i else escape(row["name"]), "" if i else _geometry(row)
            error = row.get(f"{target.name}_mae")
            error = ["-" if error is None else f"{error:.3g}"] if predictor.errors else []
            named = escape(target.name), _value(row, target), escape(unit_of(target))
            made.add_row(*first, *named, *error)
        made.add_section()
    return made


def _among(row: dict[str, Any], name: str) -> float | None:
    """The spread over members to show; None where an interval, which it widens, is shown."""
    return row.get(f"{name}_ensemble_std") if row.get(f"{name}_low") is None else None


def _value(row: dict[str, Any], target: Target) -> str:
    if target.kind != "scalar":
        return shown(row, target)
    name = target.name
    std, low, high = (row.get(f"{name}_{end}") for end in ("std", "low", "high"))
    among = _among(row, name)
    scale = (among or std) if low is None or high is None else high - low
    text = _digits(row[name], scale, 5) + ("" if std is None or isnan(std) else f" +- {std:.2g}")
    for spread in (among, row.get(f"{name}_conformer_std")):
        text += "" if spread is None else f" +- {spread:.2g}"
    if low is None or high is None:
        return text
    return f"{text} \\[{_digits(low, scale, 4)}, {_digits(high, scale, 4)}]"


def _digits(value: float, scale: float | None, least: int) -> str:
    """A number with at least `least` digits, and precise to a hundredth of `scale` (may be NaN)."""
    ratio = abs(value) / scale if scale else 0.0
    return f"{value:.{max(least, ceil(log10(ratio)) + 3) if ratio > 1 else least}g}"


def _geometry(row: dict[str, Any]) -> str:
    kind = next(SHOWN[kind] for kind, name in GEOMETRY.items() if name == row["geometry"])
    return f"{kind}, {row['conformers']} conformers" if row.get("conformers") else kind
