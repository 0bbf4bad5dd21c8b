"""Where in the network the symmetry is made or broken: the Lie derivatives' part of the report."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..groups import SO3, Group
from .agreement import listed
from .bootstrap import plain
from .differences import check
from .flow import flow
from .lie import Rates, group_of, measure
from .lie_layers import layers
from .orbits import Orbits
from .section import Chart, Grid, Section, Series
from .settings import Settings
from .subject import Structures, Subject

ORIENTATIONS = 2  # random ones of each molecule
LOOKED_INTO = 100  # molecules whose way through the layers is traced


def section(
    subject: Subject, structures: Structures, orbits: Orbits, settings: Settings
) -> Section:
    """E|L_X f|^2 / Var f along every generator, as stored and turned, and through the layers.

    Raises InputError for a subject that cannot be differentiated in forward mode.
    """
    group, m = group_of(subject), len(structures)
    checked = check(subject, structures, group)
    tick = settings.progress("Lie derivatives", m * (1 + ORIENTATIONS))
    stored = measure(subject, structures, group, settings, 0, tick)
    turned = measure(subject, structures, group, settings, ORIENTATIONS, tick)
    made = Section("lie", "Where in the network the symmetry is made or broken")
    made.numbers = {
        "generators": list(group.names),
        "units": list(group.units),
        "molecules": m,
        "orientations": ORIENTATIONS,
        "check_by_differences": checked,
        "variance": plain(_variance(stored)),
        "stored": _numbers(stored, settings),
        "random": _numbers(turned, settings),
    }
    rounding = _whole(made, subject, group, stored, turned, settings)
    if isinstance(group, SO3):
        _spectrum(made, turned, orbits)
    try:
        looked = _first(structures, LOOKED_INTO)
        tick = settings.progress("Lie derivatives, layer by layer", len(looked))
        found = flow(subject, looked, group, None, settings.seed, settings.batch_size, tick)
    except InputError as error:
        made.findings.append(f"Not layer by layer: {error}")
    else:
        layers(made, group, found, settings, rounding)
    return made


def _whole(
    made: Section, subject: Subject, group: Group, stored: Rates, turned: Rates, settings: Settings
) -> bool:
    """Table, chart and sentence of the whole network; whether all of it is rounding."""
    names = [f"{n} (per {u}^2)" for n, u in zip(group.names, group.units, strict=True)]
    each, steep = turned.relative(settings), turned.steepness(settings)
    t = len(subject.quantities)
    of = "" if t == 1 else f", mean of {t} quantities"
    rows = [
        [
            q.name,
            *(each.text(k, i) for k in range(group.k)),
            *(float(steep.value[k, i]) for k in range(group.k)),
            q.unit,
        ]
        for i, q in enumerate(subject.quantities)
    ]
    columns = ["quantity", *names, *(f"{n}: root mean square" for n in group.names), "unit per rad"]
    if any(u != "rad" for u in group.units):
        columns[-1] = "unit, per rad, angstrom or log"
    title = "E|L_X f|^2 / Var f along each generator X, molecules in random orientations"
    made.tables.append(Grid(title, columns, rows))
    series, means = [], []
    for label, rates in (("as stored", stored), ("random orientations", turned)):
        mean = rates.mean_relative(settings)
        means.append(mean)
        if bool(mean.value.isfinite().all()):
            series.append(Series(label, names, **mean.series(), style="bar"))
    m = len(stored.count)
    if not series:
        made.findings.append(
            "The molecules' values do not differ, so that |L_X f|^2 has nothing to be compared "
            f"with: its root is {steep.text(0, 0, unit=subject.quantities[0].unit)} per "
            f"{group.units[0]} along {group.names[0]}."
        )
        return False
    small = (1e3 * torch.finfo(subject.dtype).eps) ** 2
    rounding = bool(max(float(mean.value.max()) for mean in means) < small)
    top = int(means[1].value.argmax())
    made.figures.append(
        Chart(
            "lie_generators",
            "How fast the output changes along each generator",
            "generator",
            f"E|L_X f|^2 / Var f{of}",
            series,
            "0 for a function that is invariant (equivariant); 1 where one unit along the "
            "generator changes it by as much as going to another molecule.",
            log_y=not rounding,
        )
    )
    if rounding:
        made.findings.append(
            f"{subject.name} is equivariant along {listed(group.names)} to its own rounding: "
            f"E|L_X f|^2 / Var f is at most {float(means[1].value.max()):.1g} ({m} molecules as "
            f"stored and in {ORIENTATIONS} random orientations each)."
        )
    else:
        made.findings.append(
            f"E|L_X f|^2 / Var f is largest along {group.names[top]}: "
            f"{means[1].text(top)} per {group.units[top]}^2 in random orientations and "
            f"{means[0].text(top)} as stored{of} ({m} molecules, {ORIENTATIONS} orientations "
            f"each); for {subject.quantities[0].name} that is "
            f"{steep.text(top, 0, unit=subject.quantities[0].unit)} per {group.units[top]}."
        )
    return rounding


def _spectrum(made: Section, turned: Rates, orbits: Orbits) -> None:
    """sum_i |L_i f|^2 = sum_l l (l + 1) P_l over Haar: what the known degrees hold of it."""
    l = torch.arange(orbits.degree + 1, dtype=torch.float64)
    known = (orbits.power * l * (l + 1)).sum(-1).mean(0)
    whole = turned.slope.sum(1).mean(0)
    share = known / torch.where(whole == 0, 1.0, whole)
    made.numbers["held_by_spectrum"] = plain(share)
    made.numbers["spectrum_degree"] = orbits.degree
    made.findings.append(
        f"The powers of degrees 1 to {orbits.degree} account for "
        f"{float(share.median()):.0%} of the squared derivatives about x, y and z (sum of "
        "l (l + 1) P_l, median of the quantities); what is missing changes faster than these."
    )


def _numbers(rates: Rates, settings: Settings) -> dict[str, Any]:
    return {
        "relative": rates.relative(settings).numbers(),
        "mean_of_quantities": rates.mean_relative(settings).numbers(),
        "root_mean_square": rates.steepness(settings).numbers(),
    }


def _variance(rates: Rates) -> Tensor:
    count = rates.count.sum()
    mean = rates.total.sum(0) / count
    return rates.square.sum(0) / count - mean.square().sum(-1)


def _first(structures: Structures, count: int) -> Structures:
    y = None if structures.y is None else structures.y[:count]
    return Structures(structures.pos[:count], structures.z[:count], y, structures.names[:count])
