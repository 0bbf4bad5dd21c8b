"""Any function of coordinates, and any ASE calculator, as a subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..errors import InputError, unknown
from ..names import external
from .subject import Quantity, Structures, Subject

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

# ASE's units (https://ase-lib.org/ase/units.html) and how the property turns
PROPERTIES = {
    "energy": ("eV", "scalar"),
    "free_energy": ("eV", "scalar"),
    "forces": ("eV/angstrom", "atom vector"),
    "dipole": ("e angstrom", "vector"),
    "charges": ("e", "atom scalar"),
}


def of_callable(
    function: Callable[..., Tensor],
    names: Sequence[str] = ("output",),
    units: Sequence[str] = ("",),
    kind: str = "scalar",
    title: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Subject:
    """A function or torch module from pos (b, n, 3) and z (b, n) to (b, t) or (b, t, *e)."""
    if len(names) != len(units):
        raise InputError(f"expected one unit for each of {', '.join(names)}, got {list(units)}.")
    module = function.eval() if isinstance(function, nn.Module) else None
    name = title or getattr(function, "__name__", type(function).__name__)
    quantities = tuple(Quantity(n, u) for n, u in zip(names, units, strict=True))
    return Subject(name, function, quantities, kind, module, dtype=dtype)


def named(spec: str, structures: Structures, unit: str, kind: str) -> Subject:
    """The function or module that "package.module:Name" names, a class made without arguments.

    It has as many quantities as it returns for the first molecule. Raises InputError where it
    cannot be made or called.
    """
    function = _instance(spec)
    if not callable(function):
        raise InputError(f"{spec} is not a function or module: it cannot be called.")
    pos, z = structures.batch([0])
    try:
        with torch.no_grad():
            values = function(pos, z)
    except Exception as error:  # a user's function may raise anything
        text = " ".join(str(error).split())
        raise InputError(
            f"the function failed on pos {tuple(pos.shape)} and z {tuple(z.shape)}: {text}"
        ) from error
    shape = getattr(values, "shape", ())
    count = shape[1] if len(shape) > 1 else 1
    names = ["output"] if count == 1 else [f"output {i + 1}" for i in range(count)]
    return of_callable(cast(Callable[..., Tensor], function), names, [unit] * count, kind)


def of_calculator(calculator: Calculator, name: str = "energy") -> Subject:
    """An ASE calculator's property: energy, free_energy, forces, dipole or charges.

    Runs on one molecule after the other, in float64. Raises InputError for a property that the
    calculator does not implement, and in use where it fails on a molecule.
    """
    if name not in PROPERTIES:
        raise unknown("property", name, PROPERTIES)
    title = type(calculator).__name__
    implemented = list(getattr(calculator, "implemented_properties", ()))
    if name not in implemented:
        has = ", ".join(p for p in PROPERTIES if p in implemented) or "none of those known here"
        raise InputError(f"{title} has no {name}; it has {has}: choose with --property.")
    unit, kind = PROPERTIES[name]

    def call(pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        values = np.zeros((len(z), 1, *subject.entries(z.shape[1])))
        for i, mask in enumerate(z > 0):
            found = _calculate(calculator, name, pos[i, mask].detach(), z[i, mask])
            values[(i, 0, slice(len(found))) if subject.by_atom else (i, 0)] = found
        return torch.from_numpy(values)

    subject = Subject(title, call, (Quantity(name, unit),), kind, dtype=torch.float64)
    return subject


def _calculate(calculator: Calculator, name: str, pos: Tensor, z: Tensor) -> Any:
    from ase import Atoms

    atoms = Atoms(numbers=z.numpy(), positions=pos.double().numpy())
    try:
        calculator.calculate(atoms, [name], ["positions", "numbers", "cell", "pbc"])
        return np.asarray(calculator.results[name])
    except Exception as error:  # a calculator may raise anything
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{type(calculator).__name__} failed on {atoms.get_chemical_formula()}: {text}"
        ) from error


def load_calculator(spec: str) -> Calculator:
    """The calculator that "package.module:Name" names, a class made without arguments."""
    calculator = _instance(spec)
    if not hasattr(calculator, "calculate"):
        raise InputError(f"{spec} is not an ASE calculator: it has no calculate().")
    return calculator


def _instance(spec: str) -> Any:
    found = external(spec)
    try:
        return found() if isinstance(found, type) else found
    except Exception as error:  # a constructor may raise anything
        raise InputError(f"cannot make {spec} without arguments: {error}") from error
