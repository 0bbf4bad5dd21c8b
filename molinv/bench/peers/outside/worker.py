"""Train one published network for a given processor time, in its package's environment.

    python -m outside.worker FOLDER

Reads task.json (peer, minutes, seed, targets, scale) and data.npz in FOLDER. data.npz has four
parts: train, valid-rotated, test and test-rotated. Each part has pos (atoms, 3) in angstrom, z
(atoms,), ptr (molecules + 1,) and standardised values y (molecules, targets).

Writes metrics.csv (five validation errors, in the targets' units), predictions.npz and, last,
done.json. The state is saved after each validation, and the same command resumes from it.
"""

from __future__ import annotations

import csv
import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .graph import Part
from .published import PEERS, Peer

CHECKS = 5  # validations per run
BLOCK = 16  # molecules per block in validation; larger blocks allocate memory anew each time
WARMUP = 0.05  # fraction of the time in which the learning rate rises
STATE = "state.pt"


class Mean:
    """The exponential moving average of a network's weights."""

    def __init__(self, net: nn.Module, decay: float):
        self.decay, self.values = decay, {k: v.clone() for k, v in net.state_dict().items()}

    def update(self, net: nn.Module) -> None:
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1 - self.decay)


@torch.no_grad()
def predict(net: Peer, part: Part, size: int = BLOCK) -> Tensor:
    """Standardised outputs for all molecules of a part."""
    net.eval()
    rows = torch.arange(len(part)).split(size)
    made = torch.cat([net(part.take(each)[0]) for each in rows])
    net.train()
    return made


def rate(peer: Peer, share: float) -> float:
    """The learning rate after a fraction of the time: a linear warm-up, then a cosine to 0."""
    if share < WARMUP:
        return peer.lr * share / WARMUP
    return peer.lr * (1 + math.cos(math.pi * min(1.0, (share - WARMUP) / (1 - WARMUP)))) / 2


def main(folder: Path) -> None:
    """Train a network, predict the test molecules, and write the files of this module."""
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    torch.manual_seed(task["seed"])
    scale, budget = np.array(task["scale"]), 60.0 * task["minutes"]
    net: Peer = PEERS[task["peer"]](len(task["targets"]))
    with np.load(folder / "data.npz") as arrays:
        names = ("train", "valid-rotated", "test", "test-rotated")
        parts = {name: Part(arrays, name, net.cutoff) for name in names}
    parameters = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=net.lr, weight_decay=net.weight_decay, amsgrad=net.amsgrad
    )
    mean = Mean(net, net.ema) if net.ema else None
    spent, step, rows, order = 0.0, 0, [], torch.empty(0, dtype=torch.long)
    if (folder / STATE).exists():
        state = torch.load(folder / STATE, weights_only=True)
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        spent, step, rows = state["spent"], state["step"], state["rows"]
        torch.set_rng_state(state["random"])
        if mean:
            mean.values = state["mean"]
    train, used = parts["train"], None
    while spent < budget:
        begin = time.process_time()
        if len(order) < net.batch_size:
            order = torch.randperm(len(train))
        graph, y = train.take(order[: net.batch_size])
        order = order[net.batch_size :]
        for group in optimizer.param_groups:
            group["lr"] = rate(net, spent / budget)
        loss = (net(graph) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        if net.clip:
            nn.utils.clip_grad_norm_(parameters, net.clip)
        optimizer.step()
        if mean:
            mean.update(net)
        if not math.isfinite(loss.item()):
            write(folder / "done.json", {"failed": f"the loss of {task['peer']} is {loss.item()}"})
            return
        spent, step = spent + time.process_time() - begin, step + 1
        if spent < budget and int(CHECKS * spent / budget) <= len(rows):
            continue
        used = tested(net, mean)
        row = {"epoch": len(rows) + 1, "step": step, "train_seconds": round(spent, 2)}
        valid = parts["valid-rotated"]
        errors = (predict(net, valid) - valid.y).abs().mean(0).numpy() * scale
        row |= {
            f"{name}_rotated": error
            for name, error in zip(task["targets"], errors.tolist(), strict=True)
        }
        rows.append(row)
        net.load_state_dict(used)
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "spent": spent}
        state |= {"step": step, "rows": rows, "random": torch.get_rng_state()}
        state |= {"mean": mean.values} if mean else {}
        torch.save(state, folder / f"{STATE}.part")
        os.replace(folder / f"{STATE}.part", folder / STATE)
        with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    tested(net, mean)
    made = {name: predict(net, parts[name]).numpy() for name in ("test", "test-rotated")}
    np.savez(folder / "predictions.npz", **made)  # pyright: ignore[reportArgumentType]
    done = {"parameters": sum(p.numel() for p in parameters), "steps": step}
    done |= {"seen": step * net.batch_size, "train_seconds": spent, "torch": torch.__version__}
    write(folder / "done.json", done)


def tested(net: Peer, mean: Mean | None) -> dict[str, Tensor]:
    """Load the averaged weights, if any, into the network; returns its previous weights."""
    before = {name: value.clone() for name, value in net.state_dict().items()}
    if mean:
        net.load_state_dict(mean.values)
    return before


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
