"""RDKit's log, captured and shortened to a reason for error messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_STAMP = re.compile(r"^\[\d\d:\d\d:\d\d\] ?")
_NOISE = re.compile(r"^(SMILES Parse Error: |ERROR: )| (while parsing|for input): .*$")
_POSITION = re.compile(r"check for mistakes around position (\d+)")
_LONGEST = 160


@contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Silence RDKit inside the block; the yielded function returns RDKit's reason, or ""."""
    from rdkit import rdBase

    capture = getattr(rdBase, "CaptureErrorLog", None)  # not in the oldest supported RDKit
    with rdBase.BlockLogs():
        if capture is None:
            yield lambda: ""
        else:
            with capture() as log:
                yield lambda: reason(log.messages)


def reason(text: str) -> str:
    """The first readable error in a log or an exception's text, with atoms counted from 1.

        [00:08:31] SMILES Parse Error: extra open parentheses while parsing: C(C
        [00:08:31] SMILES Parse Error: check for mistakes around position 2:

    becomes "extra open parentheses near position 2". Returns "" for an empty text.
    """
    lines = [_STAMP.sub("", line).strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return ""
    if "****" in lines:  # a failed internal check: RDKit writes a stack trace around one line
        lines = lines[lines.index("****") + 1 :]
        if lines and lines[0] == "Range Error":
            return "an atom or bond number is out of range"
        lines = lines[1:] or ["an internal check failed"]
    first = _from_one(_NOISE.sub("", lines[0]))
    where = _POSITION.search(text)
    if where and "position" not in first:
        first += f" near position {where[1]}"
    first = " ".join(first.split()).rstrip(".:")
    return first if len(first) <= _LONGEST else first[:_LONGEST] + "..."


def _from_one(sentence: str) -> str:
    """Count atoms from 1, as chemists and file formats do; RDKit counts from 0."""
    sentence = re.sub(
        r"atom # ?(\d+)( [A-Z][a-z]?\b)?",
        lambda m: f"atom {int(m[1]) + 1}" + (f" ({m[2].strip()})" if m[2] else ""),
        sentence,
    )
    return re.sub(
        r"(atoms:)((?: \d+)+)",
        lambda m: m[1] + "".join(f" {int(i) + 1}" for i in m[2].split()),
        sentence,
    )
