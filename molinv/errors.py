"""The one exception that a user's input can cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """An error in a user's input.

    The message says in one sentence what was expected, what was given and what to do. The command
    line prints it and exits with code 2; it catches no other exception.
    """


class Terminated(BaseException):
    """Training was stopped by SIGTERM."""


def said(error: BaseException) -> str:
    """The message of an error on one line, or the name of its class."""
    return " ".join(str(error).split()) or type(error).__name__


def unknown(kind: str, name: Any, known: Iterable[str]) -> InputError:
    """The InputError for an unknown name; it suggests the most similar of the `known` names.

    `kind` says what the name should be, e.g. "group" or "target".
    """
    known = {k.lower(): k for k in sorted(known)}
    near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.4)
    comma = "; " if any("," in k for k in known) else ", "
    hint = (
        f"did you mean {known[near[0]]!r}?"
        if near
        else f"choose from {comma.join(known.values())}."
    )
    return InputError(f"unknown {kind} {name!r}: {hint}")
