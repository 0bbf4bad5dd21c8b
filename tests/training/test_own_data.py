"""Training on a user's file, with missing values, and fine-tuning."""

import csv
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from small_run import SAMPLE, small

from molinv import InputError
from molinv.chem import Rejected, Structure, read
from molinv.chem.structure import GIVEN
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.datasets.molecules import Target
from molinv.datasets.references import Standardizer
from molinv.predict import Predictor
from molinv.prediction.evaluate import evaluate
from molinv.tasks import of_targets
from molinv.tasks.errors import Mean
from molinv.tasks.numbers import masked
from molinv.training.config import TrainConfig
from molinv.training.fine_tuning import start_from
from molinv.training.molecule_data import place
from molinv.training.run import train
from molinv.training.saved import load
from molinv.training.source import prepare

Z, POS = np.array([8, 1, 1]), np.array([[0.0, 0, 0.1], [0, 0.76, -0.47], [0, -0.76, -0.47]])
WATER = Structure("w", Z, POS, "here", GIVEN)
TINY = {"width": 16, "layers": 1, "kernels": 4}


def mean_l1(outputs, target, **kwargs):
    """The mean error of copies (c, b, t), and the number of values."""
    target = target.expand(len(outputs), *target.shape).flatten(0, 1)
    errors, there = masked(outputs.flatten(0, 1), target, **kwargs)
    return errors.sum() / there.sum().clamp_min(1), there.sum() // len(outputs)


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLINV_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """60 molecules of QM9 as a .csv file; every third has no b, and two rows are bad."""
    molecules = load_data(SAMPLE).take(np.arange(60))
    y = molecules.select(["gap", "alpha"])
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["smiles", "a", "b", "part", "year", "flat"])
        for i in range(60):
            part = ("train", "train", "train", "valid", "test")[i % 5]
            b = "" if i % 3 == 0 else y[i, 1]
            writer.writerow([molecules.smiles[i], y[i, 0], b, part, 2000 + i, 7])
        writer.writerow(["C1CC", 1, 1, "train", 1990, 7])
        writer.writerow(["CCO", "?", "", "train", 1990, 7])
    return path


@pytest.fixture(scope="module")
def own(table, tmp_path_factory):
    """A run on the table, through the command line."""
    folder = tmp_path_factory.mktemp("runs") / "own"
    arguments = ["--targets", "a [meV],b [a0^3]", "--epochs", "2", "--accelerator", "cpu"]
    arguments += ["--workers", "0", "--batch_size", "16", "--model_args", json.dumps(TINY)]
    assert main(["train", "--data", str(table), *arguments, "--out", str(folder)]) == 0
    return folder


def predicted(predictor: Predictor, items: Iterable[Structure | Rejected]) -> list[dict[str, Any]]:
    """The predictions of molecules, none of which is rejected."""
    rows = list(predictor.predict(items))
    assert all(isinstance(row, dict) for row in rows)
    return [dict(row) for row in rows if isinstance(row, dict)]


def test_units_go_from_the_command_line_to_the_predictions(own, capsys):
    assert main(["evaluate", str(own)]) == 0
    capsys.readouterr()
    result = json.loads((own / "evaluation.json").read_text())
    assert {n: row["unit"] for n, row in result["targets"].items()} == {"a": "meV", "b": "a0^3"}
    (row,) = predicted(Predictor(own), read(["CCO"]))
    assert (row["a_unit"], row["b_unit"]) == ("meV", "a0^3")
    card = json.loads((own / "model.json").read_text())
    assert card["validation"]["b"]["unit"] == "a0^3"
    assert (card["rejected"], sum(card["molecules"].values())) == (2, 60)


def test_bad_rows_are_listed_in_the_run_folder(own, table):
    with (own / "rejected.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [f"{table}:62", f"{table}:63"]
    assert "C1CC" in rows[0]["reason"]
    assert "no value" in rows[1]["reason"]


def test_six_validation_molecules_give_no_intervals(own):
    (row,) = predicted(Predictor(own), read(["CCO"]))
    assert row["a_low"] is row["b_high"] is None


def test_missing_values_are_masked_in_errors_and_intervals(own):
    result = evaluate(own)
    config = TrainConfig(**yaml.safe_load((own / "config.yaml").read_text()))
    molecules, parts, *_ = prepare(config)
    y = molecules.y[parts.test]
    assert np.isnan(y[:, 1]).any()
    saved = load(own)
    batch = place(molecules, saved.task, config, "cpu").gather(parts.test)
    inputs = saved.network.model.inputs(batch)
    outputs = saved.network.orbit(*inputs, orbit="identity").mean
    errors = np.abs(saved.standardizer.inverse(outputs).numpy() - y)
    for j, name in enumerate("ab"):
        expected = np.nanmean(errors[:, j])
        assert result["targets"][name]["stored"] == pytest.approx(expected, rel=1e-4)


def test_missing_values_have_no_gradient():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 5, 3, generator=generator)
    target = torch.randn(5, 3, generator=generator)
    whole, count = mean_l1(outputs, target)
    assert whole == pytest.approx(float((outputs - target).abs().mean()))
    assert count == 15
    outputs.requires_grad_()
    target[[0, 2, 4], [1, 1, 0]] = torch.nan
    share, count = mean_l1(outputs, target)
    (slope,) = torch.autograd.grad(share, outputs)
    known = ~target.isnan()
    assert count == 12
    assert bool((slope[:, ~known] == 0).all())
    assert slope[:, known].abs().numpy() == pytest.approx(1 / 24)
    assert float(share.detach()) == pytest.approx(
        float((outputs - target).detach().abs()[:, known].mean())
    )
    nothing, count = mean_l1(outputs.detach(), torch.full((5, 3), torch.nan))
    assert (nothing, count) == (0, 0)


