"""The console of messages and progress bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def messages() -> Console:
    """Standard error, as text in notebooks too.

    There rich would store a cell output for every line, and a warning for every progress bar
    where ipywidgets is not installed.
    """
    from rich.console import Console

    return Console(stderr=True, force_jupyter=False)
