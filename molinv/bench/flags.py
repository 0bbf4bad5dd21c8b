"""Parse flags: names, positive numbers, devices."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..errors import InputError, unknown
from ..reading import split


def listed(
    text: str, what: str, known: Iterable[str] | None = None, outside: bool = False
) -> list[str]:
    """The names in a comma-separated list, in order.

    A known name may contain a comma, as names of methods do; semicolons also separate. With
    `outside`, "package.module:Name" is accepted too. Raises InputError for an unknown name, a
    repeated name, and an empty list.
    """
    parts, names = split(text.replace(";", ",")), []
    known = None if known is None else list(known)
    while parts:
        size = 2 if known and ", ".join(parts[:2]) in known else 1
        name = ", ".join(parts[:size])
        del parts[:size]
        if known is not None and name not in known and not (outside and ":" in name):
            raise unknown(what, name, known)
        names.append(name)
    if not names or len(set(names)) < len(names):
        raise InputError(f"{what}s: expected different names, got {text!r}.")
    return names


def numbers(text: str, what: str) -> list[int]:
    """The different whole numbers in a comma-separated list; raises InputError for others."""
    try:
        return [int(part) for part in listed(text, what)]
    except ValueError as error:
        raise InputError(f"{what}s: expected different whole numbers, got {text!r}.") from error


def sizes(text: str) -> list[int]:
    """The different sizes in a comma-separated list, smallest first.

    Raises InputError for what is not a whole number above 0.
    """
    found = sorted(numbers(text, "size"))
    positive(size=found[0])
    return found


def positive(**values: int) -> None:
    """Raises InputError for a value below 1."""
    for name, value in values.items():
        if value < 1:
            raise InputError(f"{name}: expected at least 1, got {value}.")


def find_device(name: str) -> torch.device:
    """The device with this name; raises InputError if it cannot be used."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used here ({reason}); try cpu.") from error
    return device
