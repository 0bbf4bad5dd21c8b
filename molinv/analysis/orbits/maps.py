"""One molecule in a sphere: the prediction by the direction of the molecule along an axis."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...errors import InputError
from ...groups import SO3
from ...quadrature import so3
from ..intervals import short
from ..section import Globe, Section
from ..settings import Settings
from ..subject import Structures
from .orbits import Orbits, length_squared, values_at, width
from .views import LATITUDES, LONGITUDES, best_axis, over_directions, power


def section(orbits: Orbits, settings: Settings) -> Section:
    """For each quantity, the molecule that depends most on orientation, from every direction.

    The colour is the difference to the mean over all rotations, or its length for vectors and
    tensors. Raises InputError if no orientation changes anything.
    """
    if orbits.degree == 0:
        raise InputError("no orientation changes anything beyond rounding: all sides are alike.")
    subject, structures = orbits.subject, orbits.structures
    most = orbits.variance.argmax(0).tolist()
    shown = dict.fromkeys(i for q, i in enumerate(most) if not orbits.still[q])
    known = {i: coefficients(orbits, i, settings) for i in shown}
    made = Section("maps", "The prediction from every side", top=True)
    for q, (quantity, i) in enumerate(zip(subject.quantities, most, strict=True)):
        if orbits.still[q]:
            continue
        name, (found, l_of) = label(structures, i), known[i]
        variance = float(orbits.variance[i, q])
        axis, direction, averaged = best_axis(found[:, q], orbits.degree)
        averaged[0] = 0.0  # the mean over all rotations
        away = over_directions(averaged, l_of, direction)
        if orbits.entries:
            away = length_squared(away, orbits.entries).sqrt()
        share, unit = power(averaged) / variance, f" {quantity.unit}".rstrip()
        ends = [float(away.min()), float(away.max())]
        made.figures.append(
            Globe(
                "map",
                f"{name}: {quantity.name} by the direction that points along {axis}",
                quantity.unit,
                LATITUDES.tolist(),
                LONGITUDES.tolist(),
                away.tolist(),
                f"Drag to turn. The colour of a point is {quantity.name} when the molecule is "
                f"rotated so that this point lies along {axis} of space: the "
                f"{'length of the ' * bool(orbits.entries)}difference to its mean over all "
                f"rotations, averaged over rotations about {axis}. No other of the "
                f"{len(structures):,} molecules depends more on orientation.",
                structures.pos[i].tolist(),
                structures.z[i].tolist(),
                quantity.name,
            )
        )
        made.findings.append(
            f"{quantity.name} of {name} changes most with the direction that points along {axis} "
            f"of space: from {short(ends[0])} to {short(ends[1])}{unit} about its mean. This is "
            f"{100 * share:.0f} % of the variance over orientations; the standard deviation is "
            f"{short(variance**0.5)}{unit}."
        )
        made.numbers[quantity.name] = {
            "molecule": name,
            "index": i,
            "axis": direction.tolist(),
            "share": share,
            "lowest": ends[0],
            "highest": ends[1],
            "unit": quantity.unit,
        }
    return made


@torch.no_grad()
def coefficients(
    orbits: Orbits, i: int, settings: Settings
) -> tuple[Float[Tensor, "f t *e"], Int64[Tensor, " f"]]:
    """Coefficients of the Wigner-D functions for one molecule, and their degrees."""
    nodes, weights = so3(2 * orbits.degree)
    columns, l_of = SO3().basis(nodes, orbits.degree)
    subject, structures = orbits.subject, orbits.structures
    pos, z = structures.batch([i], width(subject, structures))
    tick, rows = settings.progress("one molecule from every side", len(nodes)), []
    for g in nodes.split(settings.batch_size):
        n = len(g)
        rows.append(values_at(subject, pos.expand(n, -1, -1), z.expand(n, -1), g))
        tick(n)
    values = torch.cat(rows)
    flat = (columns * weights[:, None]).mT @ (values - orbits.mean[i]).flatten(1)
    return flat.view(-1, *values.shape[1:]), l_of


def label(structures: Structures, i: int) -> str:
    """The name of a molecule, or its formula and index."""
    from ase.symbols import Symbols

    if i < len(structures.names) and structures.names[i].strip():
        return structures.names[i].strip()
    return f"{Symbols(structures.z[i].numpy()).get_chemical_formula()} (no. {i})"
