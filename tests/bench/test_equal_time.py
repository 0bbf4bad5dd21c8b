"""The comparison at equal time, with short runs on the shipped sample."""

import json
from pathlib import Path

import pytest
import torch

from molinv import InputError, cli, datasets, models
from molinv.bench import qm9_equal_time
from molinv.bench.networks import FAENET, METHODS
from molinv.bench.qm9_equal_time import results
from molinv.datasets.batches import OnDevice

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench")
    arguments = ["bench", "qm9-equal-time", "--data", str(SAMPLE), "--minutes", "0.01"]
    arguments += ["--seeds", "2", "--molecules", "100", "--test", "50", "--out", str(out)]
    arguments += ["--methods", "point distance, none; point displacement, learned HaarBall"]
    return out, arguments


def test_finished_runs_are_reported_but_not_repeated(bench, capsys):
    out, arguments = bench
    assert cli.main(arguments) == 0
    made = sorted(path.relative_to(out).as_posix() for path in out.glob("*/*/result.json"))
    assert made == [
        f"point-{name}/seed{seed}/result.json"
        for name in ("displacement-learned-haarball", "distance-none")
        for seed in (0, 1)
    ]
    table = json.loads((out / "table.json").read_text())
    assert [row["seeds"] for row in table["rows"]] == [2, 2]
    value, spread = table["rows"][0]["errors"]["homo"]["stored"]
    each = [
        json.loads((out / f"point-distance-none/seed{seed}/result.json").read_text())["targets"]
        for seed in (0, 1)
    ]
    stored = torch.tensor([run["homo"]["stored"] for run in each], dtype=torch.float64)
    assert value == pytest.approx(float(stored.mean()))
    assert spread == pytest.approx(float(stored.std()))
    for name in ("errors.png", "curves.png"):
        assert (out / name).stat().st_size > 5000
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*/*")}
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("*/*/*")}
    assert "[1/4]" in capsys.readouterr().out


def test_a_folder_with_other_settings_is_refused(bench, capsys):
    arguments = bench[1]
    cli.main(arguments)
    capsys.readouterr()
    assert cli.main([*arguments, "--minutes", "0.02"]) == 2
    assert "holds a run with minutes=0.01, not 0.02" in capsys.readouterr().err


def test_an_invariant_network_has_equal_errors_as_stored_and_rotated(bench):
    out, arguments = bench
    cli.main(arguments)
    found = json.loads((out / "point-distance-none/seed0/result.json").read_text())["targets"]
    assert found["homo"]["rotated"] == pytest.approx(found["homo"]["stored"], rel=1e-4)


def test_an_unknown_method_gets_a_suggestion_and_folders_are_unique():
    with pytest.raises(InputError, match="point distance, none"):
        qm9_equal_time.choose("point distances, none")
    assert len({method.folder for method in METHODS.values()}) == len(METHODS) == 20


def test_a_method_that_diverged_stays_in_the_table(tmp_path):
    method = METHODS["point absolute, none"]
    (row,) = results.summarise({method: [{"failed": "diverged"}]})
    assert (row["seeds"], row["failed"]) == (0, 1)
    assert results.show([row], 5.0).row_count == 1
    assert results.draw(tmp_path, [method], [row]) == []


def test_another_number_of_test_molecules_is_refused(bench, capsys):
    arguments = bench[1]
    cli.main(arguments)
    capsys.readouterr()
    assert cli.main([*arguments, "--test", "40"]) == 2
    assert "test=50, not 40" in capsys.readouterr().err
    assert cli.main([*arguments, "--seeds", "0"]) == 2
    assert "seeds: expected at least 1" in capsys.readouterr().err


@pytest.fixture
def batch():
    molecules = datasets.load(SAMPLE)
    store = OnDevice(molecules, molecules.select(["homo"]), "cpu")
    return store.gather(torch.arange(6).numpy())


def test_faenet_predicts_every_target_and_has_gradients(batch):
    pytest.importorskip("mendeleev")
    net = models.make("canonical", 2, {"model": FAENET, "frames": "one"})
    values = net(*net.inputs(batch))
    assert values.shape == (6, 2)
    values.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_faenets_frames_equal_canonicals_except_for_the_order_of_axes(batch):
    pytest.importorskip("mendeleev")
    models.make(FAENET, 1, {})  # makes the package importable
    from faenet import frame_averaging_3D

    seen = []
    net = models.make("canonical", 1, {"model": "point"}).eval()
    net.inner.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(*net.inputs(batch))
    for i, mask in enumerate(batch.mask):
        theirs, _, _ = frame_averaging_3D(batch.pos[i, mask], None, "se3-all")
        ours = torch.stack([-pos[i, mask].flip(-1) for pos in seen])
        assert len(theirs) == len(ours) == 4
        for frame in theirs:
            assert (ours - frame).abs().amax((1, 2)).min() < 1e-3
