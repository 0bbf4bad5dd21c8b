"""Shipped models: made from a run, found by name, and used by default."""

import csv
import json
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from molinv import InputError, pretrained
from molinv.cli import main
from molinv.predict import Predictor
from molinv.pretrained import ship as ship_module
from molinv.pretrained.__main__ import main as ship_command
from molinv.pretrained.card import megabytes
from molinv.pretrained.choose import choose, looks_like_smiles
from molinv.training import shipped as places
from molinv.training.config import TrainConfig
from molinv.training.fine_tuning import like_initial
from molinv.training.members import Member, load_model, write_members

REAL = pretrained.ROOT


@pytest.fixture(scope="module")
def root(run, tmp_path_factory):
    """A folder of shipped models that holds the tiny run as qm9."""
    folder = tmp_path_factory.mktemp("pretrained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "ROOT", folder)
        assert ship_command([str(run)]) == 0
    return folder


@pytest.fixture
def shipped(root, monkeypatch):
    monkeypatch.setattr(places, "ROOT", root)
    return root / "qm9"


@pytest.fixture
def none_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "ROOT", tmp_path / "none")


def test_a_shipped_model_is_the_run_without_its_places(shipped, run):
    few = {"difficulty.safetensors", "ensemble.json"}  # a single model, little calibration data
    assert {p.name for p in shipped.iterdir()} == set(pretrained.FILES) - few
    assert [p.name for p in shipped.parent.iterdir()] == ["qm9"]
    weights = "model.safetensors"
    assert (shipped / weights).stat().st_mode & 0o044 == 0o044
    was, made = (load_file(folder / weights) for folder in (run, shipped))
    learned = {f"network.{name}" for name, _ in load_model(run).network.named_parameters()}
    for name, tensor in was.items():
        expected = tensor.half() if name in learned else tensor
        torch.testing.assert_close(made[name], expected, rtol=0, atol=0)
    assert (shipped / weights).stat().st_size < 0.6 * (run / weights).stat().st_size
    config = yaml.safe_load((shipped / "config.yaml").read_text())
    card = json.loads((shipped / "model.json").read_text())
    assert config["data"] == card["data"] == "qm9_sample"
    assert config["out"] == "runs/a"
    for name in ("config.yaml", "model.json", "evaluation.json"):
        assert str(run.parent) not in (shipped / name).read_text()
    result = json.loads((shipped / "evaluation.json").read_text())
    assert result["molecules"] == card["molecules"]["test"]


def test_buffers_are_not_rounded(tmp_path, monkeypatch):
    network = torch.nn.BatchNorm1d(3)
    torch.nn.init.normal_(network.running_mean)
    monkeypatch.setattr(ship_module, "load", lambda folder: SimpleNamespace(network=network))
    path = tmp_path / "model.safetensors"
    save_file({f"network.{k}": v for k, v in network.state_dict().items()}, path)
    (tmp_path / "model.json").write_text("{}")
    ship_module._halve(tmp_path)
    made = load_file(path)
    assert made["network.weight"].dtype == torch.float16
    assert torch.equal(made["network.running_mean"], network.running_mean)


def test_only_parameters_that_half_precision_can_hold_are_rounded():
    fits, large = torch.tensor([0.1, -3.0, 1e-9, 0.0]), torch.tensor([4e5, 1.0])
    assert torch.equal(ship_module._half(fits), fits.half())
    assert torch.equal(ship_module._half(large), large)


@pytest.mark.parametrize("arguments", [["CCO"], ["qm9", "CCO"]])
def test_the_shipped_model_predicts_by_name_and_by_default(shipped, arguments, capsys):
    assert main(["predict", *arguments]) == 0
    shown = capsys.readouterr()
    assert "model qm9, shipped with molinv" in shown.err
    assert "test MAE" in shown.out
    assert "U0: relative to fitted atom energies; --total adds these." in shown.out
    assert main(["predict", *arguments, "--verbose"]) == 0
    assert "not total energies" in " ".join(capsys.readouterr().out.split())


def test_a_predictor_without_a_model_takes_the_shipped_one(shipped):
    errors = json.loads((shipped / "evaluation.json").read_text())["targets"]
    predictor = Predictor()
    assert predictor.shipped == "qm9"
    assert Predictor("qm9").shipped == "qm9"
    assert Predictor(shipped).units == {"homo": "meV", "U0": "meV"}
    assert predictor.errors == {name: row["averaged"] for name, row in errors.items()}
    with pytest.raises(InputError, match="no model in"):
        Predictor("runs/none")


