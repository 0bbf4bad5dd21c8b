"""Report section: standard deviations of predictions over orientations, and errors."""

from __future__ import annotations

import numpy as np

from ..intervals import Estimate, median, short
from ..section import Section, Series, plain
from ..settings import Settings
from ..wording import measured_on, mentioned
from .orbits import Orbits


def section(orbits: Orbits, settings: Settings) -> Section:
    """Standard deviations over Haar: medians and a histogram over molecules."""
    subject, std = orbits.subject, orbits.std
    middle, differ, still = median(std), orbits.differences, orbits.still
    known = orbits.structures.y is not None
    error, mae = median(orbits.error), orbits.error.mean(0)
    made = Section("orbit", "How much the prediction changes with orientation")
    made.findings.append(measured_on(orbits))
    basis = error.value if known else differ.nan_to_num(1.0)
    for q in mentioned(middle.value / basis.clamp_min(1e-300)):
        made.findings.append(_sentence(orbits, q, middle, error))
    what = "difference between molecules" if orbits.entries == 0 else "median length"
    columns = ["quantity", "unit", "std over orientations, median", "mean", "largest"]
    columns += ["absolute error, median", "mean"] * known + [what]
    rows = [
        [n.name, n.unit, middle.text(q), float(std[:, q].mean()), float(std[:, q].max())]
        + [error.text(q), float(mae[q])] * known
        + [float(differ[q])]
        for q, n in enumerate(subject.quantities)
    ]
    made.table("Standard deviation over orientations", columns, rows)
    made.numbers = {
        "quantities": subject.names,
        "units": [n.unit for n in subject.quantities],
        "median": middle.numbers(),
        "error": error.numbers() if known else None,
        "mae": plain(mae) if known else None,
        "differences": plain(differ),
        "invariant": still.tolist(),
        "std": plain(std),
    }
    if bool(still.all()):
        return made
    for q in range(len(subject.quantities)):
        _histogram(made, orbits, q, middle)
    return made


def _sentence(orbits: Orbits, q: int, middle: Estimate, error: Estimate) -> str:
    subject, differ = orbits.subject, float(orbits.differences[q])
    name, unit = subject.names[q], subject.quantities[q].unit
    size, value = middle.text(q, unit=unit), float(middle.value[q])
    if orbits.still[q]:
        return f"{name} does not change with orientation beyond rounding: {size}."
    shares = []
    if orbits.structures.y is not None:
        of = float(error.value[q])
        text = f"the median absolute error, {error.text(q, unit=unit)}"
        shares.append(f"{short(100 * value / of)} % of {text}" if of else f"beside {text}")
    if differ > 0:
        what = "its median length" if orbits.entries else "the difference between molecules"
        shares.append(f"{short(100 * value / differ)} % of {what}, {differ:.3g} {unit}".rstrip())
    moved = "" if subject.kind == "scalar" else ", rotated back,"
    return (
        f"{name} of a molecule{moved} has a standard deviation over orientations of {size} "
        "(median of the molecules)" + (f": {', '.join(shares)}." if shares else ".")
    )


def _histogram(made: Section, orbits: Orbits, q: int, middle: Estimate) -> None:
    """A histogram, drawn as steps so that the axis keeps its unit."""
    quantity, each = orbits.subject.quantities[q], orbits.std[:, q].numpy()
    counts, edges = np.histogram(each, bins=30, range=(0, float(each.max()) or 1.0))
    steps = [0, *np.repeat(counts, 2).tolist(), 0]
    made.chart(
        "orbit_histogram",
        "Standard deviation over orientations, molecule by molecule",
        quantity.axis(f"{quantity.name}, standard deviation"),
        "molecules",
        [Series(quantity.name, np.repeat(edges, 2).tolist(), steps)],
        vertical=[(float(middle.value[q]), "median")],
        quantity=quantity.name,
    )
