"""Frame averaging: the frames are rotations, also for molecules whose frame is not unique."""

import pytest
import torch
from small_run import small

from molinv import groups, models, testing
from molinv.actions import Invariant
from molinv.datasets.batches import Batch
from molinv.models.canonical import SIGNS, principal_axes, rotation
from molinv.training.run import train
from molinv.training.saved import load

INNER = {"width": 32, "layers": 2}
TETRAHEDRON = [[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
SYMMETRIC = {
    "atom": [[0.0, 0, 0]],
    "diatomic": [[0, 0, 0], [0, 0, 1.1]],
    "linear": [[0, 0, 0], [1.1, 1.1, 0], [-1.3, -1.3, 0]],
    "planar": [[0, 0, 0], [0.76, -0.47, 0], [-0.76, -0.4, 0]],
    "hexagon": [[1, 0, 0], [0.5, 0.866, 0], [-0.5, 0.866, 0], [-1, 0, 0], [-0.5, -0.866, 0],
                [0.5, -0.866, 0]],
    "tetrahedron": TETRAHEDRON,
    "one place": [[1, 2, 3], [1, 2, 3]],
}  # fmt: skip


def make(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.make("canonical", 1, {"model_args": INNER} | settings).eval()


def some(n=6, atoms=7):
    generator = torch.Generator().manual_seed(0)
    z = torch.randint(1, 10, (n, atoms), generator=generator)
    z[0, 4:] = 0
    return torch.randn(n, atoms, 3, generator=generator) * (z > 0)[..., None], z


def test_the_four_frames_are_rotations_to_the_principal_axes():
    pos, _ = some()
    pos = pos.double()
    axes = principal_axes(pos)
    frames = [rotation(axes, axes.new_tensor(s).expand(len(axes), 2)) for s in SIGNS]
    assert len({tuple(f[0].flatten().tolist()) for f in frames}) == 4
    for frame in frames:
        assert torch.allclose(frame.mT @ frame, torch.eye(3).double())
        assert torch.allclose(torch.linalg.det(frame), torch.ones(len(axes)).double())
        moments = (pos @ frame).mT @ (pos @ frame)
        assert torch.allclose(moments, torch.diag_embed(moments.diagonal(dim1=1, dim2=2)))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_molecules_are_finite(name):
    pos = torch.tensor(SYMMETRIC[name]).float()[None].requires_grad_()
    values = make()(pos, torch.full(pos.shape[:2], 6))
    (force,) = torch.autograd.grad(values.sum(), pos, create_graph=True)
    (second,) = torch.autograd.grad(force.square().sum(), pos)
    for value in (values, force, second):
        assert value.isfinite().all()


@pytest.mark.parametrize("name", ["atom", "diatomic", "linear", "planar"])
def test_linear_and_planar_molecules_keep_their_invariance(name):
    pos = torch.tensor(SYMMETRIC[name]).float()[None].expand(8, -1, -1)
    z = torch.full(pos.shape[:2], 6)
    net = make()
    testing.check_equivariant(net, groups.SO3(), net.action, Invariant(), pos, z, tolerance=1e-5)


def test_one_frame_is_drawn_in_training_and_all_are_averaged_in_evaluation():
    pos, z = some()
    net, every = make(frames="one"), make()
    every.load_state_dict(net.state_dict())
    assert torch.equal(net(pos, z), every(pos, z))
    before = net.state_dict()["drawn"].clone()
    net.train()
    with torch.no_grad():
        draws = [net(pos, z) for _ in range(64)]
        assert len({d[1].item() for d in draws}) == 4
        assert torch.allclose(torch.stack(draws).mean(0), every(pos, z), atol=0.02)
        net.load_state_dict(net.state_dict() | {"drawn": before})
        assert all(torch.equal(net(pos, z), d) for d in draws)


def test_an_inner_model_may_keep_what_it_has():
    assert make(model_args={"geometry": "distance"}).symmetries == ("T(3)", "SO3", "O3")
    assert make(model="schnet", model_args={"width": 16}).symmetries == ("T(3)", "SO3", "O3")
    assert make(model="plain_nets:Net", model_args={}).symmetries == ("T(3)", "SO3")
    small = make(model="plain_nets:Small", model_args=INNER)
    assert small.max_atoms == 12
    pos, z = some()
    batch = Batch(pos, z, pos.new_zeros(len(z), 1), torch.arange(len(z)))
    assert small(*small.inputs(batch)).shape == (len(z), 1)


def test_an_interrupted_run_draws_the_same_frames(tmp_path, monkeypatch):
    from molinv.training.history import History

    settings = {"model": "canonical", "model_args": {"frames": "one", "model_args": INNER}}
    settings |= {"distribution": "Identity", "ema": 0.9, "epochs": 3}
    train(small(tmp_path / "whole", **settings))

    def stop(self, trainer, module, *args):
        if trainer.current_epoch == 2:
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_batch_end", stop, raising=False)
        with pytest.raises(RuntimeError, match="plug"):
            train(small(tmp_path / "parts", **settings))
    train(small(tmp_path / "parts", **settings))
    whole, parts = (load(tmp_path / n).network.model.inner for n in ("whole", "parts"))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name])
