"""Files that are written whole or not at all, and JSON that says whether it was edited since."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

SEAL = "seal"  # the key of a JSON object's own digest


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, which becomes `path` when the block ends well.

    What was there before stays as it was until then: killed, or with the disk full, it is still
    the old file. Raises InputError where the block, or the renaming, fails with an OSError.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; what was there before is as it was."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """Rename only what would outlive a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def seal(content: dict[str, Any]) -> str:
    """The digest of a JSON object without its seal."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def edited(content: dict[str, Any]) -> bool:
    """Whether a JSON object has a seal that is not its own; older files have none."""
    return SEAL in content and content[SEAL] != seal(content)
