"""How a prediction looks from everywhere: maps of directions, best and worst orientation."""

from __future__ import annotations

from math import atan2, degrees, isnan, nan
from typing import NamedTuple

import torch
from torch import Tensor

from ..report.content import show
from ..section import Drawing, Section, Sphere
from ..settings import Settings
from ..subject import Structures
from .orbits import Orbits, values_at, width
from .views import LATITUDES, LONGITUDES, TURNS, mean_square, over_directions

LARGEST = 3


class Molecule(NamedTuple):
    """One molecule that is shown: its index, the reason for choosing it, its name."""

    index: int
    why: str
    name: str


def section(orbits: Orbits, settings: Settings) -> Section:
    """Maps of the first quantity for the molecules whose orbits spread most, and for a median one.

    A scalar's map shows its difference to the mean over all rotations, a vector's or a tensor's
    the length of that difference. Costs 2,496 evaluations a molecule.
    """
    structures, quantity = orbits.structures, orbits.subject.quantities[0]
    chosen = choose(orbits)
    total = len(chosen) * len(LATITUDES) * len(LONGITUDES) * TURNS
    tick = settings.progress("orientation maps", total)
    made = Section("maps", "The prediction from every side")
    rows = []
    for number, molecule in enumerate(chosen, 1):
        i = molecule.index
        away = over_directions(orbits, i, settings.batch_size, tick)
        turns = [orbits.nodes[int(k[i])] for k in (orbits.best, orbits.worst)]
        errors = [_error(orbits, i, g) for g in turns]
        spread = float(orbits.variance[i, 0].sqrt())
        share = mean_square(away) / spread**2 if spread > rounding(orbits, i) else nan
        made.figures += [
            _map(orbits, molecule, number, away, turns),
            _drawing(orbits, molecule, number, errors, turns),
        ]
        ends = [float(away.min()), float(away.max())]
        rows.append([molecule.name, molecule.why, spread, *ends, 100 * share, *errors])
        made.numbers[str(number)] = {
            "molecule": molecule.name,
            "index": i,
            "chosen": molecule.why,
            "standard_deviation": spread,
            "share_by_direction": share,
            "mean": orbits.mean[i, 0].tolist(),
            "best": {"error": errors[0], "rotation": turns[0].tolist()},
            "worst": {"error": errors[1], "rotation": turns[1].tolist()},
        }
    made.numbers |= {"quantity": quantity.name, "unit": quantity.unit}
    error = "error" if structures.y is not None else "difference to its value as stored"
    axis = quantity.axis
    columns = ["molecule", "chosen for", axis("std over rotations"), axis("lowest on the map")]
    columns += [axis("highest on the map"), "variance by direction alone (%)"]
    columns += [axis(f"{error} at best"), axis(f"{error} at worst")]
    made.table(f"{quantity.name} over orientations", columns, rows)
    made.findings = _findings(orbits, rows, error)
    return made


