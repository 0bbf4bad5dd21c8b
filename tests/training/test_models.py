"""Every model, with its defaults and in several variants, against the same suite."""

from pathlib import Path

import pytest
import torch

from molinv import InputError, datasets, groups, models, testing
from molinv.actions import Invariant
from molinv.datasets.batches import OnDevice
from molinv.models.point import Point
from molinv.models.readout import Moments
from molinv.tasks import of_molecules
from molinv.training.build import make_network
from molinv.training.saved import load, save

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
CASES = [(name, {}) for name in models.available()]
CASES += [("point", {"geometry": g, "width": 64}) for g in ("displacement", "distance")]
CASES += [
    ("point", {"geometry": g, "width": 64, "moments": 2})
    for g in ("absolute", "displacement", "distance")
]
CASES += [
    ("graph", {"width": 32, "layers": 2, "cutoff": 3.0}),
    ("schnet", {"width": 32, "layers": 2, "filters": 16, "gaussians": 20, "cutoff": 4.0}),
    ("visnet", {"width": 32, "layers": 2, "heads": 4, "degree": 2, "radial": 16, "cutoff": 4.0}),
    ("equivariant", {"channels": 16, "layers": 2, "spectrum": "bispectrum"}),
    ("canonical", {"frames": "one", "model_args": {"width": 32, "layers": 2}}),
    ("canonical", {"model": "graph", "model_args": {"width": 32, "layers": 2}}),
    ("canonical", {"model_args": {"geometry": "distance", "width": 32}}),  # keeps reflections
]


@pytest.fixture(scope="module")
def store():
    molecules = datasets.load(SAMPLE)
    return OnDevice(molecules, molecules.select(["homo"]), "cpu")


@pytest.fixture(params=CASES, ids=str)
def case(request):
    name, settings = request.param
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = models.make(name, 2, settings)
        if isinstance(net, Point) and net.moments is not None:
            torch.nn.init.normal_(net.moments.out.weight)  # 0 before training
        return net.eval(), settings


def run(net, batch):
    with torch.no_grad():
        return net(*net.inputs(batch))


def test_moments_are_the_lengths_of_sums_of_charges_times_positions():
    torch.manual_seed(0)
    moments = Moments(8, 3, 2, vectors=True)
    torch.nn.init.normal_(moments.out.weight)
    x, pos = torch.randn(1, 4, 8), torch.randn(1, 4, 3)
    mask = torch.tensor([[True, True, True, False]])
    numbers = moments.atoms(x)[0].unflatten(-1, (2, 4))
    centre = pos[0, :3].mean(0)
    lengths = []
    for k in range(2):
        total = sum(numbers[i, k, 0] * (pos[0, i] - centre) + numbers[i, k, 1:] for i in range(3))
        lengths.append(total.norm())
    truth = moments.out.weight @ torch.stack(lengths)
    assert torch.allclose(moments(x, pos, mask)[0], truth, atol=1e-5)


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


@pytest.mark.parametrize("group", ["T(3)", "SO3", "O3"])
def test_declared_symmetries_hold_and_no_others(case, store, group):
    net, _ = case
    x, *extra = net.inputs(store.gather(torch.arange(8).numpy()))

    def check(tolerance):
        testing.check_equivariant(
            net, groups.find(group), net.action, Invariant(), x, *extra, tolerance=tolerance
        )

    if group in net.symmetries:
        check(1e-4)
    else:
        with pytest.raises(testing.LawBroken):
            check(1e-6)


def test_positions_do_not_matter_to_translation_invariant_models(case, store):
    """Moves by 100 angstrom, where float32 is accurate to 1e-5; edges must not change either."""
    net, _ = case
    here = store.gather(torch.arange(8).numpy())
    away = here.pos + 100 * here.mask[..., None]
    there = type(here)(away, here.z, here.y, here.index)
    miss = float((run(net, there) - run(net, here)).abs().max())
    assert miss < 1e-4 if "T(3)" in net.symmetries else miss > 1e-2


def test_a_saved_model_predicts_the_same(request, case, store, tmp_path):
    name, settings = request.node.callspec.params["case"]
    built = {"model": name, "model_args": settings, "group": "SO3", "copies": 1}
    built |= {"distribution": "HaarBall", "distribution_args": {}}
    network = make_network(2, **built).eval()
    molecules = datasets.load(SAMPLE)
    task = of_molecules(molecules, ["homo", "U0"], torch.arange(100).numpy())
    save(tmp_path, network, task, built, {})
    again = load(tmp_path).network
    batch = store.gather(torch.arange(8).numpy())
    inputs = network.model.inputs(batch)
    with torch.no_grad():
        assert torch.equal(again(*again.model.inputs(batch)), network(*inputs))
        assert not torch.allclose(again.model(*inputs), case[0](*inputs))


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
