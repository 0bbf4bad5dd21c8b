"""A run from settings to predictions: interruptions, wrong input and the optimizer."""

import csv
import json
import sys

import numpy as np
import pytest
import torch
from small_run import SMALL, small

from molinv import InputError
from molinv.chem.structure import GIVEN
from molinv.cli import main
from molinv.predict import Predictor
from molinv.training.optim import MuonAdamW, orthogonalise
from molinv.training.run import train
from molinv.training.saved import load


def test_the_run_folder_holds_everything(run):
    names = {p.name for p in run.iterdir()}
    assert {"config.yaml", "metrics.csv", "checkpoints", "model.safetensors"} <= names
    assert {"model.json", "loss.png", "extents.png"} <= names
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert float(rows[-1]["extent_wx"]) > float(rows[0]["extent_wx"])
    card = json.loads((run / "model.json").read_text())
    assert card["validation"]["U0"]["unit"] == "meV"


def test_evaluate_and_predict(run, capsys, tmp_path):
    assert main(["evaluate", str(run), "--limit", "50"]) == 0
    result = json.loads((run / "evaluation.json").read_text())
    assert set(result["targets"]["homo"]) == {"unit", "stored", "rotated", "averaged", "metrics"}
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), "CCO", "C1CC", "[Na+]", "-o", str(out)]) == 1
    shown = capsys.readouterr()
    assert "C1CC" in shown.err
    assert "not trained on Na" in shown.err
    with out.open() as file:
        row, *bad = csv.DictReader(file)
    assert [bool(other["error"]) for other in bad] == [True, True]
    assert row["homo_unit"] == "meV"
    assert float(row["homo_std"]) >= 0
    assert main(["predict", str(run), "CCO"]) == 0
    assert "RDKit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["trian"], "train"),
        (["train", "--targets", "hmo"], "homo"),
        (["train", "--group", "S03"], "SO3"),
        (["train", "--model", "pint"], "point"),
        (["train", "--model_args", '{"widht": 3}'], "width"),
        (["train", "--epoch", "3"], "epoch"),
        (["train", "--epochs", "many"], "epochs"),
        (["train", "--data", "qm8"], "qm9"),
        (["predict", "no-such-run", "CCO"], "no model"),
        (["predict", "RUN", "missing.sdf"], "missing.sdf"),
        (["predict", "RUN", "C1CC"], "C1CC"),
        (["predict", "RUN", "CCO", "-o", "x.doc"], ".csv"),
        (["evaluate", "no-such-run"], "no model"),
        (["bench", "dmo"], "demo"),
        (["evaluate", "RUN", "--limit", "0"], "limit"),
        (["predict", "RUN", "CCO", "-o", "no/such/folder/x.csv"], "there is no folder"),
        (["train", "--devices", "foo"], "devices=foo"),
        (["train", "--precision", "foo"], "precision=foo"),
        (["train", "--strategy", "foo"], "strategy=foo"),
        (["train", "--valid_size", "0"], "valid_size"),
        (["train", "--seed", "-1"], "seed"),
        (["train", "--minutes", "0"], "minutes"),
        (["train", "--config", "missing.yaml"], "missing.yaml"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(arguments, hint, run, capsys, tmp_path):
    arguments = [str(run) if a == "RUN" else a for a in arguments]
    if arguments[0] == "train":
        there = [] if "--data" in arguments else SMALL[:-2]
        arguments = ["train", *there, "--out", str(tmp_path / "r"), *arguments[1:]]
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert hint in shown
    assert "Traceback" not in shown
    assert len(shown.strip().splitlines()) == 1


def test_an_unknown_key_in_a_config_is_named(run, capsys, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text((run / "config.yaml").read_text() + "colour: blue\n")
    assert main(["train", "--config", str(path), "--out", str(tmp_path / "r")]) == 2
    assert "colour" in capsys.readouterr().err


def test_a_config_that_names_code_needs_trust_and_a_typed_name_does_not(tmp_path, monkeypatch):
    (tmp_path / "foreign.py").write_text(
        "from molinv.groups import SO3\n\nclass Mine(SO3):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text("group: foreign:Mine\n")
    rest = [*SMALL, "--epochs", "1"]
    assert main(["train", "--config", str(path), *rest, "--out", str(tmp_path / "a")]) == 2
    assert "foreign" not in sys.modules
    typed = ["--group", "foreign:Mine", "--out", str(tmp_path / "b")]
    assert main(["train", *rest, *typed]) == 0
    trusted = ["--trust", "--out", str(tmp_path / "c")]
    assert main(["train", "--config", str(path), *rest, *trusted]) == 0


def test_a_binary_config_is_one_sentence(tmp_path, capsys):
    (tmp_path / "c.yaml").write_bytes(bytes(range(128, 200)))
    assert main(["train", "--config", str(tmp_path / "c.yaml")]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["UniformBox", "HaarBall", "Gaussian"])
def test_every_learned_distribution_takes_its_settings(tmp_path, kind):
    train(small(tmp_path, epochs=1, distribution=kind, distribution_args={"init": 0.5}))
    with (tmp_path / "metrics.csv").open() as file:
        first = next(csv.DictReader(file))
    assert float(next(v for k, v in first.items() if k.startswith("extent"))) == pytest.approx(0.5)


def test_a_prediction_ignores_where_the_file_puts_the_molecule(run):
    from molinv.chem import Structure

    z, pos = np.array([8, 1, 1]), np.array([[0.0, 0, 0.1], [0, 0.76, -0.47], [0, -0.76, -0.47]])
    both = [Structure("w", z, pos + shift, "here", GIVEN) for shift in (0.0, 9.0)]
    here, there = Predictor(run).predict(both)
    assert here["homo"] == pytest.approx(there["homo"], abs=1e-2)


def test_evaluation_rotates_the_test_molecules(run):
    from molinv.prediction.evaluate import evaluate

    result = evaluate(run, limit=50)["targets"]["homo"]
    assert result["stored"] != result["rotated"] != result["averaged"]


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path, monkeypatch, ema):
    from molinv.training.history import History

    train(small(tmp_path / "whole", ema=ema))

    def stop(self, trainer, module, *args):
        if trainer.current_epoch == 2:
            raise RuntimeError("pulled the plug")

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_batch_end", stop, raising=False)
        with pytest.raises(RuntimeError, match="plug"):
            train(small(tmp_path / "parts", ema=ema))
    train(small(tmp_path / "parts", ema=ema))
    whole, parts = (load(tmp_path / n).network.state_dict() for n in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)
    with (tmp_path / "parts" / "metrics.csv").open() as file:
        assert [int(r["epoch"]) for r in csv.DictReader(file)] == [0, 1, 2, 3, 4]


def test_a_finished_run_says_so_and_a_fixed_distribution_has_no_widths(tmp_path, capsys):
    settings = small(tmp_path / "a", distribution="Identity", epochs=1)
    train(settings)
    said = capsys.readouterr().err
    assert "Validation errors are stored / rotated." in said
    assert "half-widths" not in said
    train(settings)
    said = " ".join(capsys.readouterr().err.split())
    assert "is already trained (epoch 1), so nothing was done" in said


def test_divergence_stops_and_keeps_the_last_good_model(tmp_path):
    with pytest.raises(InputError, match="diverged"):
        train(small(tmp_path / "a", muon_lr=1e30, lr=1e30, clip=0.0, warmup=0))


def test_another_run_in_the_folder_is_not_overwritten(run):
    with pytest.raises(InputError, match="train_size"):
        train(small(run, targets="homo,U0", epochs=2, valid_size=64))


def test_a_damaged_or_foreign_model_is_refused(run, tmp_path):
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    raw = bytearray((tmp_path / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(raw)
    with pytest.raises(InputError, match="weights"):
        Predictor(tmp_path)
    card = json.loads((run / "model.json").read_text())
    card["build"]["model"] = "os:system"
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="--trust"):
        Predictor(tmp_path)


def test_muon_orthogonalises_and_descends():
    matrix = torch.randn(2, 12, 30, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrix))
    assert values.min() > 0.5
    assert values.max() < 1.5
    weight = torch.nn.Parameter(torch.zeros(8, 8))
    bias = torch.nn.Parameter(torch.zeros(8))
    goal = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    optimizer = MuonAdamW(
        [{"params": [weight], "method": "muon", "lr": 0.05}, {"params": [bias], "lr": 0.01}]
    )
    for _ in range(200):
        optimizer.zero_grad()
        loss = (weight + bias - goal).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.05


def test_the_best_epoch_is_saved(tmp_path, monkeypatch):
    from molinv.training.module import Joint

    def measured(self):
        value = torch.tensor([[3.0, 1.0, 2.0, 4.0][self.current_epoch]])
        return dict.fromkeys(("stored", "rotated"), (value, value[0]))

    monkeypatch.setattr(Joint, "measured", measured)
    train(small(tmp_path))
    assert load(tmp_path).card["epoch"] == 2


def test_each_parameter_group_is_clipped_by_itself():
    from molinv.training.module import Joint

    loud, quiet = (torch.nn.Parameter(torch.zeros(4)) for _ in range(2))
    loud.grad, quiet.grad = torch.full((4,), 100.0), torch.full((4,), 0.1)
    optimizer = MuonAdamW([{"params": [p], "clip": 1.0} for p in (loud, quiet)])
    Joint.configure_gradient_clipping(None, optimizer)  # pyright: ignore[reportArgumentType]
    assert loud.grad.norm() == pytest.approx(1, rel=1e-4)
    assert quiet.grad.norm() == pytest.approx(0.2)


def test_muon_in_bfloat16_takes_nearly_the_same_step():
    moved = []
    for dtype in (torch.float32, torch.bfloat16):
        weight = torch.nn.Parameter(torch.zeros(8, 12))
        weight.grad = torch.randn(8, 12, generator=torch.Generator().manual_seed(0))
        MuonAdamW([{"params": [weight], "method": "muon", "lr": 1.0}], dtype).step()
        moved.append(weight.detach())
    exact, half = moved
    assert half.dtype == torch.float32
    assert 0 < (half - exact).norm() < 0.05 * exact.norm()


def test_matrices_decay():
    weight = torch.nn.Parameter(torch.ones(3, 3))
    weight.grad = torch.zeros(3, 3)
    MuonAdamW([{"params": [weight], "method": "muon", "lr": 0.1, "weight_decay": 0.5}]).step()
    assert weight.detach().unique().tolist() == pytest.approx([0.95])


@pytest.mark.parametrize("there", [True, False])
def test_half_precision_without_instructions_for_it_is_noted(there, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        torch.cpu,
        "get_capabilities",
        lambda: {"architecture": "x86_64", "avx2": True, "avx512_bf16": there},
    )
    train(small(tmp_path, epochs=1, precision="bf16-mixed"))
    assert ("--precision 32-true is faster" in " ".join(capsys.readouterr().err.split())) != there
