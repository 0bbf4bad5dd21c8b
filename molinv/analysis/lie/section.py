"""Report section: where in the network the symmetry is made or broken, by Lie derivatives."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...errors import InputError
from ...groups import SO3, Group
from ..bootstrap import Estimate
from ..orbits import Orbits
from ..section import Section, plain
from ..settings import Settings
from ..subject import Structures, Subject
from ..wording import listed
from .derivatives import Rates, group_of, measure, per_square
from .differences import check
from .flow import flow
from .layers import layers

ORIENTATIONS = 2  # random ones of each molecule
LOOKED_INTO = 100  # molecules that are traced through the layers
_ROUNDING = 1e3  # epsilons: smaller derivatives are rounding


def section(orbits: Orbits, settings: Settings) -> Section:
    """E|L_X f|^2 / Var f along every generator, as stored and rotated, and through the layers.

    Raises InputError for a subject that cannot be differentiated in forward mode.
    """
    subject, structures = orbits.subject, orbits.structures
    group, m = group_of(subject), len(structures)
    checked = check(subject, structures, group)
    tick = settings.progress("Lie derivatives", m * (1 + ORIENTATIONS))
    stored = measure(subject, structures, group, settings, 0, tick)
    turned = measure(subject, structures, group, settings, ORIENTATIONS, tick)
    here, there = (_estimates(rates, settings) for rates in (stored, turned))
    made = Section("lie", "Where in the network the symmetry is made or broken")
    made.numbers = {
        "generators": list(group.names),
        "units": list(group.units),
        "molecules": m,
        "orientations": ORIENTATIONS,
        "check_by_differences": checked,
        "variance": plain(stored.variance()),
        "stored": {name: estimate.numbers() for name, estimate in here.items()},
        "random": {name: estimate.numbers() for name, estimate in there.items()},
    }
    means = [e["mean_of_quantities"].value.nan_to_num(0) for e in (here, there)]
    small = (_ROUNDING * torch.finfo(subject.dtype).eps) ** 2
    quiet = (torch.maximum(*means) < small).nonzero()[:, 0].tolist()
    each, steep = there["relative"], there["root_mean_square"]
    rows = [
        [q.name, *(each.text(k, i) for k in range(group.k)), *steep.value[:, i].tolist(), q.unit]
        for i, q in enumerate(subject.quantities)
    ]
    roots = [f"root along {n} (per {u})" for n, u in zip(group.names, group.units, strict=True)]
    title = "E|L_X f|^2 / Var f along each generator X, and the root of E|L_X f|^2; random poses"
    made.table(title, ["quantity", *per_square(group), *roots, "unit"], rows)
    _whole(made, subject, group, here, there, quiet)
    if isinstance(group, SO3) and len(quiet) < group.k:
        _spectrum(made, turned, orbits)
    looked = _first(structures, LOOKED_INTO)
    tick = settings.progress("Lie derivatives, layer by layer", len(looked))
    try:
        found = flow(subject, looked, group, None, settings.seed, settings.batch_size, tick)
    except InputError as error:
        made.findings.append(f"Not layer by layer: {error}")
    else:
        layers(made, group, found, settings, quiet)
    return made


def _estimates(rates: Rates, settings: Settings) -> dict[str, Estimate]:
    return {
        "relative": rates.relative(settings),
        "mean_of_quantities": rates.mean_relative(settings),
        "root_mean_square": rates.steepness(settings),
    }


def _whole(
    made: Section,
    subject: Subject,
    group: Group,
    stored: dict[str, Estimate],
    turned: dict[str, Estimate],
    quiet: list[int],
) -> None:
    """Chart and sentences of the whole network; `quiet` are the generators without an effect."""
    first, of, names = subject.quantities[0], subject.several, per_square(group)
    here, there = (estimates["mean_of_quantities"] for estimates in (stored, turned))
    steep = turned["root_mean_square"]
    seen = f"{made.numbers['molecules']} molecules, {ORIENTATIONS} random orientations each"
    if not bool(there.value.isfinite().all()):
        roots = [
            f"{steep.text(k, 0, unit=first.unit)} along {n}" for k, n in enumerate(group.names)
        ]
        made.findings.append(
            "The molecules' values do not differ, so |L_X f|^2 has nothing to be compared "
            f"with; the root of its mean for {first.name} is {listed(roots)} ({seen})."
        )
        return
    made.chart(
        "lie_generators",
        "How fast the output changes along each generator",
        "generator",
        f"E|L_X f|^2 / Var f{of}",
        [
            here.series("as stored", names, "bar"),
            there.series("random orientations", names, "bar"),
        ],
        caption="0 for a function that is invariant (equivariant); 1 where one unit along the "
        "generator changes it by as much as going to another molecule.",
    )
    sentences = []
    if quiet:
        still = listed([group.names[k] for k in quiet])
        sentences.append(
            f"{subject.name} does not change along {still} beyond rounding: E|L_X f|^2 / "
            f"Var f is at most {float(there.value[quiet].max()):.1g} ({seen})."
        )
    if len(quiet) < group.k:
        top = int(there.value.argmax())
        unit = group.units[top]
        sentences.append(
            f"E|L_X f|^2 / Var f is largest along {group.names[top]}: {there.text(top)} per "
            f"{unit}^2 in random orientations and {here.text(top)} as stored{of} ({seen}); for "
            f"{first.name} that is {steep.text(top, 0, unit=first.unit)} per {unit}."
        )
    made.findings += sentences
    made.numbers["verdict"] = sentences[-1]


def _spectrum(made: Section, turned: Rates, orbits: Orbits) -> None:
    """The part of sum_i |L_i f|^2 = sum_l l (l + 1) P_l over Haar that the known degrees hold."""
    l = torch.arange(orbits.degree + 1, dtype=torch.float64)
    known = (orbits.power * l * (l + 1)).sum(-1).mean(0)
    whole = turned.slope.sum(1).mean(0)
    share = known / torch.where(whole == 0, 1.0, whole)
    made.numbers["held_by_spectrum"] = plain(share)
    made.numbers["spectrum_degree"] = orbits.degree
    made.findings.append(
        f"The powers of degrees 1 to {orbits.degree} account for "
        f"{float(share.median()):.0%} of the squared derivatives about x, y and z (sum of "
        "l (l + 1) P_l, median of the quantities); the rest changes faster than these."
    )


def _first(structures: Structures, count: int) -> Structures:
    y = None if structures.y is None else structures.y[:count]
    cut = {name: getattr(structures, name)[:count] for name in ("pos", "z", "names")}
    return replace(structures, y=y, **cut)
