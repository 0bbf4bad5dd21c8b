"""How far the prediction of a molecule moves over its orientations, beside how wrong it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from ase.data import chemical_symbols
from jaxtyping import Bool, Float
from torch import Tensor

from ..bootstrap import Estimate, means, medians, of_means
from ..section import Section, Series, plain
from ..settings import Settings
from ..subject import Structures
from ..wording import EACH, measured_on, mentioned
from .orbits import Orbits, length_squared

_BINS = 8  # groups by number of atoms, at most
# rounding of a result: fractions of the size of the values and of the difference of molecules
_ROUNDING = {torch.float32: (1e-6, 1e-5), torch.float64: (1e-10, 1e-10)}


def section(orbits: Orbits, settings: Settings) -> Section:
    """Standard deviations over Haar, by molecule: root mean square, median, by size and element."""
    subject = orbits.subject
    rms = of_means(torch.sqrt, orbits.variance, settings)
    middle = medians(orbits.variance.sqrt(), settings)
    mae = None if orbits.structures.y is None else means(orbits.error, settings)
    scale, still = spread(orbits), invariant(orbits)
    made = Section("orbit", "How much the prediction changes with orientation")
    made.findings.append(measured_on(orbits, settings))
    for q in mentioned(rms.value / (scale if mae is None else mae.value)):
        made.findings.append(_sentence(orbits, q, rms, middle, mae))
    rows = [
        [n.name, n.unit, rms.text(q), middle.text(q), mae.text(q) if mae else "", float(scale[q])]
        for q, n in enumerate(subject.quantities)
    ]
    last = "between molecules" if subject.kind == "scalar" else "own size"
    columns = ["quantity", "unit", "orbit std, rms", "median", "MAE over Haar", last]
    made.table("Standard deviation over orientations", columns, rows)
    made.numbers = {
        "quantities": subject.names,
        "units": subject.units,
        "rms": rms.numbers(),
        "median": middle.numbers(),
        "mae": None if mae is None else mae.numbers(),
        "spread": plain(scale),
        "invariant": still.tolist(),
        "std": plain(orbits.variance.sqrt()),
    }
    groups = {
        "size": ("number of atoms", _by_size(orbits.structures)),
        "element": ("element present", _by_element(orbits.structures)),
    }
    found: dict[str, Estimate] = {}
    for name, (_, sets) in groups.items():
        each = [of_means(torch.sqrt, orbits.variance[group], settings) for group in sets.values()]
        found[name] = Estimate.stack(each)
        made.numbers[f"by_{name}"] = {
            label: {"molecules": int(group.sum()), "rms": rms_.numbers()}
            for (label, group), rms_ in zip(sets.items(), each, strict=True)
        }
    for q, quantity in enumerate(subject.quantities[:EACH]):
        _histogram(made, orbits, q, rms, middle)
        for group, (what, sets) in groups.items():
            names = [f"{label} ({int(members.sum())})" for label, members in sets.items()]
            bars = found[group][:, q].series(quantity.name, names, "bar")
            made.chart(
                f"orbit_{group}_{quantity.name}",
                f"Standard deviation over orientations by {what}: {quantity.name}",
                f"{what} (molecules)",
                quantity.axis("root mean square"),
                [bars],
            )
    return made


def spread(orbits: Orbits) -> Float[Tensor, " t"]:
    """The scale of an orbit's standard deviation, in the quantity's unit.

    The standard deviation of the predictions over molecules; the root mean square of their length
    for vectors and tensors, whose directions are arbitrary, and for one molecule.
    """
    centred = orbits.entries == 0 and len(orbits.mean) > 1
    about = orbits.mean.mean(0) if centred else torch.zeros(())
    return length_squared(orbits.mean - about, orbits.entries).mean(0).sqrt()


def invariant(orbits: Orbits) -> Bool[Tensor, " t"]:
    """Whether the spread over orientations is within rounding."""
    size, scale = _ROUNDING.get(orbits.subject.dtype, _ROUNDING[torch.float32])
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


def _sentence(orbits: Orbits, q: int, rms: Estimate, middle: Estimate, mae: Estimate | None) -> str:
    subject, scale = orbits.subject, spread(orbits)[q]
    name, unit = subject.names[q], subject.units[q]
    size, value = rms.text(q, unit=unit), rms.value[q]
    several = subject.kind == "scalar" and len(orbits.variance) > 1
    what = "by which molecules differ" if several else "that it measures itself"
    beside = f"the {f'{scale:.3g} {unit}'.rstrip()} {what}"
    if invariant(orbits)[q]:
        return f"{name} does not change with orientation beyond rounding: {size} beside {beside}."
    share = f"{100 * value / scale:.2g} % of {beside}"
    if mae is not None:
        error = f"the mean absolute error {mae.text(q, unit=unit)}"
        share = f"{100 * value / mae.value[q]:.2g} % of {error}, {share}"
    moved = "" if subject.kind == "scalar" else ", rotated back,"
    return (
        f"{name} of a molecule{moved} has a standard deviation over its orientations of {size} "
        f"(root mean square over molecules; median {middle.text(q, unit=unit)}): {share}."
    )


def _histogram(made: Section, orbits: Orbits, q: int, rms: Estimate, middle: Estimate) -> None:
    """Drawn as steps, so that the axis keeps its unit."""
    quantity, each = orbits.subject.quantities[q], orbits.variance[:, q].sqrt().numpy()
    counts, edges = np.histogram(each, bins=30, range=(0, float(each.max()) or 1.0))
    steps = [0, *np.repeat(counts, 2).tolist(), 0]
    made.chart(
        f"orbit_histogram_{quantity.name}",
        f"Standard deviation over orientations, molecule by molecule: {quantity.name}",
        quantity.axis("standard deviation"),
        "molecules",
        [Series(quantity.name, np.repeat(edges, 2).tolist(), steps)],
        vertical=[(float(rms.value[q]), "rms"), (float(middle.value[q]), "median")],
    )
