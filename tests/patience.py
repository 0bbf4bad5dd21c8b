"""Waiting in tests: for a condition, never for an amount of time that a machine may not keep."""

import time
from collections.abc import Callable

PATIENCE = 1800.0  # seconds after which a test that waits hangs, on however busy a machine


def until(what: Callable[[], object], pause: float = 0.001) -> None:
    """Wait until what() is true; fails after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(pause)
