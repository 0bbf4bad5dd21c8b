"""Any ASE calculator as a subject, on molecules and crystals; a cell turns with its atoms."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..chem.structure import Rejected
from ..errors import InputError, unknown
from ..names import external
from .elsewhere import Elsewhere
from .subject import CELL, PERIODIC, Quantity, Structures, Subject, of_atoms

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

PER_ATOM = "energy_per_atom"
# ASE's units (https://ase-lib.org/ase/units.html) and how the property turns
PROPERTIES = {
    "energy": ("eV", "scalar"),
    PER_ATOM: ("eV/atom", "scalar"),
    "free_energy": ("eV", "scalar"),
    "forces": ("eV/angstrom", "atom vector"),
    "stress": ("eV/angstrom^3", "tensor"),
    "dipole": ("e angstrom", "vector"),
    "charges": ("e", "atom scalar"),
}
NEAR = 0.7  # of the sum of covalent radii: nearer atoms of a crystal are a mistake


class Given(NamedTuple):
    """Structures that a calculator can take, and sentences on those that were left out."""

    structures: Structures
    notes: list[str]


def of_calculator(calculator: Calculator, name: str = "energy") -> Subject:
    """An ASE calculator's property, one of `PROPERTIES`.

    Runs on one structure after the other, in float64. Raises InputError for a property that the
    calculator does not implement, and in use where it fails on a structure.
    """
    if name not in PROPERTIES:
        raise unknown("property", name, PROPERTIES)
    title = called(calculator)
    implemented = list(getattr(calculator, "implemented_properties", ()))
    if _asked(name) not in implemented:
        has = ", ".join(p for p in PROPERTIES if p in implemented) or "none of those known here"
        raise InputError(f"{title} has no {name}; it has {has}: choose with --property.")
    unit, kind = PROPERTIES[name]

    def call(pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        values = np.zeros((len(z), 1, *subject.entries(z.shape[1])))
        for i in range(len(z)):
            found = calculate(calculator, name, atoms_of(pos[i].detach(), z[i]))
            values[(i, 0, slice(len(found))) if subject.by_atom else (i, 0)] = found
        return torch.from_numpy(values)

    def potential(pos: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        energy, forces = torch.zeros(len(z)).double(), torch.zeros(*z.shape, 3).double()
        for i in range(len(z)):
            atoms = atoms_of(pos[i], z[i])
            energy[i] = float(calculate(calculator, "energy", atoms))
            found = torch.from_numpy(calculate(calculator, "forces", atoms))
            forces[i, : len(found)] = found
        return energy, forces

    both = {"energy", "forces"} <= set(implemented) and name in ("energy", "forces", PER_ATOM)
    subject = Subject(
        title,
        call,
        (Quantity(name, unit),),
        kind,
        dtype=torch.float64,
        potential=potential if both else None,
    )
    return subject


def atoms_of(pos: Float[Tensor, "n 3"], z: Int64[Tensor, " n"]) -> Atoms:
    """A row of a batch of `Structures`, with its cell where it has one."""
    from ase import Atoms

    inside = of_atoms(z)
    made = Atoms(numbers=z[inside].numpy(), positions=pos[inside].double().numpy())
    if int(z[-1]) >= CELL:
        made.set_cell(pos[-3:].double().numpy())
        made.set_pbc((z[-3:] == PERIODIC).tolist())
    return made


def calculate(calculator: Calculator, name: str, atoms: Atoms) -> Any:
    """A property of atoms; what the calculator prints is not shown.

    Raises InputError where it fails.
    """
    asked = _asked(name)
    try:
        with _silent():
            calculator.calculate(atoms, [asked], ["positions", "numbers", "cell", "pbc"])
        return _shaped(name, calculator.results[asked], len(atoms))
    except Exception as error:  # a calculator may raise anything
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{called(calculator)} failed on {atoms.get_chemical_formula()}: {text.rstrip('.')}."
        ) from error


def called(calculator: Any) -> str:
    """The name of a calculator's class."""
    return calculator.name if isinstance(calculator, Elsewhere) else type(calculator).__name__


def _asked(name: str) -> str:
    return "energy" if name == PER_ATOM else name


def _shaped(name: str, value: Any, atoms: int) -> np.ndarray:
    """ASE's value in the form that `PROPERTIES` says: stress as a matrix, energy by atom."""
    found = np.asarray(value, float)
    if name == PER_ATOM:
        return found / atoms
    if name == "stress" and found.shape == (6,):
        xx, yy, zz, yz, xz, xy = found
        return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return found


