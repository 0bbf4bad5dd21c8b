"""Time tasks in turn: each round measures every task once, so that slow moments affect all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence, Sized
from dataclasses import dataclass
from math import ceil
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import torch

CPU = torch.device("cpu")
Key = TypeVar("Key", bound=Hashable)


class Spread(NamedTuple):
    """Median over rounds, with the lowest and the highest round."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Task:
    """A task to time: call `run` on each of the batches, on a device."""

    run: Callable[[Any], object]
    batches: Sequence[Sized]
    device: torch.device = CPU

    @property
    def count(self) -> int:
        """Number of molecules (or pictures) in all batches."""
        return sum(len(batch) for batch in self.batches)

    def seconds(self, repeats: int = 1) -> float:
        """Time of one pass over the batches, in seconds; the device is idle before and after."""
        synchronize(self.device)
        start = perf_counter()
        for _ in range(repeats):
            for batch in self.batches:
                self.run(batch)
        synchronize(self.device)
        return (perf_counter() - start) / repeats


def in_turn(
    tasks: Mapping[Key, Task],
    rounds: int,
    least: float = 0.0,
    tick: Callable[[str], object] = lambda text: None,
) -> dict[Key, list[float]]:
    """Seconds per molecule (or picture), by task and round.

    Every task runs once without being timed. Then each round times every task, starting with a
    different task. A task that takes less than `least` seconds is repeated within its turn until it
    takes about that long. `tick` is called with a description at each warm-up and each turn.
    """
    names, repeats = list(tasks), dict.fromkeys(tasks, 1)
    for name, task in tasks.items():
        tick("warming up")
        task.run(task.batches[-1])  # load libraries, compile kernels
        if least:
            warm = Task(task.run, task.batches[-1:], task.device).seconds()
            repeats[name] = max(1, ceil(least / (warm * len(task.batches))))
    seconds: dict[Key, list[float]] = {name: [] for name in names}
    for i in range(rounds):
        first = i * len(names) // rounds
        for name in names[first:] + names[:first]:
            tick(f"round {i + 1} of {rounds}")
            task = tasks[name]
            seconds[name].append(task.seconds(repeats[name]) / task.count)
    return seconds


def rates(seconds: Sequence[float]) -> Spread:
    """Molecules per second."""
    return spread([1 / s for s in seconds])


def ticks(tasks: Mapping[Key, Task], rounds: int) -> int:
    """Number of times that `in_turn` calls its `tick`."""
    return len(tasks) * (1 + rounds)


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest value."""
    return Spread(median(values), min(values), max(values))


def ratios(upper: Sequence[float], lower: Sequence[float]) -> Spread:
    """Spread of upper / lower, divided within each round."""
    return spread([a / b for a, b in zip(upper, lower, strict=True)])


def synchronize(device: torch.device) -> None:
    """Wait until an accelerator has finished its work."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
