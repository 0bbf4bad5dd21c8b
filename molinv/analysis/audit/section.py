"""Report section: are the stored orientations of the molecules uniform?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..intervals import CONFIDENCE, Estimate, median
from ..orbits import Orbits
from ..orbits.views import LATITUDES, LONGITUDES, views
from ..section import Globe, Section, plain
from ..settings import Settings
from ..subject import Structures
from ..wording import direction
from . import orientations

AXES = ("long axis", "middle axis", "short axis")  # by moment of inertia, smallest first
ATOMS = 5  # number of atoms, in the order of the file
_FEWEST = 20  # molecules, with fewer the chi-squared laws do not hold


@dataclass(frozen=True, eq=False)
class Tested:
    """A test of unit vectors u (n, 3), or of axes, whose sign has no meaning.

    along   the preferred direction of a random half of the vectors
    found   the median cosine of the other half with `along`, and of all vectors with x, y and z
            (0 if uniform); for axes, of absolute cosines (1/2 if uniform)
    """

    name: str
    axial: bool
    u: Float[Tensor, "n 3"]
    p: float
    along: Float[Tensor, " 3"]
    found: Estimate

    @property
    def test(self) -> str:
        return "Bingham" if self.axial else "Rayleigh"

    @property
    def level(self) -> float:
        """The expected `found` for uniform orientations."""
        return 1 / 2 if self.axial else 0.0

    @property
    def excess(self) -> float:
        """0 for uniform orientations, 1 for aligned ones."""
        return (float(self.found.value[0]) - self.level) / (1 - self.level)


def section(orbits: Orbits, settings: Settings) -> Section:
    """Bingham's test on principal axes and Rayleigh's on the directions of the first atoms.

    Uses the structures only. The significance level is 0.05 divided by the number of tests
    (Bonferroni). Raises InputError for too few molecules.
    """
    structures = orbits.structures
    tests = audit(structures, settings)
    limit = (1 - CONFIDENCE) / len(tests)
    hits = [test for test in tests if test.p < limit]
    made = Section("audit", "How the stored molecules are oriented")
    basis = f"{len(tests)} tests on {len(structures):,} molecules, p below {limit:.2g} each"
    made.findings.append(
        f"The stored orientations are not uniform ({len(hits)} of {basis}): numbers for molecules "
        "as stored do not hold for molecules in random orientations."
        if hits
        else f"No test rejects uniform stored orientations (none of {basis})."
    )
    made.findings += [_sentence(test) for test in hits]
    if hits:
        made.figures.append(_density(max(hits, key=lambda test: test.excess)))
    _learned(made, structures, orbits.subject.names if structures.y is not None else (), settings)
    rows = [
        [
            t.name,
            t.test,
            len(t.u),
            t.p,
            t not in hits,
            *(t.found.text(k) for k in range(4)),
            t.level,
        ]
        for t in tests
    ]
    columns = ["what", "test", "molecules", "p", "uniform?", "preferred", *"xyz", "if uniform"]
    title = "Tests of uniform orientation; median cosines with the preferred direction, x, y and z"
    made.table(f"{title} (absolute for axes)", columns, rows)
    made.numbers = {
        "molecules": len(structures),
        "uniform": not hits,
        "limit": limit,
        "tests": {
            test.name: {
                "test": test.test,
                "molecules": len(test.u),
                "p": test.p,
                "along": plain(test.along),
                "if_uniform": test.level,
                "along_x_y_z": test.found.numbers(),
            }
            for test in tests
        },
    }
    return made


def _learned(
    made: Section, structures: Structures, names: Sequence[str], settings: Settings
) -> None:
    """The classifier and the regressor that see orientations only."""
    seed = settings.seed
    if (found := orientations.told_apart(structures, ATOMS, seed)) is not None:
        made.numbers["told_apart"] = found._asdict()
        made.findings.append(
            f"A classifier tells a stored molecule from a rotated copy in {100 * found.value:.0f} "
            f"[{100 * found.low:.0f}, {100 * found.high:.0f}] % of {found.molecules:,} held-out "
            "molecules; chance is 50 %."
        )
    if structures.y is None or structures.y.ndim > 2:
        return
    made.numbers["from_axes"] = {}
    for q, name in enumerate(names):
        if (found := orientations.from_axes(structures, structures.y[:, q], seed)) is None:
            continue
        made.numbers["from_axes"][name] = found._asdict()
        if found.p < (1 - CONFIDENCE) / len(names):
            made.findings.append(
                f"{name} can be predicted from the orientation alone: the correlation of a "
                f"regressor that sees only principal axes is {found.value:.2f} [{found.low:.2f}, "
                f"{found.high:.2f}] on {found.molecules:,} held-out molecules."
            )


def audit(structures: Structures, settings: Settings) -> list[Tested]:
    """All tests with enough molecules; InputError if there is none."""
    parts = orientations.principal_axes(structures), orientations.atom_directions(structures, ATOMS)
    u, there = (torch.cat(part, 1) for part in zip(*parts, strict=True))
    names = [*AXES, *(f"atom {order + 1}" for order in range(ATOMS))]
    kept = [k for k in range(len(names)) if there[:, k].sum() >= _FEWEST]
    if not kept:
        raise InputError(
            f"the audit needs at least {_FEWEST} molecules with distinct principal axes or an atom "
            f"away from the centroid; too few of the {len(structures)} given have either."
        )
    axial = torch.tensor([k < len(AXES) for k in kept])
    u = u[:, kept] * there[:, kept, None]
    tests = []
    for i, k in enumerate(kept):
        mine = u[there[:, k], i]
        p = orientations.bingham(mine) if axial[i] else orientations.rayleigh(mine)
        order = torch.randperm(len(mine), generator=torch.Generator().manual_seed(settings.seed))
        one, other = (mine[half] for half in order.chunk(2))
        along = crowded(one, bool(axial[i]))
        cosines = [other @ along, *mine.T]
        if axial[i]:
            cosines = [c.abs() for c in cosines]
        found = Estimate.stack([median(c) for c in cosines])
        tests.append(Tested(names[k], bool(axial[i]), mine, float(p), along, found))
    return tests


def crowded(u: Float[Tensor, "n 3"], axial: bool) -> Float[Tensor, " 3"]:
    """The preferred direction: the first principal component of axes, the mean of directions."""
    if axial:
        most = torch.linalg.eigh(u.T @ u).eigenvectors[:, -1]
        return most * most[most.abs().argmax()].sign()
    # no 0 / 0 if all cancel: then no direction is preferred
    return u.mean(0) / u.mean(0).norm().clamp_min(torch.finfo(u.dtype).tiny)


def _sentence(test: Tested) -> str:
    p = f"p = {test.p:.2g}" if test.p > 1e-300 else "p below 1e-300"
    what, of = f"direction from the centroid to {test.name}", "median"
    if test.axial:
        what, of = f"{test.name} of the inertia tensor", "median absolute"
    return (
        f"The {what} prefers {direction(test.along)}: {of} cosine {test.found.text(0)}, "
        f"{test.level:g} for uniform orientations ({len(test.u):,} molecules, {test.test}'s test, "
        f"{p})."
    )


def _density(test: Tested) -> Globe:
    """Density smoothed by exp(k (cos - 1)), k = 30, about 10 degrees wide; 1 if uniform."""
    outward = views(LATITUDES[:, None], LONGITUDES[None])[..., 2, :]
    cosines = outward @ test.u.mT
    lobes = [cosines, -cosines] if test.axial else [cosines]
    values = sum(60 * (30 * (c - 1)).exp().mean(-1) for c in lobes) / len(lobes)
    return Globe(
        "audit_density",
        f"Where the {test.name} points as stored",
        "density, 1 if uniform",
        LATITUDES.tolist(),
        LONGITUDES.tolist(),
        torch.as_tensor(values).tolist(),
        caption=f"{len(test.u):,} molecules, smoothed over about 10 degrees.",
    )
