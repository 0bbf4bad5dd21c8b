"""Peak memory of a training step, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..datasets.batches import Batch
from .batches import random_batch
from .networks import Network
from .steps import PRECISIONS, Inference, TrainingStep

STEPS = 2
STATUS = Path("/proc/self/status")


def peak_memory(
    network: Network, batch: Batch, training: bool = True, precision: str = PRECISIONS[0]
) -> float | None:
    """Peak memory, in MiB, that training steps (or inference) on a batch add.

    A fresh process builds the model and takes one step on a molecule of three atoms, which loads
    the libraries, the weights and the optimizer's state. The result is the growth in two steps on
    the batch: activations, gradients, work space. It is measured by the largest resident size on a
    CPU and by torch's allocator on a CUDA device. None on other devices, and if the process was
    killed for lack of memory.
    """
    device = batch.pos.device
    if device.type not in ("cpu", "cuda"):
        return None
    # as arrays, because tensors are passed in shared memory, which would be counted
    arrays = [t.cpu().numpy() for t in (batch.pos, batch.z, batch.y, batch.index)]
    return in_fresh_process(_measure, network, arrays, str(device), training, precision)


def in_fresh_process(measure: Callable[..., int], *args: Any) -> float | None:
    """Call `measure`, which returns bytes, in a new process; returns MiB.

    None if the process was killed.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measure, *args).result() / 2**20
        except BrokenProcessPool:
            return None


def _measure(
    network: Network, arrays: list[np.ndarray], where: str, training: bool, precision: str
) -> int:
    """Growth in bytes, measured in the fresh process."""
    device = torch.device(where)
    pos, z, y, index = (torch.from_numpy(a).to(device) for a in arrays)
    batch = Batch(pos, z, y, index)
    step = (TrainingStep if training else Inference)(network.build(device), precision)
    step(random_batch(1, 3, device))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else largest_size()
    for _ in range(STEPS):
        step(batch)
    after = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else largest_size()
    return after - before


def largest_size() -> int:
    """Largest resident size of this process so far, in bytes."""
    if STATUS.exists():
        # Linux's getrusage includes the parent's size at the start of this process
        rows = STATUS.read_text(encoding="utf-8").splitlines()
        line = next(row for row in rows if row.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
