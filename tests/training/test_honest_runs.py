"""Situations that could silently give wrong results: each is refused or handled correctly."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_run import SAMPLE, SMALL, small

from molinv import InputError
from molinv.atomic import atomic_write
from molinv.cli import main
from molinv.datasets import load as load_data
from molinv.datasets.references import Standardizer
from molinv.datasets.split import split
from molinv.tasks.numbers import Numbers, normalised
from molinv.training.build import make_network, of_task
from molinv.training.fine_tuning import like_initial, start_from
from molinv.training.run import locked, train
from molinv.training.saved import built, load
from molinv.training.source import Source


def test_fine_tuning_on_equal_targets_starts_as_the_model_it_starts_from(run, tmp_path):
    """With scales of its own, the new run's predictions before the first step would be wrong."""
    config = small(tmp_path / "b", init=str(run), train_size=100, epochs=1)
    config.targets = "homo,U0"
    train(config)
    old, new = load(run).standardizer, load(tmp_path / "b").standardizer
    for name in ("references", "mean", "scale"):
        assert torch.equal(getattr(old, name), getattr(new, name)), name


def test_another_level_of_theory_keeps_only_the_scale():
    molecules = load_data(SAMPLE)
    every = np.arange(len(molecules))
    old = Standardizer.fit(molecules, ["U0"], every[:300])
    shifted = replace(molecules, y=molecules.y + 1e6)
    new = Standardizer.fit(shifted, ["U0"], every[:200])
    before = new.mean.clone(), new.references.clone()
    new.keep(old, shifted, every[:200])
    assert torch.equal(new.scale, old.scale)
    assert torch.equal(new.mean, before[0])
    assert torch.equal(new.references, before[1])


def test_another_architecture_than_the_initial_models_is_refused(run, tmp_path):
    config = small(tmp_path / "c", init=str(run))
    config.model = "painn"
    with pytest.raises(InputError, match=r"has model 'point', not 'painn'"):
        like_initial(config)
    other = tmp_path / "painn"
    arguments = ["train", *SMALL[:-2], "--targets", "homo", "--epochs", "1", "--model", "painn"]
    sizes = ["--model_args", '{"width": 16, "layers": 1}']
    assert main([*arguments, *sizes, "--out", str(other)]) == 0
    plain = ["train", "--targets", "homo", "--init", str(other), "--out", str(tmp_path / "d")]
    assert main([*plain, "--model", "point"]) == 2  # a default that was given explicitly


def test_moments_can_be_added_to_an_initial_model_and_have_no_effect_at_first(run, tmp_path):
    config = small(tmp_path / "m", init=str(run), train_size=100, epochs=1)
    before = load(run)
    config.targets = ",".join(t.name for t in before.task.targets)
    config.model_args = {"moments": 2}
    made, saved = like_initial(config, given=["model_args"])
    assert made.model_args == {**before.card["build"]["model_args"], "moments": 2}
    network = make_network(before.task.outputs, **of_task(before.task), **built(made)).eval()
    assert start_from(network, saved, before.task) == []
    pos, z = torch.randn(2, 5, 3), torch.tensor([[6, 1, 1, 8, 0], [6, 6, 1, 1, 1]])
    with torch.no_grad():
        assert torch.equal(network.model(pos, z), before.network.model(pos, z))
    train(config)
    again = small(tmp_path / "n", init=str(tmp_path / "m"))
    again.model_args = {"moments": 3}
    with pytest.raises(InputError, match="has model_args"):
        like_initial(again)
    again.model_args = {"moments": 2, "width": 8}
    with pytest.raises(InputError, match="has model_args"):
        like_initial(again)


def test_a_run_folder_belongs_to_one_process(tmp_path):
    with locked(tmp_path / "a"), pytest.raises(InputError, match="another process is training"):
        train(small(tmp_path / "a"))


def _write(path, letter, barrier):
    barrier.wait()
    for _ in range(20):
        with atomic_write(path) as temporary, temporary.open("w") as file:
            for _ in range(50):
                file.write(letter * 1000)
                file.flush()


