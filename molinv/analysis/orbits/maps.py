"""How a prediction looks from everywhere: maps of directions, best and worst orientation."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, isnan, nan

import torch
from jaxtyping import Float
from torch import Tensor

from ..report.content import show
from ..section import Drawing, Grid, Section, Sphere
from ..settings import Settings
from ..subject import Structures, Subject
from .orbits import Orbits, values_at
from .views import LATITUDES, LONGITUDES, TURNS, mean_square, over_directions

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
    made = Section("maps", "The prediction from every side")
    rows, quantity = [], subject.quantities[0]
    for number, molecule in enumerate(chosen, 1):
        i = molecule.index
        away = over_directions(subject, structures, orbits, i, settings.batch_size, tick)
        ends = [int(orbits.best[i]), int(orbits.worst[i])]
        errors = [_miss(subject, structures, orbits, i, orbits.nodes[k]) for k in ends]
        spread = float(orbits.variance[i, 0].sqrt())
        share = mean_square(away) / spread**2 if spread > rounding(subject, orbits, i) else nan
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


def rounding(subject: Subject, orbits: Orbits, i: int) -> float:
    """What a molecule's spread may come to by the rounding of the subject's numbers alone."""
    return 100 * torch.finfo(subject.dtype).eps * float(orbits.mean[i, 0].norm())


def _miss(subject: Subject, structures: Structures, orbits: Orbits, i: int, g: Tensor) -> float:
    """|f - y| of the first quantity at one orientation; |f - f as stored| without y."""
    pos, z = structures.batch([i], orbits.mean.shape[2] if subject.by_atom else None)
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
    among = f"Of {len(structures):,} molecules" if len(structures) > 1 else "As the only molecule"
    found = [
        f"{among} {name} depends most on its orientation: {q} has a standard deviation of "
        f"{show(spread)}{u} over all rotations"
    ]
    if isnan(share):
        found[0] += ", which is no more than the rounding of its numbers."
        return found
    found[0] += (
        f"; averaged over turns in the plane of view it runs from {show(low)} to {show(high)}{u} "
        f"about its mean over {count} directions, and {share:.0f} % of its variance comes from the "
        "direction alone."
    )
    found.append(
        f"Its {miss} is {show(best)}{u} in its best orientation and {show(worst)}{u} in its worst."
    )
    if rows[-1][1] == "median spread":
        found.append(
            f"The median molecule, {rows[-1][0]}, has a standard deviation of "
            f"{show(rows[-1][2])}{u}."
        )
    return found
