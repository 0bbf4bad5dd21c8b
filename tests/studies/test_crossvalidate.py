"""Cross-validation, its out-of-fold predictions, and the comparison of two."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from small_run import SAMPLE

from molinv import InputError
from molinv.chem import read
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.datasets.folds import assigned, fold, joined
from molinv.predict import Predictor
from molinv.studies.compare import compare, paired, sentence
from molinv.studies.crossvalidate import Plan, crossvalidate, read_results
from molinv.studies.out_of_fold import joined as joined_rows
from molinv.training.config import TrainConfig
from molinv.training.source import prepare

TINY = '{"width": 16, "layers": 1, "kernels": 4}'
FLAGS = ["--epochs", "1", "--accelerator", "cpu", "--workers", "0", "--model_args", TINY]


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLINV_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """30 molecules, one of them twice, and two rows that cannot be used."""
    molecules = load_data(SAMPLE).take(np.arange(30))
    gap = molecules.select(["gap"])[:, 0]
    path = tmp_path_factory.mktemp("data") / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "smiles", "gap", "batch", "rare", "word"])
        rows = [(f"m{i}", molecules.smiles[i], gap[i]) for i in [*range(30), 0]]
        for i, row in enumerate(rows):
            writer.writerow([*row, "ab"[i % 2] + str(i % 5), "yes" if i < 2 else "no", "same"])
        writer.writerow(["bad", "C(C", 1, "a0", "no", "same"])
        writer.writerow(["none", "CCO", "", "a0", "no", "same"])
    return str(path)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """Three folds of two seeds, through the command line."""
    out = tmp_path_factory.mktemp("runs") / "cv"
    flags = ["--data", data, "--targets", "gap [meV]", "--folds", "3", "--seeds", "2", *FLAGS]
    assert main(["crossvalidate", *flags, "--out", str(out)]) == 0
    return out, flags


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("by", ["random", "scaffold", "column:batch"])
def test_folds_hold_out_every_molecule_once_and_divide_no_group(data, by):
    suffix = "" if by == "random" else f":{by}"
    parts, groups = [], None
    for k in (1, 2, 3):
        config = TrainConfig(data=data, targets="gap", split=f"fold:{k}/3{suffix}", seed=1)
        source = prepare(config)
        parts.append(source.parts)
        groups = np.array([source.molecules.smiles[i] for i in range(len(source.molecules))])
    assert groups is not None
    tested = np.concatenate([p.test for p in parts])
    assert len(tested) == len(set(tested.tolist()))
    for p in parts:
        sets = [set(groups[x]) for x in (p.train, p.valid, p.test)]
        assert all(sets)
        assert sum(map(len, sets)) == len(set.union(*sets))


def test_folds_are_of_equal_size_and_joined_groups_stay_together():
    found = assigned(np.arange(53), 5, seed=2)
    assert sorted(np.bincount(found)) == [10, 10, 11, 11, 11]
    assert not np.array_equal(found, assigned(np.arange(53), 5, seed=3))
    # rows 0 and 1 share a molecule, 1 and 2 a label: all three are one group
    groups = joined(np.array([0, 0, 1, 2, 3]), ["a", "b", "b", "c", "d"])
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups.tolist())) == 3
    with pytest.raises(InputError, match="at least 5 different molecules for 5 folds, got 4"):
        fold(np.arange(4), 1, 5)
    with pytest.raises(InputError, match="got 6/5"):
        fold(np.arange(40), 6, 5)


def test_errors_and_their_spread_over_folds(made):
    out, _ = made
    found = read_results(out)
    errors = [r["errors"]["gap"] for r in found["results"]]
    assert len(errors) == 6
    row = found["targets"]["gap"]
    assert (row["mean"], row["std"]) == pytest.approx((np.mean(errors), np.std(errors, ddof=1)))
    assert (row["measure"], row["unit"], row["folds"]) == ("MAE", "meV", 6)
    (value,) = Predictor(out / "seed_1" / "fold_2").predict(read(["CCO"]))
    assert value["gap"]


def test_every_row_has_the_prediction_of_the_fold_that_held_it_out(made):
    out, _ = made
    rows = rows_of(out / "predictions.csv")
    assert list(rows[0])[:3] == ["code", "input_smiles", "input_gap"]
    assert [row["code"] for row in rows] == [*(f"m{i}" for i in range(30)), "m0", "bad", "none"]
    assert all(float(row["gap"]) for row in rows[:-2])
    assert "parentheses" in rows[-2]["error"]
    assert "no value" in rows[-1]["error"]
    assert rows[0]["fold"] == rows[30]["fold"]  # one molecule, one fold
    single = [
        float(row["gap"])
        for seed, k in zip((0, 1), rows[4]["fold"].split(), strict=True)
        for row in rows_of(out / f"seed_{seed}" / f"fold_{k}" / "test_predictions.csv")
        if row["smiles"] == rows[4]["smiles"]
    ]
    assert float(rows[4]["gap"]) == pytest.approx(np.mean(single))
    assert float(rows[4]["gap_seeds_std"]) == pytest.approx(np.std(single, ddof=1))


def test_finished_folds_are_kept_and_other_settings_refused(made, capsys):
    out, flags = made
    before = read_results(out)
    capsys.readouterr()
    assert main(["crossvalidate", *flags, "--out", str(out)]) == 0
    assert "fold 1 of 3" not in capsys.readouterr().err
    assert read_results(out) == before
    assert main(["crossvalidate", *flags, "--folds", "4", "--out", str(out)]) == 2
    assert "folds=3, not 4" in capsys.readouterr().err
    assert main(["crossvalidate", *flags, "--lr", "0.5", "--out", str(out)]) == 2
    assert "lr=0.001, not 0.5" in capsys.readouterr().err


def test_a_fold_of_one_class_is_listed_and_the_other_folds_are_trained(data, tmp_path, capsys):
    flags = ["--data", data, "--targets", "rare", "--folds", "3", *FLAGS]
    assert main(["crossvalidate", *flags, "--out", str(tmp_path / "cv")]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    found = read_results(tmp_path / "cv")
    assert [r for r in found["results"] if "errors" in r]
    assert "its test part has one class" in printed or "was left out" in printed
    rows = rows_of(tmp_path / "cv" / "predictions.csv")
    assert {row["input_rare"] for row in rows} == {"yes", "no"}


def test_settings_that_make_no_folds_are_refused(data, tmp_path, capsys):
    def refused(*more, targets="gap"):
        flags = ["--data", data, "--targets", targets, *FLAGS, "--out", str(tmp_path / "x"), *more]
        assert main(["crossvalidate", *flags]) == 2
        return capsys.readouterr().err

    assert "expected 2 or more, got 1" in refused("--folds", "1")
    assert "does not make folds" in refused("--split", "time:gap")
    assert "leave out --valid and --test" in refused("--test", data)
    assert "got 30" in refused("--folds", "40")
    assert "only one class, 'same'" in refused(targets="word")
    assert "unknown column" in refused("--split", "column:bach")
    assert "expected numbers in 'code', got text such as 'm0'" in refused(targets="code")


def test_ensembles_in_folds(data, tmp_path):
    config = TrainConfig(
        data=data,
        targets="gap",
        epochs=1,
        accelerator="cpu",
        model_args=json.loads(TINY),
        out=str(tmp_path / "cv"),
    )
    found = crossvalidate(config, Plan(folds=2, members=2))
    assert found["targets"]["gap"]["folds"] == 2
    assert (tmp_path / "cv" / "seed_0" / "fold_1" / "member_1" / "model.json").is_file()


def write(folder, errors, folds=5, split="s", measure="MAE"):
    """A cv.json with these errors of `gap`, None for a fold that failed."""
    from molinv.training.saved import sealed

    results: list[dict[str, Any]] = []
    for i, error in enumerate(errors):
        r: dict[str, Any] = {"seed": i // folds, "fold": i % folds + 1}
        if error is not None:
            sizes = {"train": 80, "valid": 0, "test": 20}
            r |= {"errors": {"gap": error}, "split": f"{split}{i}", "molecules": sizes}
        results.append(r)
    folder.mkdir()
    content = {"format": 1, "folds": folds, "results": results}
    content["targets"] = {"gap": {"measure": measure, "unit": "eV"}}
    (folder / "cv.json").write_text(json.dumps(sealed(content)))
    return folder


def test_the_corrected_t_test_is_that_of_the_paper(tmp_path):
    x, d = np.array([1.0, 1.2, 0.9, 1.1, 1.3]), np.array([0.1, 0.2, 0.15, 0.05, 0.12])
    (found,) = compare(write(tmp_path / "a", x), write(tmp_path / "b", x + d))
    variance = d.var(ddof=1)
    t = d.mean() / np.sqrt((1 / 5 + 20 / 80) * variance)
    assert found.p == pytest.approx(2 * stats.t.sf(t, 4))
    assert found.plain == pytest.approx(stats.ttest_rel(x + d, x).pvalue)
    assert found.wilcoxon == pytest.approx(stats.wilcoxon(d).pvalue)
    assert found.plain < found.p
    text = sentence(found, "A", "B")
    assert "the MAE of B is 0.124 eV (11.3%) higher than that of A" in text
    assert "never below 0.062" in text


def test_without_a_difference_the_corrected_test_keeps_its_level():
    """Two equal models, whose errors in different folds are correlated."""
    generator, wrong = np.random.default_rng(0), {"p": 0, "plain": 0}
    for _ in range(400):
        # the correlation of folds that the correction assumes: test / (test + train)
        common = generator.normal(size=1) * np.sqrt(0.2)
        d = common + generator.normal(size=10) * np.sqrt(0.8)
        found = paired("x", "MAE", "", np.ones(10), 1 + d, 0.25)
        wrong = {k: n + (getattr(found, k) < 0.05) for k, n in wrong.items()}
    assert wrong["p"] / 400 < 0.09
    assert wrong["plain"] / 400 > 0.15


def test_runs_that_cannot_be_compared_are_refused(tmp_path, capsys):
    a = write(tmp_path / "a", [1.0, 2, 3, 4, 5])
    assert main(["compare", str(a), str(write(tmp_path / "same", [1.0, 2, 3, 4, 5]))]) == 0
    assert "is equal to that of" in " ".join(capsys.readouterr().out.split())
    for name, other, why in (
        ("f", write(tmp_path / "f", [1.0] * 4, folds=4), "same --folds"),
        ("s", write(tmp_path / "s", [1.0] * 5, split="z"), "other molecules"),
        ("m", write(tmp_path / "m", [1.0] * 5, measure="ROC-AUC"), "is measured by"),
        ("n", write(tmp_path / "n", [1.0, None, None, None, None]), "measured in 1 shared folds"),
    ):
        assert main(["compare", str(a), str(other)]) == 2, name
        assert why in capsys.readouterr().err
    assert main(["compare", str(a), str(tmp_path)]) == 2
    assert "no cross-validation in" in capsys.readouterr().err
    (a / "cv.json").write_text((a / "cv.json").read_text().replace("1.0", "0.1"))
    assert main(["compare", str(a), str(tmp_path / "same")]) == 2
    assert "was edited" in capsys.readouterr().err


def test_a_higher_roc_auc_is_better(tmp_path):
    x = np.array([0.7, 0.72, 0.71, 0.69, 0.7])
    a = write(tmp_path / "a", x, measure="ROC-AUC")
    b = write(tmp_path / "b", x + np.array([0.1, 0.11, 0.09, 0.1, 0.1]), measure="ROC-AUC")
    (found,) = compare(a, b)
    assert "B is better" in sentence(found, "A", "B")


def test_a_changed_file_is_refused(data, tmp_path, capsys):
    path = tmp_path / "mine.csv"
    path.write_text(Path(data).read_text(encoding="utf-8"), encoding="utf-8")
    flags = ["crossvalidate", "--data", str(path), "--targets", "gap", "--folds", "2", *FLAGS]
    flags += ["--out", str(tmp_path / "cv")]
    assert main(flags) == 0
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, "new,CC,1,a0,no,same", *rows]), encoding="utf-8")
    capsys.readouterr()
    assert main(flags) == 2
    assert "is no longer the file that" in capsys.readouterr().err


def test_fewer_seeds_leave_the_results_of_the_others(made, tmp_path):
    out, flags = made
    copy = shutil.copytree(out, tmp_path / "cv")
    fewer = [*flags[: flags.index("--seeds")], "--seeds", "1", *FLAGS, "--out", str(copy)]
    before = read_results(copy)["results"]
    assert main(["crossvalidate", *fewer]) == 0
    assert read_results(copy)["results"] == before


def test_classes_that_are_numbers_are_not_averaged():
    seeds = [{"fold": "1", "y_class": c, "y_true": "1", "y_p": p} for c, p in ("02", "14", "16")]
    assert joined_rows(seeds) == {"fold": "1 1 1", "y_class": "1", "y_true": "1", "y_p": 4.0}
