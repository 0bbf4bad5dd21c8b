"""`molinv bench groups`: potentials with a known group, verdicts, and resuming."""

import json

import pytest
import torch

from molinv import InputError, cli, groups
from molinv.bench.groups import Settings, farthest, measure, unlearned
from molinv.bench.groups.results import cells, summarise, total
from molinv.bench.groups.tasks import FIRST, NOT_ENOUGH, ROWS, make
from molinv.groups.merging import distance
from molinv.groups.naming import Named
from molinv.groups.spirals import super_fibonacci

SO3 = groups.SO3()


@pytest.mark.parametrize("name", ROWS)
def test_potentials_are_invariant_under_their_group_and_nothing_else(name, monkeypatch):
    row, seed = ROWS[name], 3
    data = make(row, seed, 400, 0.0)
    assert float(data.y.mean()) == pytest.approx(0, abs=1e-5)
    assert float(data.y.std()) == pytest.approx(1, abs=1e-5)

    def of(turn):
        """The energies of the turned points, up to the normalisation."""
        real = torch.randn

        def turned(*shape, **kw):
            made = real(*shape, **kw)
            return made @ turn.mT if shape[1:] == (3, 3) else made

        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn", turned)
            return make(row, seed, 400, 0.0).y

    elements = row.elements(data.frame)
    for g in elements[:3]:
        assert torch.allclose(of(g), data.y, atol=1e-4)
    if row.symbol == "SO3":
        return
    far = [
        turn
        for turn in super_fibonacci(200)
        if float(distance(elements, turn).min()) > 0.3 and row.symbol not in ("Cinf", "Dinf")
    ]
    for turn in far[:20]:
        assert float((of(turn) - data.y).abs().mean()) > 0.1


def test_the_same_seed_gives_the_same_examples():
    first, again, other = (make(ROWS["D3"], seed, 50, 0.1) for seed in (1, 1, 2))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.frame, other.frame)
    assert len(make(ROWS["few"], 1, 5000, 0.1).x) == 50


def test_a_network_that_learned_nothing_is_recognised():
    data = make(ROWS["T"], 1, 200, 0.0)

    class Constant(torch.nn.Module):
        model = staticmethod(lambda x: torch.zeros(len(x)))

    class Truth(torch.nn.Module):
        model = staticmethod(lambda x: data.y[-20:])

    assert unlearned(Constant(), data, 20) == pytest.approx(1, abs=0.1)  # pyright: ignore
    assert unlearned(Truth(), data, 20) == 0  # pyright: ignore


def test_the_farthest_element_is_in_degrees():
    row, turn = ROWS["D3"], SO3.exp(torch.tensor([0.0, 0, 0.1])).double()
    data = make(row, 1, 20, 0.0)
    exact = Named("D3", data.frame, 1.0, 0.0)
    assert farthest(row, data, exact) == pytest.approx(0, abs=1e-4)
    tilted = Named("D3", turn @ data.frame, 1.0, 0.0)
    off = farthest(row, data, tilted)
    assert off is not None
    assert 3 < off <= 2 * 5.74
    axis = farthest(ROWS["Cinf"], data, Named("Cinf", -data.frame, 1.0, 0.0))
    assert axis == pytest.approx(0, abs=1e-4)
    assert farthest(ROWS["C1"], data, exact) is None


def test_too_few_examples_are_said_to_be_not_enough():
    found = measure(ROWS["few"], Settings("few", 1, 5000, 0.1, 60, "x"))
    assert (found["found"], found["right"], found["off"]) == (NOT_ENOUGH, True, None)


def test_finished_runs_are_reported_and_not_run_again(tmp_path, capsys):
    out = tmp_path / "groups"
    arguments = ["bench", "groups", "--out", str(out), "--tasks", "C1,T", "--seeds", "1"]
    arguments += ["--steps", "5", "--examples", "100"]
    assert cli.main(arguments) == 0
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*")}
    assert sorted(path.name for path in before) == ["C1-seed11.json", "T-seed11.json"]
    content = json.loads((out / "groups.json").read_text())
    assert [row["runs"] for row in content["rows"]] == [1, 1]
    assert "| T | T |" in (out / "groups.md").read_text()
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("runs/*")}
    assert "[1/2] C1-seed11" in capsys.readouterr().out
    assert cli.main([*arguments[:-1], "200"]) == 2
    assert "examples=100, not 200" in capsys.readouterr().err


def test_the_table_counts_answers_and_right_runs():
    def run(found, right, off=None):
        about = {"row": "O", "truth": "O", "right": right}
        return about | {"found": found, "off": off, "error": 0.1, "seconds": 20.0}

    lost = {"row": "O", "truth": "O", "right": False, "failed": "diverged"}
    rows = summarise([run("O", True, 1.0), run("T", False), run("O", True, 2.5), lost])
    assert cells(rows) == [("O", "O", "O (2), T (1), diverged (1)", "2 of 4", "2.5", "0.10", "20")]
    assert total(rows) == "2 of 4 runs right"
    (empty,) = summarise([lost])
    assert cells([empty])[0][4:] == ("", "", "")


def test_bad_flags_are_reported_in_one_sentence():
    from molinv.bench import groups as bench

    with pytest.raises(InputError, match="task"):
        bench.main(tasks="C4,Q")
    with pytest.raises(InputError, match="seeds"):
        bench.main(seeds=0)
    assert set(FIRST) < set(ROWS)
