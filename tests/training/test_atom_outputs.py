"""Outputs of atoms, and vectors and tensors from networks without built-in equivariance."""

from pathlib import Path

import pytest
import torch

from molinv import InputError, datasets, groups, models, testing
from molinv.datasets.batches import Batch, OnDevice
from molinv.datasets.kinds import SHAPES, of_kind

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SMALL = {
    "painn": {"width": 32, "layers": 2},
    "equivariant": {"channels": 16, "layers": 2},
    "point": {"width": 32, "layers": 2},
}
ATOMS = [(name, output) for name in SMALL for output in ("atom scalar", "atom vector")]
FREE = [("point", "vector"), ("point", "tensor")]


@pytest.fixture(scope="module")
def store():
    molecules = datasets.load(SAMPLE)
    return OnDevice(molecules, molecules.select(["homo"]), "cpu")


@pytest.fixture(params=[*ATOMS, *FREE], ids=lambda case: "-".join(case))
def net(request):
    name, output = request.param
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.make(name, 2, SMALL[name], output).eval()


def test_shapes_padding_and_independence_of_molecules(net, store):
    batch, shape = store.gather(torch.arange(6).numpy()), SHAPES[net.output]
    with torch.no_grad():
        together = net(*net.inputs(batch))
        alone = [net(*net.inputs(store.gather(torch.tensor([i]).numpy()))) for i in range(6)]
    each = batch.z.shape[1:] if net.output.startswith("atom") else ()
    assert together.shape == (6, 2, *each, *shape)
    for i, one in enumerate(alone):
        value = together[i]
        if each:
            n = one.shape[2]
            assert not value[:, n:].any()
            value = value[:, :n]
        assert torch.allclose(value, one[0], atol=1e-5)
    assert together.std() > 1e-5
    if net.output == "tensor":
        assert torch.equal(together, together.mT)


def test_atoms_in_another_order_have_the_same_values(net, store):
    batch = store.gather(torch.arange(6).numpy())
    order = torch.randperm(batch.z.shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = Batch(batch.pos[:, order], batch.z[:, order], batch.y, batch.index)
    with torch.no_grad():
        here, there = net(*net.inputs(batch)), net(*net.inputs(shuffled))
    here = here[:, :, order] if net.output.startswith("atom") else here
    assert torch.allclose(here, there, atol=1e-5)


@pytest.mark.parametrize("group", ["SO3", "O3"])
def test_outputs_turn_only_if_the_architecture_is_equivariant(net, store, group):
    net, batch = net.double(), store.gather(torch.arange(6).numpy())
    inputs = batch.pos.double(), batch.z
    group, scale = groups.find(group).double(), float(net(*inputs).detach().std())

    def check(tolerance):
        testing.check_equivariant(
            lambda *x: net(*x) / scale,
            group,
            net.action,
            of_kind(net.output),
            *inputs,
            tolerance=tolerance,
        )

    if "SO3" in net.symmetries:
        check(1e-6)
    else:
        with pytest.raises(testing.LawBroken):
            check(1e-3)


def test_impossible_outputs_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="no vector follows from distances alone"):
        models.make("point", 1, {"geometry": "distance"}, "vector")
    models.make("point", 1, {"geometry": "distance", "width": 32}, "atom scalar")
    with pytest.raises(InputError, match="model schnet predicts scalars only; for vector outputs"):
        models.make("schnet", 1, {}, "vector")
    with pytest.raises(InputError, match="did you mean 'vector'"):
        models.make("point", 1, {"output": "vectors"})
