"""Models that predict vectors and tensors: they are equivariant, and translation invariant."""

from pathlib import Path

import e3nn
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import l1_loss

from molinv import InputError, datasets, groups, models, testing
from molinv.actions import Invariant, Irreps, SymmetricTensor, Vector
from molinv.datasets.batches import Batch, OnDevice

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
SMALL = {"painn": {"width": 32, "layers": 2}, "equivariant": {"channels": 16, "layers": 2}}
IRREPS = "irreps 0e + 2x1o + 3o + 1o"
ACTIONS = {
    "scalar": Invariant(),
    "vector": Vector(),
    "tensor": SymmetricTensor(),
    IRREPS: Irreps("0e + 2x1o + 3o + 1o"),
}
SHAPES = {"scalar": (), "vector": (3,), "tensor": (3, 3), IRREPS: (17,)}
CASES = [(name, output) for name in SMALL for output in ACTIONS]
CASES.remove(("painn", IRREPS))


@pytest.fixture(scope="module")
def store():
    molecules = datasets.load(SAMPLE)
    return OnDevice(molecules, molecules.select(["homo"]), "cpu", center=False)


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def net(request):
    name, output = request.param
    return make(name, output)


def make(name, output="scalar", seed=0, targets=2, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        settings = SMALL[name] | ({"degree": 3} if output == IRREPS else {}) | settings
        return models.find(name)(targets, output=output, **settings).eval()


def batch_of(pos, z):
    pos = torch.as_tensor(pos, dtype=torch.float64).expand(1, -1, -1)
    z = torch.as_tensor(z).expand(1, -1)
    return Batch(pos, z, torch.zeros(1, 1), torch.zeros(1, dtype=torch.long))


def first(store, n=6):
    batch = store.gather(torch.arange(n).numpy())
    return Batch(batch.pos.double(), batch.z, batch.y, batch.index)


@pytest.mark.parametrize("group", ["SO3", "O3"])
def test_outputs_are_equivariant(net, store, group):
    net = net.double()
    x, *extra = net.inputs(first(store))
    action, group = ACTIONS[net.output], groups.find(group).double()
    y = net(x, *extra)
    scale = y.detach().std()
    assert scale > 1e-4
    for seed in range(2):
        testing.check_equivariant(
            lambda *inputs: net(*inputs) / scale,
            group,
            net.action,
            action,
            x,
            *extra,
            seed=seed,
            tolerance=1e-6,
        )
    if net.output != "scalar":  # the outputs are not invariant
        with pytest.raises(testing.LawBroken):
            testing.check_equivariant(
                lambda *inputs: net(*inputs) / scale,
                group,
                net.action,
                Invariant(),
                x,
                *extra,
                tolerance=1e-4,
            )


def test_outputs_are_translation_invariant(net, store):
    net = net.double()
    x, *extra = net.inputs(first(store))
    shift = torch.tensor([3.0, -50.0, 7.0], dtype=torch.float64)
    moved = x + shift * (extra[0] > 0)[..., None]
    assert torch.allclose(net(moved, *extra), net(x, *extra), atol=1e-8)


def test_shapes_symmetric_tensors_padding_and_independence_of_molecules(net, store):
    batch = store.gather(torch.arange(6).numpy())
    with torch.no_grad():
        together = net(*net.inputs(batch))
        alone = [net(*net.inputs(store.gather(torch.tensor([i]).numpy()))) for i in range(6)]
    assert together.shape == (6, 2, *SHAPES[net.output])
    assert together.isfinite().all()
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)
    if net.output == "tensor":
        assert torch.allclose(together, together.mT, atol=1e-6)
        assert together.diagonal(dim1=2, dim2=3).std(-1).mean() > 1e-5  # more than q I


