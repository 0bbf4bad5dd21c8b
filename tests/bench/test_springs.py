"""`molinv bench springs`: the dynamics and their symmetry, errors, and resuming."""

import json
from math import pi

import pytest
import torch

from molinv import InputError, cli, groups
from molinv.bench import springs as bench
from molinv.bench.springs import distances, distribution, right
from molinv.bench.springs.results import cells, summarise
from molinv.bench.springs.system import CAP, SYSTEMS, leapfrog, make, trajectories, truth

SE3 = groups.SE3(cap=CAP).double()


def states(system, count=20):
    q, v = trajectories(system, count, 5, torch.Generator().manual_seed(1))
    return q[-1], v[-1]


@pytest.mark.parametrize("name", SYSTEMS)
def test_accelerations_are_those_of_the_hamiltonian(name):
    system = make(name, 1)
    q, v = states(system)
    p = (v * system.mass[:, None]).requires_grad_()
    q = q.requires_grad_()
    by_q, by_p = torch.autograd.grad(system.energy(q, p).sum(), [q, p])
    assert torch.allclose(-by_q / system.mass[:, None], system.acceleration(q), atol=1e-12)
    assert torch.allclose(by_p, v, atol=1e-12)
    assert float(system.charge.sum()) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_true_group_is_the_symmetry_of_the_accelerations_and_no_more(name, seed):
    system = make(name, seed)
    q, _ = states(system)
    a, widths = system.acceleration(q), truth(system)
    assert sum(w > 0 for w in widths) == (6 if name == "free" else 4)

    def miss(g):
        moved = q @ SE3.linear(g).mT + g[:-1, -1]
        return float((system.acceleration(moved) - a @ SE3.linear(g).mT).abs().max())

    noise = 2 * torch.rand(10, 6, generator=torch.Generator().manual_seed(0)).double() - 1
    for g in SE3.exp(noise * torch.tensor(widths)):
        assert miss(g) < 1e-10
    for i, width in enumerate(widths):
        if width == 0:
            assert miss(SE3.exp(0.3 * torch.eye(6).double()[i])) > 0.1


@pytest.mark.parametrize("name", SYSTEMS)
def test_energy_is_conserved_to_a_thousandth_of_its_spread(name):
    system = make(name, 2)
    q, v = trajectories(system, 50, 100, torch.Generator().manual_seed(0))
    energy = system.energy(q, v * system.mass[:, None])
    assert float((energy - energy[0]).abs().amax(0).median()) < 1e-3 * float(energy[0].std())
    assert float((q[-1] - q[0]).abs().mean()) > 0.3  # the particles do move


def test_leapfrog_is_of_second_order_and_reversible():
    system = make("field", 0)
    q, v = states(system)
    exact, halves = leapfrog(system.acceleration, q, v, 4, fine=64)[0], []
    for fine in (4, 8):
        halves.append(float((leapfrog(system.acceleration, q, v, 4, fine=fine)[0] - exact).norm()))
    assert halves[0] / halves[1] == pytest.approx(4, rel=0.2)
    there, speeds = leapfrog(system.acceleration, q, v, 10)
    back, _ = leapfrog(system.acceleration, there[-1], -speeds[-1], 10)
    assert torch.allclose(back[-1], q, atol=1e-9)


def test_the_given_box_is_the_true_group():
    for name in SYSTEMS:
        system = make(name, 1)
        widths = [float(e.value) for e in distribution("true group", system).extent().values()]
        assert widths == pytest.approx(truth(system), abs=1e-4)
        assert right(widths, truth(system))
    assert truth(make("field", 1)) == pytest.approx([CAP] * 3 + [0, pi, 0])
    assert not right([CAP] * 3 + [pi] * 3, truth(make("field", 1)))


def test_a_rollout_with_true_accelerations_has_the_error_of_the_integrator_only():
    system = make("free", 0)
    q, v = trajectories(system, 20, 20, torch.Generator().manual_seed(0))
    exact = distances(q, v[0], system.acceleration)
    still = distances(q, v[0], torch.zeros_like)
    assert exact[0] == still[0] == 0
    assert float(exact[-1]) < 0.02 < 0.2 < float(still[-1])


def test_finished_runs_are_reported_and_not_run_again(tmp_path, capsys):
    out = tmp_path / "springs"
    arguments = ["bench", "springs", "--out", str(out), "--sizes", "2", "--seeds", "1"]
    arguments += ["--steps", "3"]
    assert cli.main(arguments) == 0
    before = {path: path.stat().st_mtime_ns for path in out.glob("runs/*")}
    assert len(before) == 7
    assert not (out / "runs/free-true-group-2-seed11.json").exists()
    rows = json.loads((out / "springs.json").read_text())["rows"]
    assert [(row["system"], row["method"]) for row in rows[:3]] == [
        ("free", "none"),
        ("free", "full"),
        ("free", "learned"),
    ]
    assert "| field | 2 | true group |" in (out / "springs.md").read_text()
    assert (out / "springs.png").stat().st_size > 1000
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.glob("runs/*")}
    assert cli.main([*arguments[:-1], "4"]) == 2
    assert "steps=3, not 4" in capsys.readouterr().err


def test_a_diverged_run_is_counted():
    key = {"system": "free", "size": 5, "method": "learned"}
    done = {"error": 0.05, "rollout": [0.0, 0.2], "floor": 0.01}
    done["learned"] = {"widths": [2.0] * 3 + [3.1] * 3, "right": True}
    (row,) = cells(summarise([key | done, key | {"failed": "diverged"}]))
    assert row == (
        *("free", "5", "learned", "5.0", "0.200", "0.010"),
        *("2.00, 2.00, 2.00; 3.10, 3.10, 3.10", "1 of 2"),
    )
    (lost,) = cells(summarise([key | {"failed": "diverged"}]))
    assert lost[3] == "diverged"


def test_bad_flags_are_reported_in_one_sentence():
    with pytest.raises(InputError, match="system"):
        bench.main(systems="fre")
    with pytest.raises(InputError, match="size"):
        bench.main(sizes="0")
    with pytest.raises(InputError, match="in free space, true group is full"):
        bench.main(systems="free", methods="true group")
