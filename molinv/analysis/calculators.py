"""ASE calculators as subjects, on molecules and crystals; a cell rotates with its atoms."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile, is_zipfile

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..chem.structure import Rejected
from ..datasets.kinds import SHAPES
from ..errors import InputError, said, unknown
from ..names import external
from .elsewhere import Elsewhere
from .making import made
from .subject import CELL, PERIODIC, Quantity, Structures, Subject, of_atoms

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

PER_ATOM = "energy_per_atom"
# the unit of each property (https://ase-lib.org/ase/units.html) and how it rotates
PROPERTIES = {
    "energy": ("eV", "scalar"),
    PER_ATOM: ("eV/atom", "scalar"),
    "free_energy": ("eV", "scalar"),
    "forces": ("eV/angstrom", "atom vector"),
    "stress": ("eV/angstrom^3", "tensor"),
    "dipole": ("e angstrom", "vector"),
    "charges": ("e", "atom scalar"),
}
NEAR = 0.7  # atoms of neighbouring cells below this fraction of their bond length overlap


def of_calculator(calculator: Calculator, name: str = "energy") -> Subject:
    """A property of an ASE calculator, one of `PROPERTIES`, in float64.

    Raises InputError for a property that the calculator does not implement, and in use if the
    calculator fails on a structure.
    """
    if name not in PROPERTIES:
        raise unknown("property", name, PROPERTIES)
    title = called(calculator)
    implemented = list(getattr(calculator, "implemented_properties", ()))
    if _asked(name) not in implemented:
        has = ", ".join(p for p in PROPERTIES if p in implemented) or "none of those known here"
        raise InputError(f"{title} has no {name}; it has {has}: choose with --property.")
    unit, kind = PROPERTIES[name]

    def values(name: str, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        by_atom, shape = PROPERTIES[name][1].startswith("atom"), SHAPES[PROPERTIES[name][1]]
        made = np.zeros((len(z), *[z.shape[1]] * by_atom, *shape))
        for i in range(len(z)):
            found = calculate(calculator, name, atoms_of(pos[i].detach(), z[i]))
            made[(i, slice(len(found))) if by_atom else i] = found
        return torch.from_numpy(made)

    def call(pos: Tensor, z: Tensor) -> Tensor:
        return values(name, pos, z)[:, None]

    def potential(pos: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        return values("energy", pos, z), values("forces", pos, z)

    both = {"energy", "forces"} <= set(implemented) and name in ("energy", "forces", PER_ATOM)
    quantities, given = (Quantity(name, unit),), potential if both else None
    return Subject(title, call, quantities, kind, dtype=torch.float64, potential=given)


def atoms_of(pos: Float[Tensor, "n 3"], z: Int64[Tensor, " n"]) -> Atoms:
    """A row of a batch of `Structures`, with its cell if it has one."""
    from ase import Atoms

    inside = of_atoms(z)
    made = Atoms(numbers=z[inside].numpy(), positions=pos[inside].double().numpy())
    if int(z[-1]) >= CELL:
        made.set_cell(pos[-3:].double().numpy())
        made.set_pbc((z[-3:] == PERIODIC).tolist())
    return made


def calculate(calculator: Calculator, name: str, atoms: Atoms) -> Any:
    """A property of atoms, with the calculator's printing suppressed; InputError if it fails."""
    asked = _asked(name)
    try:
        with _silent(), torch.enable_grad():  # many calculators need it for their forces
            calculator.calculate(atoms, [asked], ["positions", "numbers", "cell", "pbc"])
        return _shaped(name, calculator.results[asked], len(atoms))
    except Exception as error:  # a calculator may raise anything
        raise InputError(
            f"{called(calculator)} failed on {atoms.get_chemical_formula()}: "
            f"{said(error).rstrip('.')}."
        ) from error


def called(calculator: Any) -> str:
    """The `title` of a calculator that wraps another, or the name of its class."""
    return getattr(calculator, "title", type(calculator).__name__)


def precision(calculator: Calculator, name: str) -> torch.dtype:
    """float32 if the last results have its digits, else float64."""
    found = np.asarray(calculator.results[_asked(name)], float)
    single = bool(found.any() and (found == found.astype(np.float32)).all())
    return torch.float32 if single else torch.float64


def _asked(name: str) -> str:
    return "energy" if name == PER_ATOM else name


