"""Published networks as peers, each in its own environment and by its own settings for QM9.

The network is the package's. `outside/worker.py` trains it, in the package's environment: the
optimizer's settings, the batch size and the loss (squared) are those of the package's example for
QM9, or of its command where it has none. Three things differ, for all alike: the learning rate
rises in the first twentieth of the time and then falls to 0, since the examples' schedules take
days; one network has all targets; and edges are found once, before the time begins.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress

from ...datasets.molecules import Molecules
from ...datasets.references import Standardizer
from ...errors import InputError
from ...groups import SO3
from ...training.config import TrainConfig
from ...training.module import Diverged
from ...training.source import Source, prepare
from ..environments import Environment, cached
from .outside.worker import CHECKS

HERE = Path(__file__).parent  # where Python finds `outside`
STATES = ("state.pt", "metrics.csv", "predictions.npz", "done.json")


@dataclass(frozen=True, eq=False)
class Peer:
    """A row of `qm9-equal-time`: a network of another package.

    `pins` and `alone` are what its environment needs, as in `Environment`; the first of both names
    the package.
    """

    network: str
    package: str
    pins: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    kind = "peer"

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.package} {self.network}"

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.name.lower().replace(" ", "-")

    @property
    def environment(self) -> Environment:
        """The environment with its package, in the cache; `make` makes it."""
        return cached((*self.alone, *self.pins)[0], self.pins, self.alone)


# torchmd-net's wheel asks for another torch, which only its neighbour search needs, and gotennet
# for extensions that have to be compiled: the worker does without both
_TORCHMD: dict[str, Any] = {
    "package": "TorchMD-NET",
    "pins": ("torch_geometric==2.8.1", "lightning==2.6.6", "h5py==3.16.0"),
    "alone": ("torchmd-net-cpu==2.4.14",),
}
PEERS = {
    peer.name: peer
    for peer in (
        Peer("TensorNet", **_TORCHMD),
        Peer("ET", **_TORCHMD),
        Peer("PaiNN", "SchNetPack", ("schnetpack==2.0.4",)),
        Peer("MACE", "ACEsuit", ("mace-torch==0.3.16",)),
        Peer(
            "GotenNet",
            "gotennet",
            (
                "torch_geometric==2.8.1",
                "e3nn==0.6.0",
                "ase==3.29.0",
                "omegaconf==2.4.0",
                "pytorch-lightning==2.6.6",
                "requests==2.34.2",
            ),
            ("gotennet==1.1.2",),
        ),
    )
}


@dataclass
class PeerConfig:
    """What a peer's run depends on."""

    peer: str = ""
    data: str = "qm9"
    targets: str = "homo,lumo"
    minutes: float = 5.0
    train_size: int | None = None
    valid_size: int | None = None
    seed: int = 0
    out: str = ""


def measure(config: PeerConfig, test: int, console: Console) -> dict[str, Any]:
    """Train in the peer's environment, or go on, and measure its test errors, as molinv's.

    Same molecules, standardisation, validation and rotations as a run of molinv with this seed.
    Raises Diverged where the loss is not finite, InputError where the worker fails.
    """
    peer, out = PEERS[config.peer], Path(config.out)
    peer.environment.make(console)
    out.mkdir(parents=True, exist_ok=True)
    same = {"data": config.data, "targets": config.targets, "seed": config.seed}
    same |= {"train_size": config.train_size, "valid_size": config.valid_size}
    settings = TrainConfig(**same)
    source, names = prepare(settings), list(settings.target_names)
    standardizer = Standardizer.fit(source.molecules, names, source.parts.train)
    scale = standardizer.scale.tolist()
    task = {"peer": peer.network, "minutes": config.minutes, "seed": config.seed}
    write_task(out, task | {"targets": names, "scale": scale}, _arrays(source, standardizer, test))
    _work(peer, out, config.minutes)
    done = json.loads((out / "done.json").read_text(encoding="utf-8"))
    if "failed" in done:
        raise Diverged(done["failed"])
    with np.load(out / "predictions.npz") as made, np.load(out / "data.npz") as data:
        views = {"stored": made["test"], "rotated": made["test-rotated"]}
        errors = {view: np.abs(v - data["test_y"]).mean(0) * scale for view, v in views.items()}
    targets = {
        t.name: {"unit": t.unit} | {view: float(e[i]) for view, e in errors.items()}
        for i, t in enumerate(standardizer.targets)
    }
    for name in ("data.npz", "state.pt"):
        (out / name).unlink(missing_ok=True)
    tested = min(test, len(source.parts.test))
    more = peer.environment.versions(*(p.split("==")[0] for p in (*peer.pins, *peer.alone)))
    found = {"targets": targets, "extents": {}, "molecules": tested, "split": source.parts.hash}
    return found | done | {"versions": more}


def write_task(out: Path, task: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write what the worker reads; what an earlier task left is removed."""
    path = out / "task.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != task:
        for name in STATES:
            (out / name).unlink(missing_ok=True)
    np.savez(out / "data.npz", **arrays)  # pyright: ignore[reportArgumentType]
    path.write_text(json.dumps(task), encoding="utf-8")


def _arrays(source: Source, standardizer: Standardizer, test: int) -> dict[str, np.ndarray]:
    """The parts as the worker reads them."""
    parts, made = source.parts, {}
    each = {"train": parts.train, "valid": parts.valid, "test": parts.test[:test]}
    for part, rows in each.items():
        molecules = source.molecules.take(rows)
        y = standardizer.of(source.molecules, rows)
        views = {} if part == "valid" else {part: molecules.pos}
        if part != "train":
            views[f"{part}-rotated"] = _rotated(molecules)
        for name, pos in views.items():
            values = {"pos": pos.astype(np.float32), "z": molecules.z.astype(np.int64)}
            values |= {"ptr": molecules.ptr.astype(np.int64), "y": y.astype(np.float32)}
            made |= {f"{name}_{key}": value for key, value in values.items()}
    return made


def _rotated(molecules: Molecules) -> Float[np.ndarray, "atoms 3"]:
    """The atoms, each molecule turned by one Haar-random rotation."""
    turns = SO3().haar(len(molecules), torch.Generator().manual_seed(0)).numpy()
    each = np.repeat(turns, np.diff(molecules.ptr), axis=0)
    return np.einsum("nij,nj->ni", each, molecules.pos)


def _work(peer: Peer, out: Path, minutes: float) -> None:
    """Run the worker, with a progress bar by the validations that it has written."""
    log, line = out / "worker.log", [str(peer.environment.python), "-m", "outside.worker"]
    line.append(str(out.resolve()))
    with (
        log.open("w", encoding="utf-8") as file,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        row = bar.add_task(f"{peer.name}, {minutes:g} minutes", total=CHECKS)
        process = subprocess.Popen(line, stdout=file, stderr=subprocess.STDOUT, cwd=HERE)
        try:
            while True:
                try:
                    process.wait(1)
                    break
                except subprocess.TimeoutExpired:
                    rows = out / "metrics.csv"
                    count = rows.read_text(encoding="utf-8").count("\n") - 1 if rows.exists() else 0
                    bar.update(row, completed=count)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode or not (out / "done.json").exists():
        said = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((text.strip() for text in reversed(said) if text.strip()), "no message")
        raise InputError(f"{peer.name} failed, see {log}: {last[:200]}")
