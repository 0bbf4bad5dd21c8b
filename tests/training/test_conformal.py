"""90 % conformal intervals and applicability domains: coverage, limits and caveats."""

import csv
import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from small_run import SAMPLE

from molinv import pretrained
from molinv.chem import Rejected, Structure, read
from molinv.chem.structure import GIVEN
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.errors import InputError
from molinv.predict import Predictor
from molinv.prediction import calibration_sets, conformal, difficulty
from molinv.prediction.applicability_domain import Composition, FeatureSpace
from molinv.prediction.calibrate import calibrate, calibrating
from molinv.prediction.conformal import CHOSEN_ON, COPIES, FEWEST, calibrated, quantile
from molinv.prediction.evaluate import evaluate
from molinv.prediction.residuals import place, residuals
from molinv.training.choosing import choosing
from molinv.training.config import read_config
from molinv.training.saved import load, sealed
from molinv.training.source import prepare


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def copy(run, tmp_path):
    """The run's model, to change."""
    folder = tmp_path / "copy"
    left_out = shutil.ignore_patterns("checkpoints", "tensorboard", "evaluation.json")
    shutil.copytree(run, folder, ignore=left_out)
    path = folder / "conformal.json"  # remove sets that other tests may have added
    content = json.loads(path.read_text())
    content["sets"] = {"given": content["sets"]["given"]}
    path.write_text(json.dumps(sealed(content)))
    return folder


def predicted(predictor: Predictor, items: Iterable[Structure | Rejected]) -> list[dict[str, Any]]:
    """The predictions of molecules, none of which is rejected."""
    rows = list(predictor.predict(items))
    assert all(isinstance(row, dict) for row in rows)
    return [dict(row) for row in rows if isinstance(row, dict)]


@pytest.mark.parametrize("n", [9, 19, 64, 99])
def test_a_new_value_is_within_the_quantile_as_often_as_promised(n):
    drawn = np.random.default_rng(n).standard_cauchy((20_000, n + 1)) ** 2
    limits = np.array([quantile(row, 0.9) for row in drawn[:, :-1]])
    share = (drawn[:, -1] <= limits).mean()
    exact = np.ceil(0.9 * (n + 1) - 1e-9) / (n + 1)
    assert 0.9 <= exact < 0.9 + 1 / (n + 1)
    assert share == pytest.approx(exact, abs=4 * 0.3 / 20_000**0.5)


def test_few_values_have_an_infinite_quantile_and_missing_values_are_ignored():
    assert quantile(np.arange(8.0), 0.9) == np.inf
    assert quantile(np.arange(9.0), 0.9) == 8
    assert quantile(np.array([np.nan, *range(9), np.nan]), 0.9) == 8
    assert quantile(np.full(3, np.nan), 0.9) == np.inf


def test_residuals_are_those_of_what_predict_gives(run):
    saved, config = load(run), read_config(run / "config.yaml")
    molecules, parts, *_ = prepare(config)
    chosen = parts.test[[5, 0, 3]]
    store = place(saved, molecules, config, rotate=True)
    found = residuals(saved, store, chosen, copies=8)
    batch = store.gather(chosen)
    truth = saved.standardizer.inverse(saved.standardizer(batch.y, batch.z)).numpy()
    given = [
        Structure("m", z[z > 0].numpy(), pos[z > 0].double().numpy(), "here", GIVEN)
        for z, pos in zip(batch.z, batch.pos, strict=True)
    ]
    values = Predictor(run).values(given).mean
    assert found.values == pytest.approx(values - truth, abs=0.05)


