"""Models that are broken in one way each are found out, and in that way alone."""

import numpy as np
import pytest
import torch
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from molinv.analysis import analyse

NAMES = ("CH3OH", "CH3CH2OH", "CH3CN", "H2CO", "CH3COOH", "C2H6", "N2H4")


class Sound(torch.nn.Module):
    """Pair distances: invariant to all of it; `double` has no effect."""

    def forward(self, pos, z):
        inside = (z > 0).to(pos)
        away = (pos[:, :, None] - pos[:, None]).square().sum(-1).add(1e-6).sqrt()
        q = z.to(pos) * inside
        return 1e-2 * (q[:, :, None] * q[:, None] * (-away / 2).exp()).sum((1, 2))[:, None]


class Chiral(Sound):
    def forward(self, pos, z):
        centred = pos - pos[:, :1]
        triple = torch.linalg.det(centred[:, 1:4])
        return super().forward(pos, z) + triple[:, None]


class Placed(Sound):
    """Sees where a molecule is, but not how it is turned about its first atom."""

    def forward(self, pos, z):
        return super().forward(pos, z) + 1e-2 * pos.square().sum((1, 2))[:, None]


class Ordered(Sound):
    def forward(self, pos, z):
        first = (pos[:, 1:] - pos[:, :1]).square().sum(-1)
        return (
            super().forward(pos, z)
            + (first[:, :2] * torch.tensor([1.0, 2.0]).to(pos)).sum(1)[:, None]
        )


class Rounded(Sound):
    def forward(self, pos, z):
        return super().forward(pos, z).to(torch.float16).to(pos.dtype)


def answers(net, **more):
    report = analyse(net, [molecule(n) for n in NAMES], parts=["symmetries"], **more)
    numbers = report.analyses[0].numbers("symmetries")
    return {k: v["output"]["answer"] for k, v in numbers.items() if v and "output" in v}


def test_a_sound_model_has_all_symmetries():
    found = answers(Sound())
    assert set(found) == {
        "reflection",
        "permutation",
        "float32 in place of float64",
        *(f"translation by {n} angstrom" for n in ("1", "40", "1,000")),
    }
    far = found.pop("translation by 1,000 angstrom")
    assert far in ("almost", "no"), "single precision has no digits left there"
    assert set(found.values()) <= {"yes", "almost"}
    assert found["reflection"] == found["permutation"] == "yes"


@pytest.mark.parametrize(
    ("net", "broken"),
    [(Chiral(), "reflection"), (Ordered(), "permutation"), (Placed(), "translation by 1 angstrom")],
)
def test_each_fault_is_named(net, broken):
    found = answers(net)
    assert found[broken] == "no"
    others = {"reflection", "permutation", "translation by 1 angstrom"} - {broken}
    if isinstance(net, Chiral):  # which is so by the order of its atoms
        others.remove("permutation")
    assert {found[name] for name in others} <= {"yes", "almost"}


class Shaken(Calculator):
    """EMT, whose forces lack a part of the gradient, or have a curl."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, scale=1.0, curl=0.0):
        super().__init__()
        self.scale, self.curl = scale, curl

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        atoms = atoms.copy()
        atoms.calc = EMT()
        away = atoms.positions - atoms.positions.mean(0)
        turned = np.cross([0, 0, 1.0], away)
        forces = self.scale * atoms.get_forces() + self.curl * turned
        self.results = {"energy": atoms.get_potential_energy(), "forces": forces}


@pytest.mark.parametrize(
    ("calculator", "wrong", "curl"),
    [(EMT(), 1e-5, 1e-4), (Shaken(0.9), None, 1e-4), (Shaken(1.0, 0.5), None, None)],
)
def test_forces_are_compared_with_the_energy(calculator, wrong, curl):
    report = analyse(calculator, [molecule(n) for n in NAMES], parts=["symmetries"])
    found = report.analyses[0].numbers("symmetries")["forces"]
    if wrong is None:
        assert found["from_energy"]["value"] > 1e-3
    else:
        assert found["from_energy"]["value"] < wrong
    if curl is None:
        assert found["asymmetry"]["value"] > 0.02
    else:
        assert found["asymmetry"]["value"] < curl
    text = " ".join(report.analyses[0].sections[0].findings)
    assert "finite differences of the energy" in text


def test_a_crystal_is_moved_without_its_cell():
    from test_calculators import crystals

    report = analyse(EMT(), crystals(), property="energy_per_atom", parts=["symmetries"])
    numbers = report.analyses[0].numbers("symmetries")
    moved = numbers["translation by 40 angstrom"]["energy_per_atom"]
    assert moved["answer"] == "yes"
    assert numbers["permutation"]["energy_per_atom"]["answer"] == "yes"


def test_the_given_threshold_decides():
    away = "translation by 1 angstrom"
    assert answers(Placed())[away] == "no"
    assert answers(Placed(), threshold=1e6)[away] == "almost"
