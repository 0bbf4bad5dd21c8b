"""Report section: where in the network the symmetry is made or broken, by Lie derivatives."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...errors import InputError
from ...groups import SO3, Group
from ..intervals import Estimate, short
from ..orbits import Orbits
from ..section import Section, Series, plain
from ..settings import Settings
from ..subject import Structures, Subject
from ..wording import listed
from .derivatives import Rates, derivatives, group_of, measure, per_square
from .differences import check, doubted, numerical
from .flow import flow
from .layers import layers

ORIENTATIONS = 2  # random ones of each molecule
LOOKED_INTO = 100  # molecules that are traced through the layers
DIFFERENCES = 30  # molecules whose derivatives are central differences
_ROUNDING = 1e3  # epsilons: smaller derivatives are rounding


def section(orbits: Orbits, settings: Settings) -> Section:
    """E|L_X f|^2 / Var f along every generator, as stored and rotated, and through the layers.

    Of a function that cannot be differentiated in forward mode, or hides a part of that, they are
    central differences, and there is nothing layer by layer.
    """
    subject, structures = orbits.subject, orbits.structures
    group, hidden, checked = group_of(subject), "", 0.0
    try:
        checked = check(subject, structures, group)
    except InputError as error:
        hidden = str(error)
        structures = _first(structures, DIFFERENCES)
    m, derivative = len(structures), numerical if hidden else derivatives
    tick = settings.progress("Lie derivatives", m * (1 + ORIENTATIONS))
    stored = measure(subject, structures, group, settings, 0, tick, derivative)
    turned = measure(subject, structures, group, settings, ORIENTATIONS, tick, derivative)
    here, there = (rates.relative().nanmean(-1) for rates in (stored, turned))
    steep = turned.steepness()
    made = Section("lie", "Where in the network the symmetry is made or broken")
    if hidden:
        _, near, doubt = doubted(subject, *structures.batch(range(min(4, m))), group)
        checked = float(
            doubt.square().mean().sqrt() / near.square().mean().sqrt().clamp_min(1e-300)
        )
        made.findings.append(
            f"By central differences, which may be off by {100 * checked:.1g} %, on {m} molecules, "
            f"and not layer by layer: {hidden}"
        )
    made.numbers = {
        "generators": list(group.names),
        "units": list(group.units),
        "molecules": m,
        "orientations": ORIENTATIONS,
        "by_differences": bool(hidden),
        "check_by_differences": checked,
        "variance": plain(stored.variance()),
        "stored": {"relative": plain(stored.relative()), "mean_of_quantities": plain(here)},
        "random": {"relative": plain(turned.relative()), "mean_of_quantities": plain(there)}
        | {"median": steep.numbers()},
    }
    small = (_ROUNDING * torch.finfo(subject.dtype).eps) ** 2
    quiet = (torch.maximum(*(e.nan_to_num(0) for e in (here, there))) < small).nonzero()
    quiet = quiet[:, 0].tolist()
    each = turned.relative()
    rows = [
        [q.name, *each[:, i].tolist(), *(steep.text(k, i) for k in range(group.k)), q.unit]
        for i, q in enumerate(subject.quantities)
    ]
    roots = [f"median along {n} (per {u})" for n, u in zip(group.names, group.units, strict=True)]
    title = "E|L_X f|^2 / Var f along each generator X, and the median of |L_X f|; random poses"
    made.table(title, ["quantity", *per_square(group), *roots, "unit"], rows)
    _whole(made, subject, group, here, there, steep, quiet)
    if isinstance(group, SO3) and len(quiet) < group.k and not hidden:
        _spectrum(made, turned, orbits)
    if hidden:
        return made
    looked = _first(structures, LOOKED_INTO)
    tick = settings.progress("Lie derivatives, layer by layer", len(looked))
    try:
        found = flow(subject, looked, group, None, settings.seed, settings.batch_size, tick)
    except InputError as error:
        made.findings.append(f"Not layer by layer: {error}")
    else:
        layers(made, group, found, quiet)
    return made


def _whole(
    made: Section,
    subject: Subject,
    group: Group,
    here: Tensor,
    there: Tensor,
    steep: Estimate,
    quiet: list[int],
) -> None:
    """Chart and sentences of the whole network; `quiet` are the generators without an effect."""
    first, of, names = subject.quantities[0], subject.several, per_square(group)
    seen = f"{made.numbers['molecules']} molecules, {ORIENTATIONS} random orientations each"
    if not bool(there.isfinite().all()):
        roots = [
            f"{steep.text(k, 0, unit=first.unit)} along {n}" for k, n in enumerate(group.names)
        ]
        made.findings.append(
            "The molecules' values do not differ, so |L_X f|^2 has nothing to be compared "
            f"with; the median of |L_X f| for {first.name} is {listed(roots)} ({seen})."
        )
        return
    made.chart(
        "lie_generators",
        "How fast the output changes along each generator",
        "generator",
        f"E|L_X f|^2 / Var f{of}",
        [
            Series("as stored", names, here.tolist(), style="bar"),
            Series("random orientations", names, there.tolist(), style="bar"),
        ],
        caption="0 for a function that is invariant (equivariant); 1 where one unit along the "
        "generator changes it by as much as going to another molecule.",
    )
    sentences = []
    if quiet:
        still = listed([group.names[k] for k in quiet])
        sentences.append(
            f"{subject.name} does not change along {still} beyond rounding: E|L_X f|^2 / "
            f"Var f is at most {float(there[quiet].max()):.1g} ({seen})."
        )
    if len(quiet) < group.k:
        top = int(there.argmax())
        unit = group.units[top]
        sentences.append(
            f"E|L_X f|^2 / Var f is largest along {group.names[top]}: {short(float(there[top]))} "
            f"per {unit}^2 in random orientations and {short(float(here[top]))} as stored{of} "
            f"({seen}); for {first.name} |L_X f| has the median "
            f"{steep.text(top, 0, unit=first.unit)} per {unit}."
        )
    made.findings += sentences


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
