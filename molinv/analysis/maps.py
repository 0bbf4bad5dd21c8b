"""How a prediction looks from everywhere: maps over viewing directions, best and worst orientation.

Direction u of a molecule is seen when u points to the eye, along z: the rotations that bring it
there differ by a turn in the plane of view, and the map shows their average.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import atan2, degrees

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial.legendre import legvander
from torch import Tensor

from .. import quadrature
from .orbits import Orbits, length_squared, values_at
from .report.content import show
from .section import Drawing, Grid, Section, Sphere
from .settings import Settings
from .subject import Structures, Subject

LATITUDES = torch.linspace(-90, 90, 13, dtype=torch.float64)
LONGITUDES = torch.linspace(-180, 165, 24, dtype=torch.float64)
TURNS = 8  # in the plane of view: averages in-plane harmonics up to order 7 away
LARGEST = 3


@dataclass(frozen=True)
class Molecule:
    """One molecule that is shown: which one, why, and what it is called."""

    index: int
    why: str
    name: str


def section(
    subject: Subject, structures: Structures, orbits: Orbits, settings: Settings
) -> Section:
    """Maps of the first quantity for the molecules whose orbits spread most, and for a median one.

    A scalar's map shows its difference to the mean over all rotations, a vector's or a tensor's
    the length of that difference. Costs 2,496 evaluations a molecule.
    """
    chosen = choose(subject, structures, orbits)
    total = len(chosen) * len(LATITUDES) * len(LONGITUDES) * TURNS
    tick = settings.progress("orientation maps", total)
    made = Section("maps", "Orientation maps")
    rows, quantity = [], subject.quantities[0]
    for number, molecule in enumerate(chosen, 1):
        i = molecule.index
        away = over_directions(subject, structures, orbits, i, settings.batch_size, tick)
        ends = [int(orbits.best[i]), int(orbits.worst[i])]
        errors = [_miss(subject, structures, i, orbits.nodes[k]) for k in ends]
        spread = float(orbits.variance[i, 0].sqrt())
        share = mean_square(away) / spread**2 if spread > 0 else 0.0
        made.figures += [
            _map(subject, structures, orbits, molecule, number, away),
            _drawing(subject, structures, orbits, molecule, number, errors),
        ]
        ends_of_map = [float(away.min()), float(away.max())]
        rows.append([molecule.name, molecule.why, spread, *ends_of_map, 100 * share, *errors])
        made.numbers[str(number)] = {
            "molecule": molecule.name,
            "index": i,
            "chosen": molecule.why,
            "standard_deviation": spread,
            "share_by_direction": share,
            "mean": orbits.mean[i, 0].tolist(),
            "best": {"error": errors[0], "rotation": orbits.nodes[ends[0]].tolist()},
            "worst": {"error": errors[1], "rotation": orbits.nodes[ends[1]].tolist()},
        }
    made.numbers |= {"quantity": quantity.name, "unit": quantity.unit}
    miss = "error" if structures.y is not None else "difference to its value as stored"
    unit = f" ({quantity.unit})" if quantity.unit else ""
    columns = ["molecule", "chosen for", f"std over rotations{unit}", f"lowest on the map{unit}"]
    columns += [f"highest on the map{unit}", "variance by direction alone (%)"]
    columns += [f"{miss} at best{unit}", f"{miss} at worst{unit}"]
    made.tables = [Grid(f"{quantity.name} over orientations", columns, rows)]
    made.findings = _findings(subject, structures, rows, miss)
    return made


def choose(subject: Subject, structures: Structures, orbits: Orbits) -> list[Molecule]:
    """The molecules of the largest variance of the first quantity, and the median one."""
    order = orbits.variance[:, 0].argsort(descending=True, stable=True).tolist()
    ranks = [
        (i, "largest spread" if r == 0 else f"spread no. {r + 1}")
        for r, i in enumerate(order[:LARGEST])
    ]
    median = order[len(order) // 2]
    if median not in order[:LARGEST]:
        ranks.append((median, "median spread"))
    return [Molecule(i, why, label(structures, i)) for i, why in ranks]


def label(structures: Structures, i: int) -> str:
    """A molecule's name, or its formula and its number where it has none."""
    from ase.symbols import Symbols

    if i < len(structures.names) and structures.names[i].strip():
        return structures.names[i].strip()
    return f"{Symbols(structures.z[i].numpy()).get_chemical_formula()} (no. {i})"


def views(latitude: Tensor, longitude: Tensor) -> Float[Tensor, "*d 3 3"]:
    """Rotations that bring directions (degrees) to z, the molecule's own north up.

    Their rows are the unit vectors to the east, to the north and outwards.
    """
    lat, lon = torch.broadcast_tensors(latitude.deg2rad(), longitude.deg2rad())
    zero = torch.zeros_like(lat)
    east = torch.stack([-lon.sin(), lon.cos(), zero], -1)
    north = torch.stack([-lat.sin() * lon.cos(), -lat.sin() * lon.sin(), lat.cos()], -1)
    return torch.stack([east, north, torch.linalg.cross(east, north)], -2)


