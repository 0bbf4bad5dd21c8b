"""The benchmark of planted symmetries: settings, verdicts, reports and resuming."""

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from molinv import InputError, cli, groups
from molinv import distributions as D
from molinv.bench import recover
from molinv.bench.recover.network import Moments, Products
from molinv.bench.recover.results import cells, summarise, totals
from molinv.bench.recover.tasks import RECIPES, ROWS, configure, drawn
from molinv.datasets import load, planted
from molinv.datasets.split import split

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
ALL = {"count": 200, "source": str(SAMPLE)}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    out = tmp_path_factory.mktemp("recover")
    arguments = ["bench", "recover", "--data", str(SAMPLE), "--molecules", "150"]
    arguments += ["--steps", "8", "--tasks", "axial,sectors-2", "--out", str(out)]
    return out, arguments


def test_finished_runs_are_reported_and_not_run_again(bench, capsys):
    out, arguments = bench
    assert cli.main([*arguments, "--seeds", "1"]) == 0
    names = sorted(path.parent.name for path in out.glob("runs/*/result.json"))
    assert names == [f"{t}-{r}-seed0" for t in ("axial", "sectors-2") for r in ("molinv", "plain")]
    result = json.loads((out / "runs/axial-molinv-seed0/result.json").read_text())
    assert [t["name"] for t in result["truths"]] == ["wx", "wy", "wz"]
    assert [round(t["truth"], 4) for t in result["truths"]] == [0, 0, 3.1416]
    assert result["right"] == all(t["right"] for t in result["truths"])
    table = json.loads((out / "recover.json").read_text())
    assert {row["runs"] for row in table["rows"]} == {1}
    assert "| axial | molinv | wx |" in (out / "recover.md").read_text()
    assert (out / "recover.png").stat().st_size > 5000
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")}
    assert cli.main([*arguments, "--seeds", "1"]) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*")}
    assert "[1/4] axial-molinv-seed0" in capsys.readouterr().out


def test_only_missing_results_are_made_and_other_settings_are_refused(bench):
    out, arguments = bench
    cli.main([*arguments, "--seeds", "1"])
    lost = out / "runs/sectors-2-molinv-seed0/result.json"
    kept = out / "runs/axial-molinv-seed0/result.json"
    content, before = json.loads(lost.read_text()), kept.stat().st_mtime_ns
    lost.unlink()
    assert cli.main([*arguments, "--seeds", "1"]) == 0
    again = json.loads(lost.read_text())
    assert again["truths"] == content["truths"]  # measured again without training again
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"epochs=2, not 3"):
        recover.main(str(out), "axial", 1, 12, None, 0, "molinv", 150, str(SAMPLE))


def known(name, mu, variant=0, **settings):
    task = planted.from_text(planted.to_text(name, ALL | settings))
    return recover.judge(task, task.variants[variant].truths, mu, 0)


@pytest.mark.parametrize(
    ("widths", "verdicts"),
    [
        ([0.1, 0.2, 3.0], [True, True, True]),
        ([0.1, 0.3, 3.0], [True, False, True]),
        ([0.1, 0.2, 2.8], [True, True, False]),
        ([3.0, 0.2, 0.1], [False, True, False]),
    ],
    ids=str,
)
def test_the_axial_task_judges_every_generator(widths, verdicts):
    mu = D.UniformBox(groups.SO3(), init=widths)
    assert [r["right"] for r in known("axial", mu)] == verdicts


def test_a_half_width_is_right_within_a_tenth_of_the_truth():
    for k, share, right in ((4, 0.91, True), (4, 0.89, False), (3, 1.09, True), (3, 1.11, False)):
        mu = D.UniformBox(groups.About(), init=share * math.pi / k)
        (found,) = known("sectors", mu, k=k)
        assert found["right"] == right
        assert found["truth"] == pytest.approx(math.pi / k)


def test_free_and_bound_molecules_are_separated_on_held_out_molecules():
    task = planted.from_text(planted.to_text("per_molecule", ALL | {"count": 60, "free": 0.1}))
    (truth,) = task.variants[0].truths
    assert isinstance(truth, planted.Separates)
    seed = next(i for i in range(99) if truth.free[split(60, i).valid].any())
    free = torch.tensor(truth.free[np.sort(split(60, seed).valid)])
    assert 0 < free.sum() < len(free)

    class Knows(torch.nn.Module):
        def __init__(self, free):
            super().__init__()
            self.free = free

        def forward(self, pos, z):
            return 5.0 * self.free[:, None].expand(len(pos), 3).float()

    for said, learned, right in (
        (free, 1.0, True),
        (~free, 0.0, False),
        (free & ~free, 0.5, False),
    ):
        mu = D.Conditional(groups.SO3(), Knows(said))
        (found,) = recover.judge(task, (truth,), mu, seed)
        assert (found["learned"], found["right"]) == (learned, right)


