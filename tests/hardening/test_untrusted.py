"""Code that a file names is not imported without --trust, and pickles are never run."""

import hashlib
import json
import pickle
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from small_run import SAMPLE, small

from molinv.cli import main
from molinv.datasets import storage
from molinv.errors import InputError
from molinv.predict import Predictor
from molinv.training.saved import load, sealed

CODE = """
from pathlib import Path

import torch

Path({mark!r}).touch()


class Net(torch.nn.Module):
    def __init__(self, targets=1):
        super().__init__()
        self.layer = torch.nn.Linear(3, targets)

    def forward(self, pos, z):
        return (self.layer(pos) * (z > 0)[..., None]).sum(1)
"""


class Evil:
    """Creates the file `mark` when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


@pytest.fixture
def module(tmp_path, mark, monkeypatch):
    """The name of a network on the Python path whose import creates the file `mark`."""
    name = f"evil_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    (tmp_path / f"{name}.py").write_text(CODE.format(mark=str(mark)))
    monkeypatch.syspath_prepend(tmp_path)
    yield f"{name}:Net"
    sys.modules.pop(name, None)


@pytest.fixture
def copy(run, tmp_path):
    """A copy of the finished run."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def refused(arguments, capsys, hint):
    assert main([str(a) for a in arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("molinv: error: ")
    assert hint in said


def again(folder, epochs=3):
    """The arguments of `molinv` that resume a run."""
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings |= {"out": str(folder), "epochs": epochs}
    config = folder.parent / "again.yaml"
    config.write_text(yaml.safe_dump(settings))
    return ["train", "--config", config]


def test_a_pickle_does_leave_a_mark(mark):
    pickle.loads(pickle.dumps(Evil(mark)))
    assert mark.exists()


@pytest.mark.parametrize("how", ["torch", "pickle", "inside", "cut", "text"])
def test_a_checkpoint_is_never_unpickled(copy, mark, capsys, how):
    last = copy / "checkpoints" / "last.ckpt"
    match how:
        case "torch":
            torch.save({"state_dict": Evil(mark)}, last)
        case "pickle":
            last.write_bytes(pickle.dumps(Evil(mark)))
        case "inside":
            state = torch.load(last, weights_only=True)
            torch.save(state | {"callbacks": [Evil(mark)]}, last)
        case "cut":
            last.write_bytes(last.read_bytes()[:-2000])
        case "text":
            last.write_text("no checkpoint")
    refused(again(copy), capsys, "it is damaged, or holds more than numbers")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "config.yaml"])
def test_no_file_of_a_model_is_unpickled(copy, mark, capsys, name):
    (copy / name).write_bytes(pickle.dumps(Evil(mark)))
    refused(["evaluate", copy, "--limit", "5"], capsys, "damaged" if "model" in name else name)
    assert not mark.exists()


def test_no_array_of_a_data_set_is_unpickled(tmp_path, mark):
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "set"))
    np.save(folder / "y.npy", np.array([Evil(mark)], dtype=object), allow_pickle=True)
    meta = json.loads((folder / "meta.json").read_text())
    meta["sha256"]["y"] = hashlib.sha256((folder / "y.npy").read_bytes()).hexdigest()
    (folder / "meta.json").write_text(json.dumps(sealed(meta)))
    with pytest.raises(InputError, match="damaged"):
        storage.read(folder)
    assert not mark.exists()


def test_no_array_lies_outside_its_folder(tmp_path):
    folder = Path(shutil.copytree(SAMPLE, tmp_path / "set"))
    shutil.move(folder / "y.npy", tmp_path / "y.npy")
    meta = json.loads((folder / "meta.json").read_text())
    meta["sha256"]["../y"] = meta["sha256"].pop("y")
    (folder / "meta.json").write_text(json.dumps(sealed(meta)))
    with pytest.raises(InputError, match=r"y\.npy is missing, truncated or edited"):
        storage.read(folder)


