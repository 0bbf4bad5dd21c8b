"""Presets: chosen by the data, and only for settings that were not given."""

import gzip
from dataclasses import replace

import pytest

from molinv import InputError
from molinv.commands.training_flags import keep_config
from molinv.training import presets
from molinv.training.config import TrainConfig
from molinv.training.presets import SMALL, fitted


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("smiles,logS\n" + "CCO,1.0\n" * 30)
    return path


def test_a_table_of_few_molecules_has_the_small_preset(table):
    config = TrainConfig(data=str(table), targets="logS")
    made = fitted(config)
    assert made == replace(config, preset="none", **SMALL)
    assert fitted(made) == made


def test_zipped_tables_count_too(table):
    zipped = table.with_suffix(".csv.gz")
    zipped.write_bytes(gzip.compress(table.read_bytes()))
    assert fitted(TrainConfig(data=str(zipped))).batch_size == SMALL["batch_size"]


@pytest.mark.parametrize(
    "more",
    [
        {"data": "qm9"},
        {"data": "mine.xyz"},
        {"model": "painn"},
        {"preset": "none"},
    ],
)
def test_other_data_and_models_have_the_defaults(table, more):
    config = TrainConfig(**{"data": str(table), "targets": "logS"} | more)
    assert fitted(config) == replace(config, preset="none")


def test_a_table_of_many_molecules_has_the_usual_network_with_bonds(table, monkeypatch):
    config = TrainConfig(data=str(table), targets="logS")
    monkeypatch.setattr(presets, "FEW", 30)
    assert fitted(config).model_args == SMALL["model_args"]
    monkeypatch.setattr(presets, "FEW", 29)
    assert fitted(config) == replace(config, preset="none", features="bonds")
    assert fitted(config, given={"features"}) == replace(config, preset="none")


def test_a_note_lists_the_changed_settings(table):
    config = TrainConfig(data=str(table), batch_size=16)
    note, why = presets.notes(config, fitted(config))
    assert "no distribution is learned" in why
    assert note.startswith("preset small, for a table of up to 5,000 rows: ")
    assert "features bonds" in note
    assert "'geometry': 'distance'" in note
    assert "batch_size" not in note
    assert presets.notes(TrainConfig(), fitted(TrainConfig())) == []


def test_settings_that_are_given_stay(table):
    config = TrainConfig(data=str(table), batch_size=16, features="", epochs=25)
    made = fitted(config, given={"features", "epochs"})
    assert (made.batch_size, made.features, made.epochs) == (16, "", 25)
    assert made.distribution == "Identity"
    made = fitted(TrainConfig(data=str(table), model_args={"width": 96}))
    assert made.model_args == SMALL["model_args"] | {"width": 96}
    assert fitted(TrainConfig(data=str(table), minutes=2.0)).epochs is None


@pytest.mark.parametrize(
    ("config", "given"),
    [
        ({"distribution": "HaarBall"}, ()),
        ({"group": "SO2"}, ()),
        ({"cost": 0.02}, ()),
        ({"lam": 0.1}, ()),
        ({}, {"distribution"}),
    ],
)
def test_a_distribution_that_is_asked_for_sees_coordinates(table, config, given):
    made = fitted(TrainConfig(data=str(table), **config), given)
    assert "geometry" not in made.model_args
    assert made.model_args["width"] == 64
    assert made.distribution == config.get("distribution", "UniformBox")


def test_a_preset_can_be_asked_for(tmp_path):
    made = fitted(TrainConfig(data="mine.sdf", preset="small"))
    assert made.model_args == SMALL["model_args"]
    with pytest.raises(InputError, match="'small'"):
        fitted(TrainConfig(preset="smal"))
    with pytest.raises(InputError, match="preset small sets the architecture"):
        fitted(TrainConfig(preset="small", model="painn"))


def test_a_trained_network_keeps_its_architecture(table):
    config = TrainConfig(data=str(table), init="qm9-smiles")
    made = fitted(config)
    assert made == replace(config, preset="none", **{n: SMALL[n] for n in presets.STARTED})
    assert (made.model_args, made.distribution, made.features) == ({}, "UniformBox", "")


def test_a_geometry_that_is_asked_for_learns_a_distribution(table):
    made = fitted(TrainConfig(data=str(table), model_args={"geometry": "absolute"}))
    assert made.model_args["geometry"] == "absolute"
    assert made.distribution == "UniformBox"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_rows_are_counted_in_any_encoding_that_is_read(table, encoding):
    table.write_text(table.read_text(), encoding=encoding)
    assert fitted(TrainConfig(data=str(table))).batch_size == SMALL["batch_size"]


def test_a_damaged_file_has_no_preset(table):
    path = table.with_suffix(".csv.gz")
    whole = bytearray(gzip.compress(table.read_bytes() * 50))
    whole[20:40] = bytes(20)
    path.write_bytes(whole)
    assert fitted(TrainConfig(data=str(path))).batch_size == TrainConfig().batch_size


def test_features_are_those_of_the_model_to_start_from(table):
    config = TrainConfig(data=str(table), init="qm9-smiles", preset="large")
    assert fitted(config) == replace(config, preset="none")


def test_a_config_file_keeps_its_settings(table, tmp_path):
    path = tmp_path / "old.yaml"
    path.write_text("batch_size: 64\n", encoding="utf-8")
    settings = {"preset": "auto"}
    keep_config(settings, ["--config", str(path)])
    assert settings == {"preset": "none"}
    for arguments in ([f"--config={path}", "--preset", "small"], ["--seed", "1"]):
        settings = {"preset": "small"}
        keep_config(settings, arguments)
        assert settings == {"preset": "small"}
    path.write_text("preset: small\n", encoding="utf-8")
    keep_config(settings, [f"--config={path}"])
    assert settings == {"preset": "small"}
