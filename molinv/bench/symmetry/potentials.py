"""The models of the benchmark, and how each is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from ase import Atoms
from ase.calculators.calculator import all_changes
from rich.console import Console

from ...analysis.calculators import called, load_calculator
from ...names import external
from ..environments import cached
from . import pet

BROKEN = "molinv.bench.symmetry.broken"
BOTH = ("energy", "forces")


@dataclass(frozen=True)
class Potential:
    """A model, the requirements of its environment (none: molinv's), and its structures.

    spec      a shipped model's name, or "package.module:Name" of an ASE calculator or a module
    module    whether it is a torch module, which has a precision but no forces
    trained   whether metatrain trains it first
    most      largest number of structures, for slow models
    """

    name: str
    spec: str
    arguments: dict[str, Any] = field(default_factory=dict)
    pins: tuple[str, ...] = ()
    sets: tuple[str, ...] = ("molecules", "crystals")
    module: bool = False
    trained: bool = False
    most: int = 1000

    def make(self, folder: Path, epochs: int, console: Console) -> Any:
        """What `analyse` takes. Raises InputError if it cannot be installed, trained or made."""
        if ":" not in self.spec:
            return self.spec
        if self.module:
            with torch.random.fork_rng([]):
                torch.manual_seed(0)
                return external(self.spec)(**self.arguments)
        if not self.pins:
            return Remembered(load_calculator(self.spec, self.arguments))
        environment, arguments = cached(self.pins[0], self.pins), self.arguments
        environment.make(console)
        if self.trained:
            arguments = arguments | {"model": pet.trained(environment, folder, epochs)}
        return Remembered(load_calculator(self.spec, arguments, str(environment.python)))


class Remembered:
    """An ASE calculator that computes energy and forces together, and each structure once."""

    def __init__(self, inner: Any):
        self.inner, self.calls, self.results = inner, 0, dict[str, Any]()
        self.title = called(inner)
        self.implemented_properties = [p for p in BOTH if p in inner.implemented_properties]
        self._known: dict[bytes, dict[str, Any]] = {}

    def calculate(self, atoms: Atoms, properties: Any = BOTH, system_changes: Any = ()) -> None:
        """Compute both into `results`."""
        arrays = atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc
        key = b"".join(array.tobytes() for array in arrays)
        if key not in self._known:
            self.inner.calculate(atoms, [*self.implemented_properties], all_changes)
            self._known[key] = {p: self.inner.results[p] for p in self.implemented_properties}
            self.calls += 1
        self.results = self._known[key]


POTENTIALS = {
    p.name: p
    for p in (
        Potential("qm9 (molinv)", "qm9", sets=("molecules",)),
        Potential("GFN2-xTB", "tblite.ase:TBLite", {"method": "GFN2-xTB"}, (), ("molecules",)),
        Potential(
            "CHGNet",
            "chgnet.model.dynamics:CHGNetCalculator",
            {"use_device": "cpu"},
            ("chgnet==0.4.2",),
            most=8,
        ),
        Potential(
            "SevenNet-0",
            "sevenn.calculator:SevenNetCalculator",
            {"model": "7net-0", "device": "cpu"},
            ("sevenn==0.12.1",),
        ),
        Potential(
            "PET, small",
            "metatomic_ase:MetatomicCalculator",
            {"device": "cpu"},
            ("metatrain==2026.4.1", "metatomic-ase==0.1.4"),
            ("molecules",),
            trained=True,
        ),
        Potential(
            "equivariant, untrained",
            "molinv.models.equivariant:Equivariant",
            sets=("molecules",),
            module=True,
        ),
        Potential("EMT", "ase.calculators.emt:EMT"),
        *(
            Potential(f"EMT, {what} broken", f"{BROKEN}:Broken", {"what": what})
            for what in ("rotation", "reflection", "translation", "permutation", "gradient")
        ),
        *(
            Potential(name, f"{BROKEN}:Pairs", {"lossy": lossy}, sets=("molecules",), module=True)
            for name, lossy in (("pairs", False), ("pairs, float32 broken", True))
        ),
    )
}
