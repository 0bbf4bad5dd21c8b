"""Are the stored orientations of the molecules uniform? If not, "as stored" is a special case."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ..bootstrap import Estimate, of_means
from ..orbits import Orbits
from ..section import Section, Series, Sphere, plain
from ..settings import Settings
from ..subject import Structures
from .uniformity import atom_directions, bingham, principal_axes, rayleigh

AXES = ("long axis", "middle axis", "short axis")  # by moment of inertia, least first
ATOMS = 5  # the first so many, by their order in the file
_FEWEST = 20  # molecules, for the chi-squared laws to hold


@dataclass(frozen=True, eq=False)
class Tested:
    """A test of unit vectors u (n, 3), or of axes, whose sign has no meaning.

    `along` is the direction in which they crowd. `found` holds their mean cosine with it and with
    x, y and z (0 if uniform), for axes the mean squares (1/3 if uniform).
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
        return 1 / 3 if self.axial else 0.0

    @property
    def excess(self) -> float:
        """From 0, uniform, to 1, aligned."""
        return (float(self.found.value[0]) - self.level) / (1 - self.level)


def section(orbits: Orbits, settings: Settings) -> Section:
    """Bingham's test on principal axes and Rayleigh's on the directions of the first atoms.

    Uses only the structures. A test finds something where its p-value, times the number of tests
    (Bonferroni), is below 1 - confidence. Raises InputError where too few molecules are left for
    any test.
    """
    structures = orbits.structures
    tests = audit(structures, settings)
    limit = (1 - settings.confidence) / len(tests)
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
        _means(made, "axes", "Principal axes: mean squares", axes)
    if atoms:
        _means(made, "atoms", "From the centroid to the first atoms: means", atoms)
    if hits:
        made.figures.append(_density(max(hits, key=lambda test: test.excess)))
    rows = [
        [t.name, t.test, len(t.u), t.p, "yes" if t not in hits else "no", t.found.text(0), level]
        for t in tests
        for level in ["1/3" if t.axial else "0"]
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
    outer = u[..., None] * u[..., None, :]
    count = there[:, kept].double()
    first = (u.sum(0) / count.sum(0)[:, None])[..., None]
    # an axis' direction of most squares, a direction's mean
    most = torch.linalg.eigh(outer.sum(0)).eigenvectors[..., -1:]
    most = most * most.take_along_dim(most.abs().argmax(1, keepdim=True), 1).sign()
    # 0 / 0 where all cancel: then any direction serves
    mean = first / first.norm(dim=1, keepdim=True).clamp_min(torch.finfo(u.dtype).tiny)
    along = torch.where(axial[:, None, None], most, mean)
    frame = torch.cat([along, torch.eye(3).to(u).expand(len(kept), 3, 3)], 2)

    def moments(means: Float[Tensor, "*n k c"]) -> Float[Tensor, "*n k 4"]:
        linear, square = (means[..., :12] / means[..., 12:]).split([3, 9], -1)
        second = torch.einsum("...ij,...ia,...ja->...a", square.unflatten(-1, (3, 3)), frame, frame)
        return torch.where(axial[:, None], second, (linear[..., None] * frame).sum(-2))

    found = of_means(moments, torch.cat([u, outer.flatten(2), count[..., None]], 2), settings)
    tests = []
    for i, k in enumerate(kept):
        mine = u[there[:, k], i]
        p = bingham(mine) if axial[i] else rayleigh(mine)
        tests.append(Tested(names[k], bool(axial[i]), mine, float(p), along[i, :, 0], found[i]))
    return tests


def _sentence(test: Tested) -> str:
    where = ", ".join(f"{c:.2f}" for c in test.along.tolist())
    p = f"p = {test.p:.2g}" if test.p > 1e-300 else "p below 1e-300"
    crowds, level = "The direction from the centroid to {} crowds about ({}) with mean", "0"
    if test.axial:
        crowds, level = "The {} of the inertia tensor lies along ({}) with mean square", "1/3"
    return (
        f"{crowds.format(test.name, where)} cosine {test.found.text(0)}, {level} for uniform "
        f"orientations ({len(test.u):,} molecules, {test.test}'s test, {p})."
    )


def _means(made: Section, name: str, title: str, tests: list[Tested]) -> None:
    names, found = [test.name for test in tests], Estimate.stack([test.found for test in tests])
    lines = [found[:, i].series(label, names, "bar") for i, label in enumerate("xyz", 1)]
    lines.append(Series("uniform", names, [tests[0].level] * len(names), style="dashed"))
    y = "mean square of the coordinate" if tests[0].axial else "mean of the coordinate"
    made.chart(f"audit_{name}", title, "", y, lines)


def _density(test: Tested) -> Sphere:
    """Smoothed by exp(k (cos - 1)), k = 30, about 10 degrees wide; 1 everywhere if uniform."""
    latitude, longitude = torch.arange(-90, 91, 6), torch.arange(-180, 181, 6)
    up, around = latitude.double().deg2rad()[:, None], longitude.double().deg2rad()
    x, y, z = up.cos() * around.cos(), up.cos() * around.sin(), up.sin() + 0 * around
    cosines = torch.stack([x, y, z], -1) @ test.u.mT
    lobes = [cosines, -cosines] if test.axial else [cosines]
    values = sum(60 * (30 * (c - 1)).exp().mean(-1) for c in lobes) / len(lobes)
    return Sphere(
        "audit_density",
        f"Where the {test.name} points as stored",
        "density, 1 if uniform",
        latitude.tolist(),
        longitude.tolist(),
        torch.as_tensor(values).tolist(),
        caption=f"{len(test.u):,} molecules, smoothed over about 10 degrees.",
    )