def test_of_two_writers_one_complete_file_remains(tmp_path):
    path, context = tmp_path / "out.csv", multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    writers = [context.Process(target=_write, args=(path, c, barrier)) for c in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert set(path.read_text()) in ({"a"}, {"b"})
    assert len(path.read_text()) == 50_000
    assert os.listdir(tmp_path) == ["out.csv"]


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    path = tmp_path / "a.csv"
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    left = tmp_path / f"{int(dead.stdout)}-0abc.a.csv.part"
    mine = tmp_path / f"{os.getpid()}-0abc.a.csv.part"
    for file in (left, mine):
        file.write_text("half")
    with atomic_write(path) as temporary:
        temporary.write_text("all")
    assert not left.exists()
    assert mine.exists()


def test_a_validation_that_is_not_a_number_is_never_the_best(tmp_path, monkeypatch):
    calls, right = [], Numbers.read

    def read(self, metric):
        calls.append(1)
        values, error = right(self, metric)
        return values, error * torch.nan if len(calls) <= 4 else error  # NaN in the first epoch

    monkeypatch.setattr(Numbers, "read", read)
    folder = train(small(tmp_path / "a", epochs=3))
    assert load(folder).card["epoch"] > 1
    nothing = torch.tensor(torch.nan)
    monkeypatch.setattr(Numbers, "read", lambda self, m: (right(self, m)[0], nothing))
    with pytest.raises(InputError, match="was NaN in every epoch"):
        train(small(tmp_path / "b", epochs=1))


def test_a_run_is_not_resumed_on_changed_data(tmp_path, capsys):
    rows = [
        f"{'C' * (1 + i % 7)}{'O' * (i % 3)}N{'C' * (i % 5)},{i * 0.37 % 5:.3f}" for i in range(40)
    ]
    path, out = tmp_path / "own.csv", str(tmp_path / "run")
    path.write_text("smiles,y\n" + "\n".join(rows) + "\n")
    flags = ["--targets", "y", "--out", out, "--batch_size", "8", "--workers", "1"]
    arguments = ["train", "--data", str(path), *flags, "--model_args", '{"width": 16, "layers": 1}']
    assert main([*arguments, "--epochs", "1"]) == 0
    path.write_text(path.read_text() + "CCCCCCCCO,1.5\n")
    longer = [
        a if a != "1" or arguments[i - 1] != "--epochs" else "2" for i, a in enumerate(arguments)
    ]
    assert main(longer) == 2


@pytest.mark.parametrize(
    ("sent", "code", "words"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")]
)
def test_signals_end_a_run_with_a_sentence_and_a_code(tmp_path, sent, code, words):
    out = tmp_path / "run"
    arguments = [*SMALL, "--targets", "homo", "--epochs", "500", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "molinv", "train", *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    last = out / "checkpoints" / "last.ckpt"
    while not last.exists() and process.poll() is None:
        time.sleep(0.05)
    assert process.poll() is None
    process.send_signal(getattr(signal, sent))
    _, errors = process.communicate()
    assert process.returncode == code, errors[-2000:]
    assert words in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert torch.load(last, weights_only=True)["epoch"] >= 0


def test_evaluating_a_shipped_model_writes_nothing_into_the_package(tmp_path, monkeypatch):
    """Results are written to the user's folder. Only a few molecules are evaluated here."""
    from molinv import pretrained
    from molinv.prediction import evaluate as accuracy

    model = pretrained.find()
    before = {path: path.read_bytes() for path in model.rglob("*.*") if path.is_file()}
    molecules = load_data(SAMPLE)
    source = Source(molecules, split(len(molecules)), [], ("given",))
    monkeypatch.setattr(accuracy, "prepare", lambda config, workers: source)
    right = accuracy.load_model
    card = right(model).card | {"split": source.parts.hash}

    def loaded(folder, trust=False):
        saved = right(folder, trust)
        saved.card.update(card)
        return saved

    monkeypatch.setattr(accuracy, "load_model", loaded)
    monkeypatch.chdir(tmp_path)
    accuracy.evaluate("qm9", copies=2, limit=4)
    assert (tmp_path / "qm9-evaluation" / "evaluation.json").is_file()
    assert {path: path.read_bytes() for path in model.rglob("*.*") if path.is_file()} == before


def test_double_precision_trains(tmp_path):
    folder = train(small(tmp_path / "a", epochs=1, precision="64-true"))
    assert load(folder).card["epoch"] == 1


def test_weights_do_not_change_the_balance_of_loss_and_reward():
    """A common factor of all weights has no effect: their mean is 1."""
    for weights in ({"homo": 5.0, "lumo": 5.0, "gap": 5.0}, {"homo": 10.0}):
        found = normalised(weights, ["homo", "lumo", "gap"])
        assert found is not None
        assert float(found.mean()) == pytest.approx(1)
    assert found[0] == 10 * found[1]


def test_a_predictor_reads_whatever_a_command_does():
    from ase.build import molecule

    from molinv.predict import Predictor

    predictor = Predictor(targets=["gap"], copies=1)
    one = [row["gap"] for row in predictor.predict(["CCO", molecule("H2O")])]
    assert len(one) == 2
    assert next(predictor.predict("CCO"))["gap"] == pytest.approx(one[0], rel=1e-6)
    assert next(predictor.predict(molecule("H2O")))["gap"] == pytest.approx(one[1], rel=1e-6)


def test_a_table_for_a_folder_that_is_not_there_is_refused_before_the_work(tmp_path, capsys):
    assert main(["predict", "CCO", "-o", str(tmp_path / "not" / "there.csv")]) == 2
    captured = capsys.readouterr()
    assert "there is no folder" in captured.err
    assert "shipped with molinv" not in captured.err  # no model was loaded


def test_a_closed_pipe_is_the_end_and_no_error():
    command = f"{sys.executable} -m molinv models | head -1; echo ${{PIPESTATUS[0]}}"
    found = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] in ("0", "141")
    assert "rror" not in found.stderr


@pytest.mark.parametrize("at", [0, 5])
def test_a_run_that_was_asked_to_end_within_an_epoch_is_resumed_to_the_same_bits(
    tmp_path, monkeypatch, at
):
    from molinv.errors import Terminated
    from molinv.training.history import History

    settings: dict = {"batch_size": 32, "epochs": 3, "ema": 0.9}
    train(small(tmp_path / "whole", **settings))

    def stop(self, trainer, module, *args):
        if trainer.global_step == at + 1:
            trainer._signal_connector.received_sigterm = True  # as by SIGTERM

    with monkeypatch.context() as patch:
        patch.setattr(History, "on_train_batch_end", stop, raising=False)
        with pytest.raises(Terminated):
            train(small(tmp_path / "parts", **settings))
    kept = torch.load(tmp_path / "parts" / "checkpoints" / "last.ckpt", weights_only=True)
    assert kept["global_step"] == at + 1  # four batches an epoch
    train(small(tmp_path / "parts", **settings))
    whole, parts = (load(tmp_path / n).network.state_dict() for n in ("whole", "parts"))
    assert all(torch.equal(whole[k], parts[k]) for k in whole)


def test_fewer_epochs_than_a_run_has_trained_are_refused(tmp_path):
    train(small(tmp_path / "a", epochs=2))
    with pytest.raises(InputError, match="has already trained 2 epochs, more than the 1 asked for"):
        train(small(tmp_path / "a", epochs=1))
    train(small(tmp_path / "a", epochs=2))
