"""A molecule's group elements depend only on the seed, the epoch and the molecule."""

import pytest
import torch
from small_run import small

from molinv import distributions, groups
from molinv.augment import Augmented
from molinv.training.history import History
from molinv.training.noise import keyed_noise
from molinv.training.run import train


@pytest.mark.parametrize("kind", ["UniformBox", "HaarBall", "Gaussian", "Haar", "Identity"])
def test_noise_depends_only_on_the_key(kind):
    mu = distributions.find(kind)(groups.SO3())
    noise = keyed_noise(mu, 3, 1000, (3, 5))
    assert noise.shape[:2] == (3, 1000)
    assert torch.equal(noise, keyed_noise(mu, 3, 1000, (3, 5)))
    assert torch.equal(noise[:1], keyed_noise(mu, 1, 1000, (3, 5)))
    first, second = mu.transform(noise[0]), mu.transform(noise[1])
    assert second.shape == (1000, 3, 3)
    mirrored = mu.mirrored(noise[0]) is not None
    assert torch.allclose(first @ second, mu.group.identity(1000), atol=1e-5) == (
        mirrored or kind == "Identity"
    )
    if kind != "Identity":
        others = [noise[2]] + [keyed_noise(mu, 1, 1000, k)[0] for k in ((4, 5), (3, 6), (5, 3))]
        for other in others:
            together = torch.stack([noise[0, :, -1], other[:, -1]])
            assert torch.corrcoef(together)[0, 1].abs() < 0.15


@pytest.fixture
def drawn(monkeypatch):
    """The noise of each training step, for every copy and molecule."""
    steps, risk = [], Augmented.risk

    def spy(self, *inputs, noise=None, **rest):
        if noise is not None:
            steps.append(noise.clone())
        return risk(self, *inputs, noise=noise, **rest)

    monkeypatch.setattr(Augmented, "risk", spy)
    return steps


def test_batches_do_not_change_the_noise(tmp_path, drawn):
    """With two batch sizes, and so two orders, molecules have the same elements."""
    epochs = []
    for size in (32, 50):
        train(small(tmp_path / str(size), batch_size=size, copies=2, epochs=2))
        steps = len(drawn) // 2
        for half in (drawn[:steps], drawn[steps:]):
            noise = torch.cat(half, 1)
            epochs.append(noise[:, noise[0, :, 0].argsort()])
        drawn.clear()
    assert torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[1], epochs[3])
    assert not torch.equal(epochs[0], epochs[1])


def test_a_resumed_run_draws_the_same_noise(tmp_path, monkeypatch, drawn):
    config = {"epochs": 3, "copies": 2}
    train(small(tmp_path / "whole", **config))
    whole = list(drawn)
    drawn.clear()

    def stop(self, trainer, module, *args):
        if trainer.global_step == 3:  # in the middle of the second epoch
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_batch_end", stop, raising=False)
        with pytest.raises(RuntimeError, match="plug"):
            train(small(tmp_path / "parts", **config))
    del drawn[2:]
    train(small(tmp_path / "parts", **config))
    assert len(whole) == len(drawn) == 6
    assert all(torch.equal(a, b) for a, b in zip(whole, drawn, strict=True))
