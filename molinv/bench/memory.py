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
    """Peak memory, in MiB, that a training step on the batch or a pass of inference adds.

    A fresh process makes the model and takes a step on a molecule of three atoms, which loads the
    libraries, the weights and the optimizer's state. The result is its growth in two steps on the
    batch: activations, gradients, work space. On a CPU it is measured by the largest resident size,
    on a CUDA device by torch's allocator. None on other devices, and where the process was killed
    because memory was short.
    """
    device = batch.pos.device
    if device.type not in ("cpu", "cuda"):
        return None
    # as arrays: tensors would travel through shared memory, which would be counted
    arrays = [t.cpu().numpy() for t in (batch.pos, batch.z, batch.y, batch.index)]
    return in_fresh_process(_measure, network, arrays, str(device), training, precision)


def in_fresh_process(measure: Callable[..., int], *args: Any) -> float | None:
    """The bytes that `measure` returns in a new process, in MiB; None if the process was killed."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(measure, *args).result() / 2**20
        except BrokenProcessPool:
            return None


def _measure(
    network: Network, arrays: list[np.ndarray], where: str, training: bool, precision: str
) -> int:
    """In the fresh process: bytes."""
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
    """The largest resident size that this process has had, in bytes."""
    if STATUS.exists():
        # Linux's getrusage also counts what the parent had when it started this process
        rows = STATUS.read_text(encoding="utf-8").splitlines()
        line = next(row for row in rows if row.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
