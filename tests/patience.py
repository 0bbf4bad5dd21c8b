"""Wait for a condition in tests, never for a fixed time, which a busy machine may exceed."""

import time
from collections.abc import Callable

PATIENCE = 1800.0  # seconds after which a waiting test counts as hanging, even on a busy machine


def until(what: Callable[[], object], pause: float = 0.001) -> None:
    """Wait until what() is true; fail after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(pause)
