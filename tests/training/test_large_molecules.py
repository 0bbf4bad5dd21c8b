"""Molecules of up to 500 atoms: computing in blocks gives the same numbers with less memory."""

import numpy as np
import pytest
import torch

from molinv.bench.batches import random_batch
from molinv.chem.structure import GIVEN, Structure
from molinv.models import make, point
from molinv.prediction.predictor import PAIRS, by_size

ALL = 10**9
SMALL = {"width": 32, "layers": 2, "kernels": 4, "hidden": 16}


def network(geometry, dtype=torch.float64):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make("point", 2, SMALL | {"geometry": geometry}).to(dtype)


def molecules(size, atoms, dtype=torch.float64):
    """Positions and elements; every molecule except the first has padding at its end."""
    batch = random_batch(size, atoms, torch.device("cpu"))
    z = batch.z.clone()
    for i in range(size):
        z[i, atoms - 17 * i :] = 0
    return batch.pos.to(dtype) * (z > 0)[..., None], z


def derivatives(net, pos, z):
    """Values, and their gradients with respect to positions and to every parameter."""
    pos = pos.clone().requires_grad_()
    value = net(pos, z)
    (force,) = torch.autograd.grad(value.sum(), pos, create_graph=True)
    return [
        value,
        force,
        *torch.autograd.grad(force.square().sum(), [*net.parameters()], allow_unused=True),
    ]


@pytest.mark.parametrize("geometry", point.SYMMETRIES)
@pytest.mark.parametrize(("size", "atoms"), [(3, 101), (2, 170), (1, 300)])
def test_blocks_give_the_dense_forms_numbers(geometry, size, atoms, monkeypatch):
    net, (pos, z) = network(geometry), molecules(size, atoms)
    monkeypatch.setattr(point, "ROOM", 5000)  # many blocks, of which the last is shorter
    blocks, quick = derivatives(net, pos, z), net(pos, z).detach()
    with torch.no_grad():
        still = net(pos, z)
    monkeypatch.setattr(point, "LARGE", ALL)
    dense = derivatives(net, pos, z)
    assert torch.allclose(quick, dense[0], rtol=1e-12)
    assert torch.allclose(still, dense[0], rtol=1e-12)
    compared = 0
    for one, other in zip(blocks, dense, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert torch.allclose(
                one, other, rtol=1e-9, atol=1e-12 + 1e-9 * other.abs().max().item()
            )
            compared += other.abs().max().item() > 0
    assert compared > 10


def test_five_hundred_atoms_in_single_precision(monkeypatch):
    net, (pos, z) = network("absolute", torch.float32), molecules(1, 500, torch.float32)
    with torch.no_grad():
        blocks = net(pos, z)
        monkeypatch.setattr(point, "LARGE", ALL)
        dense = net(pos, z)
    assert torch.allclose(blocks, dense, rtol=1e-4, atol=1e-5)
    assert torch.isfinite(blocks).all()


def test_small_molecules_use_the_dense_form(monkeypatch):
    net, (pos, z) = network("absolute"), molecules(4, point.LARGE)
    calls = []
    monkeypatch.setattr(point, "_remade", lambda *_: calls.append(1))
    monkeypatch.setattr(point, "ROOM", 1)
    net(pos, z)
    assert not calls


def structures(sizes):
    return [Structure(str(n), np.ones(n, np.int64), np.zeros((n, 3)), "x", GIVEN) for n in sizes]


def test_batches_hold_no_more_pairs_than_there_is_room_for():
    sizes = [500, 3, 29, 200, 7, 64, 130, 500, 9, 29] + [29] * 200 + [90] * 50
    parts = by_size(structures(sizes), 64)
    assert sorted(int(i) for part in parts for i in part) == list(range(len(sizes)))
    counts = [(len(part), max(sizes[i] for i in part)) for part in parts]
    assert all(count <= 64 and (count == 1 or count * n**2 <= PAIRS) for count, n in counts)
    assert [n for _, n in counts] == sorted(n for _, n in counts)
    assert counts[0][0] == 64  # a batch of small molecules is full
    assert counts[-1] == (1, 500)
    assert len(parts) < 20
