"""The settings of an analysis, and progress bars for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def _silent(what: str, total: int) -> Callable[[int], None]:
    return lambda done: None


@dataclass(frozen=True)
class Settings:
    """Settings that every part of an analysis shares.

    degree      of the quadrature rule: powers are known up to degree // 2; None: as high as is
                needed, as far as `budget` molecules times orientations allow
    batch_size  molecules a call
    threshold   a change that counts as nearly none, in the quantities' unit
    progress    called with a description of the work and its total; returns a function that is
                called with the size of each step
    """

    degree: int | None = None
    budget: int = 400_000
    batch_size: int = 256
    threshold: float | None = None
    seed: int = 0
    progress: Callable[[str, int], Callable[[int], None]] = _silent


@contextmanager
def bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """A function for `Settings.progress` that draws bars on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def begin(what: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(what, total=total)
            return lambda done: bar.advance(task, done)

        yield begin
