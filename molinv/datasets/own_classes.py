"""Recognise the columns of a user's file that hold classes instead of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError
from .own_values import class_numbers, classes_of, missing, number
from .targets import Target


def with_classes(
    targets: Sequence[Target], said: list[dict[str, Any]], task: str | None
) -> tuple[tuple[Target, ...], list[dict[str, Any]], list[str]]:
    """The targets with their classes, the records with classes as numbers, and notes.

    Columns of text are classes. Columns of 0 and 1 are classes if every target can be one. With
    `task` "numbers" no target becomes a class; with "classes" every target must be one. Raises
    InputError if a target cannot be of classes then, and for a column with a single text.
    """
    if task != "numbers":
        for target in filter(_plain, targets):
            _check_not_single(target.name, [row.get(target.name) for row in said])
    found = {t: _classes([row.get(t.name) for row in said]) for t in targets if _plain(t)}
    if task == "numbers" or not found:
        return tuple(targets), said, []
    every = len(found) == len(targets) and all(found.values())
    if task == "classes" and not every:
        name = next(t.name for t in targets if not found.get(t))
        raise InputError(
            f"the target {name!r} is not of classes: expected 2 to 20 different texts that recur, "
            "or 0 and 1; leave out --task."
        )
    chosen = {t: c for t, c in found.items() if c and (every or not _figures(c))}
    notes, made = [], list(said)
    for target, classes in chosen.items():
        indices = class_numbers([row.get(target.name) for row in said], classes)
        made = [
            row | {target.name: None if missing(row.get(target.name)) else float(k)}
            for row, k in zip(made, indices, strict=True)
        ]
        if task is None:
            numbers = " --task numbers learns them as numbers." if _figures(classes) else ""
            listed = ", ".join(classes)
            notes.append(f"{target.name!r} is learned as classes ({listed}).{numbers}")
    named = {t: replace(t, kind="class", classes=c, unit="") for t, c in chosen.items()}
    return tuple(named.get(t, t) for t in targets), made, notes


def _classes(values: Sequence[Any]) -> tuple[str, ...] | None:
    """The classes of a column; None if most texts occur once, as names and ids do."""
    found, count = classes_of(values), sum(not missing(value) for value in values)
    return found if found and 2 * len(found) <= count else None


def _check_not_single(name: str, values: Sequence[Any]) -> None:
    """Raise InputError for a column that has a single text in every row."""
    texts = {str(value).strip() for value in values if not missing(value)}
    if len(texts) == 1 and len(values) > 1 and number(text := texts.pop()) is None:
        raise InputError(
            f"the target {name!r} has only one class, {text[:40]!r}: there is nothing to learn; "
            "name another target."
        )


def _plain(target: Target) -> bool:
    """Whether a target may be of classes: it is not an array and has no unit."""
    return target.kind == "scalar" and not target.unit and not target.atomwise


def _figures(classes: Sequence[str]) -> bool:
    return all(number(name) is not None for name in classes)
