"""`molinv bench integration`: the networks, equal terms, the table, and resuming."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from molinv import InputError, cli
from molinv.bench import integration as bench
from molinv.bench.integration.network import OVER, Averaged
from molinv.bench.integration.results import METHODS, cells, summarise
from molinv.bench.payoff.finite_sets import SurfaceSet
from molinv.datasets import surface
from molinv.datasets.batches import Batch
from molinv.groups import SO3, PointGroup
from molinv.models.point import Point
from molinv.models.readout import Readout

SMALL = {"width": 32, "layers": 1}


@pytest.mark.parametrize("over", OVER)
def test_averaged_networks_are_invariant_under_the_group_and_no_more(over):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Averaged(1, "C4", over, **SMALL).double()
    pos = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    z = torch.full((3, 4), 78)
    _, *extra = model.inputs(Batch(pos, z, torch.zeros(3, 1), torch.arange(3)))
    with torch.no_grad():
        here = model(pos, *extra)
        for g in PointGroup("C4").double().elements:
            assert torch.allclose(model(pos @ g.mT, *extra), here, atol=1e-12)
        g = SO3().double().haar(1, torch.Generator().manual_seed(1))[0]
        assert not torch.allclose(model(pos @ g.mT, *extra), here, atol=1e-5)


@pytest.mark.parametrize("over", OVER)
def test_averaged_networks_have_the_parameters_and_the_readout_of_point(over):
    plain = Point(1, **SMALL)
    model = Averaged(1, "C4", over, **SMALL)
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in plain.parameters())
    model.set_readout(Readout(["mean"]))
    assert model.network[0].readout is not None
    with pytest.raises(InputError, match="did you mean 'feature'"):
        Averaged(1, over="features")


def test_methods_differ_in_the_wrapper_and_the_distribution_alone():
    data = SurfaceSet(Path("x"), surface.Settings(100, atoms=2))
    made = {m: vars(bench.configure(data, m, 30, 1, 0.5, Path("y"))) for m in METHODS}
    assert {config["minutes"] for config in made.values()} == {0.5}
    for method, own in {
        "drawn elements": {"group", "distribution"},
        "averaged outputs": {"model", "model_args"},
        "averaged feature": {"model", "model_args"},
    }.items():
        assert {k for k in made[method] if made[method][k] != made["none"][k]} == own
    assert made["drawn elements"]["group"] == "PointGroup(C4)"


def test_the_table_pairs_errors_by_seed():
    def result(method, seed, error):
        found = {"method": method, "size": 300, "seed": seed, "error": error}
        return found | {"one pass": error + 1, "steps": 10}

    rows = summarise(
        [
            result("averaged outputs", 0, 5.0),
            result("averaged outputs", 1, 9.0),
            result("averaged feature", 0, 4.0),
            result("averaged feature", 1, 8.0),
            {"method": "none", "size": 300, "seed": 0, "failed": "diverged"},
        ]
    )
    assert [row["method"] for row in rows] == ["none", "averaged outputs", "averaged feature"]
    assert cells(rows)[0] == ("300", "none (1 diverged)", "", "", "", "")
    assert cells(rows)[1][-1] == ""
    assert cells(rows)[2][3:] == ("7.0 ± 2.8", "6.0 ± 2.8", "-1.0 ± 0.0")


def test_it_runs_reports_and_makes_no_run_twice(tmp_path):
    arguments = ["bench", "integration", "--out", str(tmp_path), "--examples", "400"]
    arguments += ["--sizes", "32", "--seeds", "1", "--minutes", "0.01"]
    assert cli.main(arguments) == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert [row["method"] for row in rows] == list(METHODS)
    assert all(row["errors"][0] > 0 for row in rows)
    for row in rows:
        same = row["errors"] == row["one pass"]
        assert same or row["method"] == "drawn elements"
    assert (tmp_path / "integration.png").stat().st_size > 5000
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*")}
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*")}
    with pytest.raises(InputError, match=r"minutes=0\.01, not 0\.02"):
        bench.main(str(tmp_path), "32", seeds=1, minutes=0.02, examples=400)
    shutil.rmtree(tmp_path / "surface")  # as the command asks for where its settings are others
    with pytest.raises(InputError, match="holds a run with labels="):
        bench.main(str(tmp_path), "32", seeds=1, minutes=0.01, examples=400, atoms=1)
    for sizes in ("0", "-3", ""):
        with pytest.raises(InputError, match="size"):
            bench.main(str(tmp_path / "new"), sizes)
    assert not (tmp_path / "new").exists()