def test_only_the_model_that_is_needed_is_loaded(shipped, tmp_path, monkeypatch):
    from molinv.prediction import predictor

    for name in ("qm9", "qm9-smiles"):
        shutil.copytree(shipped, tmp_path / name)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    loaded, load = [], predictor.load_model
    monkeypatch.setattr(predictor, "load_model", lambda f, t: loaded.append(f.name) or load(f, t))
    assert main(["predict", "CCO"]) == 0
    assert loaded == ["qm9-smiles"]
    path = tmp_path / "water.xyz"
    path.write_text("3\n\nO 0 0 0.12\nH 0 0.76 -0.47\nH 0 -0.76 -0.47\n")
    assert main(["predict", str(path)]) == 0
    assert loaded == ["qm9-smiles", "qm9"]
    assert main(["predict", "CCO", str(path), "-o", str(tmp_path / "out.csv")]) == 0
    assert loaded[2:] == ["qm9-smiles", "qm9"]
    with (tmp_path / "out.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["qm9-smiles", "qm9"]


def test_the_model_that_asks_xtb_predicts_given_coordinates_where_tblite_is(
    shipped, tmp_path, monkeypatch
):
    for name in ("qm9", "qm9-smiles", "qm9-xtb"):
        shutil.copytree(shipped, tmp_path / name)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    path = tmp_path / "water.xyz"
    path.write_text("3\n\nO 0 0 0.12\nH 0 0.76 -0.47\nH 0 -0.76 -0.47\n")
    for there, name in ((True, "qm9-xtb"), (False, "qm9")):
        monkeypatch.setattr("molinv.chem.xtb.is_installed", lambda there=there: there)
        water, ethanol = Predictor().predict([str(path), "CCO"])
        assert (water["model"], ethanol["model"]) == (name, "qm9-smiles")
    assert next(iter(Predictor("qm9").predict(str(path))))["model"] == "qm9"


def test_only_the_chosen_targets_are_written(shipped, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert main(["predict", "CCO", "--targets", "U0", "-o", str(out)]) == 0
    with out.open() as file:
        (row,) = csv.DictReader(file)
    chosen = ["U0", "U0_std", "U0_low", "U0_high", "U0_mae", "U0_unit"]
    given = ["name", "smiles", "source", "embedded", "geometry", "model", "outside"]
    assert list(row) == [*given, *chosen, "error"]
    assert float(row["U0_mae"]) > 0
    assert main(["predict", "CCO", "--targets", "hmo"]) == 2
    assert "'homo'" in capsys.readouterr().err
    both = [one(Predictor(targets=t), "CCO") for t in (None, ["U0"])]
    assert both[0]["U0"] == pytest.approx(both[1]["U0"])


def one(predictor, smiles) -> dict[str, Any]:
    from molinv.chem import read

    (row,) = predictor.predict(read([smiles]))
    assert isinstance(row, dict)
    return row


def test_errors_of_other_weights_are_not_shown(shipped, tmp_path, capsys):
    other = tmp_path / "b"
    shutil.copytree(shipped, other)
    path = other / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    assert Predictor(other).errors == {}
    assert main(["predict", str(other), "CCO"]) == 0
    assert "MAE" not in capsys.readouterr().out
    path.write_text("{")
    assert Predictor(other).errors == {}


def test_targets_are_rows_where_columns_do_not_fit(shipped, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["predict", "c1cc[nH]c1CCCCCCCCCC", "CCO"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split()[0] for line in lines if line.strip()]
    assert rows.count("homo") == rows.count("U0") == 2  # a block for each molecule


def test_brackets_stay_in_a_table_of_columns(shipped, capsys):
    assert main(["predict", "c1cc[nH]c1"]) == 0
    assert "c1cc[nH]c1" in capsys.readouterr().out


def test_larger_molecules_than_those_seen_are_marked(shipped, capsys):
    assert main(["predict", "CCCCCC", "C" * 14]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "outside the applicability domain" in shown
    assert f"{'C' * 14} (44 atoms, where training molecules had" in shown
    far = one(Predictor(), "C" * 14)["outside"]
    assert far.startswith("44 atoms")


def test_an_error_on_an_unknown_element_names_the_model_and_a_remedy(shipped, capsys):
    assert main(["predict", "CCCl"]) == 2
    shown = capsys.readouterr().err
    assert "model qm9 was not trained on Cl, only on H, C, N, O, F; train a model" in shown


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["qm9"], "no molecule follows"),
        (["RUN"], "no molecule follows"),
        (["FOLDER", "CCO"], "no model in"),
        (["runs/b", "CCO"], "shipped model (qm9)"),
        (["qm8", "CCO"], "shipped model (qm9)"),
        (["aspirin"], "not a SMILES"),
        (["missing.sdf"], "file not found"),
        (["qm9", "missing.sdf"], "file not found"),
        (["CCO", "RUN"], "folder"),
        (["C1CC"], "cannot read the SMILES"),
        ([], "predict --help"),
    ],
)
def test_arguments_that_are_neither_model_nor_molecule_are_refused(
    shipped, run, tmp_path, arguments, hint, capsys
):
    places = {"RUN": str(run), "FOLDER": str(tmp_path)}
    given = [str(places.get(a, a)) for a in arguments]
    assert main(["predict", *given]) == 2
    lines = capsys.readouterr().err.splitlines()
    (said,) = [line for line in lines if line and "shipped with" not in line]
    assert hint in said


def test_a_bad_smiles_first_does_not_stop_the_others(shipped, capsys):
    assert main(["predict", "C1CC", "CCO"]) == 1
    assert "C1CC" in capsys.readouterr().err


def test_a_shipped_name_wins_over_a_folder_of_that_name(shipped, tmp_path, monkeypatch):
    (tmp_path / "qm9").mkdir()
    monkeypatch.chdir(tmp_path)
    assert pretrained.locate("qm9") == shipped
    assert pretrained.locate("./qm9").resolve() == tmp_path / "qm9"
    assert choose(["./qm9", "CCO"]) == ("./qm9", ["CCO"])


def test_a_member_of_a_shipped_ensemble_is_found_by_name(shipped, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "ROOT", shutil.copytree(shipped.parent, tmp_path / "shipped"))
    member = tmp_path / "shipped" / "qm9" / "member_0"
    member.mkdir()
    assert pretrained.locate("qm9/member_0") == member
    assert pretrained.shipped_name(member) == "qm9/member_0"
    assert pretrained.shipped_name(tmp_path / "qm9") is None
    assert str(pretrained.locate("qm9/member_1")) == "qm9/member_1"
    monkeypatch.chdir(tmp_path)
    for own in ("qm9", "qm9/member_0"):  # as a shell completes them
        (tmp_path / own).mkdir()
        assert str(pretrained.locate(f"{own}/")) == own
    assert choose(["qm9/", "CCO"]) == ("qm9/", ["CCO"])
    assert choose(["qm9/member_0", "CCO"]) == ("qm9/member_0", ["CCO"])
    assert choose(["", "CCO"]) == (None, ["", "CCO"])


def test_a_member_names_the_card_of_its_ensemble(capsys):
    assert main(["predict", "qm9/member_0", "CCO", "--targets", "homo"]) == 0
    assert "its card: molinv models qm9\n" in capsys.readouterr().err


def test_smiles_are_told_from_names():
    for text in ("CCO", "[Na+].[Cl-]", "C/C=C\\C", "F[C@@H](Cl)Br", "CCO ethanol", "C%10CC%10", ""):
        assert looks_like_smiles(text), text
    for text in ("qm9", "runs/a", "aspirin", "H2O", "mols.db", "no-such-run"):
        assert not looks_like_smiles(text), text


def test_without_shipped_models_the_error_names_a_remedy(none_shipped, capsys):
    assert main(["predict", "CCO"]) == 2
    assert "no model is shipped with this molinv: train one" in capsys.readouterr().err
    assert main(["models"]) == 0
    assert "Shipped models, for molinv predict: none" in capsys.readouterr().out


def test_the_models_and_the_card(shipped, capsys):
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    words = " ".join(shown.split())
    assert "equivariant  Message passing with irreps" in shown
    outputs = "scalar, vector, tensor, atom scalar, atom vector"
    assert f"outputs: {outputs}; symmetries by default: T(3), SO3, O3" in words
    assert "qm9 given 3-D coordinates; H, C, N, O, F;" in words
    assert "test MAE: " in words
    assert main(["models", "qm9"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    card = json.loads((shipped / "model.json").read_text())
    for part in (card["split"], "on 200 molecules of qm9_sample", "H, C, N, O, F", "rad (at most"):
        assert part in words
    for part in ("stored", "rotated", "averaged", "minutes", "molinv predict CCO", " MB"):
        assert part in words


@pytest.mark.parametrize("name", ["CCO", "cno", "../x", "QM9", ""])
def test_a_name_that_could_be_a_molecule_is_refused(name, run, shipped, capsys):
    assert ship_command([str(run), name]) == 2
    assert "cannot ship" in capsys.readouterr().err


def test_only_the_best_epoch_within_the_size_is_shipped(run, shipped, tmp_path, monkeypatch):
    from molinv.pretrained import ship as shipping

    other = tmp_path / "b"
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("checkpoints"))
    before = (shipped / "model.json").read_bytes()
    monkeypatch.setattr(shipping, "MOST_MB", 0.001)
    with pytest.raises(InputError, match="at most"):
        shipping.ship(other)
    path = other / "metrics.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    better = rows[-1] | {"epoch": "9", "homo_stored": "0.1", "U0_stored": "0.1"}
    with path.open("a", newline="") as file:
        csv.DictWriter(file, list(rows[0])).writerow(better)
    with pytest.raises(InputError, match=r"best epoch in metrics\.csv is 9"):
        shipping.ship(other)
    assert (shipped / "model.json").read_bytes() == before
    assert [p.name for p in shipped.parent.iterdir()] == ["qm9"]


def test_a_limited_evaluation_is_made_again_in_full(run, tmp_path, monkeypatch):
    from molinv.prediction.evaluate import evaluate
    from molinv.pretrained.ship import ship

    monkeypatch.setattr(places, "ROOT", tmp_path / "pretrained")
    other = tmp_path / "b"
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("checkpoints"))
    assert evaluate(other, limit=10)["molecules"] == 10
    made = json.loads((ship(other, "small") / "evaluation.json").read_text())
    assert made["molecules"] > 10


@pytest.mark.parametrize("name", ["qm9", "qm9-smiles"])
def test_the_shipped_models(name):
    names = ["mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "U0", "U", "H", "G", "Cv"]
    folder = REAL / name
    assert megabytes(folder) < 12
    predictor = Predictor(folder)
    card = predictor.saved.card
    assert card["molecules"]["train"] > 108_000
    assert card["states"] == [[0, 0]]
    assert list(predictor.units) == names
    for smiles in ("c1ccccc1", "CCO"):
        row = one(predictor, smiles)
        assert all(abs(row[name]) < 1e6 for name in names)
    assert predictor.evaluation is not None
    assert predictor.evaluation["molecules"] == card["molecules"]["test"]
    assert list(predictor.errors) == names
    rows = predictor.evaluation["targets"].values()
    ratios = [row["rotated"] / row["stored"] for row in rows]
    assert sum(ratios) / len(ratios) == pytest.approx(1, abs=0.01)
    assert ratios == pytest.approx([1] * len(ratios), abs=0.03)  # noise: one rotation each


def test_no_place_of_this_machine_is_shipped(run, tmp_path, monkeypatch):
    folder = tmp_path / "b"
    shutil.copytree(run, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"init": str(tmp_path / "first")}))
    monkeypatch.setattr(places, "ROOT", tmp_path / "shipped")
    assert ship_command([str(folder), "one"]) == 0
    for path in (tmp_path / "shipped" / "one").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
    shipped = yaml.safe_load((tmp_path / "shipped" / "one" / "config.yaml").read_text())
    assert shipped["init"] == "first"
    for path in REAL.glob("*/**/config.yaml"):
        made = yaml.safe_load(path.read_text())
        assert not any("/" in str(made[name]) for name in ("data", "valid", "test", "init"))


def test_an_ensemble_is_shipped_as_one_model(run, tmp_path, monkeypatch, capsys):
    folder, other = tmp_path / "e", tmp_path / "shipped"
    for k in range(2):
        shutil.copytree(run, folder / f"member_{k}")
    shutil.copy(run / "config.yaml", folder)
    card = json.loads((run / "model.json").read_text())
    members = [Member(folder=f"member_{k}", seed=k, sha256=card["sha256"]) for k in range(2)]
    write_members(folder, 2, members)
    other.mkdir()
    monkeypatch.setattr(places, "ROOT", other)
    assert ship_command([str(folder), "two"]) == 0
    assert places.available() == ["two"]
    assert (other / "two" / "member_1" / "model.safetensors").is_file()
    capsys.readouterr()
    assert main(["models", "two"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "the mean of 2" in shown
    assert "2: trained" in shown
    row = one(Predictor("two"), "CCO")
    assert row["homo"] == pytest.approx(one(Predictor(run), "CCO")["homo"], rel=1e-4)
    assert row["homo_ensemble_std"] == 0
    assert row["homo_mae"] > 0
    started, _ = like_initial(TrainConfig(data="mine.csv", init="two"))
    assert started.model_args == card["build"]["model_args"]
