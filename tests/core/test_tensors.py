"""Symmetric tensors transform as outer products of vectors."""

from copy import deepcopy

import pytest
import torch

from molinv import InputError, actions, groups, testing

GROUPS = [g for kind in groups.available().values() for g in kind.examples()]


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 2, 4)], ids=str)
def test_an_outer_product_moves_as_its_vectors_do(group, shape):
    group, generator = deepcopy(group).double(), torch.Generator().manual_seed(0)
    g = testing.sample(group, 3, generator)
    v = torch.randn(*shape, group.dim, generator=generator, dtype=torch.float64)
    moved = actions.Vector().act(group, g, v)
    tensor, action = v[..., :, None] * v[..., None, :], actions.SymmetricTensor()
    there = action.act(group, g, tensor)
    assert torch.allclose(there, moved[..., :, None] * moved[..., None, :])
    back, weight = action.pull_back(group, g, there, None)
    assert torch.allclose(back, tensor)
    assert weight is None


def test_wrong_shapes_raise_an_input_error():
    so3, action = groups.SO3(), actions.SymmetricTensor()
    for shape in ((3, 3), (3, 2, 2), (4, 3, 3), (3, 3, 2)):
        with pytest.raises(InputError, match=r"SymmetricTensor\(SO3\): expected 3 x"):
            action.act(so3, so3.identity(3), torch.zeros(shape))
