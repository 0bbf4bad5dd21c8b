"""Noise on positions in training, which the network also learns."""

import numpy as np
import pytest
import torch
from small_run import small
from test_auxiliary import rows, some

from molinv import groups
from molinv.errors import InputError
from molinv.training.auxiliary import WithJitter
from molinv.training.module import Joint
from molinv.training.molecule_data import MoleculeData
from molinv.training.noise import keyed_generator
from molinv.training.run import train
from molinv.training.saved import load as load_run
from molinv.training.source import prepare


def made(folder, **changes):
    config = small(folder, jitter=0.05, lam=0.0, distribution="Identity", **changes)
    data = MoleculeData(prepare(config), config)
    data.stored, _ = data.stores("cpu")
    return data


def test_noise_has_its_standard_deviation_and_leaves_padding_and_the_stored_alone(tmp_path):
    data = made(tmp_path)
    clean = data.stored.gather(data.train)
    first, again, next_epoch = (data.stored_for(k).gather(data.train) for k in (1, 1, 2))
    assert clean.jitter is None
    torch.testing.assert_close(first.pos - clean.pos, 0.05 * first.jitter, atol=1e-6, rtol=0)
    assert not first.pos[~first.mask].any()
    assert first.jitter[first.mask].std() == pytest.approx(1, abs=0.1)
    assert torch.equal(first.pos, again.pos)
    assert not torch.equal(first.pos, next_epoch.pos)
    assert torch.equal(data.stored.gather(data.train).pos, clean.pos)
    few = data.train[3:7]  # a molecule's noise does not depend on its batch
    n = data.stored_for(1).gather(few).pos.shape[1]
    assert torch.equal(data.stored_for(1).gather(few).jitter, first.jitter[3:7, :n])


def test_the_noise_is_turned_back_with_the_positions():
    _, batch = some()
    group, n = groups.SO3(), batch.z.shape[1]
    g = group.haar(3, keyed_generator([0])).float()
    moved = torch.randn(3, n, 3)
    row = torch.cat([torch.randn(3, 2 + 4 * n), (moved @ g.mT).mT.flatten(1)], 1)
    action = WithJitter(2)
    back, weight = action.pull_back(group, g, row, batch.pos)
    assert weight is None
    assert torch.equal(back[:, : 2 + 4 * n], row[:, : 2 + 4 * n])
    torch.testing.assert_close(back[:, 2 + 4 * n :].unflatten(1, (3, n)).mT, moved)
    assert torch.equal(action.pull_back(group, g, row[:, :2], batch.pos)[0], row[:, :2])


@pytest.mark.parametrize("auxiliary", ["", "charges"])
def test_the_loss_adds_the_weighted_error_of_the_noise(tmp_path, auxiliary):
    data = made(tmp_path, auxiliary=auxiliary, jitter_weight=0.3)
    network = data.network().train()
    module = Joint(network, data.task, data.config, data.examples, data.beside > 0)
    batch = data.stored_for(0).gather(data.train[:9])
    outputs = network.model(*network.model.inputs(batch))
    own, beside = network.model.apart(outputs, batch.z.shape[1])
    expected = (own - data.task.truth(batch)).abs().mean()
    expected = expected + 0.3 * (beside[:, -3:].mT - batch.jitter)[batch.mask].abs().mean()
    if auxiliary:
        there = ~batch.auxiliary.isnan()
        expected = expected + 0.5 * (beside[:, :-3] - batch.auxiliary)[there].abs().mean()
    means = [term.mean for term in module._terms(outputs, batch)]
    torch.testing.assert_close(module._total(means), expected.float())


def test_a_network_learns_the_noise_of_turned_molecules_and_predicts_without_it(tmp_path):
    run = train(small(tmp_path, jitter=0.3, jitter_weight=1.0, distribution="HaarBall", epochs=12))
    assert not [name for name in load_run(run).network.state_dict() if "auxiliary" in name]
    config = small(tmp_path, jitter=0.3, distribution="HaarBall")
    data = MoleculeData(prepare(config), config)
    data.stored, _ = data.stores("cpu")
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    network = data.network().train()
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in state.items() if k.startswith("network.")}
    )
    batch = data.stored_for(99).gather(data.valid)
    g = network.distribution.group.haar(len(batch), keyed_generator([1])).float()
    with torch.no_grad():
        row, _ = network.run(g, *network.model.inputs(batch))
    _, beside = network.model.apart(row, batch.z.shape[1])
    found, true = beside[:, -3:].mT[batch.mask], batch.jitter[batch.mask]
    assert torch.corrcoef(torch.stack([found.flatten(), true.flatten()]))[0, 1] > 0.1


def test_a_resumed_run_has_the_noise_of_an_uninterrupted_one(tmp_path):
    from test_auxiliary import _stop_at_second

    whole = train(small(tmp_path / "whole", jitter=0.02))
    with pytest.raises(KeyboardInterrupt):
        train(small(tmp_path / "part", jitter=0.02), watch=_stop_at_second)
    part = train(small(tmp_path / "part", jitter=0.02))
    assert rows(whole) == rows(part)


WRONG = {
    "a negative deviation": (dict(jitter=-0.1), "jitter: expected at least 0"),
    "no number": (dict(jitter=np.nan), "jitter: expected at least 0"),
    "a negative weight": (dict(jitter_weight=-1.0), "jitter_weight: expected at least 0"),
    "vectors": (dict(jitter=0.1, targets="dipole"), "jitter: expected targets that are numbers"),
    "a model without atoms": (dict(jitter=0.1, model="schnet", model_args={}), "point"),
}


@pytest.mark.parametrize("what", WRONG)
def test_impossible_noise_is_refused_in_a_sentence(tmp_path, what):
    changes, message = WRONG[what]
    with pytest.raises(InputError, match=message) as caught:
        train(small(tmp_path, **changes))
    assert "\n" not in str(caught.value)