def _shaped(name: str, value: Any, atoms: int) -> np.ndarray:
    """ASE's value in the form of `PROPERTIES`: stress as a matrix, energy per atom."""
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
    """The calculator named by "package.module:Name", a class or function called with arguments.

    With `python`, it runs in the environment of that interpreter (see `Elsewhere`).
    """
    if python is not None:
        return Elsewhere(python, spec, arguments)  # pyright: ignore[reportReturnType]
    found = external(spec)
    try:
        with _silent():
            found = made(found, arguments or {})
    except Exception as error:  # a constructor may raise anything
        raise InputError(
            f"cannot make {spec} with the arguments {arguments or {}}: {said(error)}; give "
            """them as --calculator_args '{"name": value}'."""
        ) from error
    if not hasattr(found, "calculate"):
        raise InputError(f"{spec} is not an ASE calculator: it has no calculate().")
    return found


def load_metatomic(path: str) -> Calculator:
    """The ASE calculator of a metatomic model file (.pt).

    Raises InputError for another kind of file, and without the package metatomic-ase.
    """
    if not Path(path).is_file():
        raise InputError(f"no file {path}.")
    if not is_zipfile(path) or not any("/code/" in name for name in ZipFile(path).namelist()):
        raise InputError(f"{path} is not a metatomic model: expected a TorchScript archive.")
    if find_spec("metatomic_ase") is None:
        raise InputError(f"{path}: metatomic models need pip install 'molinv[metatomic]'.")
    try:
        return load_calculator("metatomic_ase:MetatomicCalculator", {"model": path})
    except InputError as error:
        raise InputError(f"{path} is not a metatomic model: {error.__cause__}.") from error


def structures_for(
    calculator: Calculator, name: str, items: Sequence[Atoms]
) -> tuple[Structures, list[str]]:
    """The structures on which the calculator works, and sentences on those that are left out.

    True values come from a structure's own calculator, where ASE stores those of an extended XYZ
    file. Raises InputError if no structure is left.
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
        raise InputError(f"no structure can be used; {notes[0]}")
    return as_structures(kept, name), notes


def as_structures(items: Sequence[Atoms], name: str = "") -> Structures:
    """ASE's atoms about their centroids, with cells if any is periodic, and stored true values."""
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
    """The property stored in the structures, (m, 1, *e); None if one lacks it."""
    found = [getattr(atoms.calc, "results", {}).get(_asked(name)) for atoms in items]
    if any(value is None for value in found):
        return None
    shaped = [_shaped(name, v, len(atoms)) for v, atoms in zip(found, items, strict=True)]
    if PROPERTIES[name][1].startswith("atom"):
        shaped = [np.pad(v, [(0, rows - len(v)), *[(0, 0)] * (v.ndim - 1)]) for v in shaped]
    return torch.from_numpy(np.stack(shaped)[:, None])


def check_cell(atoms: Atoms) -> None:
    """Raise InputError for a periodic structure without a cell or with overlapping images.

    Images overlap if the atoms were rotated and the cell was not.
    """
    if not atoms.pbc.any():
        return
    if atoms.cell.rank < 3:
        raise InputError(f"it is periodic, but its cell has no volume: {atoms.cell.array.tolist()}")
    from ase.data import covalent_radii
    from ase.neighborlist import neighbor_list

    radii = NEAR * covalent_radii[atoms.numbers]
    i, j, d, shift = neighbor_list("ijdS", atoms, radii)
    across = np.flatnonzero(shift.any(1))
    if len(across):
        k = across[int(d[across].argmin())]
        pair = "-".join(str(atoms.symbols[n]) for n in (i[k], j[k]))
        raise InputError(
            f"{pair} of neighbouring cells are {d[k]:.2f} angstrom apart, as if the atoms were "
            "rotated and the cell not."
        )


def read_atoms(given: Any, limit: int) -> list[Atoms]:
    """The first structures of a file that ASE reads, or of anything that `chem.read` reads.

    Raises InputError if they cannot be read.
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
                raise InputError(f"{path}: ASE cannot read it: {said(error)}.") from error
    elif not isinstance(given, Atoms) and all(isinstance(item, Atoms) for item in given):
        return list(islice(given, limit))  # keeps cells and results, which `chem.read` drops
    made = []
    for item in islice(read(given), limit):
        if isinstance(item, Rejected):
            raise InputError(f"{item.source}: {item.name}: {item.reason}")
        made.append(Atoms(numbers=item.z, positions=item.pos, info={"name": item.name}))
    return made


@contextmanager
def _silent() -> Iterator[None]:
    """As a context: discards warnings and standard output, also that of other languages."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        muted = warnings.catch_warnings(action="ignore")
        with muted, open(os.devnull, "w") as nothing, redirect_stdout(nothing):
            os.dup2(nothing.fileno(), 1)
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
