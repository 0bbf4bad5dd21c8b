"""Every task: found by its name, restored from JSON, and its loss and predictions correct."""

import json

import numpy as np
import pytest
import torch
from own_task import Counts
from PIL import Image
from small_run import SAMPLE, small

from molinv import InputError, tasks
from molinv.cli import main
from molinv.datasets import load
from molinv.datasets.batches import OnDevice
from molinv.datasets.pictures.batches import PictureBatch
from molinv.datasets.pictures.store import Pictures
from molinv.datasets.targets import Target
from molinv.predict import Predictor
from molinv.prediction.evaluate import evaluate
from molinv.tasks.classes import Classes
from molinv.tasks.numbers import LOSSES, SMALLEST, Numbers
from molinv.training.build import readouts
from molinv.training.run import train
from molinv.training.saved import load as load_saved


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def every_task():
    """(task, batch, outputs) of one task of each kind, on four molecules or four pictures."""
    molecules = load(SAMPLE)
    rows = np.arange(60)
    plain = OnDevice(molecules, molecules.select(["homo", "U0"]), "cpu").gather(rows[:4])
    yield tasks.of_molecules(molecules, ["homo", "U0"], rows), plain, draw(4, 2)
    x, index = torch.rand(4, 1, 6, 6), torch.arange(4)
    labels = Pictures((255 * x).byte(), index % 3, ("a", "b", "c"))
    yield tasks.of_pictures(labels), PictureBatch(x, labels.y, index), draw(4, 3)
    turn = draw(4, 2)
    pair = Pictures((255 * x).byte(), turn / turn.norm(dim=1, keepdim=True), ("cos", "sin"))
    yield tasks.of_pictures(pair), PictureBatch(x, pair.y, index), draw(4, 2)
    two = Pictures((255 * x).byte(), draw(4, 2, seed=3), ("u", "v"))
    yield tasks.of_pictures(two), PictureBatch(x, two.y, index), draw(4, 2)
    maps = Pictures((255 * x).byte(), (draw(4, 6, 6) > 0).byte(), ("no", "yes"), void=9)
    batch = PictureBatch(x, maps.y.long(), index)
    yield tasks.of_pictures(maps), batch, draw(4, 2, 6, 6)
    for kind in ("vector", "tensor", "irreps 1o", "atom scalar", "atom vector"):
        task = tasks.of_targets([Target("x", "D", kind=kind)])
        e = {"vector": (3,), "tensor": (3, 3), "irreps 1o": (3,), "atom vector": (3,)}.get(kind, ())
        n = (3,) if kind.startswith("atom") else ()
        y = draw(4, 1, *n, *e, seed=5).double()
        z = torch.ones(4, 3, dtype=torch.long)
        made = PictureBatch(torch.zeros(4, 3, 3), y, index)
        made.z = z
        yield task, made, draw(4, 1, *n, *e)


@pytest.mark.parametrize("number", range(10))
def test_a_task_is_restored_from_json_and_its_loss_falls_along_the_gradient(number):
    task, batch, outputs = list(every_task())[number]
    again = tasks.restore(json.loads(json.dumps(task.to_json())))
    again.load_state_dict(task.state_dict())
    assert type(again) is type(task)
    assert torch.equal(again.values(outputs), task.values(outputs))
    assert task.called() in tasks.available()

    def loss(outputs):
        terms = task.losses(outputs, batch)
        pairs = [t if isinstance(t, tuple) else (t, torch.ones_like(t)) for t in terms]
        return task.total([(a * b).sum() / b.sum() for a, b in pairs])

    free = outputs.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(free), free)
    assert slope.isfinite().all()
    assert loss(outputs - 1e-3 * slope / slope.norm()) < loss(outputs)
    metric = task.metric()
    task.update(metric, outputs, batch)
    values, error = task.read(metric)
    assert len(values) == len(task.columns) == len(task.units)
    assert error.isfinite()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_losses_of_numbers(loss):
    task = Numbers([Target("a", ""), Target("b", "")], loss, {"a": 3.0})
    y = torch.tensor([[0.5, -3.0], [float("nan"), 1.0]]).double()
    batch = PictureBatch(torch.zeros(2, 1, 4, 4), y, torch.arange(2))
    terms = task.losses(torch.zeros(2, 2), batch)
    found = task.total([(a * b).sum() / b.sum() for a, b in terms])
    each = {"l1": lambda e: e, "l2": lambda e: e**2, "laplace": lambda e: e}
    each["huber"] = lambda e: e**2 / 2 if e < 1 else e - 0.5
    a, b, c = 1.5 * each[loss](0.5), 0.5 * each[loss](3.0), 0.5 * each[loss](1.0)
    want = (a + b + c) / 3
    if loss == "laplace":
        want = np.log(a + SMALLEST) + np.log((b + c) / 2 + SMALLEST)
    assert float(found) == pytest.approx(want, rel=1e-5)


