"""Names on a command line, separated by commas."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InputError, unknown


def listed(text: str, what: str, known: Iterable[str]) -> list[str]:
    """The names in their order; InputError for one that is unknown, none at all, or one twice."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise unknown(what, name, known)
    if not names or len(set(names)) < len(names):
        raise InputError(f"expected different {what}s, got {text!r}.")
    return names
