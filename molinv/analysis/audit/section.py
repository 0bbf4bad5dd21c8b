"""Are the stored orientations of the molecules uniform? If not, "as stored" is a special case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..intervals import CONFIDENCE, Estimate, median
from ..orbits import Orbits
from ..section import Globe, Section, Series, plain
from ..settings import Settings
from ..subject import Structures
from .learners import from_axes, told_apart
from .uniformity import atom_directions, bingham, principal_axes, rayleigh

AXES = ("long axis", "middle axis", "short axis")  # by moment of inertia, least first
ATOMS = 5  # the first so many, by their order in the file
_FEWEST = 20  # molecules, for the chi-squared laws to hold


@dataclass(frozen=True, eq=False)
class Tested:
    """A test of unit vectors u (n, 3), or of axes, whose sign has no meaning.

    `along` is the direction in which a random half of them crowd. `found` holds the median cosine
    of the other half with it, as a direction fits the vectors that it was found from too well, and
    that of all with x, y and z (0 if uniform); for axes of its absolute value (1/2 if uniform).
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
        """The mean of the found values if orientations are uniform."""
        return 1 / 2 if self.axial else 0.0

    @property
    def excess(self) -> float:
        """From 0, uniform, to 1, aligned."""
        return (float(self.found.value[0]) - self.level) / (1 - self.level)


def section(orbits: Orbits, settings: Settings) -> Section:
    """Bingham's test on principal axes and Rayleigh's on the directions of the first atoms.

    Uses only the structures. A test finds something where its p-value, times the number of tests
    (Bonferroni), is below 0.05. Raises InputError where too few molecules are left for
    any test.
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
        else f"Nothing speaks against uniformly distributed stored orientations (none of {basis})."
    )
    made.findings += [_sentence(test) for test in hits]
    axes, atoms = [t for t in tests if t.axial], [t for t in tests if not t.axial]
    if axes:
        _medians(made, "axes", "Principal axes: absolute cosines", axes)
    if atoms:
        _medians(made, "atoms", "From the centroid to the first atoms: cosines", atoms)
    if hits:
        made.figures.append(_density(max(hits, key=lambda test: test.excess)))
    _learned(made, structures, orbits.subject.names if structures.y is not None else (), settings)
    rows = [
        [t.name, t.test, len(t.u), t.p, "yes" if t not in hits else "no", t.found.text(0), level]
        for t in tests
        for level in ["1/2" if t.axial else "0"]
    ]
    columns = ["what", "test", "molecules", "p", "uniform?", "strength", "if uniform"]
    made.table("Tests of uniform orientation", columns, rows)
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
    """What a classifier and a regressor make of the orientations alone."""
    seed, chance = settings.seed, "what chance gives"
    if (found := told_apart(structures, ATOMS, seed)) is not None:
        made.numbers["told_apart"] = found._asdict()
        made.findings.append(
            f"A classifier tells a stored molecule from itself turned in {100 * found.value:.0f} "
            f"[{100 * found.low:.0f}, {100 * found.high:.0f}] % of {found.molecules:,} held-out "
            f"molecules; 50 % is {chance}."
        )
    if structures.y is None or structures.y.ndim > 2:
        return
    made.numbers["from_axes"] = {}
    for q, name in enumerate(names):
        if (found := from_axes(structures, structures.y[:, q], seed)) is None:
            continue
        made.numbers["from_axes"][name] = found._asdict()
        if found.p < (1 - CONFIDENCE) / len(names):
            made.findings.append(
                f"{name} can be predicted from the orientation alone: a regressor that sees only "
                f"the principal axes has a correlation of {found.value:.2f} [{found.low:.2f}, "
                f"{found.high:.2f}] with it on {found.molecules:,} held-out molecules."
            )


def audit(structures: Structures, settings: Settings) -> list[Tested]:
    """All tests that enough molecules serve; raises InputError where there is none."""
    parts = principal_axes(structures), atom_directions(structures, ATOMS)
    u, there = (torch.cat(part, 1) for part in zip(*parts, strict=True))
    names = [*AXES, *(f"atom {order + 1}" for order in range(ATOMS))]
    kept = [k for k in range(len(names)) if there[:, k].sum() >= _FEWEST]
    if not kept:
        raise InputError(
            f"the audit needs at least {_FEWEST} molecules with distinct principal axes or an atom "
            f"away from the centroid; of the {len(structures)} given too few are."
        )
    axial = torch.tensor([k < len(AXES) for k in kept])
    u = u[:, kept] * there[:, kept, None]
    tests = []
    for i, k in enumerate(kept):
        mine = u[there[:, k], i]
        p = bingham(mine) if axial[i] else rayleigh(mine)
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
    """The direction of most squares of axes, of the mean of directions."""
    if axial:
        most = torch.linalg.eigh(u.T @ u).eigenvectors[:, -1]
        return most * most[most.abs().argmax()].sign()
    # 0 / 0 where all cancel: then any direction serves
    return u.mean(0) / u.mean(0).norm().clamp_min(torch.finfo(u.dtype).tiny)


def _sentence(test: Tested) -> str:
    where = ", ".join(f"{c:.2f}" for c in test.along.tolist())
    p = f"p = {test.p:.2g}" if test.p > 1e-300 else "p below 1e-300"
    crowds, level = "The direction from the centroid to {} crowds about ({}): median", "0"
    if test.axial:
        crowds, level = "The {} of the inertia tensor lies along ({}): median absolute", "1/2"
    return (
        f"{crowds.format(test.name, where)} cosine {test.found.text(0)}, {level} for uniform "
        f"orientations ({len(test.u):,} molecules, {test.test}'s test, {p})."
    )


def _medians(made: Section, name: str, title: str, tests: list[Tested]) -> None:
    names, found = [test.name for test in tests], Estimate.stack([test.found for test in tests])
    lines = [found[:, i].series(label, names, "bar") for i, label in enumerate("xyz", 1)]
    lines.append(Series("uniform", names, [tests[0].level] * len(names), style="dashed"))
    y = "median of the coordinate" + "'s absolute value" * tests[0].axial
    made.chart(f"audit_{name}", title, "", y, lines)


def _density(test: Tested) -> Globe:
    """Smoothed by exp(k (cos - 1)), k = 30, about 10 degrees wide; 1 everywhere if uniform."""
    latitude, longitude = torch.arange(-90, 91, 6), torch.arange(-180, 181, 6)
    up, around = latitude.double().deg2rad()[:, None], longitude.double().deg2rad()
    x, y, z = up.cos() * around.cos(), up.cos() * around.sin(), up.sin() + 0 * around
    cosines = torch.stack([x, y, z], -1) @ test.u.mT
    lobes = [cosines, -cosines] if test.axial else [cosines]
    values = sum(60 * (30 * (c - 1)).exp().mean(-1) for c in lobes) / len(lobes)
    return Globe(
        "audit_density",
        f"Where the {test.name} points as stored",
        "density, 1 if uniform",
        latitude.tolist(),
        longitude.tolist(),
        torch.as_tensor(values).tolist(),
        caption=f"{len(test.u):,} molecules, smoothed over about 10 degrees.",
    )