def test_a_run_ends_with_intervals_and_evaluate_makes_the_same(run, copy):
    made = json.loads((run / "conformal.json").read_text())
    assert made["sha256"] == load(run).card["sha256"]
    valid = made["sets"]["given"]
    saved, parts = load(run), prepare(read_config(run / "config.yaml")).parts
    assert valid["molecules"] == len(parts.valid) - saved.card["molecules"]["valid"] >= FEWEST
    assert valid["chosen_on"] is False
    assert made["parts"] == "random"
    for copies in COPIES:
        assert all(half > 0 for half in valid[str(copies)]["half"].values())
    for name in ("conformal.json", "domain.safetensors"):
        (copy / name).unlink()
    result = evaluate(copy, limit=20)
    again = json.loads((copy / "conformal.json").read_text())
    assert again["sets"]["given"]["8"]["half"] == pytest.approx(valid["8"]["half"], rel=1e-5)
    assert set(result["intervals"]) == {"given"}


def test_coverage_is_the_fraction_of_test_molecules_within(run, copy):
    result = evaluate(copy)["intervals"]["given"]
    saved, config = load(copy), read_config(copy / "config.yaml")
    molecules, parts, *_ = prepare(config)
    store = place(saved, molecules, config, rotate=True)
    found = np.abs(residuals(saved, store, parts.test, 8).values)
    half = result["targets"]["homo"]["half"]
    assert result["targets"]["homo"]["coverage"] == pytest.approx((found[:, 0] <= half).mean())
    assert result["molecules"] == len(parts.test)
    # 4 standard deviations of the calibration and the test coverage
    deviation = (0.09 / result["calibrated_on"] + 0.09 / len(parts.test)) ** 0.5
    for row in result["targets"].values():
        assert row["coverage"] == pytest.approx(0.9, abs=4 * deviation)
    assert result["outside"] < 0.08


@pytest.mark.parametrize(
    ("valid", "train", "size", "held"),
    [(10_000, 110_000, None, 3334), (100, 800, None, 34), (100, 200, 40, 60), (29, 240, None, 0)],
)
def test_a_third_of_the_validation_part_does_not_choose_the_epoch(valid, train, size, held):
    part = np.arange(valid)[::-1]
    chose, rest = choosing(part, train, size)
    assert len(rest) == held
    assert np.array_equal(np.concatenate([chose, rest]), part)
    found, chosen_on = calibrating(part, len(chose))
    assert chosen_on is (held == 0)
    assert np.array_equal(found, rest if held else part)