@torch.no_grad()
def over_directions(
    subject: Subject,
    structures: Structures,
    orbits: Orbits,
    i: int,
    batch_size: int,
    tick: Callable[[int], None],
) -> Float[Tensor, "lat lon"]:
    """The first quantity less its mean over rotations, averaged over turns in the plane of view.

    In the quantity's unit; lengths of the difference where it is not one number. At the poles all
    longitudes are one direction and get one value.
    """
    spin = torch.eye(3, dtype=torch.float64).repeat(TURNS, 1, 1)
    spin[:, :2, :2] = quadrature.so2(TURNS - 1)[0]
    seen = views(LATITUDES[:, None], LONGITUDES[None])
    g = (spin @ seen[:, :, None]).flatten(0, 2)
    width = orbits.mean.shape[2] if subject.by_atom else None
    pos, z = structures.batch([i], width)
    parts = []
    for block in g.split(batch_size):
        n = len(block)
        values = values_at(subject, pos.to(subject.dtype).expand(n, -1, -1), z.expand(n, -1), block)
        parts.append(values[:, 0])
        tick(n)
    found = torch.cat(parts).unflatten(0, (*seen.shape[:2], TURNS)).mean(2) - orbits.mean[i, 0]
    for pole in (0, -1):
        found[pole] = found[pole].mean(0)
    entries = orbits.mean.dim() - 2
    return length_squared(found, entries).sqrt() if entries else found


def mean_square(away: Float[Tensor, "lat lon"]) -> float:
    """The mean of squares over the sphere.

    Evenly spaced rings get Clenshaw and Curtis's weights: exact for maps up to degree 6.
    """
    order = len(LATITUDES) - 1
    legendre = legvander(LATITUDES.deg2rad().sin().numpy(), order)
    weights = np.linalg.solve(legendre.T, np.eye(order + 1)[0])
    return float(weights @ away.square().mean(1).numpy())


def _miss(subject: Subject, structures: Structures, i: int, g: Tensor) -> float:
    """|f - y| of the first quantity at one orientation; |f - f as stored| without y."""
    pos, z = structures.batch([i])
    pos = pos.to(subject.dtype)
    with torch.no_grad():
        value = values_at(subject, pos, z, g)[0, 0]
        if structures.y is None:
            return float((value - values_at(subject, pos, z, torch.eye(3))[0, 0]).norm())
    return float((value - structures.y[i, 0].to(value)).norm())


def _map(
    subject: Subject,
    structures: Structures,
    orbits: Orbits,
    molecule: Molecule,
    number: int,
    away: Float[Tensor, "lat lon"],
) -> Sphere:
    quantity = subject.quantities[0]
    marks = [(90.0, 0.0, "as stored")]
    for name, k in (("best", orbits.best), ("worst", orbits.worst)):
        x, y, up = orbits.nodes[int(k[molecule.index])][2].tolist()  # the direction brought to z
        marks.append((degrees(torch.tensor(up).clamp(-1, 1).asin()), degrees(atan2(y, x)), name))
    what = "difference" if orbits.mean.dim() == 2 else "length of the difference"
    return Sphere(
        f"map-{number}",
        f"{molecule.name}: {quantity.name} from every direction",
        quantity.unit,
        LATITUDES.tolist(),
        LONGITUDES.tolist(),
        away.tolist(),
        f"The {what} to the mean over all rotations, against the molecule's direction that points "
        f"to the viewer, averaged over {TURNS} turns in the plane of view ({molecule.why} of "
        f"{len(structures):,} molecules). Mollweide projection, equal areas; {away.numel()} "
        "directions, interpolated. The marked best and worst orientations are single ones of "
        f"{len(orbits.nodes)}, each with its own turn in the plane.",
        tuple(marks),
    )


def _drawing(
    subject: Subject,
    structures: Structures,
    orbits: Orbits,
    molecule: Molecule,
    number: int,
    errors: list[float],
) -> Drawing:
    i, unit = molecule.index, subject.quantities[0].unit
    pos, z = structures.pos[i].double(), structures.z[i].tolist()
    what = "error" if structures.y is not None else "differs from its value as stored by"
    panels = []
    for name, k, error in zip(("Best", "Worst"), (orbits.best, orbits.worst), errors, strict=True):
        turned = pos @ orbits.nodes[int(k[i])].mT
        panels.append((f"{name}: {what} {show(error)} {unit}".rstrip(), turned.tolist(), z))
    return Drawing(
        f"orientations-{number}",
        f"{molecule.name}: best and worst orientation",
        panels,
        f"Of {len(orbits.nodes)} orientations; x to the right, y up, z to the viewer.",
    )


def _findings(subject: Subject, structures: Structures, rows: list, miss: str) -> list[str]:
    q, u = subject.quantities[0].name, f" {subject.quantities[0].unit}".rstrip()
    name, _, spread, low, high, share, best, worst = rows[0]
    count = len(LATITUDES[1:-1]) * len(LONGITUDES) + 2
    found = [
        f"Of {len(structures):,} molecules {name} depends most on its orientation: {q} has a "
        f"standard deviation of {show(spread)}{u} over all rotations; averaged over turns in the "
        f"plane of view it runs from {show(low)} to {show(high)}{u} about its mean over {count} "
        f"directions, and {share:.0f} % of its variance comes from the direction alone.",
        f"Its {miss} is {show(best)}{u} in its best orientation and {show(worst)}{u} in its worst.",
    ]
    if rows[-1][1] == "median spread":
        found.append(
            f"The median molecule, {rows[-1][0]}, has a standard deviation of "
            f"{show(rows[-1][2])}{u}."
        )
    return found
