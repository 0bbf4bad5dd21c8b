"""The one exception that a user's input can cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What was expected, what came and what to do, in one sentence.

    The command line prints it and exits with code 2; nothing else is caught there.
    """


class Terminated(BaseException):
    """The process was asked to end (SIGTERM) while it trained."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that does not exist: it suggests the nearest one."""
    known = {k.lower(): k for k in sorted(known)}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    hint = (
        f"did you mean {known[near[0]]!r}?" if near else f"choose from {', '.join(known.values())}."
    )
    return InputError(f"unknown {kind} {name!r}: {hint}")
