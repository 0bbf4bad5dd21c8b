"""Targets that follow from charges: against explicit sums, rotations and QM9's dipole moment."""

from pathlib import Path

import numpy as np
import pytest
import torch
from e3nn import o3

from molinv import InputError, datasets
from molinv.datasets.batches import OnDevice
from molinv.datasets.molecules import Molecules, Target
from molinv.datasets.moments import DEBYE, with_moments
from molinv.datasets.references import Standardizer
from molinv.datasets.targets import Field, one_kind

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
NAMES = ["charges", "dipole", "quadrupole"]


@pytest.fixture(scope="module")
def molecules():
    return with_moments(datasets.load(SAMPLE), NAMES)


def test_moments_are_explicit_sums(molecules):
    q, pos = molecules.charges, molecules.pos
    for i in (0, 7, 999):
        atoms = slice(molecules.ptr[i], molecules.ptr[i + 1])
        r = pos[atoms].astype(float) - pos[atoms].astype(float).mean(0)
        dipole = (q[atoms, None].astype(float) * r).sum(0)
        second = sum(c * np.outer(x, x) for c, x in zip(q[atoms].astype(float), r, strict=True))
        assert np.allclose(molecules.values(["dipole"])[i, 0], dipole)
        assert np.allclose(molecules.values(["quadrupole"])[i, 0], second)
        assert np.allclose(molecules.values(["charges"])[atoms, 0], q[atoms])


def test_the_dipole_correlates_with_that_of_the_density(molecules):
    """For all of QM9 the correlation is 0.94. Units are stated and converted."""
    mu = molecules.select(["mu"])[:, 0]
    length = np.linalg.norm(molecules.values(["dipole"])[:, 0], axis=1) * DEBYE
    assert 0.92 < np.corrcoef(mu, length)[0, 1] < 0.96
    slope = (mu @ length) / (length @ length)
    assert 0.5 < slope < 2  # the same unit, D
    debye = with_moments(datasets.load(SAMPLE), ["dipole"], {"dipole": "D"})
    assert debye.describe(["dipole"])[0].unit == "D"
    assert np.allclose(debye.values(["dipole"]), DEBYE * molecules.values(["dipole"]))
    assert molecules.describe(["dipole"])[0].unit == "e angstrom"


def test_vectors_and_tensors_turn_with_their_molecule(molecules):
    for name in ("dipole", "quadrupole"):
        target = molecules.describe([name])[0]
        store = OnDevice(
            molecules, molecules.values([name]), "cpu", rotate=True, seed=3, kind=target.kind
        )
        batch, index = store.gather(np.arange(20)), np.arange(20)
        q = np.zeros(batch.z.shape)
        for i in index:
            start, end = molecules.ptr[i], molecules.ptr[i + 1]
            q[i, : end - start] = molecules.charges[start:end]
        r, q = batch.pos.double(), torch.from_numpy(q)
        turned = torch.einsum("bn,bni->bi", q, r)
        if name == "quadrupole":
            turned = torch.einsum("bn,bni,bnj->bij", q, r, r)
        assert torch.allclose(batch.y[:, 0], turned, atol=1e-5)
        assert not torch.allclose(batch.y[:, 0], torch.from_numpy(molecules.values([name])[:20, 0]))


def test_values_of_atoms_keep_to_their_atoms_and_padding_has_none(molecules):
    store = OnDevice(molecules, molecules.values(["charges"]), "cpu", kind="atom scalar")
    batch = store.gather(np.array([3, 500, 8]))
    assert batch.y.shape == (3, 1, batch.z.shape[1])
    assert torch.equal(batch.y[:, 0].isnan(), ~batch.mask)
    for row, i in enumerate((3, 500, 8)):
        q = molecules.charges[molecules.ptr[i] : molecules.ptr[i + 1]]
        assert np.allclose(batch.y[row, 0, : len(q)], q)