def test_intervals_on_molecules_that_chose_the_epoch_say_so(copy, capsys):
    path = copy / "conformal.json"
    content = json.loads(path.read_text())
    del content["sets"]["given"]["chosen_on"]  # as older versions wrote it
    path.write_text(json.dumps(sealed(content)))
    assert CHOSEN_ON in evaluate(copy, limit=20)["intervals"]["given"]["caveats"]
    assert main(["predict", str(copy), str(water(copy.parent))]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count(CHOSEN_ON) == 1


def water(folder):
    """A file with the geometry of water."""
    path = folder / "w.xyz"
    path.write_text("3\n\nO 0 0 0.1\nH 0 0.76 -0.47\nH 0 -0.76 -0.47\n")
    return path


def test_a_split_by_scaffold_is_a_caveat(copy, capsys):
    saved, config = load(copy), read_config(copy / "config.yaml")
    calibrate(copy, saved, prepare(config), replace(config, split="scaffold"))
    assert main(["evaluate", str(copy), "--limit", "20"]) == 0
    assert main(["predict", str(copy), str(water(copy.parent))]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("The data were split by scaffold") == 2
    assert CHOSEN_ON not in shown


def test_too_few_molecules_for_intervals_are_a_sentence(tmp_path, capsys):
    table, out = tmp_path / "ten.csv", tmp_path / "r"
    table.write_text("smiles,y\n" + "".join(f"{'C' * n}O,{n % 4}.5\n" for n in range(1, 11)))
    options = ["--epochs", "1", "--model_args", '{"width": 16, "layers": 1}', "--workers", "0"]
    settings = ["--data", str(table), "--targets", "y", *options, "--accelerator", "cpu"]
    assert main(["train", *settings, "--out", str(out)]) == 0
    assert main(["evaluate", str(out), "--copies", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "No intervals: a 90 % interval needs 9 held-out molecules, not 1." in shown
    assert "prediction intervals on" not in shown  # no empty table
    assert main(["predict", str(out), "CCO"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "needs 9 held-out molecules, not 1" in shown
    assert "needs 99 held-out molecules, not 1" in shown


def test_given_and_embedded_geometries_have_their_own_intervals(copy, capsys):
    z, pos = np.array([8, 1, 1]), np.array([[0.0, 0, 0.1], [0, 0.76, -0.47], [0, -0.76, -0.47]])
    water = Structure("w", z, pos, "here", GIVEN)

    def both():
        return predicted(Predictor(copy), [water, *read(["CCO"])])

    given, searched = both()
    half = json.loads((copy / "conformal.json").read_text())["sets"]["given"]["8"]["half"]["homo"]
    assert given["homo_high"] - given["homo"] == pytest.approx(half)
    assert given["homo"] - given["homo_low"] == pytest.approx(half)
    assert searched["homo_low"] is searched["homo_high"] is None
    assert main(["predict", str(copy), "CCO"]) == 0
    assert "No intervals for RDKit's geometries" in " ".join(capsys.readouterr().out.split())
    assert main(["evaluate", str(copy), "--embedded", "40", "--limit", "20"]) == 0
    assert "RDKit's geometries" in " ".join(capsys.readouterr().out.split())
    again, searched = both()
    assert again["homo_high"] == pytest.approx(given["homo_high"])
    assert searched["homo_low"] < searched["homo"] < searched["homo_high"]
    embedded = json.loads((copy / "conformal.json").read_text())["sets"]["embedded"]
    wide, number = embedded["8"]["half"], embedded["molecules"]
    assert 35 <= number <= 40  # without those that RDKit cannot embed
    assert searched["homo_high"] - searched["homo"] == pytest.approx(wide["homo"])
    assert wide["homo"] != half
    assert main(["predict", str(copy), "CCO", "--verbose"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"residuals of {number} held-out molecules with RDKit's geometries" in shown
    result = json.loads((copy / "evaluation.json").read_text())
    assert result["intervals"]["embedded"]["calibrated_on"] == number


@pytest.fixture
def own_widths(copy, monkeypatch):
    """The run with an interval width for each molecule, from fewer molecules than usual."""
    monkeypatch.setattr(difficulty, "FEWEST", 30)
    monkeypatch.setattr(calibration_sets, "PAYS", float("inf"))  # even without any gain
    monkeypatch.setattr(conformal, "BIN", 12)
    for name in ("conformal.json", "domain.safetensors"):
        (copy / name).unlink()
    saved, config = load(copy), read_config(copy / "config.yaml")
    calibrate(copy, saved, prepare(config), config, embedded=40)
    return copy


def test_each_molecule_has_an_interval_of_its_own(own_widths, capsys):
    assert (own_widths / "difficulty.safetensors").is_file()
    assert main(["evaluate", str(own_widths), "--embedded", "30", "--copies", "8"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "relative width" in shown
    assert "heavy atoms: 9" in shown
    result = json.loads((own_widths / "evaluation.json").read_text())["intervals"]["given"]
    assert "same width" not in " ".join(result["caveats"])
    with (own_widths / "test_predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    low, high, true = (
        np.array([float(row[f"homo_{end}"]) for row in rows]) for end in ("low", "high", "true")
    )
    assert len(set(np.round(high - low, 6))) == len(rows)
    assert result["targets"]["homo"]["width"] == pytest.approx((high - low).mean())
    inside = (low <= true) & (true <= high)
    assert result["targets"]["homo"]["coverage"] == pytest.approx(inside.mean())
    nine = next(r for r in result["groups"] if (r["of"], r["group"]) == ("heavy atoms", "9"))
    heavy = np.array([sum(c in "CNOFcno" for c in row["smiles"]) for row in rows])
    assert nine["molecules"] == (heavy == 9).sum()
    assert nine["coverage"]["homo"] == pytest.approx(inside[heavy == 9].mean())


def test_predictions_have_the_intervals_that_were_evaluated(own_widths):
    predictor, found = Predictor(own_widths), calibrated(own_widths, load(own_widths).card)
    assert found is not None
    assert set(found.difficulties) == {"given", "embedded", "hydrogens"}
    rows = predicted(predictor, read(["CCO", "CC(C)=O", "c1ccccc1"]))
    both = predicted(predictor, [*read(["c1ccccc1"]), *read([str(water(own_widths.parent))])])
    widths = [row["homo_high"] - row["homo_low"] for row in rows]
    assert len(set(widths)) == 3
    assert both[0]["homo_low"] == pytest.approx(rows[2]["homo_low"], rel=1e-4)
    assert all(row["homo_low"] <= row["homo"] <= row["homo_high"] for row in rows + both)
    one = predicted(Predictor(own_widths, targets=["U0"]), read(["CCO"]))
    assert one[0]["U0_high"] == pytest.approx(rows[0]["U0_high"], rel=1e-4)
    several = predicted(predictor, read(["CCCO"], conformers=3))
    assert several[0]["homo_low"] < several[0]["homo"] < several[0]["homo_high"]


def test_intervals_without_their_networks_are_not_used(own_widths):
    (own_widths / "difficulty.safetensors").unlink()
    assert Predictor(own_widths).calibration is None


def test_fewer_orientations_have_wider_intervals_of_their_own(run):
    content = json.loads((run / "conformal.json").read_text())["sets"]["given"]
    found = calibrated(run, load(run).card)
    assert found is not None
    for copies, key in ((1, "1"), (2, "1"), (7, "1"), (8, "8"), (32, "8")):
        assert found.half_widths(["U0"], "given", copies)[0] == content[key]["half"]["U0"]


def test_a_calibration_of_other_weights_is_not_used(copy):
    path = copy / "conformal.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    assert Predictor(copy).calibration is None
    (row,) = predicted(Predictor(copy), read(["CCO"]))
    assert "homo_low" not in row
    for text in ("{", "[]", '{"sha256": 1}', "null"):
        path.write_text(text)
        assert Predictor(copy).calibration is None


def test_a_damaged_feature_space_is_left_out(copy):
    path = copy / "domain.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    found = Predictor(copy).calibration
    assert found is not None
    assert found.space is None
    (row,) = predicted(Predictor(copy), read(["C" * 14]))
    assert row["outside"].startswith("44 atoms")


def test_libraries_have_the_same_intervals_and_reasons(copy, tmp_path):
    import pyarrow.parquet as pq

    main(["evaluate", str(copy), "--embedded", "40", "--limit", "20"])
    smiles = ["CCO", "C" * 14, "C(C"]
    (tmp_path / "a.smi").write_text("\n".join(smiles))
    out = tmp_path / "a.parquet"
    assert main(["predict", str(copy), str(tmp_path / "a.smi"), "-o", str(out)]) == 1
    rows = pq.read_table(out).to_pylist()
    one, far = predicted(Predictor(copy), read(smiles[:2]))
    for row, expected in zip(rows, (one, far), strict=False):
        assert row["outside"] == expected["outside"]
        for end in ("", "_low", "_high"):
            assert row[f"homo{end}"] == pytest.approx(expected[f"homo{end}"], rel=1e-4)
    assert rows[2]["homo_low"] is rows[2]["outside"] is None


def test_composition_limits_are_those_of_the_training_molecules():
    molecules = load_data(SAMPLE)
    made = Composition.of(molecules, np.arange(300))
    for i in range(300):
        assert made.outside(molecules.molecule(i)[0].astype(np.int64)) is None
    again = Composition.from_json(made.atoms, json.loads(json.dumps(made.to_json())))
    assert again == made
    naphthalene = np.array([6] * 10 + [1] * 8)
    assert made.outside(naphthalene) == (
        "10 atoms other than H, where training molecules had at most 9"
    )
    assert str(made.outside(np.array([8] * 6 + [1] * 6))).startswith("6 O")
    assert str(made.outside(np.array([6] * 14 + [1] * 30))).startswith("44 atoms")
    assert str(made.outside(np.array([6, 16] + [1] * 8))).startswith("1 S")


def test_distances_of_correlated_features_are_one_on_average():
    generator = torch.Generator().manual_seed(0)
    mixing = torch.eye(20) + 0.2 * torch.randn(20, 20, generator=generator)
    features = torch.randn(4000, 20, generator=generator) @ mixing + 5
    space = FeatureSpace.fit(features[:2000])
    assert space.distance(features[2000:]).square().mean() == pytest.approx(1, abs=0.03)
    assert space.distance(2 * features[2000:]).min() > 1
    flat = FeatureSpace.fit(torch.cat([features, torch.ones(4000, 1)], 1))  # a constant feature
    assert bool(torch.isfinite(flat.distance(torch.zeros(3, 21))).all())


def strange(structure: Structure) -> list[Structure]:
    """Unphysical geometries of the same atoms: stretched, compressed, and with large noise."""
    random = np.random.default_rng(0).normal(size=structure.pos.shape)
    places = structure.pos * 1.4, structure.pos * 0.7, structure.pos + 0.6 * random
    return [replace(structure, pos=pos) for pos in places]


def test_qm9s_molecules_are_inside_the_shipped_models_domain_and_others_outside():
    predictor, molecules = Predictor(pretrained.ROOT / "qm9"), load_data(SAMPLE)
    known = [
        Structure("m", z.astype(np.int64), pos.astype(np.float64), "here", GIVEN)
        for z, pos in (molecules.molecule(i) for i in range(300))
    ]
    rows = predicted(predictor, known)
    assert np.mean([bool(row["outside"]) for row in rows]) < 0.03
    large = [structure for structure in known if (structure.z > 1).sum() == 9]
    odd = [s for structure in large[:10] for s in strange(structure)]
    assert all(row["outside"] for row in predicted(predictor, odd))
    far = ["C" * 14, "c1ccc2ccccc2c1", "c1ccc2cc3ccccc3cc2c1", "C1CCC2CCCCC2C1"]
    assert all(row["outside"] for row in predicted(predictor, read(far)))


TEXTBOOK = ["C", "N", "O", "C#C", "C#N", "C=O", "CC", "CO", "NC=O", "c1ccccc1", "CC(=O)N"]
TEXTBOOK += ["c1ccncc1", "Oc1ccccc1", "NCC(=O)O", "CCO", "CC(C)=O"]


def test_textbook_molecules_are_inside_the_shipped_models_domain():
    predictor = Predictor(pretrained.ROOT / "qm9")
    assert predictor.calibration is not None
    if "limits" not in predictor.calibration.content["sets"]["embedded"]["8"]:
        pytest.skip("calibrated by version 0.1.0, with one limit for all sizes")
    rows = predicted(predictor, read(TEXTBOOK))
    assert [row["name"] for row in rows if row["outside"]] == []
    assert all(row["mu_low"] >= 0 for row in rows)


def test_embedding_needs_smiles_and_a_number_from_0(copy, monkeypatch):
    with pytest.raises(InputError, match="0 or more"):
        evaluate(copy, embedded=-1)
    from molinv.prediction import other_geometries

    monkeypatch.setattr(other_geometries, "embedded_copies", lambda *_: None)
    with pytest.raises(InputError, match="SMILES that RDKit can embed"):
        evaluate(copy, embedded=5, limit=5)
