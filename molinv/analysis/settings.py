"""The settings of an analysis, and its progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Settings shared by all parts of an analysis.

    degree      degree of the quadrature rule, which gives powers up to degree // 2; None: as high
                as needed
    budget      largest number of molecules times orientations of a rule chosen so
    batch_size  molecules per call
    threshold   largest change that counts as nearly invariant, in the quantities' unit
    progress    progress(description, total) returns a function of the size of each step
    """

    degree: int | None = None
    budget: int = 400_000
    batch_size: int = 256
    threshold: float | None = None
    seed: int = 0
    progress: Callable[[str, int], Callable[[int], None]] = lambda what, total: lambda done: None


@contextmanager
def bars() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """A `Settings.progress` that draws bars on stderr."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from ..screen import messages

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    screen = messages()
    hidden = not screen.is_terminal
    with Progress(*columns, console=screen, transient=True, disable=hidden) as bar:

        def begin(what: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(what, total=total)
            return lambda done: bar.advance(task, done)

        yield begin
