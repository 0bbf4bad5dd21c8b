"""Files that are written whole or not at all, and JSON that says whether it was edited since."""

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

SEAL = "seal"  # the key of a JSON object's own digest


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to, which becomes `path` when the block ends well.

    What was there before stays as it was until then: killed, or with the disk full, it is still
    the old file. Raises InputError where the block, or the renaming, fails with an OSError.
    """
    # a name of this process's own: of two writers one wins whole
    temporary = path.with_name(f"{os.getpid()}-{secrets.token_hex(4)}.{path.name}.part")
    _clear(path)
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


def _clear(path: Path) -> None:
    """Remove what processes that were killed left half written."""
    if os.name == "nt" or not path.parent.is_dir():  # there os.kill would end the process
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
    """Rename only what would outlive a power cut."""
    with path.open("r+b") as file:  # Windows syncs only what can be written
        os.fsync(file.fileno())


def seal(content: dict[str, Any]) -> str:
    """The digest of a JSON object without its seal."""
    rest = {key: value for key, value in content.items() if key != SEAL}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def edited(content: dict[str, Any]) -> bool:
    """Whether a JSON object has a seal that is not its own; older files have none."""
    return SEAL in content and content[SEAL] != seal(content)
