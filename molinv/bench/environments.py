"""Virtual environments in molinv's cache, for packages that molinv itself never imports."""

from __future__ import annotations

import signal
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import distributions, version
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from ..atomic import atomic_write
from ..datasets.qm9 import cache_root
from ..errors import InputError

READY = "installed.txt"  # written last; if it is missing, the installation was interrupted


@dataclass(frozen=True)
class Environment:
    """A virtual environment's folder, and the requirements installed there.

    pins    requirements that pip installs with their dependencies
    alone   requirements that pip installs without dependencies, some of which are not needed
    """

    folder: Path
    pins: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """The interpreter; raises InputError if it is missing."""
        return self.see(self.path("scripts") / "python")

    def versions(self, *names: str) -> dict[str, str]:
        """Installed versions of the distributions `names`; missing ones are left out."""
        found = {d.name: d.version for d in distributions(path=[str(self.path("purelib"))])}
        return {name: found[name] for name in names if name in found}

    def path(self, kind: str) -> Path:
        """A folder of the environment, such as scripts or purelib."""
        return Path(sysconfig.get_path(kind, "venv", {"base": str(self.folder)}))

    def see(self, path: Path) -> Path:
        """The path; raises InputError if it does not exist."""
        if path.exists() or path.with_suffix(".exe").exists():
            return path
        raise InputError(
            f"no {path.name} in the environment {self.folder}: expected a virtual environment of "
            f"Python {sys.version_info.major}.{sys.version_info.minor} with "
            f"{' and '.join((*self.pins, *self.alone))}."
        )

    def make(self, console: Console) -> None:
        """Install the requirements unless they are installed: some minutes and 1 to 2 GB.

        torch has the version that molinv uses. Raises InputError with pip's last line if pip fails.
        """
        lock = cache_root() / "locks" / f"{self.folder.name}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        wanted = "\n".join((*self.pins, *self.alone)) + "\n"
        with FileLock(lock):
            ready = self.folder / READY
            if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
                return
            names = " and ".join(self.alone or self.pins)
            console.print(f"installing {names} into {self.folder}", highlight=False)
            with console.status("installing, some minutes"):
                self._install(names)
            with atomic_write(ready) as temporary:
                temporary.write_text(wanted, encoding="utf-8")

    def _install(self, names: str) -> None:
        torch = f"torch=={version('torch').split('+')[0]}"
        pip = [str(self.path("scripts") / "python"), "-m", "pip", "install", "-q"]
        commands = [[sys.executable, "-m", "venv", str(self.folder)], [*pip, torch, *self.pins]]
        if self.alone:
            commands.append([*pip, "--no-deps", *self.alone])
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                why = reason(done.returncode, done.stderr or done.stdout)
                raise InputError(f"cannot install {names}: {why}")


def reason(code: int, said: str) -> str:
    """Why a program failed: the signal that killed it, or the last line that it printed."""
    if code < 0:
        if -code == signal.SIGKILL:
            return "it was killed, as when memory runs out: close other programs and try again."
        return f"it was stopped by {signal.Signals(-code).name}."
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def cached(first: str, pins: tuple[str, ...] = (), alone: tuple[str, ...] = ()) -> Environment:
    """The environment in the cache that is named after its first requirement."""
    return Environment(cache_root() / first.replace("==", "-"), pins, alone)
