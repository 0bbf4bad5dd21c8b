"""The benchmark of speed: its tasks, its results, and a tiny run. No time is asserted."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from molinv import groups, models
from molinv.augment import Augmented
from molinv.bench import batches as made
from molinv.bench import flags, networks
from molinv.bench.memory import peak_memory
from molinv.bench.steps import PRECISIONS, Inference, TrainingStep
from molinv.bench.throughput.tasks import STAGES, Moving, Tasks
from molinv.cli import main
from molinv.datasets import load
from molinv.distributions import UniformBox
from molinv.errors import InputError
from molinv.tasks import of_molecules
from molinv.training.config import TrainConfig
from molinv.training.module import Joint

SAMPLE = str(Path(__file__).parents[2] / "data" / "qm9_sample")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small_nets(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])


def numbers(found):
    if isinstance(found, dict):
        return [n for value in found.values() for n in numbers(value)]
    return [found] if isinstance(found, int | float) else []


def test_a_tiny_run_gives_finite_numbers_and_its_files(tmp_path, capsys):
    flags = ["--models", "point,small_nets:Net", "--batch", "8", "--data", SAMPLE, "--quick"]
    assert main(["bench", "throughput", *flags, "--out", str(tmp_path / "a")]) == 0
    found = json.loads((tmp_path / "a" / "throughput.json").read_text())
    assert all(math.isfinite(n) for n in numbers(found))
    assert set(found["models"]) == {"point", "small_nets:Net"}
    assert found["reference"] == found["learned"] == "point"
    for row in found["models"].values():
        assert row["parameters"] > 0
        for mode in ("training", "inference"):
            assert row[mode]["molecules_per_s"]["median"] > 0
    for mode in ("training", "inference"):
        ratio = found["models"]["point"][mode]["rate_over_point"]
        assert ratio == {"median": 1, "low": 1, "high": 1}
        assert set(found["atoms"]["small_nets:Net"][mode]) == {"10", "50"}
        assert set(found["batch"][mode]) == {"1", "32"}
    assert set(found["copies"]) == {"1", "2"}
    assert set(found["sampling"]["share_of_step"]) == {*STAGES, "all"}
    for picture in ("models.png", "cost.png"):
        assert (tmp_path / "a" / picture).read_bytes().startswith(b"\x89PNG")
    assert len(list((tmp_path / "a").iterdir())) == 3
    assert "share of the training step" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--models", "pont"], "did you mean 'point'?"),
        (["--models", "point,point"], "different names"),
        (["--models", "canonical"], "canonical-"),
        (["--models", ","], "different names"),
        (["--models", "small_nets:Tiny", "--data", SAMPLE], "too large for model small_nets:Tiny"),
        (["--device", "gpu7"], "try cpu"),
        (["--rounds", "0"], "rounds: expected at least 1"),
        (["--batch", "0"], "batch: expected at least 1"),
        (["--data", "qm8"], "'qm9'"),
        (["--round", "3"], "round"),
    ],
)
def test_bad_flags_are_reported_in_one_sentence(flags, hint, capsys, tmp_path):
    assert main(["bench", "throughput", "--quick", "--out", str(tmp_path / "a"), *flags]) == 2
    error = capsys.readouterr().err
    assert hint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_every_architecture_is_among_the_networks():
    known = networks.known()
    assert {c.model for c in known.values()} == {*models.available(), networks.FAENET}
    assert all(name == c.name for name, c in known.items())
    assert networks.choose("painn,point-distance") == [known["painn"], known["point-distance"]]
    assert networks.reference(networks.choose("point,schnet")) == "schnet"
    assert networks.reference(networks.choose("point,graph")) == "point"


@pytest.mark.parametrize("name", ["point", "point-distance", "canonical-one", "painn"])
def test_only_a_model_without_built_in_symmetry_learns_a_distribution(name):
    network = networks.known()[name].build(CPU)
    assert bool(list(network.distribution.parameters())) == (name == "point")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_step_has_the_trainers_optimizer(precision):
    network = networks.known()["point"].build(CPU)
    molecules, config = load(SAMPLE), TrainConfig(precision=precision)
    task = of_molecules(molecules, ["homo"], np.arange(100))
    theirs = Joint(network, task, config, len(molecules)).configure_optimizers()
    ours = TrainingStep(network, precision).optimizer
    assert type(ours) is type(theirs)
    assert ours.dtype == theirs.dtype
    free = {"params", "lr", "peak", "warmup"}
    for a, b in zip(ours.param_groups, theirs.param_groups, strict=True):
        assert {k: v for k, v in a.items() if k not in free} == {
            k: v for k, v in b.items() if k not in free
        }
        assert [id(p) for p in a["params"]] == [id(p) for p in b["params"]]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_training_step_changes_parameters_and_inference_does_not(precision):
    network = networks.known()["point"].build(CPU)
    batch = made.random_batch(4, 5, CPU)
    step, infer = TrainingStep(network, precision), Inference(network, precision)
    for group in step.optimizer.param_groups:
        group["lr"] = 1e-3
    before = [p.clone() for p in network.parameters()]
    assert infer(batch).shape == (4, 1)
    assert torch.equal(infer(batch), Inference(network)(batch)) == (precision == "32-true")
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True))
    step(batch)
    # a bias may have zero gradient at first, but matrices and extents do not
    moved = [not torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True)]
    assert all(m for m, p in zip(moved, before, strict=True) if p.ndim == 2)
    raw = list(network.distribution.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in raw)


@pytest.mark.parametrize("name", networks.known())
def test_every_model_and_peer_takes_a_step_in_bfloat16(name):
    network, batch = networks.known()[name].build(CPU), made.random_batch(4, 5, CPU)
    exact, half = (Inference(network, p)(batch).float() for p in PRECISIONS)
    assert 0 < (half - exact).abs().mean() < 0.1 * exact.abs().mean()
    TrainingStep(network, "bf16-mixed")(batch)  # raises if the loss is not finite


def test_a_loss_that_is_not_finite_is_refused():
    network = networks.Network("broken", "small_nets:Broken").build(CPU)
    with pytest.raises(InputError, match="nan"):
        TrainingStep(network)(made.random_batch(4, 5, CPU))


@pytest.mark.parametrize("name", ["point", "graph"])
@pytest.mark.parametrize("stage", STAGES)
def test_only_the_last_stage_reaches_the_extents(name, stage):
    net = models.make(name, 1, {"width": 16, "layers": 1})
    network = Augmented(net, UniformBox(groups.SO3(), init=0.5), input=net.action)
    batch = made.random_batch(4, 5, CPU)
    Moving(network, [batch], stage)(batch)
    grads = [p.grad for p in network.distribution.parameters()]
    if stage == "backward":
        assert all(g is not None and g.abs().sum() > 0 for g in grads)
    else:
        assert all(g is None for g in grads)


def test_sizes_that_a_model_does_not_accept_are_left_out(monkeypatch):
    network = networks.known()["point"].build(CPU)
    monkeypatch.setattr(network.model, "max_atoms", 30)
    assert {n for _, _, n in Tasks(CPU).atoms({"point": network}, (10, 25, 50))} == {10, 25}


def test_peak_memory_covers_only_the_step():
    there = torch.ones(2**28, dtype=torch.uint8)  # the parent's size must not be counted
    peak = peak_memory(
        networks.Network("hungry", "small_nets:Hungry"), made.random_batch(16, 5, CPU)
    )
    # one tensor of 16 x 8 MiB is kept for the backward pass; a few more are temporary
    assert peak is not None
    assert 128 <= peak < 5 * 128
    assert len(there)


def test_an_unavailable_device_is_refused():
    with pytest.raises(InputError, match="try cpu"):
        flags.find_device("no-such-device")
