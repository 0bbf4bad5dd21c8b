"""Every model against the same suite."""

from pathlib import Path

import pytest
import torch

from molinv import InputError, datasets, groups, models, testing
from molinv.datasets.batches import OnDevice

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
CASES = [(name, {}) for name in models.available()]
CASES += [("point", {"geometry": g}) for g in ("displacement", "distance")]
INVARIANT = ({"geometry": "distance"},)


@pytest.fixture(scope="module")
def store():
    molecules = datasets.load(SAMPLE)
    return OnDevice(molecules, molecules.select(["homo"]), "cpu")


@pytest.fixture(params=CASES, ids=str)
def case(request):
    name, settings = request.param
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.find(name)(2, **settings).eval(), settings


def run(net, batch):
    with torch.no_grad():
        return net(*net.inputs(batch))


def test_batches_padding_and_order_do_not_matter(case, store):
    net, _ = case
    index = torch.arange(8).numpy()
    together = run(net, store.gather(index))
    alone = torch.cat([run(net, store.gather(index[i : i + 1])) for i in range(8)])
    assert together.shape == (8, 2)
    assert torch.allclose(together, alone, atol=1e-5)
    batch = store.gather(index)
    order = torch.randperm(batch.z.shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = type(batch)(batch.pos[:, order], batch.z[:, order], batch.y, batch.index)
    assert torch.allclose(run(net, shuffled), together, atol=1e-5)


def test_declared_symmetry_holds_and_no_other(case, store):
    net, settings = case
    x, *extra = net.inputs(store.gather(torch.arange(8).numpy()))
    so3 = groups.SO3()

    def check(group):
        testing.check_equivariant(net, group, net.action, testing_output, x, *extra, tolerance=1e-4)

    from molinv.actions import Invariant

    testing_output = Invariant()
    if settings in INVARIANT:
        check(so3)
    else:
        with pytest.raises(testing.LawBroken):
            testing.check_equivariant(
                net, so3, net.action, testing_output, x, *extra, tolerance=1e-6
            )
    if getattr(net, "geometry", "displacement") != "absolute":
        check(groups.T(3))


def test_second_derivatives_are_finite(case, store):
    net, _ = case
    x, *extra = net.inputs(store.gather(torch.arange(3).numpy()))
    pos = x if isinstance(x, torch.Tensor) else x.pos
    pos.requires_grad_()
    (force,) = torch.autograd.grad(net(x, *extra).sum(), pos, create_graph=True)
    (hessian,) = torch.autograd.grad(force.square().sum(), pos)
    assert force.isfinite().all()
    assert hessian.isfinite().all()


def test_unknown_names_suggest():
    with pytest.raises(InputError, match="point"):
        models.find("points")
    with pytest.raises(InputError, match="distance"):
        models.find("point")(1, geometry="distances")