def test_the_error_over_batches_is_that_of_the_known_values():
    from torchmetrics import MeanAbsoluteError

    generator = torch.Generator().manual_seed(0)
    made, outputs = Mean(2), torch.randn(30, 2, generator=generator)
    task = of_targets([Target("x", ""), Target("y", "")])
    truth = torch.randn(30, 2, generator=generator)
    truth[::3, 1] = torch.nan
    for part in torch.arange(30).split(7):
        made.update(*task.sums(outputs[part], truth[part]))
    for j in range(2):
        known = ~truth[:, j].isnan()
        expected = MeanAbsoluteError()(outputs[known, j], truth[known, j])
        assert made.compute()[j] == pytest.approx(float(expected))
    made.reset()
    made.update(*task.sums(outputs, torch.full((30, 2), torch.nan)))
    assert bool(made.compute().isnan().all())


def test_scalers_are_those_of_the_known_training_values():
    from dataclasses import replace

    molecules = load_data(SAMPLE)
    y = molecules.y.copy()
    names = [t.name for t in molecules.targets]
    column, rows = names.index("U0"), np.arange(200)
    y[rows[::2], column] = np.nan
    holed = replace(molecules, y=y)
    made = Standardizer.fit(holed, ["gap", "U0"], rows)
    half = Standardizer.fit(molecules, ["U0"], rows[1::2])
    whole = Standardizer.fit(molecules, ["gap"], rows)
    for name in ("mean", "scale", "references"):
        values = getattr(made, name)
        assert torch.allclose(values[..., 1], getattr(half, name)[..., 0])
        assert torch.allclose(values[..., 0], getattr(whole, name)[..., 0])


@pytest.mark.parametrize("kind", ["scaffold", "column:part", "time:year"])
def test_a_run_keeps_its_split(table, tmp_path, kind):
    config = small(
        tmp_path / "r", data=str(table), targets="a", split=kind, epochs=1, model_args=TINY,
        train_size=None,
    )  # fmt: skip
    train(config)
    result = evaluate(tmp_path / "r", copies=1)
    assert result["split"] == load(tmp_path / "r").card["split"] == prepare(config).parts.hash
    if kind == "column:part":
        assert result["molecules"] == 12
        half = result["intervals"]["embedded"]["targets"]["a"]["half"]
        embedded, given = predicted(Predictor(tmp_path / "r", copies=1), [*read(["CCO"]), WATER])
        assert embedded["a_high"] - embedded["a"] == pytest.approx(half)
        assert given["a_low"] is None  # it was calibrated only on RDKit's geometries


def test_scaffolds_of_sdf_records_come_from_their_bonds(tmp_path):
    from rdkit import Chem

    path = tmp_path / "a.sdf"
    rings = ["C1CC1", "c1ccccc1", "C1CCC1", "C1COC1"]
    smiles = [r + "C" * k for k in range(4) for r in rings]
    smiles += [r + "C" * k for k in range(2) for r in ("C1CCCC1", "C1CCOC1")]
    blocks = [Chem.MolToMolBlock(Chem.MolFromSmiles(s)) for s in smiles]
    blocks.insert(3, "bad\n\n\n")  # so that records and molecules count differently
    path.write_text("".join(f"{b}> <x>\n{i}\n\n$$$$\n" for i, b in enumerate(blocks)))
    source = prepare(TrainConfig(data=str(path), targets="x", split="scaffold"))
    assert [r.source for r in source.rejected] == [f"{path}:4"]
    names = [s[:7].rstrip("C") for s in smiles]
    train, test = ({names[i] for i in p} for p in (source.parts.train, source.parts.test))
    assert not train & test


