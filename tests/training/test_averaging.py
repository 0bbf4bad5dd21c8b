"""The exponential average of the weights, which a run saves."""

import pytest
import torch
from small_run import small
from torch.optim.swa_utils import AveragedModel

from molinv.training.averaging import averaging
from molinv.training.history import History
from molinv.training.run import train
from molinv.training.saved import load


def test_the_saved_weights_are_the_averaged_ones(tmp_path, monkeypatch):
    steps = []

    def keep(self, trainer, module, *args):
        steps.append({k: v.clone() for k, v in module.network.state_dict().items()})

    monkeypatch.setattr(History, "on_train_batch_end", keep, raising=False)
    train(small(tmp_path, ema=0.8, epochs=1, batch_size=20))
    average = steps[0]
    for weights in steps[1:]:
        average = {k: 0.8 * v + 0.2 * weights[k] for k, v in average.items()}
    assert len(steps) == 7
    saved = load(tmp_path)
    for name, value in saved.network.state_dict().items():
        assert torch.allclose(value, average[name], atol=1e-6), name
    assert any((steps[-1][k] - v).abs().max() > 1e-3 for k, v in average.items())
    extent = saved.network.distribution.extent()["wx"].value
    assert saved.card["extents"]["wx"]["value"] == pytest.approx(float(extent.detach()))


def test_whole_numbers_are_copied_and_constants_stay():
    module = torch.nn.BatchNorm1d(3)  # has an integer buffer, num_batches_tracked
    module.register_buffer("constant", torch.rand(5))
    average = AveragedModel(module, use_buffers=True, **averaging(0.999)._kwargs)
    for _ in range(4):
        module(torch.randn(4, 3))
        average.update_parameters(module)
    ours, theirs = average.module.state_dict(), module.state_dict()
    assert ours["num_batches_tracked"] == 4
    assert torch.equal(ours["constant"], theirs["constant"])
    assert not torch.equal(ours["running_mean"], theirs["running_mean"])
