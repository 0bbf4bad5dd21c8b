"""Atomic file writes, and JSON objects that carry a digest of their own content."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError

SEAL = "seal"  # key under which a JSON object stores its own digest


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to `path` if the block succeeds.

    Until the rename, an earlier file at `path` is unchanged, even if the process is killed or the
    disk is full. Raises InputError if the block or the rename fails with an OSError.
    """
    # unique to each writer: if two write at once, `path` is the complete file of one of them
    temporary = path.with_name(f"{os.getpid()}-{secrets.token_hex(4)}.{path.name}.part")
    _clear(path)
    try:
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; an earlier file there is unchanged."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _clear(path: Path) -> None:
    """Remove the temporary files of killed processes."""
    if os.name == "nt" or not path.parent.is_dir():  # on Windows os.kill would end the process
        return
    for left in path.parent.iterdir():
        pid, _, rest = left.name.partition("-")
        if pid.isdigit() and rest.endswith(f".{path.name}.part") and not _alive(int(pid)):
            left.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _to_disk(path: Path) -> None:
    """Flush a file to disk, so that the content survives a power cut after the rename."""
    with path.open("r+b") as file:  # Windows can only sync a file that is open for writing
        os.fsync(file.fileno())


def seal(content: dict[str, Any]) -> str:
    """The SHA-256 digest (hex) of a JSON object, its seal excluded."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def edited(content: dict[str, Any]) -> bool:
    """Whether a JSON object was changed since it was sealed; False for one without a seal."""
    return SEAL in content and content[SEAL] != seal(content)
