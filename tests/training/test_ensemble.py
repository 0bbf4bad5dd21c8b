"""An ensemble: runs with several seeds in one folder, which is one model."""

import csv
import json
import shutil

import numpy as np
import pytest
from small_run import SAMPLE, small

from molinv import InputError
from molinv.chem import MolInvCalculator, read
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.predict import Predictor
from molinv.prediction.evaluate import evaluate
from molinv.training.ensemble import join, train_ensemble
from molinv.training.members import load_model, read_members
from molinv.training.run import train
from molinv.training.saved import load

TINY = '{"width": 16, "layers": 1, "kernels": 4}'
FLAGS = ["--data", str(SAMPLE), "--train_size", "64", "--valid_size", "16", "--epochs", "1"]
FLAGS += ["--accelerator", "cpu", "--model_args", TINY, "--targets", "homo,U0", "--seed", "3"]


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Three members of one epoch, through the command line."""
    folder = tmp_path_factory.mktemp("runs") / "e"
    assert main(["train", *FLAGS, "--ensemble", "3", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def copy(ensemble, tmp_path):
    return shutil.copytree(ensemble, tmp_path / "copy")


def own_table(folder):
    """A file of 40 molecules with values."""
    path = folder / "mine.csv"
    rows = [f"{'C' * (1 + i % 7)}O{'C' * (i % 5)},{i / 10}" for i in range(40)]
    path.write_text("\n".join(["smiles,y", *rows]), encoding="utf-8")
    return path


def member(folder, k):
    return folder / f"member_{k}"


def test_members_differ_in_their_seeds_and_share_their_split(ensemble):
    cards = [load(member(ensemble, k)).card for k in range(3)]
    assert [card["seed"] for card in cards] == [3, 4, 5]
    assert len({card["split"] for card in cards}) == 1
    assert len({card["sha256"] for card in cards}) == 3
    assert all((member(ensemble, k) / "conformal.json").is_file() for k in range(3))


def test_a_value_is_the_mean_over_members_beside_their_standard_deviation(ensemble):
    (row,) = Predictor(ensemble).predict(read(["CCO"]))
    rows = [next(Predictor(member(ensemble, k)).predict(read(["CCO"]))) for k in range(3)]
    for name in ("homo", "U0"):
        values = [each[name] for each in rows]
        assert row[name] == pytest.approx(np.mean(values))
        assert row[f"{name}_ensemble_std"] == pytest.approx(np.std(values, ddof=1))
        assert f"{name}_ensemble_std" not in rows[0]
    values = Predictor(ensemble).values([s for s in read(["CCO", "CCN"])])
    assert values.members is not None
    assert values.members.shape == (2, 2)
    assert Predictor(member(ensemble, 0)).values([*read(["CCO"])]).members is None


def test_commands_accept_an_ensemble_as_one_model(ensemble, tmp_path, capsys):
    result = evaluate(ensemble, limit=20)
    alone = [evaluate(member(ensemble, k), limit=20)["targets"]["homo"] for k in range(3)]
    assert result["targets"]["homo"]["averaged"] <= np.mean([r["averaged"] for r in alone]) + 1e-6
    assert result["intervals"]["given"]["targets"]["homo"]["half"] > 0
    table = tmp_path / "in.csv"
    table.write_text("smiles,k\nCCO,1\nC(C,2\n")
    for out in ("o.csv", "o.parquet"):
        assert main(["predict", str(ensemble), str(table), "-o", str(tmp_path / out)]) == 1
    with (tmp_path / "o.csv").open() as file:
        row = next(csv.DictReader(file))
    assert float(row["homo_ensemble_std"]) > 0
    import pyarrow.parquet as pq

    first = pq.read_table(tmp_path / "o.parquet").to_pylist()[0]
    assert first["homo_ensemble_std"] == pytest.approx(float(row["homo_ensemble_std"]), rel=1e-4)
    capsys.readouterr()
    assert main(["predict", str(ensemble), "CCO"]) == 0
    assert "members" in " ".join(capsys.readouterr().out.split())


def test_energies_and_forces_are_the_members_mean(tmp_path, monkeypatch):
    from ase import Atoms
    from ase.build import molecule
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write

    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "cache"))
    generator, frames = np.random.default_rng(0), []
    for i in range(24):
        atoms = molecule("H2O")
        atoms.positions += 0.05 * generator.normal(size=(3, 3)) * (1 + i % 3)
        away = atoms.positions - molecule("H2O").positions
        known = {"energy": float(np.square(away).sum()), "forces": -2 * away}
        atoms.calc = SinglePointCalculator(atoms, **known)
        frames.append(atoms)
    write(tmp_path / "w.extxyz", frames)
    flags = ["--data", str(tmp_path / "w.extxyz"), "--targets", "energy,forces", "--epochs", "1"]
    flags += ["--accelerator", "cpu", "--model_args", TINY, "--strict_split", "false"]
    folder = tmp_path / "e"
    assert main(["train", *flags, "--ensemble", "2", "--out", str(folder)]) == 0

    def of(path):
        atoms: Atoms = molecule("H2O")
        atoms.rattle(0.1, seed=1)
        (row,) = Predictor(path).predict([atoms])
        atoms.calc = MolInvCalculator(path, degree=1)
        return atoms.get_potential_energy(), atoms.get_forces(), np.array(row["forces"])

    parts = [np.mean(x, 0) for x in zip(of(member(folder, 0)), of(member(folder, 1)), strict=True)]
    for found, expected in zip(of(folder), parts, strict=True):
        assert found == pytest.approx(expected, abs=1e-5)


def test_what_needs_a_single_model_suggests_a_member(ensemble, capsys):
    with pytest.raises(InputError, match=r"name one of its members, such as .*member_0"):
        load(ensemble)
    assert main(["train", *FLAGS, "--out", str(ensemble)]) == 2
    assert "holds an ensemble: give --ensemble" in capsys.readouterr().err


def test_more_members_extend_an_ensemble_and_fewer_are_refused(copy, tmp_path, capsys):
    assert main(["train", *FLAGS, "--ensemble", "2", "--out", str(copy)]) == 2
    assert "has 3 trained members, more than 2" in capsys.readouterr().err
    assert main(["train", *FLAGS, "--ensemble", "1", "--out", str(tmp_path / "n")]) == 2
    assert "expected 2 or more members, got 1" in capsys.readouterr().err
    times = [(member(copy, k) / "model.safetensors").stat().st_mtime_ns for k in range(3)]
    assert main(["train", *FLAGS, "--ensemble", "4", "--out", str(copy)]) == 0
    assert times == [(member(copy, k) / "model.safetensors").stat().st_mtime_ns for k in range(3)]
    assert load_model(copy).card["members"] == 4
    assert load(member(copy, 3)).card["seed"] == 6


def test_an_interrupted_ensemble_is_resumed(ensemble, tmp_path):
    config = small(tmp_path / "e", epochs=1, train_size=32, targets="homo")
    seen = []

    def stop(folder, _):
        seen.append(folder.name)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ensemble(config, 3, finish=stop)
    with pytest.raises(InputError, match="with 1 of 3 members trained: resume it"):
        load_model(tmp_path / "e")
    train_ensemble(config, 3, finish=lambda folder, _: seen.append(folder.name))
    assert seen == ["member_0", "member_1", "member_1", "member_2"]
    assert len(load_model(tmp_path / "e").members) == 3


def test_an_ensemble_that_was_changed_is_refused(copy):
    path = copy / "ensemble.json"
    content = json.loads(path.read_text())
    content["members"][0]["folder"] = "../elsewhere"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="edited"):
        Predictor(copy)
    path.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        Predictor(copy)


def test_a_member_with_other_weights_is_refused_and_trained_again(copy):
    for name in ("model.json", "model.safetensors"):
        shutil.copy(member(copy, 1) / name, member(copy, 0) / name)
    with pytest.raises(InputError, match="are not those that"):
        Predictor(copy)


def test_a_folder_of_one_run_and_several_devices_are_refused(tmp_path):
    config = small(tmp_path / "r", epochs=1, train_size=32)
    with pytest.raises(InputError, match="one device: leave out --devices"):
        train_ensemble(small(tmp_path / "d", devices=2), 2)
    train(config)
    with pytest.raises(InputError, match="holds a run of one model"):
        train_ensemble(config, 2)
    assert main(["train", "pictures", "--data", "planted", "--ensemble", "3"]) == 2


def test_classes_average_their_probabilities(tmp_path, monkeypatch):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path / "cache"))
    molecules = load_data(SAMPLE).take(np.arange(40))
    path, gap = tmp_path / "c.csv", molecules.select(["gap"])[:, 0]
    rows = [f"{s},{int(g > np.median(gap))}\n" for s, g in zip(molecules.smiles, gap, strict=False)]
    path.write_text("smiles,active\n" + "".join(rows))
    flags = ["--data", str(path), "--targets", "active", "--epochs", "1", "--accelerator", "cpu"]
    flags += ["--model_args", TINY, "--workers", "0", "--ensemble", "2"]
    folder = tmp_path / "e"
    assert main(["train", *flags, "--out", str(folder)]) == 0
    (row,) = Predictor(folder).predict(read(["CCO"]))
    each = [next(Predictor(member(folder, k)).predict(read(["CCO"])))["active"] for k in range(2)]
    assert row["active"] == pytest.approx(np.mean(each))
    assert row["active_ensemble_std"] == pytest.approx(np.std(each, ddof=1))
    assert read_members(folder)[0] == 2


def test_an_ensemble_is_not_extended_on_other_data(tmp_path, capsys):
    path = own_table(tmp_path)
    flags = [
        "train",
        "--data",
        str(path),
        "--targets",
        "y",
        "--epochs",
        "1",
        "--accelerator",
        "cpu",
    ]
    flags += ["--model_args", TINY, "--workers", "0", "--out", str(tmp_path / "e")]
    assert main([*flags, "--ensemble", "2"]) == 0
    path.write_text(path.read_text(encoding="utf-8") + "\nCCN,3", encoding="utf-8")
    capsys.readouterr()
    assert main([*flags, "--ensemble", "3"]) == 2
    assert "is no longer the file that" in capsys.readouterr().err


def test_members_begin_from_a_model_that_takes_features(tmp_path):
    begun, e = tmp_path / "begun", tmp_path / "e"
    path = own_table(tmp_path)
    flags = [
        "train",
        "--data",
        str(path),
        "--targets",
        "y",
        "--epochs",
        "1",
        "--accelerator",
        "cpu",
    ]
    flags += ["--workers", "0"]
    assert main([*flags, "--model_args", TINY, "--features", "bonds", "--out", str(begun)]) == 0
    started = [*flags, "--init", str(begun), "--ensemble", "2", "--out", str(e)]
    assert main(started) == 0
    assert main(started) == 0  # no member is trained again
    assert evaluate(e)["molecules"] > 0


def test_runs_of_different_architectures_are_joined(ensemble, tmp_path):
    other, e = tmp_path / "other", tmp_path / "e"
    flags = [*FLAGS[: FLAGS.index("--model_args")], "--model_args", '{"geometry": "distance"}']
    more = ["--targets", "homo,U0", "--seed", "3", "--distribution", "Identity"]
    assert main(["train", *flags, *more, "--out", str(other)]) == 0
    runs = [other, member(ensemble, 0)]
    assert join(e, runs) == e
    rows = [next(Predictor(run).predict(read(["CCO"]))) for run in (e, *runs)]
    assert rows[0]["homo"] == pytest.approx((rows[1]["homo"] + rows[2]["homo"]) / 2)
    assert evaluate(e)["molecules"] > 0
    with pytest.raises(InputError, match="exists already"):
        join(e, runs)
    with pytest.raises(InputError, match="expected 2 or more runs"):
        join(tmp_path / "f", runs[:1])
    with pytest.raises(InputError, match="differ in their split"):
        join(tmp_path / "f", [other, train(small(tmp_path / "g", seed=9, targets="homo,U0"))])


def test_an_interrupted_join_leaves_nothing(ensemble, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("molinv.training.ensemble.write_members", interrupted)
    with pytest.raises(KeyboardInterrupt):
        join(tmp_path / "e", [member(ensemble, 0)] * 2)
    assert list(tmp_path.iterdir()) == []