def test_a_changed_file_is_not_evaluated(table, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(table.read_text())
    run = tmp_path / "r"
    train(small(run, data=str(path), targets="a", epochs=1, model_args=TINY, train_size=None))
    path.write_text(table.read_text().replace("2000", "2001"))
    with pytest.raises(InputError, match="no longer the file"):
        evaluate(run)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--targets", "c"], "unknown target"),
        (
            ["--targets", "part", "--task", "numbers"],
            "got text such as 'train' in all of its 62 rows",
        ),
        (["--targets", "flat"], "'flat' is constant"),
        (["--targets", "a,a"], "different names"),
        (["--targets", "a [meV"], "different names"),
        (["--targets", "a", "--split", "colum:part"], "unknown split"),
        (["--targets", "a", "--split", "column"], "unknown split"),
        (["--targets", "a", "--split", "column:prt"], "did you mean 'part'"),
        (["--targets", "a", "--split", "column:year"], "expected train, valid or test"),
        (["--targets", "a", "--split", "time:part"], "to split by time"),
        (["--targets", "a", "--train_size", "600"], "train_size from 1 to 48"),
        (["--targets", "a", "--smiles_column", "mol"], "expected a column 'mol'"),
        (["--targets", "a", "--atomwise", "b"], "unknown atomwise target 'b'"),
        (["--targets", "a", "--init", "runs/none"], "no model in runs/none"),
        (["--targets", "a", "--init", "OWN", "--model", "painn"], "init OWN has model 'point'"),
    ],
)
def test_unsuitable_data_is_refused_in_one_sentence(table, own, tmp_path, arguments, hint, capsys):
    arguments = [str(own) if a == "OWN" else a for a in arguments]
    rest = ["--accelerator", "cpu", "--epochs", "1", "--out", str(tmp_path / "r")]
    assert main(["train", "--data", str(table), "--workers", "0", *arguments, *rest]) == 2
    shown = capsys.readouterr().err
    assert hint.replace("OWN", str(own)) in shown
    assert len(shown.strip().splitlines()) == 1
    assert not (tmp_path / "r" / "model.json").exists()


def test_units_of_a_data_set_cannot_be_changed(tmp_path):
    for changes, hint in (
        ({"targets": "homo [eV]"}, "gives homo in meV, not in eV"),
        ({"targets": "homo", "split": "column:x"}, "no column 'x'"),
        ({"targets": "homo", "smiles_column": "x"}, "files of your own"),
    ):
        with pytest.raises(InputError, match=hint):
            train(small(tmp_path / "r", **changes))
    assert prepare(small(tmp_path / "r", targets="homo [meV]")).molecules


def test_a_run_starts_from_a_models_weights(run, table, tmp_path):
    settings = {"data": str(table), "targets": "a", "train_size": None, "init": str(run)}
    folder = tmp_path / "tuned"
    train(
        small(folder, **settings, model_args={}, epochs=1, lr=1e-12, muon_lr=1e-12, group_lr=1e-12)
    )
    before, after = load(run), load(folder)
    assert after.card["build"] == before.card["build"] | {"copies": 1, "readout": ["sum"]}
    old, new = before.network.state_dict(), after.network.state_dict()
    anew = {n for n in old if old[n].shape != new[n].shape}
    assert anew == {"model.read.3.weight", "model.read.3.bias"}
    assert all(torch.allclose(old[n], new[n], atol=1e-6) for n in old if n not in anew)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model_args"] == {"width": 32, "layers": 2}
    train(
        small(folder, **settings, model_args={}, epochs=2, lr=1e-12, muon_lr=1e-12, group_lr=1e-12)
    )
    with (folder / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


def test_the_same_targets_keep_the_last_layer_and_other_shapes_are_refused(run):
    saved = load(run)
    from molinv.training.molecule_data import seeded

    config = TrainConfig(model_args={"width": 32, "layers": 2})
    same = seeded(config, saved.task)
    assert start_from(same, saved, saved.task) == []
    there = saved.network.state_dict()
    assert all(torch.equal(v, there[k]) for k, v in same.state_dict().items())
    other = of_targets([Target("x", ""), Target("y", "")])
    fresh = seeded(config, other)
    last = fresh.state_dict()["model.read.3.weight"].clone()
    assert len(start_from(fresh, saved, other)) == 2
    assert torch.equal(fresh.state_dict()["model.read.3.weight"], last)
    one = of_targets([Target("x", "")])
    with pytest.raises(InputError, match="do not fit"):
        start_from(seeded(TrainConfig(model_args=TINY), one), saved, one)


def test_a_run_that_is_older_than_some_settings_is_resumed(tmp_path):
    train(small(tmp_path, epochs=1, model_args=TINY))
    path = tmp_path / "config.yaml"
    old = yaml.safe_load(path.read_text())
    for name in ("init", "split", "smiles_column", "atomwise"):
        del old[name]
    path.write_text(yaml.safe_dump(old))
    with pytest.raises(InputError, match="split='random', not 'scaffold'"):
        train(small(tmp_path, epochs=2, model_args=TINY, split="scaffold"))
    train(small(tmp_path, epochs=2, model_args=TINY))
    with (tmp_path / "metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]
