"""Models outside molinv, and errors of models in one sentence each."""

import json

import numpy as np
import pytest
import torch
from small_run import SAMPLE, SMALL

from molinv import InputError, models
from molinv.chem import Rejected, Structure
from molinv.chem.structure import GIVEN
from molinv.cli import main
from molinv.datasets.batches import Batch
from molinv.models.base import Model
from molinv.models.point import Point
from molinv.predict import Predictor
from molinv.training.config import TrainConfig
from molinv.training.run import train

PLAIN = [*SMALL[:-2], "--epochs", "1"]


@pytest.mark.parametrize("name", ["Net", "Fixed", "Bare"])
def test_any_torch_module_is_a_model(name):
    net = models.make(f"plain_nets:{name}", 1, {})
    assert isinstance(net, Model)
    assert net.symmetries == ()
    z = torch.tensor([[6, 1, 0], [8, 1, 1]])
    assert net(torch.randn(2, 3, 3), z).shape == (2, 1)
    assert type(models.make("plain_nets:Small", 1, {"width": 16})).__name__ == "Small"


def test_settings_reach_a_torch_module():
    assert models.make("plain_nets:Net", 2, {"scale": 3.0}).net.scale == 3.0
    assert models.make("plain_nets:Fixed", 1, {"width": 7}).net.layers[0].out_features == 7


def test_a_torch_module_trains_and_predicts_by_name(tmp_path, capsys):
    run = tmp_path / "r"
    named = ["--model", "plain_nets:Net", "--model_args", '{"scale": 2.0}']
    assert main(["train", *PLAIN, *named, "--targets", "homo,lumo", "--out", str(run)]) == 0
    assert main(["evaluate", str(run), "--limit", "20", "--trust"]) == 0
    assert main(["predict", str(run), "CCO", "--trust"]) == 0
    capsys.readouterr()
    assert main(["predict", str(run), "CCO"]) == 2
    assert "--trust" in capsys.readouterr().err


def test_code_named_inside_a_models_settings_needs_trust(tmp_path, capsys):
    named = ["--model", "canonical", "--model_args", '{"model": "plain_nets:Net"}']
    config = tmp_path / "config.yaml"
    config.write_text('model: canonical\nmodel_args: {"model": "plain_nets:Net"}\n')
    out = ["--out", str(tmp_path / "r")]
    assert main(["train", *PLAIN, *named, *out]) == 0
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "r"), "CCO"]) == 2
    assert "plain_nets:Net" in capsys.readouterr().err
    assert main(["train", "--config", str(config), *PLAIN, "--out", str(tmp_path / "s")]) == 2
    assert "--trust" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "hints"),
    [
        (["--model", "plain_nets:build"], ["not a model", "torch.nn.Module"]),
        (["--model", "plain_nets:Nett"], ["plain_nets:Nett", "package.module:Name"]),
        (["--model", "plain_nets:Net", "--model_args", '{"scael": 1}'], ["'scale'"]),
        (["--model", "plain_nets:Flat"], ["plain_nets:Flat", ", 1), one row", ",)."]),
        (["--model", "canonical", "--model_args", '{"frames": "some"}'], ["frames", "one"]),
        (["--model", "canonical", "--model_args", '{"model": "pont"}'], ["'point'"]),
        (["--model", "canonical", "--model_args", '{"model_args": {"widht": 8}}'], ["'width'"]),
        (["--model", "visnet", "--model_args", '{"degree": 3}'], ["degree", "1 or 2"]),
        (["--model", "visnet", "--model_args", '{"width": 20, "heads": 8}'], ["visnet", "heads"]),
        (["--model_args", '{"output": "vector"}'], ["vector outputs", "kind scalar", "leave out"]),
        (["--model", "plain_nets:Small"], ["plain_nets:Small", "at most 12", "27 atoms"]),
    ],
)
def test_a_wrong_model_is_one_sentence(arguments, hints, capsys, tmp_path):
    assert main(["train", *PLAIN, *arguments, "--out", str(tmp_path / "r")]) == 2
    shown = capsys.readouterr().err
    assert all(hint in shown for hint in hints), shown
    assert len(shown.strip().splitlines()) == 1


def test_another_output_names_the_models_that_have_it(monkeypatch):
    with pytest.raises(InputError, match="did you mean 'vector'"):
        models.make("point", 1, {"output": "vectr"})
    others = [n for n in models.available() if "tensor" in models.find(n).outputs]
    with pytest.raises(InputError, match=" or ".join(others)):
        models.make("graph", 1, {"output": "tensor"})
    monkeypatch.setattr(Point, "outputs", ("scalar", "vector"))
    with pytest.raises(InputError, match=r"for vector outputs use .*point"):
        models.make("graph", 1, {"output": "vector"})
    with pytest.raises(InputError, match="predicts scalars and vectors only"):
        models.make("point", 1, {"output": "tensor"})
    with pytest.raises(InputError, match="scalars only, not vector outputs; use model painn"):
        models.make("canonical", 1, {"model": "painn", "model_args": {"output": "vector"}})


def test_a_molecule_that_is_too_large(run, monkeypatch, tmp_path):
    monkeypatch.setattr(Point, "max_atoms", 3)
    z, pos = np.array([8, 1, 1, 1]), np.eye(4, 3)
    small = Structure("water", z[:3], pos[:3], "here", GIVEN)
    large = Structure("hydronium", z, pos, "here", GIVEN)
    good, bad = Predictor(run).predict([small, large])
    assert np.isfinite(good["homo"])
    assert isinstance(bad, Rejected)
    assert "4 atoms is too large for model point, which takes at most 3" in bad.reason
    with pytest.raises(InputError, match="27 atoms is too large for model point"):
        train(TrainConfig(data=str(SAMPLE), train_size=64, accelerator="cpu", out=str(tmp_path)))


@pytest.mark.parametrize("name", models.available())
def test_a_single_atom_and_distant_atoms_give_finite_values(name):
    """Atoms without neighbours within the cutoff, alone and in a batch with another molecule."""
    net = models.make(name, 1, {}).eval()
    pos = torch.zeros(3, 3, 3)
    pos[1, 1, 0], pos[2, 1, 0], pos[2, 2, 1] = 50.0, 0.96, 0.96
    z = torch.tensor([[6, 0, 0], [1, 9, 0], [8, 1, 1]])
    y, index = torch.zeros(3, 1, dtype=torch.float64), torch.arange(3)
    for chosen in ([0], [1], [0, 1], [0, 1, 2]):
        batch = Batch(pos[chosen], z[chosen], y[chosen], index[chosen])
        batch.pos.requires_grad_()
        values = net(*net.inputs(batch))
        (force,) = torch.autograd.grad(values.sum(), batch.pos, create_graph=True)
        assert values.isfinite().all()
        assert force.isfinite().all()
        if force.requires_grad:
            (second,) = torch.autograd.grad(force.square().sum(), batch.pos)
            assert second.isfinite().all()


def test_a_saved_card_that_names_code_deep_inside_is_refused(run, tmp_path):
    card = json.loads((run / "model.json").read_text())
    card["build"]["model_args"] = {"model_args": [{"model": "os:system"}]}
    (tmp_path / "model.json").write_text(json.dumps(card))
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="os:system"):
        Predictor(tmp_path)


def test_moments_that_no_network_can_have_are_refused():
    for wrong in (-1, 1.5, "4"):
        with pytest.raises(InputError, match=f"expected 0 or more moments, got {wrong!r}"):
            Point(1, moments=wrong)
    with pytest.raises(InputError, match="not for vector outputs"):
        Point(1, moments=2, output="vector")
