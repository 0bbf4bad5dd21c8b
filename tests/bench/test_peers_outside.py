"""Peers from other packages, with a stand-in network that is trained in a separate process."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from molinv import InputError, cli, datasets
from molinv.bench import peers
from molinv.bench.environments import Environment, reason
from molinv.bench.grid import history
from molinv.bench.peers.outside import published
from molinv.bench.peers.outside.graph import Part
from molinv.training.config import TrainConfig
from molinv.training.molecule_data import MoleculeData
from molinv.training.source import prepare

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
NETWORK = '''

class Counts(Peer):
    """A learned value per element, plus a term for the number of neighbours."""

    lr = 0.05

    def __init__(self, targets):
        super().__init__()
        self.element = nn.Embedding(119, targets)
        nn.init.constant_(self.element.weight, 1.0)  # far from the optimum
        self.near = nn.Parameter(torch.zeros(targets))

    def atoms(self, graph):
        degree = torch.zeros(len(graph.z)).index_add_(
            0, graph.edges[0], torch.ones(graph.edges.shape[1])
        )
        return self.element(graph.z) + 0.01 * self.near * degree[:, None]


PEERS["Counts"] = Counts
'''


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Arguments of a benchmark with the peer "stand-in Counts", and its folder."""
    shutil.copytree(peers.HERE / "outside", tmp_path / "outside")
    with (tmp_path / "outside/published.py").open("a", encoding="utf-8") as file:
        file.write(NETWORK)
    monkeypatch.setattr(peers, "HERE", tmp_path)
    monkeypatch.setattr(Environment, "make", lambda self, console: None)
    monkeypatch.setattr(Environment, "python", Path(sys.executable))
    monkeypatch.setitem(
        peers.PEERS, "stand-in Counts", peers.Peer("Counts", "stand-in", ("none==1",))
    )
    out = tmp_path / "out"
    arguments = ["bench", "qm9-equal-time", "--data", str(SAMPLE), "--minutes", "0.05"]
    arguments += ["--seeds", "1", "--molecules", "100", "--test", "50", "--out", str(out)]
    return [*arguments, "--methods", "stand-in Counts"], out / "stand-in-counts/seed0"


def test_a_peer_is_trained_in_a_separate_process_and_has_a_row(bench, capsys):
    arguments, folder = bench
    assert cli.main(arguments) == 0
    result = json.loads((folder / "result.json").read_text())
    rows = history(folder)
    assert len(rows) == peers.CHECKS
    assert float(rows[-1]["homo_rotated"]) < 1_000  # about 11,000 before it learns
    assert result["train_seconds"] >= 1.2
    assert result["seen"] == 32 * result["steps"]
    homo = result["targets"]["homo"]
    assert homo["rotated"] == pytest.approx(
        homo["stored"], rel=1e-3
    )  # it depends on distances only
    assert not (folder / "data.npz").exists()
    row = json.loads((folder.parents[1] / "table.json").read_text())["rows"][0]
    assert row["errors"]["homo"]["stored"][0] == pytest.approx(homo["stored"])
    assert "stand-in Counts" in capsys.readouterr().out


def test_an_interrupted_run_is_resumed_from_its_last_state(bench):
    arguments, folder = bench
    original = peers._work

    def stopped(peer, out, minutes):
        original(peer, out, minutes)
        (out / "done.json").unlink()  # as if the process was killed at the end
        raise InputError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peers, "_work", stopped)
        assert cli.main(arguments) == 2
    config = TrainConfig(data=str(SAMPLE), targets="homo,lumo", train_size=100, valid_size=1000)
    ours = MoleculeData(prepare(config), config)
    with np.load(folder / "data.npz") as arrays:
        assert len(arrays["train_ptr"]) - 1 == len(ours.train)
        assert len(arrays["valid-rotated_ptr"]) - 1 == len(ours.valid)
    before = torch.load(folder / "state.pt", weights_only=True)
    assert cli.main(arguments) == 0
    result = json.loads((folder / "result.json").read_text())
    assert (result["steps"], result["train_seconds"]) == (before["step"], before["spent"])


def test_a_failing_peer_is_reported(bench, capsys, monkeypatch):
    arguments, _ = bench
    peer = peers.Peer("None", "stand-in", ("a==1",))
    monkeypatch.setitem(peers.PEERS, peer.name, peer)
    arguments[-1] = peer.name
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert "failed, see" in said
    assert "KeyError: 'None'" in said


def test_every_peer_has_a_network_and_a_package():
    assert {peer.network for peer in peers.PEERS.values()} == set(published.PEERS)
    assert all("==" in pin for peer in peers.PEERS.values() for pin in (*peer.pins, *peer.alone))


def test_a_batch_has_the_edges_of_its_single_molecules():
    molecules = datasets.load(SAMPLE).take(np.arange(5))
    arrays = {"a_pos": molecules.pos.astype(np.float32), "a_z": molecules.z.astype(np.int64)}
    arrays |= {"a_ptr": molecules.ptr.astype(np.int64), "a_y": np.zeros((5, 1), np.float32)}
    part = Part(arrays, "a", 2.0)
    both, _ = part.take(torch.tensor([3, 1]))
    first, second = (part.take(torch.tensor([i]))[0] for i in (3, 1))
    assert torch.equal(both.pos, torch.cat([first.pos, second.pos]))
    assert torch.equal(both.edges, torch.cat([first.edges, second.edges + len(first.z)], 1))
    length = (both.pos[both.edges[0]] - both.pos[both.edges[1]]).norm(dim=-1)
    assert length.max() < 2
    assert length.min() > 0.5


def test_packages_without_dependencies_are_installed_last(tmp_path, monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        (tmp_path / "a").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    for pins in (("b==1",), ("b==1",), ("b==2",)):
        Environment(tmp_path / "a", pins, ("c==1",)).make(Console(quiet=True))
    assert len(commands) == 6
    torch_pin = f"torch=={version('torch').split('+')[0]}"
    assert [c[-2:] for c in commands[1:3]] == [[torch_pin, "b==1"], ["--no-deps", "c==1"]]


def test_a_program_that_was_killed_is_told_from_one_that_failed():
    assert reason(1, "first\n\nTypeError: last\n \n") == "TypeError: last"
    assert reason(1, "") == "no message"
    assert "memory" in reason(-9, "")
    assert reason(-15, "first") == "it was stopped by SIGTERM."
