"""Actions: their direction, one element for each example, and errors for wrong input."""

from copy import deepcopy

import pytest
import torch
from torch_geometric.data import Batch, Data

from molinv import actions, groups, testing
from molinv.errors import InputError

GROUPS = [g for kind in groups.available().values() for g in kind.examples()]


def seed(n=0):
    return torch.Generator().manual_seed(n)


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=seed(sum(shape)))


def graphs(dim, *sizes):
    parts = [Data(pos=draw(n, dim), force=draw(n, dim), z=torch.arange(n)) for n in sizes]
    return Batch.from_data_list(parts)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_graphs_with_named_vectors_obey_the_laws(group, dtype):
    testing.check_action(actions.Graph(["force", "dipoles"]), group, dtype)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_every_point_moves_as_a_column_by_its_own_examples_element(group):
    group = deepcopy(group).double()
    g, x = testing.sample(group, 3, seed()), draw(3, 4, group.dim)
    moved, turned = actions.Points().act(group, g, x), actions.Vector().act(group, g, x)
    for b in range(3):
        for n in range(4):
            point, vector = x[b, n], x[b, n]
            if group.homogeneous:
                point = torch.cat([point, torch.ones(1).double()])
                vector = torch.cat([vector, torch.zeros(1).double()])
            assert torch.allclose(moved[b, n], (g[b] @ point)[: group.dim])
            assert torch.allclose(turned[b, n], (g[b] @ vector)[: group.dim])
    batch = graphs(group.dim, 4, 4, 4)
    batch.pos = x.flatten(0, 1)
    there = actions.Graph().act(group, g, batch)
    assert torch.allclose(there.pos, moved.flatten(0, 1))
    assert there.force is batch.force  # not in `vectors`, so not moved
    assert torch.equal(there.z, batch.z)


def test_padding_of_a_rotation_stays_zero():
    x = torch.cat([draw(2, 3, 3), torch.zeros(2, 2, 3).double()], 1)
    so3 = groups.SO3().double()
    assert (actions.Points().act(so3, so3.haar(2), x)[:, 3:] == 0).all()


def test_graphs_of_unequal_size_single_graphs_and_custom_batches():
    se3, graph = groups.SE3().double(), actions.Graph(["force"])
    batch = graphs(3, 2, 5, 1)
    assert graph.size(batch) == 3
    g = testing.sample(se3, 3, seed())
    before = deepcopy(batch)
    moved = graph.act(se3, g, batch)
    for key in ("pos", "force", "z", "batch"):
        assert torch.equal(batch[key], before[key])
    for i, single in enumerate(batch.to_data_list()):
        assert graph.size(single) == 1
        alone = graph.act(se3, g[i : i + 1], single)
        mine = batch.batch == i
        assert torch.allclose(moved.pos[mine], alone.pos)
        assert torch.allclose(moved.force[mine], alone.force)
    custom = Data(pos=batch.pos, force=batch.force, batch=batch.batch)
    assert graph.size(custom) == 3
    assert torch.equal(graph.act(se3, g, custom).pos, moved.pos)
    assert torch.equal(graph.act(se3, g, custom).force, moved.force)


def test_a_last_graph_without_atoms_counts():
    batch = graphs(3, 2, 0)
    assert actions.Graph().size(batch) == 2
    so3 = groups.SO3().double()
    assert actions.Graph().act(so3, so3.haar(2), batch).pos.shape == (2, 3)


@pytest.mark.parametrize("shape", [(3, 3), (3, 1, 3), (3, 2, 4, 3)], ids=str)
def test_vectors_of_any_rank_turn_and_are_pulled_back_without_the_offset(shape):
    se3, vector = groups.SE3().double(), actions.Vector()
    g, x = testing.sample(se3, 3, seed()), draw(*shape)
    turned = vector.act(se3, g, x)
    assert torch.allclose(turned, torch.einsum("bij,b...j->b...i", g[:, :3, :3], x))
    back, weight = vector.pull_back(se3, g, turned, x)
    assert torch.allclose(back, x)
    assert weight is None


def test_a_vector_per_node_is_pulled_back_by_the_element_of_its_graph():
    so3, vector = groups.SO3().double(), actions.Vector()
    batch = graphs(3, 2, 5, 1)
    g = so3.haar(3, seed())
    moved = actions.Graph(["force"]).act(so3, g, batch)
    back, _ = vector.pull_back(so3, g, moved.force, batch)
    assert torch.allclose(back, batch.force)
    dipole = draw(3, 3)
    back, _ = vector.pull_back(so3, g, vector.act(so3, g, dipole), batch)
    assert torch.allclose(back, dipole)
    single = batch.to_data_list()[1]
    moved = actions.Graph(["force"]).act(so3, g[:1], single)
    back, _ = vector.pull_back(so3, g[:1], moved.force, single)
    assert torch.allclose(back, single.force)


def test_the_trivial_action_returns_its_argument():
    x = draw(3, 2)
    so3 = groups.SO3()
    assert actions.Invariant().act(so3, so3.identity(3), x) is x
    assert actions.Invariant().pull_back(so3, so3.identity(3), x, None) == (x, None)
    assert actions.Invariant().size(x) == 3


def test_wrong_shapes_raise_an_input_error():
    so3, graph = groups.SO3().double(), actions.Graph(["force"])
    g = so3.identity(3)
    batch = graphs(3, 2, 5, 1)
    no_force = Data(pos=draw(4, 3))
    flat_force = Data(pos=draw(4, 3), force=draw(4, 2))
    for call, hint in [
        (lambda: actions.Points().act(so3, g, draw(3, 5, 2)), r"Points\(SO3\): expected pos"),
        (lambda: actions.Points().act(so3, g, draw(3, 5, 2)), "needs homogeneous=True"),
        (lambda: actions.Points().act(so3, g, draw(5, 3)), r"got \(5, 3\)"),
        (lambda: actions.Points().act(so3, g, draw(4, 5, 3)), "3 group elements"),
        (lambda: actions.Points().act(so3, g[:1], draw(4, 5, 3)), "1 group elements"),
        (lambda: actions.Vector().act(so3, g, draw(3, 2)), r"Vector\(SO3\): expected 3 x"),
        (lambda: actions.Vector().act(so3, g, draw(4, 3)), r"got \(4, 3\)"),
        (lambda: actions.Vector().act(so3, g, draw(3)), r"got \(3,\)"),
        (lambda: actions.Vector().pull_back(so3, g, draw(7, 3), batch), r"got \(7, 3\)"),
        (lambda: graph.act(so3, g, graphs(2, 2, 3, 1)), r"pos \(nodes, 3\), got \(6, 2\)"),
        (lambda: graph.act(so3, g[:1], Data(z=torch.arange(3))), "got None"),
        (lambda: graph.act(so3, g[:2], batch), "each of 3 graphs, got 2"),
        (lambda: graph.act(so3, g[:1], no_force), r"force of shape \(4, 3\), got none"),
        (lambda: graph.act(so3, g[:1], flat_force), r"got \(4, 2\)"),
    ]:
        with pytest.raises(InputError, match=hint):
            call()
