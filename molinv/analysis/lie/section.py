"""Report section: which layers make or break the symmetry, by Lie derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from ...errors import InputError
from ...groups import Group
from ..intervals import Estimate, short
from ..orbits import Orbits
from ..section import Section, Series, plain
from ..settings import Settings
from ..subject import Subject
from ..wording import listed
from .derivatives import derivatives, group_of, measure, per_square
from .differences import check, doubted
from .flow import flow
from .layers import layers

ORIENTATIONS = 2  # random orientations of each molecule
LOOKED_INTO = 100  # molecules traced through the layers
DIFFERENCES = 30  # molecules differentiated by central differences
_ROUNDING = 1e3  # derivatives below this many epsilons are rounding


def section(orbits: Orbits, settings: Settings) -> Section:
    """E|L_X f|^2 / Var f along every generator, as stored and rotated, and through the layers.

    A function without a complete forward-mode derivative is differentiated by central differences,
    and its layers are left out.
    """
    subject, structures = orbits.subject, orbits.structures
    group, hidden, checked = group_of(subject), "", 0.0
    try:
        checked = check(subject, structures, group)
    except InputError as error:
        hidden = str(error)
        structures = structures.first(DIFFERENCES)
    m, derivative = len(structures), doubted if hidden else derivatives
    tick = settings.progress("Lie derivatives", m * (1 + ORIENTATIONS))
    stored = measure(subject, structures, group, settings, 0, tick, derivative)
    turned = measure(subject, structures, group, settings, ORIENTATIONS, tick, derivative)
    here, there = (rates.relative().nanmean(-1) for rates in (stored, turned))
    steep = turned.steepness()
    made = Section("lie", "Where in the network the symmetry is made or broken")
    if hidden:
        _, near, doubt = doubted(subject, *structures.batch(range(min(4, m))), group)
        checked = float(doubt.norm() / near.norm().clamp_min(1e-300))
        made.findings.append(
            f"By central differences (error about {100 * checked:.1g} %) on {m} molecules, and not "
            f"layer by layer: {hidden}"
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
    largest = torch.maximum(here.nan_to_num(0), there.nan_to_num(0))
    quiet = (largest < small).nonzero()[:, 0].tolist()
    each = turned.relative()
    rows = [
        [q.name, *each[:, i].tolist(), *(steep.text(k, i) for k in range(group.k)), q.unit]
        for i, q in enumerate(subject.quantities)
    ]
    roots = [f"median along {n} (per {u})" for n, u in zip(group.names, group.units, strict=True)]
    title = "E|L_X f|^2 / Var f along each generator X, and the median of |L_X f|; random poses"
    made.table(title, ["quantity", *per_square(group), *roots, "unit"], rows)
    _whole(made, subject, group, here, there, steep, quiet)
    if hidden:
        return made
    looked = structures.first(LOOKED_INTO)
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
    """Chart and sentences on the whole network; `quiet` are the generators without an effect."""
    first, of, names = subject.quantities[0], subject.several, per_square(group)
    seen = f"{made.numbers['molecules']} molecules, {ORIENTATIONS} random orientations each"
    if not bool(there.isfinite().all()):
        roots = [
            f"{steep.text(k, 0, unit=first.unit)} along {n}" for k, n in enumerate(group.names)
        ]
        made.findings.append(
            "All molecules have the same value, so |L_X f|^2 cannot be compared with a variance; "
            f"the median of |L_X f| for {first.name} is {listed(roots)} ({seen})."
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
        caption="0 for an invariant (equivariant) function; 1 if one unit along the generator "
        "changes it as much as going to another molecule.",
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
            f"({seen}); the median of |L_X f| for {first.name} is "
            f"{steep.text(top, 0, unit=first.unit)} per {unit}."
        )
    made.findings += sentences
