"""Notes on unusual values in a user's file: total energies that are not marked, and outliers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from .molecules import Molecules
from .ragged import sums
from .targets import Target

EXPLAINED = 0.999  # element counts explain at least this fraction of a total energy's variance
FEWEST = 20  # values, and 4 for each element, that are needed to compute that fraction
FAR = 20.0  # an outlier is this many median absolute deviations from the median
OFTEN = 0.02  # with more than this fraction of outliers, the distribution is called wide
_ENERGY = re.compile(r"energ|^e_?(tot|total|dft|scf|0)?$|^u_?0$", re.IGNORECASE)
_OTHER = re.compile(r"atomi|form|bind|solv|interact|react|gap|zero|zpv?e|per_?atom", re.IGNORECASE)


def with_totals(molecules: Molecules) -> tuple[Molecules, list[str]]:
    """The molecules with total energies marked as atomwise, and a sentence on each.

    A target is a total energy if forces are learned as its gradient, or if it is named like an
    energy and the counts of the elements explain nearly all of its variance.
    """
    gradients = [f.target for f in molecules.fields if f.target.kind == "atom vector"]
    learned = len(molecules.targets) == len(gradients) == len(molecules.fields) == 1
    made, said = [], []
    for j, target in enumerate(molecules.targets):
        share = (
            0.0
            if target.atomwise or target.kind == "class"
            else explained(molecules, molecules.y[:, j])
        )
        named = _ENERGY.search(target.name) and not _OTHER.search(target.name)
        if share > EXPLAINED:
            why = f"element counts explain {_percent(share)} of its variance"
        elif learned and not target.atomwise:
            why = f"{gradients[0].name!r} is learned as its gradient"
        else:
            made.append(target)
            continue
        if learned or named:
            target = replace(target, atomwise=True)
            said.append(
                f"{target.name!r} is treated as a total energy, as {why}: predictions are "
                "relative to atom energies fitted on the training molecules."
            )
        else:
            said.append(f"If {target.name!r} is a total energy, pass --atomwise: {why}.")
        made.append(target)
    return replace(molecules, targets=tuple(made)), said


def explained(molecules: Molecules, y: Float64[np.ndarray, " n"]) -> float:
    """The fraction of y's variance that a linear fit of the element counts explains.

    0 if too few values are known, and if the fit is exact, as for a molecular weight.
    """
    rest = _rest(molecules, y)
    known = y[~np.isnan(y)]
    if rest is None or not known.std() > 0 or rest.std() <= 1e-7 * np.abs(known).max():
        return 0.0
    return float(1 - (rest.std() / known.std()) ** 2)


def outliers(molecules: Molecules) -> Iterator[str]:
    """A sentence on each target that has outliers; it names the farthest."""
    for j, target in enumerate(molecules.targets):
        if target.kind == "class":
            continue
        y = molecules.y[:, j]
        rows = np.flatnonzero(~np.isnan(y))
        rest = _rest(molecules, y) if target.atomwise else y[rows]
        rest = y[rows] if rest is None else rest
        middle = np.median(rest)
        deviation = np.abs(rest - middle)
        if not (unit := np.median(deviation)) > 0:
            continue
        if count := int((deviation > FAR * unit).sum()):
            yield _far(molecules, target, rows, deviation / unit, count)


def _far(
    molecules: Molecules, target: Target, rows: np.ndarray, away: np.ndarray, count: int
) -> str:
    at = int(away.argmax())
    i = int(rows[at])
    value = f"{molecules.y[i, molecules.targets.index(target)]:.10g}"
    if count > max(3, OFTEN * len(rows)):
        return (
            f"{count:,} of {len(rows):,} values of {target.name!r} are more than {FAR:g} median "
            f"absolute deviations from the median, up to {value} in row {molecules.ids[i]}: its "
            "logarithm may be easier to learn."
        )
    more = f", and {count - 1} more are beyond {FAR:g}" if count > 1 else ""
    what = f"row {molecules.ids[i]} ({molecules.smiles[i] or 'no SMILES'})"
    return (
        f"{target.name!r} is {value} in {what}, {away[at]:.4g} median absolute deviations from the "
        f"median{more}: check it."
    )


def _rest(molecules: Molecules, y: Float64[np.ndarray, " n"]) -> np.ndarray | None:
    """The residuals of a fit of the element counts to the known values; None if too few."""
    from .references import fit_references

    rows = np.flatnonzero(~np.isnan(y))
    elements = len(np.unique(molecules.z))
    if len(rows) < max(FEWEST, 4 * elements):
        return None
    found = fit_references(molecules.z, molecules.ptr, y, rows).numpy()
    return (y - sums(found[molecules.z], molecules.ptr))[rows]


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"
