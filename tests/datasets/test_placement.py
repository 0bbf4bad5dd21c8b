"""Centring, fixed rotations and fixed shifts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from molinv.datasets.batches import OnDevice
from molinv.datasets.placement import poses

ALL = np.arange(60)


def batch(sample, indices=ALL, **how):
    return OnDevice(sample, sample.select(["homo"]), "cpu", **how).gather(indices)


def centroids(b):
    return b.pos.double().sum(1) / b.mask.sum(1, keepdim=True)


def distances(b):
    return torch.cdist(b.pos.double(), b.pos.double(), compute_mode="donot_use_mm_for_euclid_dist")


def volumes(b):
    """Signed volumes of the first four atoms of each molecule."""
    p = b.pos.double()
    return torch.linalg.det(p[:, 1:4] - p[:, :1])


def test_as_stored_without_anything(sample):
    b = batch(sample, center=False)
    for i in ALL:
        z, pos = sample.molecule(i)
        assert b.z[i, : len(z)].tolist() == z.tolist()
        assert np.array_equal(b.pos[i, : len(z)], pos)
        assert not b.z[i, len(z) :].any()
        assert not b.pos[i, len(z) :].any()


def test_centring_moves_the_centroid_and_nothing_else(sample):
    stored, b = batch(sample, center=False), batch(sample)
    assert centroids(b).abs().max() < 1e-6
    moved = (stored.pos - b.pos)[b.mask]
    torch.testing.assert_close(
        moved, centroids(stored).float()[b.mask.nonzero()[:, 0]], atol=2e-6, rtol=0
    )
    assert not b.pos[~b.mask].any()


@pytest.mark.parametrize("center", [True, False])
def test_rotation_keeps_centroids_distances_and_handedness(sample, center):
    before = batch(sample, center=center)
    after = batch(sample, center=center, rotate=True, seed=4)
    assert (before.pos - after.pos).abs().max() > 1
    torch.testing.assert_close(centroids(before), centroids(after), atol=1e-5, rtol=0)
    inside = before.mask[:, :, None] & before.mask[:, None]
    torch.testing.assert_close(
        distances(before)[inside], distances(after)[inside], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(volumes(before), volumes(after), atol=1e-4, rtol=0)


def test_poses_are_haar_rotations_and_normal_vectors():
    rotations, vectors = poses(20_000, seed=1)
    eye = torch.eye(3, dtype=torch.float64).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.mT, eye, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones_like(rotations[:, 0, 0]))
    # Haar: mean 0, every entry has variance 1/3, and the trace has mean square 1
    assert rotations.mean(0).abs().max() < 0.02
    assert (rotations.var(0) - 1 / 3).abs().max() < 0.02
    trace = rotations.diagonal(dim1=1, dim2=2).sum(1)
    assert trace.square().mean().item() == pytest.approx(1.0, abs=0.05)
    assert vectors.mean(0).abs().max() < 0.04
    assert (vectors.std(0) - 1).abs().max() < 0.03


def test_each_molecule_has_its_own_pose_fixed_by_seed_and_index(sample):
    how = {"rotate": True, "shift": 0.3}
    first = batch(sample, seed=1, **how)
    other_order = batch(sample, ALL[::-1].copy(), seed=1, **how)
    assert torch.equal(first.pos, other_order.pos.flip(0))
    assert not torch.allclose(first.pos, batch(sample, seed=2, **how).pos)
    shifts = centroids(batch(sample, seed=1, shift=0.3))
    assert len(shifts.unique(dim=0)) == len(ALL)


def test_a_molecule_is_turned_by_its_row_of_the_poses(sample):
    rotations, vectors = poses(len(sample), seed=4)
    before = batch(sample, np.arange(20, 50))
    turned = before.pos.double() @ rotations[20:50].mT
    got = batch(sample, np.arange(20, 50), seed=4, rotate=True)
    torch.testing.assert_close(turned.float(), got.pos, atol=1e-5, rtol=0)
    stored = batch(sample, center=False)
    moved = batch(sample, center=False, shift=0.5, seed=4)
    expected = (0.5 * vectors[:60, None]).expand_as(stored.pos)[stored.mask].float()
    torch.testing.assert_close((moved.pos - stored.pos)[stored.mask], expected, atol=1e-5, rtol=0)


def test_the_shift_comes_last_and_in_angstrom(sample):
    shifted = batch(sample, np.arange(1000), shift=0.3, seed=7)
    assert centroids(shifted).std().item() == pytest.approx(0.3, rel=0.05)
    both = batch(sample, np.arange(1000), shift=0.3, seed=7, rotate=True)
    torch.testing.assert_close(centroids(shifted), centroids(both), atol=1e-5, rtol=0)
    assert not shifted.pos[~shifted.mask].any()
