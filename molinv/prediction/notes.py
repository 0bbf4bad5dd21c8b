"""Notes below a table of predictions, in as few sentences as possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import Any

from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS
from ..datasets.references import ATOMWISE
from .conformal import FEWEST
from .predictor import GEOMETRY, Predictor, tested
from .screen_table import meaning

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

Rows = Sequence[dict[str, Any]]


def short_notes(rows: Rows, predictor: Predictor, sign: str = "±") -> Iterator[str]:
    """Sentences below the table: what its sign means, and what does not hold for these rows."""
    kinds = _kinds(rows)
    made = [kind for kind in kinds if kind == EMBEDDED]
    where = "; coordinates made by RDKit" if made and len(kinds) == 1 else ""
    what = meaning(rows, predictor.targets)
    if what == "interval":
        vectors = predictor.targets[0].kind != "scalar"
        name = "radius" if vectors else "half-width"
        yield f"{sign} is the {name} of a 90 % prediction interval{where}."
    elif what == "members":
        yield f"{sign} is the standard deviation over the ensemble's members{where}."
    elif where:
        yield "Coordinates made by RDKit."
    yield from file_notes(rows, predictor)


def file_notes(rows: Rows, predictor: Predictor) -> Iterator[str]:
    """Sentences for a file of predictions: what its columns do not say."""
    if names := ", ".join(t.name for t in predictor.targets if t.atomwise):
        if predictor.total:
            yield f"{names}: total energies, by the training molecules' atom energies."
        else:
            yield f"{names}: relative to fitted atom energies; --total adds these."
    yield from _common(rows, predictor, _kinds(rows))


def long_notes(rows: Rows, predictor: Predictor) -> Iterator[str]:
    """The same for `details`, and on which molecules errors and intervals rest."""
    kinds = _kinds(rows)
    yield "std over rotations: how much a value depends on the orientation; it is not an error."
    if predictor.targets[0].kind not in ("scalar", "class"):
        yield "Vectors and tensors are in the input's orientation."
    if predictor.targets[0].kind != "class":
        for kind in kinds:
            yield from _on_errors(kind, predictor.of_kind(kind))
    if names := ", ".join(t.name for t in predictor.targets if t.atomwise):
        what = (
            "total energies, with the atom energies fitted on the training molecules"
            if predictor.total
            else ATOMWISE
        )
        yield f"{names}: {what}."
    several = any(row.get("conformers") for row in rows)
    for kind in kinds:
        yield from _on_intervals(kind, predictor.of_kind(kind), several)
    yield from _common(rows, predictor, kinds)


def _common(rows: Rows, predictor: Predictor, kinds: Sequence[str]) -> Iterator[str]:
    each = [(kind, predictor.of_kind(kind)) for kind in kinds]
    if predictor.targets[0].kind == "class":
        yield from on_classes(predictor)
    else:
        for kind, own in each:
            yield from _unmeasured(kind, own)
            yield from _without_intervals(kind, own)
        caveats = [text for kind, own in each if own.calibration for text in _caveats(kind, own)]
        yield from dict.fromkeys(caveats)
    if predictor.saved.task.gradient:
        forces = predictor.saved.task.targets[-1]
        unit = f" ({forces.unit})" if forces.unit else ""
        yield (
            f"{forces.name}{unit}, the gradient of the averaged energy, are in "
            "the file that -o writes."
        )
    far = [f"{row['name']} ({row['outside']})" for row in rows if row["outside"]]
    if far:
        shown = "; ".join(far[:3]) + (f"; and {len(far) - 3} more" if len(far) > 3 else "")
        yield f"* outside the applicability domain, where no interval holds: {shown}."


def _kinds(rows: Rows) -> list[str]:
    there = {row["geometry"] for row in rows}
    return [kind for kind, name in GEOMETRY.items() if name in there]


def _caveats(kind: str, predictor: Predictor) -> list[str]:
    assert predictor.calibration is not None
    return predictor.calibration.caveats(kind)


def on_classes(predictor: Predictor) -> Iterator[str]:
    """How well classes are ranked, and on which molecules that rests."""
    if predictor.evaluation is None:
        return
    count, found = predictor.evaluation["molecules"], predictor.evaluation["targets"]
    for name in predictor.units:
        best = found[name].get("averaged", found[name]["rotated"])
        if not isnan(best):
            yield f"{name}: {found[name]['unit']} {best:.3f} on {count:,} test molecules."


def _measured(kind: str, predictor: Predictor) -> dict[str, Any] | None:
    """The part of the evaluation that has errors of this kind of geometry, or None."""
    if predictor.evaluation is None:
        return None
    if found := predictor.evaluation.get("intervals", {}).get(kind):
        return found
    return predictor.evaluation if kind in tested(predictor.evaluation) else None


def _unmeasured(kind: str, predictor: Predictor) -> Iterator[str]:
    if predictor.evaluation is not None and _measured(kind, predictor) is None:
        yield (
            f"Test MAE: not measured for {UNKNOWN[kind]}, where errors can be twice "
            f"those for {UNKNOWN[tested(predictor.evaluation)[0]]}, or more."
        )


def _on_errors(kind: str, predictor: Predictor) -> Iterator[str]:
    if (found := _measured(kind, predictor)) is not None:
        text = f"{found['molecules']:,} test molecules of its own data set, with {WHOSE[kind]}"
        yield f"Test MAE: {predictor.name}'s mean absolute error on {text}."


def _without_intervals(kind: str, predictor: Predictor) -> Iterator[str]:
    """Why there are no 90 % intervals for one kind of geometry, where there are for others."""
    found = predictor.calibration
    if found is None or found.molecules(kind):
        return
    task = predictor.saved.task
    turns = task.kind != "scalar" or task.gradient
    addable = kind == EMBEDDED and not turns  # RDKit's geometries are oriented differently
    yield f"No intervals for {UNKNOWN[kind]}: {predictor.name} was calibrated on others only" + (
        "; molinv evaluate --embedded 500 adds them." if addable else "."
    )


def _on_intervals(kind: str, predictor: Predictor, several: bool) -> Iterator[str]:
    found = predictor.calibration
    if found is None or predictor.targets[0].kind == "class":
        return
    if (count := found.molecules(kind)) >= FEWEST:
        one = ", one conformer each" if several else ""
        yield (
            f"90 % intervals: from residuals of {count:,} held-out molecules with "
            f"{WHOSE[kind]}{one}; for molecules like those of the data set."
        )
