"""Peak memory of a training step, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import torch

from ..datasets.batches import Batch
from .batches import random_batch
from .contenders import Contender
from .steps import PRECISIONS, Inference, TrainingStep

STEPS = 2
STATUS = Path("/proc/self/status")


def peak_memory(
    contender: Contender, batch: Batch, training: bool = True, precision: str = PRECISIONS[0]
) -> float | None:
    """MiB that a training step on the batch, or a pass of inference, takes at most beyond before.

    A fresh process makes the model and takes a step on a molecule of three atoms, so that
    libraries, weights and the optimizer's state are there already; what it then grows by in two
    steps on the batch is counted: activations, gradients, work space. On a CPU that is the largest
    resident size, on a CUDA device what torch's allocator gave out. None on other devices, and
    where the process was killed, as it is where memory is short.
    """
    device = batch.pos.device
    if device.type not in ("cpu", "cuda"):
        return None
    # as arrays: tensors would travel through shared memory, which would be counted
    arrays = [t.cpu().numpy() for t in (batch.pos, batch.z, batch.y, batch.index)]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            measured = pool.submit(_measure, contender, arrays, str(device), training, precision)
            return measured.result() / 2**20
        except BrokenProcessPool:
            return None


def _measure(
    contender: Contender, arrays: list[np.ndarray], where: str, training: bool, precision: str
) -> int:
    """In the fresh process: bytes."""
    device = torch.device(where)
    batch = Batch(*(torch.from_numpy(a).to(device) for a in arrays))
    step = (TrainingStep if training else Inference)(contender.network(device), precision)
    step(random_batch(1, 3, device))
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device) if device.type == "cuda" else largest_size()
    for _ in range(STEPS):
        step(batch)
    after = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else largest_size()
    return after - before


def largest_size() -> int:
    """The largest resident size that this process has had, in bytes."""
    if STATUS.exists():
        # Linux's getrusage also counts what the parent had when it started this process
        line = next(row for row in STATUS.read_text().splitlines() if row.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
