"""The columns of metrics.csv on a network's dependence on orientation."""

import csv

import pytest
import torch
from small_run import small

from molinv import groups
from molinv.datasets import load as load_data
from molinv.datasets.batches import Batch
from molinv.datasets.split import split
from molinv.training.molecule_data import place
from molinv.training.orbit_share import MOLECULES
from molinv.training.run import train
from molinv.training.saved import load


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


@pytest.mark.parametrize(("ema", "precision"), [(0.0, "32-true"), (0.9, "bf16-mixed")])
def test_orbit_columns_are_those_of_the_saved_model(tmp_path, ema, precision):
    config = small(tmp_path, epochs=2, ema=ema, targets="homo,U0", precision=precision)
    train(config)
    saved = load(tmp_path)
    row = next(r for r in rows(tmp_path) if float(r["epoch"]) == saved.card["epoch"])
    molecules = load_data(config.data)
    valid = split(len(molecules), config.seed, config.train_size).valid[: config.valid_size]
    batch = place(molecules, saved.task, config, "cpu").gather(valid[:MOLECULES])
    truth = saved.standardizer.inverse(saved.standardizer(batch.y, batch.z))

    def outputs(g):
        turned = Batch(batch.pos @ g.mT, batch.z, batch.y, batch.index)
        inputs = saved.network.model.inputs(turned)
        return saved.standardizer.inverse(saved.network.orbit(*inputs, orbit="identity").mean)

    draw = torch.Generator().manual_seed(1)
    values = torch.stack([outputs(groups.SO3().haar(len(batch), draw)) for _ in range(64)])
    for i, target in enumerate(("homo", "U0")):
        # different rotations: 8 in the run and 64 here, for each of 32 molecules
        variance, square = (float(row[f"{target}_orbit_{k}"]) for k in ("variance", "square"))
        assert variance == pytest.approx(float(values.var(0)[:, i].mean()), rel=0.35)
        assert square == pytest.approx(float((values - truth).square()[..., i].mean()), rel=0.1)
        assert 0 < variance < square


def test_an_invariant_network_has_no_orbit_variance_in_half_precision(tmp_path):
    shape = {"width": 32, "layers": 2, "geometry": "distance"}
    train(small(tmp_path, epochs=1, targets="U0", precision="bf16-mixed", model_args=shape))
    last = rows(tmp_path)[-1]
    variance, square = (float(last[f"U0_orbit_{k}"]) for k in ("variance", "square"))
    assert variance < 1e-8 * square


def test_a_run_without_orbit_columns_is_resumed(tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    train(small(whole, epochs=3))
    with monkeypatch.context() as patch:
        patch.setattr("molinv.training.molecule_data.orbit_share", lambda *given: {})
        train(small(tmp_path / "parts", epochs=1))
    assert "homo_orbit_square" not in rows(tmp_path / "parts")[-1]
    train(small(tmp_path / "parts", epochs=3))
    kept, expected = rows(tmp_path / "parts"), rows(whole)
    names = ("homo_orbit_variance", "homo_orbit_square")
    assert [all(n in row for n in names) for row in kept] == [False, False, True, True]
    assert [all(n in row for n in names) for row in expected] == [False, True, True, True]
    # the first epoch had a shorter schedule, so only the columns are compared
    assert set(kept[-1]) == set(expected[-1])


def test_two_runs_of_one_seed_see_the_same_rotations(tmp_path):
    train(small(tmp_path / "whole", epochs=2))
    seen = rows(tmp_path / "whole")
    train(small(tmp_path / "again", epochs=2))
    for row, other in zip(seen, rows(tmp_path / "again"), strict=True):
        for name in row:
            if "_orbit_" in name:
                assert row[name] == other[name]
