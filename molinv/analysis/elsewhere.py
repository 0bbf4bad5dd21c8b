"""An ASE calculator that runs in another Python environment, in a process of its own.

Structures and results are exchanged as lines of JSON with `elsewhere_worker.py`, which needs ASE.
"""

from __future__ import annotations

import json
import subprocess
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from ase import Atoms

WORKER = Path(__file__).parent / "elsewhere_worker.py"


class Elsewhere:
    """A calculator of another environment, with the part of ASE's interface that analyses need.

    `python` is that environment's interpreter; `spec` and `arguments` are as in `load_calculator`.
    Raises InputError with the process's message if it cannot be started.
    """

    def __init__(self, python: str | Path, spec: str, arguments: dict[str, Any] | None = None):
        self.spec, self.results = spec, dict[str, Any]()
        given = json.dumps({"spec": spec, "arguments": arguments or {}})
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        try:
            command = [str(python), str(WORKER), given]
            self._process = subprocess.Popen(command, text=True, **pipes)
        except OSError as error:
            raise InputError(f"cannot start {python}: {error.strerror}.") from error
        weakref.finalize(self, _end, self._process)
        told = self._answer()
        self.title, self.implemented_properties = told["title"], told["properties"]

    def calculate(
        self, atoms: Atoms, properties: list[str], system_changes: list[str] | None = None
    ) -> None:
        """Compute properties of atoms into `results`; InputError with the calculator's message."""
        asked = {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": atoms.pbc.tolist(),
            "properties": properties,
        }
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # `_answer` reads the reason
        found = self._answer()["results"]
        self.results = {name: np.asarray(value) for name, value in found.items()}

    def _answer(self) -> dict[str, Any]:
        process = self._process
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, said = process.communicate()
            last = said.strip().splitlines() or ["the process ended without a message"]
            raise InputError(f"{self.spec}: {last[-1]}")
        told = json.loads(line)
        if "error" in told:
            raise InputError(told["error"])
        return told


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()