def test_scaling_commutes_with_turning_and_has_no_mean(molecules):
    train = np.arange(200)
    for name, e in (("dipole", (3,)), ("quadrupole", (3, 3))):
        standardizer = Standardizer.fit(molecules, [name], train)
        y = torch.from_numpy(molecules.values([name])[train])
        assert float(standardizer.mean) == 0
        scaled = standardizer(y, torch.zeros(200, 1, dtype=torch.long))
        assert scaled.flatten(1).square().sum(1).mean().sqrt() == pytest.approx(1, abs=1e-5)
        assert torch.allclose(standardizer.inverse(scaled), y, atol=1e-6)
        assert scaled.shape == (200, 1, *e)
    standardizer = Standardizer.fit(molecules, ["charges"], train)
    q = molecules.charges[: molecules.ptr[200]].astype(float)
    assert float(standardizer.mean) == pytest.approx(q.mean())
    assert float(standardizer.scale) == pytest.approx(q.std())


def test_fields_are_kept_by_take_and_save(molecules, tmp_path):
    some = np.array([5, 2, 900])
    chosen = molecules.take(some)
    assert np.allclose(chosen.values(["dipole"]), molecules.values(["dipole"])[some])
    atoms = np.concatenate([np.arange(molecules.ptr[i], molecules.ptr[i + 1]) for i in some])
    assert np.allclose(chosen.values(["charges"]), molecules.values(["charges"])[atoms])
    again = chosen.save(tmp_path / "set")
    assert again.describe(NAMES) == molecules.describe(NAMES)
    for name in NAMES:
        assert np.array_equal(again.values([name]), chosen.values([name]))
    meta = (SAMPLE / "meta.json").read_text()
    assert '"kind"' not in meta  # sets with only numbers are written as by molinv 0.1.0
    same = datasets.load(SAMPLE).take(np.arange(3)).save(tmp_path / "scalars")
    assert "kind" not in (tmp_path / "scalars" / "meta.json").read_text()
    assert len(same) == 3


def test_kinds_are_not_mixed_and_shapes_are_checked(molecules):
    with pytest.raises(InputError, match=r"homo \(a scalar\) and dipole \(a vector\)"):
        molecules.values(["homo", "dipole"])
    with pytest.raises(InputError, match="did you mean 'dipole'"):
        molecules.describe(["dipol"])
    with pytest.raises(InputError, match="did you mean 'vector'"):
        Target("x", "", kind="vectors")
    with pytest.raises(InputError, match=r"a vector: expected values \('molecules', 3\)"):
        Field(Target("x", "", kind="vector"), np.zeros((4, 2)))
    assert one_kind(molecules.describe(["homo", "lumo"])) == "scalar"
    without = Molecules.from_arrays([([6], [[0.0, 0, 0]])])
    assert with_moments(without, ["dipole"]) is without
    with pytest.raises(InputError, match=r"expected y \(1, targets, 3\)"):
        OnDevice(without, np.zeros((1, 1)), "cpu", kind="vector")


def test_the_octupole_is_a_harmonic_polynomial_of_degree_three(molecules):
    """Each component against e3nn's harmonics; for one charge the length is |q| |r|^3."""
    some = with_moments(datasets.load(SAMPLE), ["octupole"])
    assert [f.target.name for f in some.fields] == ["octupole"]  # no other moment is computed
    for i in (0, 7, 999):
        atoms = slice(some.ptr[i], some.ptr[i + 1])
        r = torch.tensor(some.pos[atoms], dtype=torch.float64)
        q = torch.tensor(np.asarray(some.charges[atoms], np.float64))[:, None]
        r = r - r.mean(0)
        each = o3.spherical_harmonics(3, r, normalize=False, normalization="norm")
        assert torch.allclose(each.norm(dim=1), r.norm(dim=1) ** 3)
        assert np.allclose(some.values(["octupole"])[i, 0], (q * each).sum(0).numpy(), atol=1e-5)
