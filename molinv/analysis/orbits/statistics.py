"""How far the prediction of a molecule moves over its orientations, beside how wrong it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from ase.data import chemical_symbols
from jaxtyping import Bool, Float
from torch import Tensor

from ..bootstrap import Estimate, medians, of_means, plain
from ..section import Chart, Grid, Section, Series
from ..settings import Settings
from ..subject import Structures, Subject
from ..wording import EACH, measured_on, told
from .orbits import Orbits, length_squared

_BINS = 8  # groups by number of atoms, at most
# rounding of a result: shares of the size of the values and of what molecules differ by
_ROUNDING = {torch.float32: (1e-6, 1e-5), torch.float64: (1e-10, 1e-10)}


def section(
    subject: Subject, structures: Structures, orbits: Orbits, settings: Settings
) -> Section:
    """Standard deviations over Haar, by molecule: their root mean square, median and causes."""
    rms = of_means(torch.sqrt, orbits.variance, settings)
    middle = medians(orbits.variance.sqrt(), settings)
    mae = None if structures.y is None else of_means(lambda v: v, orbits.error, settings)
    scale, still = spread(orbits), invariant(subject, orbits)
    groups = {"size": _by_size(structures), "element": _by_element(structures)}
    found = {
        name: {label: _rms(orbits, members, settings) for label, members in sets.items()}
        for name, sets in groups.items()
    }
    made = Section("orbit", "How much the prediction changes with orientation")
    made.findings.append(measured_on(orbits, settings))
    for q in told(rms.value / (scale if mae is None else mae.value)):
        made.findings.append(_sentence(subject, q, rms, middle, mae, scale, bool(still[q])))
    made.tables.append(_table(subject, rms, middle, mae, scale))
    for q in range(min(EACH, len(subject.quantities))):
        made.figures.append(_histogram(subject, orbits, q, rms, middle))
        made.figures += [_bars(subject, q, name, groups[name], found[name]) for name in groups]
    made.numbers = {
        "quantities": [quantity.name for quantity in subject.quantities],
        "units": [quantity.unit for quantity in subject.quantities],
        "rms": rms.numbers(),
        "median": middle.numbers(),
        "mae": None if mae is None else mae.numbers(),
        "spread": plain(scale),
        "invariant": still.tolist(),
        "std": plain(orbits.variance.sqrt()),
    }
    for name, sets in groups.items():
        made.numbers[f"by_{name}"] = {
            label: {"molecules": int(members.sum()), "rms": found[name][label].numbers()}
            for label, members in sets.items()
        }
    return made


def spread(orbits: Orbits) -> Float[Tensor, " t"]:
    """What an orbit's standard deviation is small or large beside, in the quantity's unit.

    The standard deviation of the predictions over molecules; the root mean square of their length
    for vectors and tensors, whose directions are arbitrary, and for one molecule.
    """
    e = orbits.mean.ndim - 2
    centred = e == 0 and len(orbits.mean) > 1
    about = orbits.mean.mean(0) if centred else torch.zeros(())
    return length_squared(orbits.mean - about, e).mean(0).sqrt()


def invariant(subject: Subject, orbits: Orbits) -> Bool[Tensor, " t"]:
    """Whether the spread over orientations is no more than what rounding makes."""
    size, scale = _ROUNDING.get(subject.dtype, _ROUNDING[torch.float32])
    length = orbits.power[..., 0].mean(0).sqrt()
    return orbits.variance.mean(0).sqrt() <= size * length + scale * spread(orbits)


def _by_size(structures: Structures) -> dict[str, Bool[Tensor, " m"]]:
    """Molecules in groups of about equal number, by their number of atoms."""
    sizes = structures.sizes
    ends = np.unique(np.quantile(sizes.numpy(), np.linspace(0, 1, _BINS + 1), method="lower"))
    edges = [*ends[:-1].tolist(), int(ends[-1]) + 1] if len(ends) > 1 else [ends[0], ends[0] + 1]
    label = {e: f"{e}" if e + 1 == f else f"{e} to {f - 1}" for e, f in pairwise(edges)}
    return {label[e]: (sizes >= e) & (sizes < f) for e, f in pairwise(edges)}


def _by_element(structures: Structures) -> dict[str, Bool[Tensor, " m"]]:
    """The molecules that have an atom of each element; one molecule is in several groups."""
    there = torch.zeros(len(structures), len(chemical_symbols), dtype=torch.bool)
    for row, z in zip(there, structures.z, strict=True):
        row[z] = True
    return {chemical_symbols[k]: there[:, k] for k in there.any(0).nonzero()[:, 0].tolist()}


def _rms(orbits: Orbits, members: Bool[Tensor, " m"], settings: Settings) -> Estimate:
    return of_means(torch.sqrt, orbits.variance[members], settings)


def _sentence(
    subject: Subject,
    q: int,
    rms: Estimate,
    middle: Estimate,
    mae: Estimate | None,
    scale: Float[Tensor, " t"],
    still: bool,
) -> str:
    name, unit = subject.quantities[q].name, subject.quantities[q].unit
    several = subject.kind == "scalar" and bool(rms.low[q].isfinite())
    what = "by which molecules differ" if several else "that it measures itself"
    beside = f"the {f'{scale[q]:.3g} {unit}'.rstrip()} {what}"
    if still:
        return (
            f"{name} does not change with orientation beyond rounding: {rms.text(q, unit=unit)} "
            f"beside {beside}."
        )
    share = f"{100 * rms.value[q] / scale[q]:.2g} % of {beside}"
    if mae is not None:
        share = (
            f"{100 * rms.value[q] / mae.value[q]:.2g} % of the mean absolute error "
            f"{mae.text(q, unit=unit)}, {share}"
        )
    moved = "" if subject.kind == "scalar" else ", turned back,"
    return (
        f"{name} of a molecule{moved} has a standard deviation over its orientations of "
        f"{rms.text(q, unit=unit)} (root mean square over molecules; median "
        f"{middle.text(q, unit=unit)}): {share}."
    )


def _table(
    subject: Subject, rms: Estimate, middle: Estimate, mae: Estimate | None, scale: Tensor
) -> Grid:
    rows = []
    for q, quantity in enumerate(subject.quantities):
        error = "" if mae is None else mae.text(q)
        row = [quantity.name, quantity.unit, rms.text(q), middle.text(q), error, float(scale[q])]
        rows.append(row)
    last = "between molecules" if subject.kind == "scalar" else "own size"
    columns = ["quantity", "unit", "orbit std, rms", "median", "MAE over Haar", last]
    return Grid("Standard deviation over orientations", columns, rows)


def _histogram(subject: Subject, orbits: Orbits, q: int, rms: Estimate, middle: Estimate) -> Chart:
    """Drawn as steps, so that the axis keeps its unit."""
    name, unit = subject.quantities[q].name, subject.quantities[q].unit
    each = orbits.variance[:, q].sqrt().numpy()
    counts, edges = np.histogram(each, bins=30, range=(0, float(each.max()) or 1.0))
    return Chart(
        f"orbit_histogram_{name}",
        f"Standard deviation over orientations, molecule by molecule: {name}",
        f"standard deviation ({unit})" if unit else "standard deviation",
        "molecules",
        [Series(name, np.repeat(edges, 2).tolist(), [0, *np.repeat(counts, 2).tolist(), 0])],
        vertical=[(float(rms.value[q]), "rms"), (float(middle.value[q]), "median")],
    )


def _bars(
    subject: Subject,
    q: int,
    group: str,
    sets: dict[str, Bool[Tensor, " m"]],
    found: dict[str, Estimate],
) -> Chart:
    name, unit = subject.quantities[q].name, subject.quantities[q].unit
    names = [f"{label} ({int(members.sum())})" for label, members in sets.items()]
    parts = [torch.stack([e.parts[i][q] for e in found.values()]) for i in range(3)]
    what = {"size": "number of atoms", "element": "element present"}[group]
    return Chart(
        f"orbit_{group}_{name}",
        f"Standard deviation over orientations by {what}: {name}",
        f"{what} (molecules)",
        f"root mean square ({unit})" if unit else "root mean square",
        [Series(name, names, style="bar", **Estimate(*parts).series())],
    )
