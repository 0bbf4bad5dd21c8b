"""Published networks as peers of molinv's methods, each in its own environment.

The network comes from its package. `outside/worker.py` trains it in an environment that holds the
package. The optimizer, its settings, the batch size and the loss (squared error) are those of the
package's QM9 example, or its defaults if it has no such example. Three things differ from the
examples, in the same way for all peers:

- the learning rate rises during the first twentieth of the time and then decays to 0, because the
  examples' schedules take days;
- one network predicts all targets;
- edges are computed once, before the timed training.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from rich.console import Console
from rich.progress import Progress

from ...datasets.molecules import Molecules
from ...datasets.references import Standardizer
from ...errors import InputError
from ...groups import SO3
from ...training.choosing import choosing
from ...training.config import TrainConfig
from ...training.module import Diverged
from ...training.source import prepare
from ..environments import Environment, cached, reason
from .outside.worker import CHECKS

HERE = Path(__file__).parent  # where Python finds `outside`
# glibc's equivalent of `molinv.allocator`: without it TensorNet trains at 0.6 of its rate
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
STATES = ("state.pt", "metrics.csv", "predictions.npz", "done.json")


@dataclass(frozen=True, eq=False)
class Peer:
    """A row of `qm9-equal-time`: a network from another package.

    `pins` and `alone` are the requirements of its environment (see `Environment`). The first
    requirement of `alone`, or else of `pins`, names the folder of the environment.
    """

    network: str
    package: str
    pins: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    kind = "peer"

    @property
    def name(self) -> str:
        """The peer's name in the table."""
        return f"{self.package} {self.network}"

    @property
    def folder(self) -> str:
        """The name of the folder of its runs."""
        return self.name.lower().replace(" ", "-")

    @property
    def environment(self) -> Environment:
        """The environment of its package, in the cache; `Environment.make` installs it."""
        return cached((*self.alone, *self.pins)[0], self.pins, self.alone)


# These are installed without their dependencies: torchmd-net's wheel requires another torch for its
# neighbour search, and gotennet requires compiled extensions. The worker replaces both.
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
    """The settings of a peer's run."""

    peer: str = ""
    data: str = "qm9"
    targets: str = "homo,lumo"
    minutes: float = 5.0
    train_size: int | None = None
    valid_size: int | None = None
    seed: int = 0
    out: str = ""


def measure(config: PeerConfig, test: int, console: Console) -> dict[str, Any]:
    """Train a peer in its environment, or resume its run, and measure its test errors.

    The molecules, the standardisation, the validation and the rotations are those of molinv's runs
    with this seed. Raises Diverged if the loss is not finite, and InputError if the worker fails.
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
    valid, _ = choosing(source.parts.valid, len(source.parts.train), config.valid_size)
    each = {"train": source.parts.train, "valid": valid, "test": source.parts.test[:test]}
    arrays = _arrays(source.molecules, each, standardizer)
    write_task(out, task | {"targets": names, "scale": scale}, arrays)
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
    """Write the worker's input, and remove the results of another task."""
    path = out / "task.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != task:
        for name in STATES:
            (out / name).unlink(missing_ok=True)
    np.savez(out / "data.npz", **arrays)  # pyright: ignore[reportArgumentType]
    path.write_text(json.dumps(task), encoding="utf-8")


def _arrays(
    every: Molecules, parts: dict[str, Int64[np.ndarray, " m"]], standardizer: Standardizer
) -> dict[str, np.ndarray]:
    """The arrays of the parts of all molecules, as the worker reads them."""
    made = {}
    for part, rows in parts.items():
        molecules, y = every.take(rows), standardizer.of(every, rows)
        views = {} if part == "valid" else {part: molecules.pos}
        if part != "train":
            views[f"{part}-rotated"] = _rotated(molecules)
        for name, pos in views.items():
            values = {"pos": pos.astype(np.float32), "z": molecules.z.astype(np.int64)}
            values |= {"ptr": molecules.ptr.astype(np.int64), "y": y.astype(np.float32)}
            made |= {f"{name}_{key}": value for key, value in values.items()}
    return made


def _rotated(molecules: Molecules) -> Float[np.ndarray, "atoms 3"]:
    """The coordinates, with each molecule rotated by one Haar-random rotation."""
    turns = SO3().haar(len(molecules), torch.Generator().manual_seed(0)).numpy()
    each = np.repeat(turns, np.diff(molecules.ptr), axis=0)
    return np.einsum("nij,nj->ni", each, molecules.pos)


def _work(peer: Peer, out: Path, minutes: float) -> None:
    """Run the worker, with a progress bar that counts its validations."""
    log, line = out / "worker.log", [str(peer.environment.python), "-m", "outside.worker"]
    line.append(str(out.resolve()))
    with (
        log.open("w", encoding="utf-8") as file,
        Progress(console=Console(stderr=True), transient=True) as bar,
    ):
        row = bar.add_task(f"{peer.name}, {minutes:g} minutes", total=CHECKS)
        kept = os.environ | KEEP_MEMORY
        process = subprocess.Popen(line, stdout=file, stderr=subprocess.STDOUT, cwd=HERE, env=kept)
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
        why = reason(process.returncode, log.read_text(encoding="utf-8", errors="replace"))
        raise InputError(f"{peer.name} failed, see {log}: {why}")