def choose(orbits: Orbits) -> list[Molecule]:
    """The molecules of the largest variance of the first quantity, and the median one."""
    order = orbits.variance[:, 0].argsort(descending=True, stable=True).tolist()
    reasons = {
        i: "largest spread" if rank == 0 else f"spread no. {rank + 1}"
        for rank, i in enumerate(order[:LARGEST])
    }
    reasons.setdefault(order[len(order) // 2], "median spread")
    return [Molecule(i, why, label(orbits.structures, i)) for i, why in reasons.items()]


def label(structures: Structures, i: int) -> str:
    """A molecule's name, or its formula and its number where it has none."""
    from ase.symbols import Symbols

    if i < len(structures.names) and structures.names[i].strip():
        return structures.names[i].strip()
    return f"{Symbols(structures.z[i].numpy()).get_chemical_formula()} (no. {i})"


def rounding(orbits: Orbits, i: int) -> float:
    """A molecule's spread that the rounding of the subject's numbers can explain."""
    return 100 * torch.finfo(orbits.subject.dtype).eps * float(orbits.mean[i, 0].norm())


def _error(orbits: Orbits, i: int, g: Tensor) -> float:
    """|f - y| of the first quantity at one orientation; |f - f as stored| without y."""
    subject, structures = orbits.subject, orbits.structures
    pos, z = structures.batch([i], width(subject, structures))
    with torch.no_grad():
        value = values_at(subject, pos, z, g)[0, 0]
        if structures.y is None:
            return float((value - values_at(subject, pos, z, torch.eye(3))[0, 0]).norm())
    return float((value - structures.y[i, 0].to(value)).norm())


def _map(
    orbits: Orbits, molecule: Molecule, number: int, away: Tensor, turns: list[Tensor]
) -> Sphere:
    quantity = orbits.subject.quantities[0]
    marks = [(90.0, 0.0, "as stored")]
    for name, g in zip(("best", "worst"), turns, strict=True):
        x, y, up = g[2].tolist()  # the direction brought to z
        marks.append((degrees(torch.tensor(up).clamp(-1, 1).asin()), degrees(atan2(y, x)), name))
    what = "length of the difference" if orbits.entries else "difference"
    return Sphere(
        f"map-{number}",
        f"{molecule.name}: {quantity.name} from every direction",
        quantity.unit,
        LATITUDES.tolist(),
        LONGITUDES.tolist(),
        away.tolist(),
        f"The {what} to the mean over all rotations, against the molecule's direction that points "
        f"to the viewer, averaged over {TURNS} turns in the plane of view ({molecule.why} of "
        f"{len(orbits.structures):,} molecules). Mollweide projection, equal areas; "
        f"{away.numel()} directions, interpolated. The marked best and worst orientations are "
        f"single ones of {len(orbits.nodes)}, each with its own turn in the plane.",
        tuple(marks),
    )


def _drawing(
    orbits: Orbits, molecule: Molecule, number: int, errors: list[float], turns: list[Tensor]
) -> Drawing:
    structures, i, unit = orbits.structures, molecule.index, orbits.subject.units[0]
    pos, z = structures.pos[i].double(), structures.z[i].tolist()
    what = "error" if structures.y is not None else "differs from its value as stored by"
    return Drawing(
        f"orientations-{number}",
        f"{molecule.name}: best and worst orientation",
        [
            (f"{name}: {what} {show(error)} {unit}".rstrip(), (pos @ g.mT).tolist(), z)
            for name, error, g in zip(("Best", "Worst"), errors, turns, strict=True)
        ],
        f"Of {len(orbits.nodes)} orientations; x to the right, y up, z to the viewer.",
    )


def _findings(orbits: Orbits, rows: list, error: str) -> list[str]:
    quantity, m = orbits.subject.quantities[0], len(orbits.structures)
    u = f" {quantity.unit}".rstrip()
    name, _, spread, low, high, share, best, worst = rows[0]
    first = (
        f"{f'Of {m:,} molecules' if m > 1 else 'As the only molecule'} {name} depends most on its "
        f"orientation: {quantity.name} has a standard deviation of {show(spread)}{u} over all "
        "rotations"
    )
    if isnan(share):
        return [f"{first}, which is no more than the rounding of its numbers."]
    count = len(LATITUDES[1:-1]) * len(LONGITUDES) + 2
    found = [
        f"{first}; averaged over turns in the plane of view it runs from {show(low)} to "
        f"{show(high)}{u} about its mean over {count} directions, and {share:.0f} % of its "
        "variance comes from the direction alone.",
        f"Its {error} is {show(best)}{u} in its best orientation and {show(worst)}{u} in its "
        "worst.",
    ]
    if rows[-1][1] == "median spread":
        median = f"{rows[-1][0]}, has a standard deviation of {show(rows[-1][2])}{u}."
        found.append(f"The median molecule, {median}")
    return found
