"""Report section: standard deviations of predictions over orientations, and errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from ase.data import chemical_symbols
from jaxtyping import Bool

from ..intervals import Estimate, median, short
from ..section import Section, Series, plain
from ..settings import Settings
from ..subject import Structures
from ..wording import measured_on, mentioned
from .orbits import Orbits

_BINS = 8  # largest number of groups by number of atoms


def section(orbits: Orbits, settings: Settings) -> Section:
    """Standard deviations over Haar: median over molecules, by size and by element."""
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
    groups = {
        "size": ("number of atoms", _by_size(orbits.structures)),
        "element": ("element present", _by_element(orbits.structures)),
    }
    found: dict[str, Estimate] = {}
    for name, (_, sets) in groups.items():
        each = [median(std[group]) for group in sets.values()]
        found[name] = Estimate.stack(each)
        made.numbers[f"by_{name}"] = {
            label: {"molecules": int(group.sum()), "median": m.numbers()}
            for (label, group), m in zip(sets.items(), each, strict=True)
        }
    for q, quantity in enumerate(subject.quantities):
        _histogram(made, orbits, q, middle)
        for group, (what, sets) in groups.items():
            names = [f"{label} ({int(members.sum())})" for label, members in sets.items()]
            bars = found[group][:, q].series(quantity.name, names, "bar")
            made.chart(
                f"orbit_{group}",
                f"Standard deviation over orientations by {what}",
                f"{what} (molecules)",
                quantity.axis(f"{quantity.name}, median"),
                [bars],
                quantity=quantity.name,
            )
    return made


def _by_size(structures: Structures) -> dict[str, Bool[torch.Tensor, " m"]]:
    """Molecules in groups of about equal number, by their number of atoms."""
    sizes = structures.sizes
    ends = np.unique(np.quantile(sizes.numpy(), np.linspace(0, 1, _BINS + 1), method="lower"))
    edges = [*ends[:-1].tolist(), int(ends[-1]) + 1] if len(ends) > 1 else [ends[0], ends[0] + 1]
    label = {e: f"{e}" if e + 1 == f else f"{e} to {f - 1}" for e, f in pairwise(edges)}
    return {label[e]: (sizes >= e) & (sizes < f) for e, f in pairwise(edges)}


def _by_element(structures: Structures) -> dict[str, Bool[torch.Tensor, " m"]]:
    """Molecules by the elements that they contain; one molecule is in several groups."""
    there = torch.zeros(len(structures), len(chemical_symbols), dtype=torch.bool)
    for row, z in zip(there, structures.z, strict=True):
        row[z] = True
    return {chemical_symbols[k]: there[:, k] for k in there.any(0).nonzero()[:, 0].tolist()}


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