def test_class_weights_multiply_losses_and_missing_classes_do_not_count():
    targets = [
        Target("a", "", kind="class", classes=("no", "yes")),
        Target("b", "", kind="class", classes=("x", "y", "z")),
    ]
    y = torch.tensor([[0.0, 2.0], [1.0, float("nan")], [0.0, 0.0]]).double()
    batch = PictureBatch(torch.zeros(3, 1, 4, 4), y, torch.arange(3))
    outputs = draw(3, 3, 2)
    logs = outputs.clone()
    logs[:, 2, 0] = -torch.inf  # the first target has no third class
    logs = logs.log_softmax(1)
    own = [-logs[0, 0, 0], -logs[0, 2, 1], -logs[1, 1, 0], -logs[2, 0, 0], -logs[2, 0, 1]]
    (found, there) = Classes(targets).losses(outputs, batch)[0]
    assert int(there.sum()) == 5
    assert float(found.sum()) == pytest.approx(float(sum(own)), rel=1e-5)
    heavy = Classes(targets, {"yes": 5}).losses(outputs, batch)[0][0]
    assert float(heavy.sum()) == pytest.approx(float(sum(own) + 4 * own[2]), rel=1e-5)
    counts = [[2, 1], [1, 0, 1]]
    even = Classes(targets, "balanced", counts=counts).losses(outputs, batch)[0][0]
    want = 0.75 * own[0] + own[1] + 1.5 * own[2] + 0.75 * own[3] + own[4]
    assert float(even.sum()) == pytest.approx(float(want), rel=1e-5)
    p = Classes(targets).values(outputs)
    assert p.shape == (3, 2, 3)
    assert torch.allclose(p.sum(-1), torch.ones(3, 2))
    assert not p[:, 0, 2].any()
    for wrong in ({"maybe": 2}, "even"):
        with pytest.raises(InputError, match=r"maybe|balanced"):
            Classes(targets, wrong)