def test_a_molecule_that_is_its_own_mirror_image_has_no_dipole():
    generator = torch.Generator().manual_seed(0)
    half = 2 * torch.randn(5, 3, generator=generator, dtype=torch.float64)
    batch = batch_of(torch.cat([half, -half]) + 1.0, [6, 1, 8, 7, 9] * 2)
    for name in SMALL:
        net = make(name, "vector").double()
        pos, z = net.inputs(batch)
        assert net(pos, z).abs().max() < 1e-12
        assert net(pos * torch.tensor([1.0, 1.0, 1.1]), z).abs().max() < 1e-12
        z = z.clone()
        z[:, 0] = 17
        assert net(pos, z).abs().max() > 1e-5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_second_derivatives_are_finite_for_coincident_and_single_atoms(net, dtype):
    meeting = [[0.0, 0, 0], [0, 0, 0], [1, 0, 0]], [6, 1, 8]
    alone = [[0.3, 0.2, 0.1]], [6]
    apart = [[0.0, 0, 0], [0, 0, 30]], [6, 1]
    line = [[0.0, 0, -1.2], [0, 0, 0], [0, 0, 1.2]], [8, 6, 8]
    net = net.to(dtype)
    for molecule in (meeting, alone, apart, line):
        pos, z = net.inputs(batch_of(*molecule))
        pos = pos.to(dtype).clone().requires_grad_()
        y = net(pos, z)
        (force,) = torch.autograd.grad(y.sum() + y.square().sum(), pos, create_graph=True)
        (hessian,) = torch.autograd.grad(force.square().sum(), pos)
        assert y.isfinite().all()
        assert force.isfinite().all()
        assert hessian.isfinite().all()


def test_weights_of_a_file_give_the_same_outputs(net, store, tmp_path):
    save_file(net.state_dict(), tmp_path / "weights.safetensors")
    name = type(net).__name__.lower()
    fresh = make(name, net.output, seed=1)
    inputs = net.inputs(first(store))
    inputs = (inputs[0].float(), *inputs[1:])
    with torch.no_grad():
        assert not torch.equal(fresh(*inputs), net(*inputs))
        fresh.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        assert torch.equal(fresh(*inputs), net(*inputs))


def charges(batch):
    """Dipoles (b, 1, 3), second moments (b, 1, 3, 3) and irreps of the nuclear charges."""
    z = batch.z.to(batch.pos)[..., None]
    r = batch.pos - batch.pos.sum(1, keepdim=True) / batch.mask.sum(1)[:, None, None]
    third = z * e3nn.o3.spherical_harmonics(3, r, normalize=False)
    dipole, third = (z * r).sum(1, keepdim=True) / 10, third.sum(1, keepdim=True) / 500
    irreps = torch.cat([dipole[..., :1] ** 0, dipole, -dipole, third, dipole], -1)
    return dipole, ((z * r).mT @ r)[:, None] / 100, irreps


@pytest.mark.parametrize(("name", "output"), CASES)
def test_a_model_learns_its_target(name, output, store):
    net = make(name, output, targets=1).train()
    batch = store.gather(torch.arange(64).numpy())
    pos = batch.pos * batch.mask[..., None]
    homo = ((batch.y - batch.y.mean()) / batch.y.std()).float()
    y = dict(zip(ACTIONS, (homo, *charges(batch)), strict=True))[output]
    inputs = (pos, batch.z)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(150 if output == "scalar" else 40):
        loss = l1_loss(net(*inputs), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("name", SMALL)
def test_outputs_in_blocks_are_the_same(name, store, monkeypatch):
    net, batch = make(name, "vector").double(), first(store)
    inputs = net.inputs(batch)
    whole = []
    for part in (1, 10**9):
        monkeypatch.setattr("molinv.models.pairs.PART", part)
        net.zero_grad()
        y = net(*inputs)
        y.square().sum().backward()
        whole.append([y, *(p.grad for p in net.parameters())])
    assert all(torch.allclose(a, b, atol=1e-10) for a, b in zip(*whole, strict=True))


def test_unsupported_outputs_are_refused_in_one_sentence():
    for name in SMALL:
        with pytest.raises(InputError, match="did you mean 'vector'"):
            models.find(name)(1, output="vectors")
        with pytest.raises(InputError, match="a cutoff above 0"):
            models.find(name)(1, cutoff=0)
    equivariant = models.find("equivariant")
    for settings in (
        {"output": "tensor", "degree": 1},
        {"channels": 2},
        {"layers": 0},
    ):
        with pytest.raises(InputError, match="expected a degree of at least"):
            equivariant(1, **settings)
    equivariant(1, output="vector", degree=1, channels=2)


def test_invalid_and_unsupported_irreps_are_refused():
    for output, reason in (
        ("irreps 1e", "parity (-1)^degree"),
        ("irreps 4e", "degree of at least 4"),
        ("irreps 1x", "unknown output"),
        ("irreps", "unknown output"),
    ):
        with pytest.raises(InputError) as error:
            make("equivariant", output)
        assert reason in str(error.value)
    with pytest.raises(InputError, match="use equivariant or point"):
        models.make("painn", 1, {}, "irreps 3o")
    with pytest.raises(InputError, match="distances alone"):
        models.make("point", 1, {"geometry": "distance"}, "irreps 3o")
