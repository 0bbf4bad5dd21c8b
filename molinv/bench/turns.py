"""Timing in turn: each thing once in a round, so that a machine's bad moment hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from time import perf_counter
from typing import NamedTuple, TypeVar

import torch

from ..datasets.batches import Batch

Key = TypeVar("Key", bound=Hashable)


class Spread(NamedTuple):
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Task:
    """What is timed: `run` on each of the batches, one after the other."""

    run: Callable[[Batch], object]
    batches: Sequence[Batch]

    @property
    def molecules(self) -> int:
        """How many molecules one pass over the batches takes."""
        return sum(len(batch) for batch in self.batches)

    def seconds(self, repeats: int = 1) -> float:
        """Of one pass over the batches, from when the device is idle until it is again."""
        device = self.batches[0].pos.device
        synchronize(device)
        start = perf_counter()
        for _ in range(repeats):
            for batch in self.batches:
                self.run(batch)
        synchronize(device)
        return (perf_counter() - start) / repeats


def in_turn(
    tasks: Mapping[Key, Task], rounds: int, least: float, tick: Callable[[str], None]
) -> dict[Key, list[float]]:
    """Seconds that a molecule takes, by task and round.

    Every task first runs unmeasured, then every round measures all of them, each round beginning
    with another one. A task that takes less than `least` seconds is repeated within its turn to
    last about as long. `tick` is told what is under way, once for each warm-up and each turn.
    """
    repeats = {}
    for name, task in tasks.items():
        tick("warming up")
        task.run(task.batches[-1])  # libraries load, kernels compile
        warm = Task(task.run, task.batches[-1:]).seconds()
        repeats[name] = max(1, ceil(least / (warm * len(task.batches))))
    names = list(tasks)
    seconds: dict[Key, list[float]] = {name: [] for name in names}
    for i in range(rounds):
        first = i * len(names) // rounds
        for name in names[first:] + names[:first]:
            tick(f"round {i + 1} of {rounds}")
            task = tasks[name]
            seconds[name].append(task.seconds(repeats[name]) / task.molecules)
    return seconds


def ticks(tasks: Mapping[Key, Task], rounds: int) -> int:
    """How often `in_turn` calls its `tick`."""
    return len(tasks) * (1 + rounds)


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest."""
    return Spread(median(values), min(values), max(values))


def ratios(upper: Sequence[float], lower: Sequence[float]) -> Spread:
    """upper / lower, taken within each round and then summed up."""
    return spread([a / b for a, b in zip(upper, lower, strict=True)])


def synchronize(device: torch.device) -> None:
    """Wait until an accelerator has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