def test_wrong_tasks_raise_an_input_error():
    with pytest.raises(InputError, match="did you mean 'numbers'"):
        tasks.find("number")
    with pytest.raises(InputError, match="not a task"):
        tasks.find("own_task:NotATask")
    with pytest.raises(InputError, match="is for pictures"):
        tasks.of_molecules(load(SAMPLE), ["homo"], np.arange(9), "maps")
    with pytest.raises(InputError, match="is not for scalar targets"):
        tasks.of_molecules(load(SAMPLE), ["homo"], np.arange(9), "vectors")
    with pytest.raises(InputError, match="unknown setting of task numbers: 'los'"):
        tasks.of_molecules(load(SAMPLE), ["homo"], np.arange(9), None, {"los": "l2"})


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of molecules of the sample, with a count, two-class and three-class targets."""
    from rdkit import Chem

    path = tmp_path_factory.mktemp("own") / "own.csv"
    rows, seen = ["smiles,oxygens,acid,label,size"], set()
    for text in load(SAMPLE).smiles[:400]:
        mol = Chem.MolFromSmiles(text)
        if mol is None or (key := Chem.MolToSmiles(mol)) in seen:
            continue
        seen.add(key)
        n = text.count("O")
        kind = ("small", "middle", "large")[len(rows) % 3]
        label = "" if len(rows) % 7 == 0 else "active" if n else "inactive"
        rows.append(f"{text},{n},{int(n > 0)},{label},{kind}")
    path.write_text("\n".join(rows[:240]) + "\n")
    return path


def own(folder, table, **changes):
    settings = {"data": str(table), "train_size": None, "valid_size": None, "epochs": 2}
    return small(folder, **(settings | changes))


def test_a_user_defined_task_trains_evaluates_and_predicts(table, tmp_path, capsys):
    acid = train(own(tmp_path / "acid", table, targets="acid", task="own_task:Counts", epochs=1))
    assert not load_saved(acid, trust=True).task.targets[0].classes  # 0 and 1 remain numbers
    settings = {"targets": "oxygens", "task": "own_task:Counts", "task_args": {"floor": 0.25}}
    folder = train(own(tmp_path / "run", table, **settings, epochs=3))
    with pytest.raises(InputError, match="needs code outside molinv"):
        load_saved(folder)
    saved = load_saved(folder, trust=True)
    assert type(saved.task).__name__ == "Counts"
    assert saved.task.floor == 0.25
    assert float(saved.task.level.exp()) == pytest.approx(0.9, abs=0.6)
    found = evaluate(folder, copies=2, trust=True)
    assert found["targets"]["oxygens"]["stored"] < 2
    (row,) = Predictor(folder, trust=True).predict("CCO")
    assert row["oxygens"] > 0.25
    assert row["oxygens_low"] is None  # no interval for a task that molinv does not know
    assert main(["tasks", "own_task:Counts"]) == 0
    assert "floor" in capsys.readouterr().out
    assert main(["predict", str(folder), "CCO", "--trust"]) == 0
    assert "oxygens" in capsys.readouterr().out


def test_the_spread_of_values_is_in_their_units():
    task = Counts([Target("a", "")])
    task.level.fill_(2.0)
    mean, std = torch.tensor([[0.5], [-1.0]]), torch.tensor([[1e-3], [float("nan")]])
    found = task.spread(std, mean)
    assert float(found[0, 0]) == pytest.approx(1e-3 * np.exp(2.5), rel=1e-4)
    assert found[1].isnan().all()


def test_outputs_that_are_not_targets_get_the_same_readout():
    class Pair(Counts):
        outputs = 5

    task, rows = Pair(load(SAMPLE).describe(["homo", "U0"])), np.arange(60)
    assert len(readouts("auto", task, load(SAMPLE), rows)) == 5


def test_a_user_defined_task_on_pictures_predicts_its_target_by_name(tmp_path, capsys):
    out, few = str(tmp_path / "run"), ["--train_size", "32", "--valid_size", "16", "--epochs", "1"]
    flags = ["--data", "mnist", "--task", "own_task:Brightness", "--accelerator", "cpu", *few]
    assert main(["train", "pictures", *flags, "--model_args", '{"width": 8}', "--out", out]) == 0
    assert evaluate(out, copies=2, limit=20, trust=True)["errors"]["stored"] > 0
    Image.new("L", (28, 28)).save(tmp_path / "dark.png")
    assert main(["predict", out, str(tmp_path / "dark.png"), "--trust"]) == 0
    assert "brightness" in capsys.readouterr().out


def test_classes_from_a_table_to_probabilities(table, tmp_path, capsys):
    run = str(tmp_path / "run")
    flags = ["--epochs", "3", "--accelerator", "cpu", "--model_args", '{"width": 32, "layers": 2}']
    wanted = ["--data", str(table), "--targets", "acid,label,size", "--out", run]
    assert main(["train", *wanted, *flags]) == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "'label' is learned as classes (inactive, active)" in shown
    assert "'acid' is learned as classes (0, 1). --task numbers learns them as numbers" in shown
    saved = load_saved(run)
    assert isinstance(saved.task, Classes)
    assert saved.task.form == (3, 3)
    assert main(["evaluate", run, "--copies", "2"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("ROC-AUC", "PR-AUC", "ECE"))
    result = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    scores = result["targets"]["acid"]["metrics"]["averaged"]
    assert scores["roc_auc"] > 0.5
    assert 0 <= scores["calibration_error"] <= 1
    assert (tmp_path / "run" / "reliability.png").stat().st_size > 1000
    header, *_ = (tmp_path / "run" / "test_predictions.csv").read_text().splitlines()
    assert header.startswith("id,smiles,acid_true,acid,acid_class,acid_unit,label_true")
    (row,) = Predictor(run).predict("CCO")
    assert 0 < row["label"] < 1
    assert row["label_unit"] == "probability of active"
    assert row["label_class"] in ("active", "inactive")
    shares = [row[f"size_{name}"] for name in ("small", "middle", "large")]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert row["size"] == max(shares)
    assert not any(name.endswith(("_low", "_mae")) for name in row)
    out = tmp_path / "out.csv"
    assert main(["predict", run, "CCO", "-o", str(out)]) == 0
    assert "label_class" in out.read_text().splitlines()[0]
    library = tmp_path / "library.smi"
    library.write_text("CCO\nC1CC1\n")
    assert main(["predict", run, str(library), "-o", str(tmp_path / "l.parquet")]) == 0


def test_zeros_and_ones_are_numbers_on_request_and_together_with_numbers(table, tmp_path):
    folder = train(own(tmp_path / "a", table, targets="acid", task="numbers", epochs=1))
    assert isinstance(load_saved(folder).task, Numbers)
    folder = train(own(tmp_path / "b", table, targets="acid,oxygens", epochs=1))
    assert load_saved(folder).task.columns == ["acid", "oxygens"]
    for targets, hint in (("label,oxygens", "of one kind"), ("oxygens", "not of classes")):
        task = None if "," in targets else "classes"
        with pytest.raises(InputError, match=hint):
            train(own(tmp_path / "c", table, targets=targets, task=task))


def test_readouts_follow_the_target_and_reach_the_model(tmp_path):
    molecules, rows = load(SAMPLE), np.arange(200)
    task = tasks.of_molecules(molecules, ["homo", "U0", "alpha", "r2"], rows)
    assert readouts("auto", task, molecules, rows) == ["mean", "sum", "sum", "sum"]
    mixed = {"homo": "sum", "U0": 12.5}
    assert readouts(mixed, task, molecules, rows) == ["sum", 12.5, "sum", "sum"]
    for wrong, hint in (({"hom": "sum"}, "homo"), ({"homo": "max"}, "got 'max'"), (-1, "above 0")):
        with pytest.raises(InputError, match=hint):
            readouts(wrong, task, molecules, rows)
    net = {}
    for name in ("sum", "mean", "10"):
        config = small(tmp_path / name, readout=name, epochs=1, targets="homo", lr=1e-12)
        config.muon_lr = config.group_lr = 1e-12
        net[name] = load_saved(train(config)).network.model
    batch = OnDevice(molecules, molecules.select(["homo"]), "cpu").gather(rows[:5])
    with torch.no_grad():
        total, mean, ten = (net[n](*net[n].inputs(batch)) for n in ("sum", "mean", "10"))
    atoms = batch.mask.sum(1, keepdim=True)
    assert torch.allclose(mean * atoms, 20 * total, rtol=1e-4, atol=1e-5)
    assert torch.allclose(10 * ten, 20 * total, rtol=1e-4, atol=1e-5)


def test_the_mean_does_not_grow_with_the_number_of_atoms():
    """Atoms are too far apart to interact, so the sum over 40 atoms is four times that over 10."""
    from molinv import models

    pos, z = torch.zeros(2, 40, 3), torch.full((2, 40), 6)
    pos[:, :, 0] = 50.0 * torch.arange(40)
    pos[0, 10:], z[0, 10:] = 0, 0
    settings = {"width": 32, "layers": 2, "filters": 16, "gaussians": 20, "cutoff": 4.0}
    for readout, ratio in (("mean", 1), ("sum", 4)):
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            short, long = models.make("schnet", 1, settings, readout=[readout]).eval()(pos, z)
        assert torch.allclose(long, ratio * short, rtol=1e-3, atol=1e-5)


def test_a_partial_evaluation_does_not_overwrite_a_complete_one(table, tmp_path):
    folder = train(own(tmp_path / "run", table, targets="oxygens", epochs=1))
    whole = evaluate(folder, copies=2)
    evaluate(folder, copies=2, limit=3)
    evaluate(folder, copies=0)
    assert json.loads((folder / "evaluation.json").read_text())["molecules"] == whole["molecules"]
    kept = json.loads((folder / "partial-evaluation" / "evaluation.json").read_text())
    assert kept["copies"] == 0
    assert evaluate(folder, copies=4)["copies"] == 4
    assert json.loads((folder / "evaluation.json").read_text())["copies"] == 4


def test_classes_missing_from_a_part_of_the_split_are_reported(tmp_path, capsys):
    path = tmp_path / "rare.csv"
    chains = [f"{'C' * (1 + i // 3)}{'NOS'[i % 3]}" for i in range(60)]
    words = ["train"] * 48 + ["valid"] * 6 + ["test"] * 6
    rows = [f"{s},{'xy'[i % 2] if i < 48 else 'x'},{w}" for i, (s, w) in
            enumerate(zip(chains, words, strict=True))]  # fmt: skip
    rows[-1] = rows[-1].replace(",x,", ",z,")
    path.write_text("smiles,kind,part\n" + "\n".join(rows) + "\n")
    folder = train(own(tmp_path / "run", path, targets="kind", split="column:part", epochs=1))
    shown = " ".join(capsys.readouterr().err.split())
    assert "No training molecule has the class 'z' of 'kind'" in shown
    assert "The validation part has one class of 'kind'" in shown
    assert "nan" not in shown
    assert load_saved(folder).task.classes == ("x", "y", "z")
