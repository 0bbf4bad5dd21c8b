"""Any function of coordinates, and any ASE calculator, as a subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..errors import InputError, unknown
from ..names import external
from .subject import Quantity, Subject

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
    return Subject(
        name=title or getattr(function, "__name__", type(function).__name__),
        call=function,
        quantities=tuple(Quantity(n, u) for n, u in zip(names, units, strict=True)),
        kind=kind,
        module=module,
        dtype=dtype,
    )


def of_calculator(calculator: Calculator, name: str = "energy") -> Subject:
    """An ASE calculator's property: energy, free_energy, forces, dipole or charges.

    Runs it on one molecule after the other, in float64. Raises InputError for a property that it
    does not implement, and in use where it fails on a molecule.
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
        b, n = z.shape
        shape = {"scalar": (), "vector": (3,), "atom vector": (n, 3), "atom scalar": (n,)}[kind]
        values = np.zeros((b, 1, *shape))
        for i, mask in enumerate(z > 0):
            found = _calculate(calculator, name, pos[i, mask].detach(), z[i, mask])
            inside = (i, 0, slice(len(found))) if kind.startswith("atom") else (i, 0)
            values[inside] = found
        return torch.from_numpy(values)

    return Subject(title, call, (Quantity(name, unit),), kind, dtype=torch.float64)


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
    """An instance of the calculator that "package.module:Name" names, made without arguments."""
    kind = external(spec)
    try:
        calculator = kind() if isinstance(kind, type) else kind
    except Exception as error:  # a constructor may raise anything
        raise InputError(f"cannot make the calculator {spec}: {error}") from error
    if not hasattr(calculator, "calculate"):
        raise InputError(f"{spec} is not an ASE calculator: it has no calculate().")
    return calculator
