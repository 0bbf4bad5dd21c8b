"""molinv.fit: any network and its distribution, trained on data whose symmetry is known."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import molinv
from molinv import Augmented, InputError, actions, groups
from molinv import distributions as D
from molinv.training.recipe import Diverged


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden, last = nn.Linear(6, 48), nn.Linear(48, 1)
        return nn.Sequential(nn.Flatten(), hidden, nn.SiLU(), last, nn.Flatten(0))


def data(n=512):
    """Two points; the height of the first, which only rotations about z keep."""
    pos = normal(n, 2, 3)
    return pos, pos[:, 0, 2]


def test_the_height_of_a_point_is_free_about_z_and_closed_about_x_and_y():
    model = Augmented(network(), D.UniformBox(groups.SO3()), copies=2)
    history = molinv.fit(model, data(4096), steps=500, group_lr=0.1)
    last = {name: values[-1] for name, values in history.extents.items()}
    learned = model.distribution.extent()
    assert last == {name: float(extent.value.detach()) for name, extent in learned.items()}
    assert last["wz"] > 2.7
    assert max(last["wx"], last["wy"]) < 0.1
    assert history.loss[-1] < 0.1 < 0.5 < history.loss[0]
    assert history.step == list(range(5, 501, 5))
    assert not model.training
    pos, y = normal(256, 2, 3, seed=1), normal(256, 2, 3, seed=1)[:, 0, 2]
    assert float((model(pos) - y).abs().mean()) < 0.1  # in evaluation mode: the average


def test_a_vector_is_learned_with_all_rotations_open():
    x = normal(2048, 2, 3)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    model = Augmented(linear, D.HaarBall(groups.SO3()), output=actions.Vector())
    history = molinv.fit(model, (x, x[:, 0] - x[:, 1]), steps=300, group_lr=0.1, wait=0)
    (reach,) = history.extents.values()
    assert reach[-1] > 0.9 * math.pi


def small(mu=None, **settings):
    """The weights and the history of a short run."""
    model = Augmented(network(), mu or D.UniformBox(groups.SO3(), init=0.3))
    given = settings.pop("data", data())
    history = molinv.fit(model, given, steps=20, batch_size=64, **settings)
    return [p.detach().clone() for p in model.parameters()], history


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a[0], b[0], strict=True)) and a[1] == b[1]


def test_the_seed_decides_and_no_other_random_number_is_drawn():
    state = torch.get_rng_state()
    first = small(seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert same(first, small(seed=3))
    assert not same(first, small(seed=4))


def test_batches_extras_and_a_loss_are_taken():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.seen = network(), 0

        def forward(self, pos, charge):
            self.seen += len(pos)
            return self.net(pos) + 0 * charge

    model = Augmented(Net(), D.UniformBox(groups.SO3()))
    pos, y = data(96)
    batches = [(pos[i : i + 32], y[i : i + 32], y[i : i + 32]) for i in (0, 32, 64)]
    calls = []

    def loss(output, truth):
        calls.append(len(truth))
        return (output - truth).square()

    history = molinv.fit(model, batches, loss, steps=7, progress=False)
    assert calls == [32] * 7  # the three batches are repeated
    assert model.model.seen == 7 * 32
    assert history.step == list(range(1, 8))


@pytest.mark.parametrize("mu", [D.Categorical(groups.Reflection(3)), D.Conditional(groups.SO3())])
def test_other_distributions_are_trained(mu):
    if isinstance(mu, D.Conditional):
        mu.encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))
    before = [p.detach().clone() for p in mu.parameters()]
    small(mu)
    after = list(mu.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_the_distribution_waits():
    _, history = small(wait=0.5)
    assert all(len(set(values[:9])) == 1 for values in history.extents.values())
    assert all(values[-1] != values[0] for values in history.extents.values())


def test_wrong_arguments_are_named():
    pos, y = data()
    with pytest.raises(InputError, match=r"expected Augmented.*got Sequential"):
        molinv.fit(network(), (pos, y))  # pyright: ignore
    with pytest.raises(InputError, match=r"one row an example, got \[512, 100\] rows"):
        small(data=(pos, y[:100]))
    with pytest.raises(InputError, match=r"got \[512\] rows"):
        small(data=(pos,))
    with pytest.raises(InputError, match=r"an output \(64, 1\), as y, got \(64,\)"):
        small(data=(pos, y[:, None]))
    with pytest.raises(InputError, match="give a loss"):
        small(data=(pos, y.long()))
    with pytest.raises(InputError, match="too few batches"):
        small(data=iter([(pos, y)]))
    with pytest.raises(InputError, match="lr: expected a number above 0"):
        small(lr=0)
    with pytest.raises(InputError, match="at least 1 step"):
        molinv.fit(Augmented(network(), D.UniformBox(groups.SO3())), (pos, y), steps=0)
    with pytest.raises(Diverged, match="nan at step 1"):
        small(data=(pos, y * torch.nan))


def test_lightning_loads_when_fit_is_used():
    code = (
        "import sys, molinv\nassert 'fit' in molinv.__all__\n"
        "print([n for n in ('lightning', 'rich', 'rdkit', 'e3nn') if n in sys.modules])\n"
        "molinv.fit\nprint('lightning' in sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split("\n")[:2] == ["[]", "True"]