@pytest.mark.parametrize(
    "text",
    [
        "model_args: {{width: {{class_path: {module}}}}}",
        "distribution_args: {{init: [{{class_path: {module}, init_args: {{}}}}]}}",
        "{{class_path: {module}}}",
        "model_args: !!python/object/apply:{module} []",
        "model_args: {{x: !!python/name:{module} }}",
    ],
)
def test_no_class_of_a_config_is_imported(tmp_path, module, mark, capsys, text):
    (tmp_path / "c.yaml").write_text(text.format(module=module.replace(":", ".")))
    arguments = ["train", "--config", tmp_path / "c.yaml", "--data", SAMPLE, "--out", tmp_path]
    refused(arguments, capsys, "molinv: error: ")
    assert not mark.exists()


@pytest.mark.parametrize("setting", ["model", "group", "distribution", "distribution_args"])
def test_no_code_of_a_config_is_imported(tmp_path, module, mark, capsys, setting):
    value = {"init": module} if setting.endswith("args") else module
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump(asdict(small(tmp_path / "r", **{setting: value}))))
    refused(["train", "--config", config], capsys, "--trust")
    assert not mark.exists()


def foreign(folder, module):
    """Make a model name code, with a valid seal, as an attacker would."""
    card = json.loads((folder / "model.json").read_text())
    card["build"] |= {"model": module, "model_args": {}}
    (folder / "model.json").write_text(json.dumps(sealed(card)))
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    settings |= {"model": module, "model_args": {}}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))


@pytest.mark.parametrize("command", ["predict", "evaluate", "analyse", "init", "go on", "library"])
def test_no_code_of_a_model_is_imported(copy, module, mark, tmp_path, capsys, command):
    foreign(copy, module)
    table = tmp_path / "a.smi"
    table.write_text("CCO\n")
    arguments = {
        "predict": ["predict", copy, "CCO"],
        "evaluate": ["evaluate", copy],
        "analyse": ["analyse", copy],
        "init": ["train", "--data", SAMPLE, "--init", copy, "--out", tmp_path / "new"],
        "go on": again(copy),
        "library": ["predict", copy, table, "-o", tmp_path / "o.parquet"],
    }[command]
    refused(arguments, capsys, "--trust")
    assert not mark.exists()
    with pytest.raises(InputError):
        Predictor(copy, trust=True)  # the weights do not fit the network
    assert mark.exists()  # with trust the code is imported, so the test can fail


def test_truncated_and_edited_weights_are_refused(copy):
    path = copy / "model.safetensors"
    good = path.read_bytes()
    random = np.random.default_rng(0)
    for at in random.integers(0, len(good), 60):
        path.write_bytes(good[:at])
        with pytest.raises(InputError):
            load(copy)
        changed = bytearray(good)
        changed[at] ^= 1 << int(random.integers(8))
        path.write_bytes(changed)
        with pytest.raises(InputError):
            load(copy)
    path.write_bytes(good)
    load(copy)


def test_truncated_and_edited_descriptions_are_refused(copy):
    path = copy / "model.json"
    good = path.read_text()
    for cut in range(1, len(good), 37):
        path.write_text(good[:cut])
        with pytest.raises(InputError):
            load(copy)
    card = json.loads(good)
    for change in ({"elements": [1, 14]}, {"atoms": [1, 99]}, {"molecules": {}}, {"new": 1}):
        path.write_text(json.dumps(card | change))
        with pytest.raises(InputError, match="edited"):
            load(copy)
    path.write_text(good.replace("meV", "eV"))
    with pytest.raises(InputError, match="edited"):
        load(copy)
    path.write_text(json.dumps({k: v for k, v in card.items() if k != "seal"}))  # an old card
    load(copy)


@pytest.mark.parametrize("name", ["evaluation.json", "conformal.json"])
def test_edited_figures_are_not_believed(copy, name):
    assert main(["evaluate", str(copy), "--limit", "20"]) == 0
    used = {"evaluation.json": "evaluation", "conformal.json": "calibration"}[name]
    assert getattr(Predictor(copy), used) is not None
    path = copy / name
    there = json.loads(path.read_text())
    path.write_text(json.dumps(there | {"split": "x"}))
    assert getattr(Predictor(copy), used) is None


def test_weights_must_match_the_digest_in_the_description(copy):
    tensors = load_file(copy / "model.safetensors")
    name = next(iter(tensors))
    save_file(tensors | {name: tensors[name] + 1}, copy / "model.safetensors")
    with pytest.raises(InputError, match=r"not those that model\.json describes"):
        Predictor(copy)