def test_a_run_is_right_if_all_its_truths_hold():
    def run(seed, right, recipe="molinv"):
        truths = [
            {
                "name": n,
                "unit": "rad",
                "truth": 0.0,
                "tolerance": 0.25,
                "learned": x,
                "right": x < 1,
            }
            for n, x in (("wx", 0.1), ("wy", 0.1 if right else 2.0))
        ]
        return {"row": "none", "recipe": recipe, "truths": truths, "right": right, "seconds": 10}

    lost = {"row": "none", "recipe": "molinv", "truths": [], "right": False, "failed": "diverged"}
    rows = summarise([run(0, True), run(1, False), lost, run(0, False, "plain")])
    assert [(r["recipe"], r["right"], r["runs"]) for r in rows] == [
        ("molinv", 1, 3),
        ("molinv", 1, 3),
        ("plain", 0, 1),
        ("plain", 0, 1),
    ]
    assert cells(rows)[1][4] == "0.10, 2.00 x"
    assert totals(rows) == "molinv: 1 of 3 runs right (33%); plain: 0 of 1 runs right (0%)"


@pytest.mark.parametrize("name", ROWS)
def test_all_rows_share_their_settings_except_those_of_the_task(name):
    row = ROWS[name]
    text = row.text(1, None, str(SAMPLE), 20 if row.task == "per_molecule" else 60)
    found = configure(row, "molinv", text, 1, "x", 100)
    for setting, value in RECIPES["molinv"].items():
        assert getattr(found, setting) == value
    group = groups.find(found.group)
    task = planted.from_text(text)
    assert group.caps == task.variants[row.variant].group.caps
    assert found.center == task.center
    assert len(load(found.data)) == len(task.molecules)


SMALL_NETS = (
    lambda: Products(2, width=16, moments=4, rank=8),
    lambda: Moments(2, width=16, layers=1, hidden=8, kernels=4, vectors=2, scalars=3),
)


@pytest.mark.parametrize("make", SMALL_NETS, ids=["Products", "Moments"])
def test_networks_of_moments_sum_over_atoms_and_have_no_symmetry_built_in(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = make().double()
    generator = torch.Generator().manual_seed(0)
    pos = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    z = torch.tensor([[6, 1, 1, 8, 7], [6, 1, 1, 0, 0]])
    out = net(pos, z)
    assert out.shape == (2, 2)
    assert torch.allclose(net(pos[1:, :3], z[1:, :3]), out[1:])  # padding adds nothing
    order = torch.tensor([3, 1, 0, 2, 4])
    assert torch.allclose(net(pos[:1, order], z[:1, order]), out[:1])
    for g in (groups.SO3().double().haar(1, generator)[0], -torch.eye(3)):
        assert not torch.allclose(net(pos @ g.double().mT, z), out, atol=1e-3)
    if isinstance(net, Moments):  # charges do not depend on the pose
        g = groups.SO3().double().haar(1, generator)[0]
        assert torch.allclose(net.atoms(pos @ g.mT, z), net.atoms(pos, z), atol=1e-12)


@pytest.mark.parametrize("task", planted.TASKS)
def test_hidden_variants_are_reproducible_and_can_be_made(task):
    made = [drawn(task, i) for i in range(6)]
    assert made == [drawn(task, i) for i in range(6)]
    if not task.startswith("dipole"):
        assert len({json.dumps(m) for m in made}) > 1
    for settings in made:
        count = {"count": 20, "free": 0.2} if task == "per_molecule" else {"count": 40}
        found = planted.make(task, molecules=load(SAMPLE), **settings, **count)
        assert np.isfinite(found.molecules.y).all()


def test_the_plain_recipe_has_one_row_per_task():
    tasks = [row.task for row in ROWS.values() if row.plain is not None]
    assert sorted(tasks) == sorted(planted.TASKS)


def test_train_and_evaluate_accept_a_planted_task(tmp_path, capsys):
    data = planted.to_text("axial", {"count": 150, "source": str(SAMPLE), "axis": [0, 1, 0]})
    run = ["--out", str(tmp_path / "a"), "--accelerator", "cpu", "--epochs", "1"]
    run += ["--model_args", '{"width": 32, "layers": 2}', "--wait", "0.3"]
    assert cli.main(["train", "--data", data, *run]) == 0
    assert cli.main(["evaluate", str(tmp_path / "a"), "--copies", "2"]) == 0
    capsys.readouterr()
    for name in ("translation", "size"):
        assert cli.main(["train", "--data", f"planted:{name}", *run[:1], str(tmp_path / "b")]) != 0
        assert "--center false" in capsys.readouterr().err


def test_bad_arguments_are_reported_in_one_sentence():
    with pytest.raises(InputError, match="axial"):
        recover.main(tasks="axal")
    with pytest.raises(InputError, match="plain"):
        recover.main(recipes="plan")
    with pytest.raises(InputError, match="seeds"):
        recover.main(seeds=0)
    with pytest.raises(InputError, match="with its settings as JSON"):
        planted.from_text("planted:axial{field: 2}")
    with pytest.raises(InputError, match="axial"):
        planted.from_text("planted:axail")


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("qm9pack") is None, reason="QM9 comes from the package qm9pack"
)
@pytest.mark.parametrize("name", ["axial", "full"])
def test_a_symmetry_is_recovered_from_real_molecules(name, tmp_path):
    recover.main(str(tmp_path), name, seeds=1, steps=3000, recipes="molinv")
    (run,) = json.loads((tmp_path / "recover.json").read_text())["runs"]
    assert run["right"], run["truths"]