def load_calculator(
    spec: str, arguments: dict[str, Any] | None = None, python: str | None = None
) -> Calculator:
    """The calculator that "package.module:Name" names, a class or function made with arguments.

    With `python`, the interpreter of another environment, it runs there (see `Elsewhere`).
    """
    if python is not None:
        return Elsewhere(python, spec, arguments)  # pyright: ignore[reportReturnType]
    found = external(spec)
    if isinstance(found, type) or not hasattr(found, "calculate"):
        try:
            with _silent():
                found = found(**(arguments or {}))
        except Exception as error:  # a constructor may raise anything
            text = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"cannot make {spec} with the arguments {arguments or {}}: {text}; give them as "
                """--calculator_args '{"name": value}'."""
            ) from error
    if not hasattr(found, "calculate"):
        raise InputError(f"{spec} is not an ASE calculator: it has no calculate().")
    return found


def structures_for(calculator: Calculator, name: str, items: Sequence[Atoms]) -> Given:
    """The structures on which the calculator works as they are, with true values they bring.

    A structure brings them as ASE does, with a calculator of its own (energies and forces of an
    extended XYZ file). Raises InputError where none is left.
    """
    kept: list[Atoms] = []
    notes: list[str] = []
    for i, atoms in enumerate(items):
        title = f"{atoms.info.get('name') or atoms.get_chemical_formula()} (no. {i + 1})"
        try:
            check_cell(atoms)
            calculate(calculator, name, atoms.copy())
        except InputError as error:
            notes.append(f"left out {title}: {str(error).rstrip('.')}.")
        else:
            kept.append(atoms)
    if not kept:
        raise InputError(f"no structure can be used; the first was {notes[0]}")
    return Given(as_structures(kept, name), notes)


def as_structures(items: Sequence[Atoms], name: str = "") -> Structures:
    """ASE's atoms about their centroids, with cells if any is periodic, and what all bring."""
    crystals = any(atoms.pbc.any() for atoms in items)
    positions = [torch.from_numpy(atoms.positions - atoms.positions.mean(0)) for atoms in items]
    return Structures(
        positions,
        [torch.from_numpy(atoms.numbers.astype(np.int64)) for atoms in items],
        _brought(items, name, max(map(len, items)) + 3 * crystals) if name else None,
        [str(atoms.info.get("name", "")) for atoms in items],
        cells=[torch.tensor(atoms.cell.array) for atoms in items] if crystals else (),
        periodic=[torch.tensor(atoms.pbc) for atoms in items] if crystals else (),
    )


def _brought(items: Sequence[Atoms], name: str, rows: int) -> Tensor | None:
    """The property as the structures bring it, (m, 1, *e); None where one does not."""
    unit_kind, asked = PROPERTIES[name], _asked(name)
    found = []
    for atoms in items:
        value = getattr(atoms.calc, "results", {}).get(asked)
        if value is None:
            return None
        value = _shaped(name, value, len(atoms))
        if unit_kind[1].startswith("atom"):
            padded = np.zeros((rows, *value.shape[1:]))
            padded[: len(value)] = value
            value = padded
        found.append(value)
    return torch.from_numpy(np.stack(found)[:, None])


def check_cell(atoms: Atoms) -> None:
    """Raise InputError for a periodic structure without a cell, or whose images overlap.

    Images overlap where atoms were turned and their cell was not.
    """
    if not atoms.pbc.any():
        return
    if atoms.cell.rank < 3:
        raise InputError(f"its cell has no volume, and it is periodic: {atoms.cell.array.tolist()}")
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    radii = NEAR * covalent_radii[atoms.numbers]
    i, j, d, shift = neighbor_list("ijdS", atoms, radii)
    across = np.flatnonzero(shift.any(1))
    if len(across):
        k = across[int(d[across].argmin())]
        pair = "-".join(str(atoms.symbols[n]) for n in (i[k], j[k]))
        raise InputError(
            f"{pair} of neighbouring cells lie {d[k]:.2f} angstrom apart: were the atoms turned "
            "and the cell not?"
        )


def read_atoms(given: Any, limit: int) -> list[Atoms]:
    """The first structures of a file that ASE reads, or of whatever `chem.read` reads.

    Raises InputError for what cannot be read.
    """
    import ase.io
    from ase import Atoms

    from ..chem import read

    if isinstance(given, str | Path):
        path = Path(given)
        if path.is_file() and path.suffix.lower() not in (".smi", ".csv", ".tsv", ".sdf", ".mol"):
            try:
                return list(islice(ase.io.iread(path), limit))
            except Exception as error:  # ASE's readers raise anything
                text = " ".join(str(error).split()) or type(error).__name__
                raise InputError(f"{path}: ASE cannot read it: {text}.") from error
    elif not isinstance(given, Atoms) and all(isinstance(item, Atoms) for item in given):
        return list(islice(given, limit))  # with what `chem.read` would drop: cells and results
    made = []
    for item in islice(read(given), limit):
        if isinstance(item, Rejected):
            raise InputError(f"{item.source}: {item.name}: {item.reason}")
        made.append(Atoms(numbers=item.z, positions=item.pos, info={"name": item.name}))
    return made


@contextmanager
def _silent() -> Iterator[None]:
    """Without what is printed meanwhile, by libraries in other languages too."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
            os.dup2(nothing.fileno(), 1)
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
