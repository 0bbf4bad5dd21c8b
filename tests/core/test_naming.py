"""Groups of rotations are named from noisy, incomplete rotations in any frame."""

import math

import pytest
import torch

from molinv import groups
from molinv.errors import InputError
from molinv.groups.merging import distance, merge
from molinv.groups.naming import name_rotations
from molinv.groups.spirals import super_fibonacci

SO3 = groups.SO3().double()
SYMBOLS = ["C1", *(f"{kind}{n}" for kind in "CD" for n in range(2, 13)), "T", "O", "I"]


def seed(n=0):
    return torch.Generator().manual_seed(n)


def frame(n=0):
    return SO3.haar(1, seed(n)).double()[0]


def jittered(g, size, n=0):
    return g @ SO3.exp(size * torch.randn(len(g), 3, generator=seed(n)).double())


def about(axis, count, n=0):
    angles = 2 * math.pi * torch.rand(count, generator=seed(n)).double()
    return SO3.exp(angles[:, None] * axis)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_group_is_named_in_a_tilted_frame_from_noisy_rotations(symbol):
    elements = frame() @ groups.PointGroup(symbol).double().elements @ frame().mT
    found = name_rotations(jittered(elements.repeat(2, 1, 1), 0.03))
    assert found.symbol == symbol
    assert found.overlap == 1
    assert found.off < 0.06
    made = found.elements
    assert made is not None
    assert float(distance(elements[:, None], made).amin(1).max()) < 0.06
    assert (found.axis is None) == (symbol in ("C1", "T", "O", "I"))
    if found.axis is not None and symbol != "D2":  # D2 has three equal axes
        assert float((found.axis @ frame()[:, 2]).abs()) > math.cos(0.06)


@pytest.mark.parametrize("symbol", ["C4", "D6", "T", "O", "I"])
def test_a_group_is_exact_from_its_exact_elements(symbol):
    elements = frame(1) @ groups.PointGroup(symbol).double().elements @ frame(1).mT
    found = name_rotations(elements[torch.randperm(len(elements), generator=seed())])
    assert found.symbol == symbol
    assert found.off < 1e-6


@pytest.mark.parametrize("symbol", ["D4", "T", "O", "I"])
def test_missing_and_additional_rotations_lower_the_overlap_but_not_the_name(symbol):
    elements = frame(2) @ groups.PointGroup(symbol).double().elements @ frame(2).mT
    order = torch.randperm(len(elements), generator=seed(3))
    fewer = jittered(elements[order[: math.ceil(0.75 * len(elements))]], 0.02)
    found = name_rotations(fewer)
    assert found.symbol == symbol
    assert 0.7 < found.overlap < 1
    more = torch.cat([elements, SO3.haar(2, seed(5)).double()])
    found = name_rotations(more)
    assert found.symbol == symbol
    assert found.overlap == pytest.approx(len(elements) / (len(elements) + 2))


def test_circles_and_all_rotations():
    axis = frame()[:, 2]
    turns = jittered(about(axis, 150), 0.03)
    found = name_rotations(turns)
    assert found.symbol == "Cinf"
    assert found.elements is None
    assert found.axis is not None
    assert float((found.axis @ axis).abs()) > math.cos(0.05)
    across = SO3.exp(math.pi * frame()[:, 0])
    both = name_rotations(torch.cat([turns, about(axis, 150, 1) @ across]))
    assert both.symbol == "Dinf"
    assert str(both).startswith("Dinf about (")
    everything = name_rotations(jittered(super_fibonacci(300), 0.05))
    assert (everything.symbol, everything.axis) == ("SO3", None)


def test_no_group_is_named_where_none_is():
    for n in range(3):
        found = name_rotations(SO3.haar(20, seed(n)).double())
        assert found.symbol is None
        assert found.elements is None
        assert str(found) == "no group"
    # half a circle is not a group
    angles = torch.linspace(0, math.pi / 2, 40).double()
    assert name_rotations(SO3.exp(angles[:, None] * frame()[:, 0])).symbol is None


def test_the_identity_is_added():
    assert name_rotations(torch.zeros(0, 3, 3)).symbol == "C1"
    assert name_rotations(SO3.exp(torch.tensor([[0, 0, math.pi]]).double())).symbol == "C2"


def test_what_is_not_a_rotation_is_refused():
    with pytest.raises(InputError, match=r"\(n, 3, 3\), got \(3, 3\)"):
        name_rotations(torch.eye(3))
    for wrong in (-torch.eye(3), 1.01 * torch.eye(3), torch.full((3, 3), torch.nan)):
        with pytest.raises(InputError, match="a matrix that is not one"):
            name_rotations(wrong[None])
    for tolerance in (0.0, 0.3):
        with pytest.raises(InputError, match=r"tolerance <= 0\.25"):
            name_rotations(torch.eye(3)[None], tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rotations_are_merged_into_weighted_means(dtype):
    z = torch.tensor([0.0, 0, 1], dtype=dtype)
    so3 = groups.SO3().to(dtype)
    angles = torch.tensor([0.0, 1.0, 1.04, 3.0], dtype=dtype)
    weights = torch.tensor([0.2, 0.1, 0.3, 0.4], dtype=dtype)
    means, sums = merge(so3.exp(angles[:, None] * z), 0.1, weights)
    assert torch.allclose(sums, torch.tensor([0.4, 0.4, 0.2], dtype=dtype))
    found = so3.log(means)[:, 2].abs()
    assert torch.allclose(found, torch.tensor([3.0, 1.03, 0.0], dtype=dtype), atol=1e-5)
    none, empty = merge(so3.identity(3), 0.1, torch.zeros(3, dtype=dtype))
    assert (len(none), float(empty[0])) == (1, 0)
    assert merge(so3.identity(0), 0.1)[0].shape == (0, 3, 3)


def test_the_distance_is_the_angle():
    xi = torch.tensor([[0.0, 0, 0], [1e-3, 0, 0], [0, 1.5, 0], [0, 0, math.pi]]).double()
    found = distance(torch.eye(3).double(), SO3.exp(xi))
    assert torch.allclose(found, xi.norm(dim=1), atol=1e-7)
