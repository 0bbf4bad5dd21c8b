"""`molinv bench charts`: the surface, pairs, paths, the table, and resuming."""

import json

import numpy as np
import pytest
import torch

from molinv import InputError, cli
from molinv.bench import charts
from molinv.bench.charts.results import cells, summarise
from molinv.bench.charts.surface import Surface
from molinv.models.gicnn import GICNN


def test_small_displacements_along_the_modes_have_the_harmonic_energy():
    pytest.importorskip("tblite")
    surface = Surface.of("O", 3, 0.0002)
    q = np.concatenate([np.eye(3), -np.eye(3), surface.draw(5, 1)])
    assert surface.energies(q) == pytest.approx(surface.harmonic(q), rel=0.1, abs=0.01)
    assert surface.harmonic(np.eye(3)) == pytest.approx(0.2)
    assert surface.energies(np.zeros((1, 3))) == pytest.approx(0, abs=1e-3)
    with pytest.raises(InputError, match="3 vibrations: expected at least 4"):
        Surface.of("O", 4, 0.1)
    water = Surface.of("InChI=1S/H2O/h1H2", 3, 0.0002)
    assert water.z.tolist() == surface.z.tolist()
    for charged in ("[O-]C=O", "[CH3]"):
        with pytest.raises(InputError, match="is an ion or a radical"):
            Surface.of(charged, 3, 0.1)


def test_pairs_have_equal_energies_and_share_no_geometry():
    y = np.random.default_rng(0).random(300) * 300
    pairs = charts.equal(y, 20)
    assert len(pairs) == 20
    assert len(set(sum(pairs, ()))) == 40
    assert all(0 <= y[b] - y[a] <= charts.EQUAL for a, b in pairs)
    chosen = y[np.array(pairs)]
    assert chosen.min() >= np.quantile(y, 0.19)
    assert chosen.max() <= np.quantile(y, 0.81)
    assert charts.equal(1e3 * y, 20) == []


def test_three_paths_have_the_same_ends_and_hold_their_own_level():
    net = GICNN(4, width=8, generator=torch.Generator().manual_seed(0)).double()
    a, b = np.random.default_rng(1).standard_normal((2, 4))
    paths = charts.walks(net, a, b, 9)
    for path in paths.values():
        assert path.shape == (9, 4)
        assert path[[0, -1]] == pytest.approx(np.stack([a, b]), abs=1e-8)
    squares = np.square(paths["harmonic"]).sum(-1)
    assert squares == pytest.approx(np.linspace(squares[0], squares[-1], 9))
    with torch.no_grad():
        values = net(torch.from_numpy(paths["learned"])).numpy()
    assert values == pytest.approx(np.linspace(values[0], values[-1], 9))


def test_the_table_has_means_over_seeds():
    def run(stray):
        profiles = {
            "learned": [[stray, -stray]],
            "harmonic": [[9.0, 0.0]],
            "straight": [[-50.0, 0]],
        }
        return {"profiles": profiles, "error": 2.0, "harmonic_error": 5.0}

    rows = cells(summarise([run(1.0), run(3.0)]))
    assert rows[0] == ("learned level set", "2.0 ± 0.0", *3 * ("2.0 ± 1.4",), "1.0", "2")
    assert rows[2] == ("straight line", "", "25.0 ± 0.0", *2 * ("50.0 ± 0.0",), "", "2")


def test_finished_runs_are_reported_and_not_run_again(tmp_path, capsys, monkeypatch):
    pytest.importorskip("tblite")
    monkeypatch.setattr(charts, "HELD", 60)
    monkeypatch.setattr(charts, "EQUAL", 50.0)
    out = tmp_path / "charts"
    arguments = ["bench", "charts", "--out", str(out), "--molecule", "O", "--seeds", "1"]
    arguments += ["--modes", "3", "--geometries", "40", "--pairs", "2", "--points", "3"]
    arguments += ["--steps", "5"]
    assert cli.main(arguments) == 0
    (path,) = out.glob("runs/*")
    before = path.stat().st_mtime_ns
    content = json.loads((out / "charts.json").read_text())
    assert content["rows"][0]["walks"] == 2
    assert "| straight line |" in (out / "charts.md").read_text()
    assert (out / "charts.png").stat().st_size > 1000
    assert cli.main(arguments) == 0
    assert path.stat().st_mtime_ns == before
    assert cli.main([*arguments[:-1], "6"]) == 2
    assert "steps=5, not 6" in capsys.readouterr().err


@pytest.mark.parametrize("flag", [{"seeds": 0}, {"modes": 1}, {"points": 2}, {"top": 0.0}])
def test_bad_flags_are_reported_in_one_sentence(flag):
    with pytest.raises(InputError, match=r"at least|above 0"):
        charts.main(**flag)
