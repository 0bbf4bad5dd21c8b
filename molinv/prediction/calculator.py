"""Energies and forces for ASE: relaxations, vibrations, molecular dynamics."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from ase import units
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from ..chem.objects import PERIODIC, of_atoms
from ..chem.state import settled
from ..chem.structure import GIVEN, Rejected, Structure, check
from ..errors import InputError
from ..sharing import choose_device
from .averaged import Averaged
from .batches import has_double
from .predictor import Predictor

IN_EV = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ha": units.Hartree,
    "Hartree": units.Hartree,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
}
IN_E_ANGSTROM = {"e angstrom": 1.0, "D": units.Debye}


class NoForces(InputError, PropertyNotImplementedError):
    """Forces are asked of a model that learned none; what ASE's writers pass over as well."""


class MolInvCalculator(Calculator):
    """The energy a model predicts, averaged over fixed orientations, and its exact gradient.

    Forces are given by models that learned them (targets energy and forces). The gradient of
    another model's energy is not one: QM9's molecules are all at minima, and the shipped model
    has no reason to see these as minima. Asking it for forces, as ASE's optimisers, vibrations and
    dynamics do, raises NoForces with one sentence.

    model   a shipped model's name (None: the default) or a run folder; of an ensemble the mean
    energy  which target is the energy; by default U0, or the only one that is atomwise
    dipole  a run folder whose model gives dipole vectors, averaged in the same way
    orbit   "haar" averages over all rotations by a quadrature that is exact up to `degree`;
            "learned" over `copies` elements of the learned distribution, drawn once, by `seed`;
            "identity" takes the orientation as it comes. By default "haar" where the
            distribution is within 0.05 nats of Haar's, else "learned"
    double  compute in float64, at about twice the time
    total   add the fitted atom energies to atomwise energies
    device  where to compute: "auto" (an accelerator where there is one), "cpu", "cuda", "mps"

    Results: energy and free_energy in eV, energy_std, the standard deviation over orientations in
    eV, of a model that learned them forces in eV/angstrom, and with a model of it the dipole in e
    angstrom. The charge and the unpaired electrons of the Atoms are those of `chem.state`. Atomwise
    energies (U0 of the shipped model) are relative to atom energies fitted on the training
    molecules: differences between geometries, and between isomers, mean something, total energies
    do not, unless `total` is given. The orientations are kept in `averaged`, so that energies are
    a smooth function of the positions and forces its gradient: dynamics keep their energy as they
    would with any potential.

    A model knows the geometries that it learned from. QM9's, and so the shipped model's, are
    relaxed ones alone: near them its energy orders isomers and conformers.

    Raises InputError for a model without energies, a target that is none, a device that is not
    there or has no float64 where `double` asks for it, and periodic atoms, elements, sizes,
    charges or spins that the model cannot take.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "energy_std"]
    default_parameters: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        energy: str | None = None,
        *,
        dipole: str | os.PathLike[str] | None = None,
        orbit: str | None = None,
        degree: int = 3,
        copies: int = 16,
        seed: int = 0,
        double: bool = False,
        trust: bool = False,
        device: str = "auto",
        total: bool = False,
    ):
        path = os.fspath(model) if model is not None else None
        if double and not has_double(choose_device(device)):
            raise InputError(
                f"device {choose_device(device)} has no float64: leave out double, or choose "
                'device="cpu".'
            )
        predictor = Predictor(path, trust=trust, device=device, total=total)
        self.predictor = predictor
        self.target, self._column = _energy(predictor, energy)
        self._in_ev = IN_EV[predictor.units[self.target]]
        self._learned = predictor.saved.task.gradient
        dtype = torch.float64 if double else torch.float32
        how = orbit, degree, copies, seed
        self.members = [Averaged(saved, *how, dtype=dtype) for saved in predictor.saved.each]
        self.averaged = self.members[0]
        self._dipole = None
        if dipole is not None:
            self._dipole = _dipole(Predictor(os.fspath(dipole), trust=trust, device=device))
            self._charged = [Averaged(s, *how, dtype=dtype) for s in self._dipole.saved.each]
        more = ["forces"] * self._learned + ["dipole"] * (self._dipole is not None)
        has = [*type(self).implemented_properties, *more]
        self.implemented_properties = has  # pyright: ignore[reportAttributeAccessIssue]
        super().__init__(
            model=path,
            energy=self.target,
            orbit=self.averaged.orbit,
            degree=degree,
            copies=copies,
            seed=seed,
        )

    def calculate(
        self,
        atoms: Any = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """ASE's hook: fills `results`, with forces, which cost twice the energy, if learned."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        structure = self._structure(self.atoms)
        found = [self._of_member(member, structure) for member in self.members]
        energies, squares, slopes = (np.stack(part) for part in zip(*found, strict=True))
        self.results = {
            "energy": float(energies.mean()),
            "free_energy": float(energies.mean()),
            "energy_std": float(np.sqrt(squares.mean())),
        }
        if self._learned:
            self.results["forces"] = -slopes.mean(0)
        if self._dipole is not None:
            (target,) = self._dipole.targets
            if isinstance(found := self._dipole.usable(structure), Rejected):
                raise InputError(found.reason)
            dipole = np.mean([member.mean(found)[0] for member in self._charged], 0)
            self.results["dipole"] = dipole * IN_E_ANGSTROM[target.unit]

    def _of_member(self, member: Averaged, structure: Structure) -> tuple[float, float, np.ndarray]:
        """One member's energy, its variance over orientations, and its gradient, in eV."""
        if self._learned:
            values, slopes = member.with_gradient(structure, self._column)
        else:
            values, slopes = member.values(structure, self._column), np.zeros_like(structure.pos)
        weights = member.weights.cpu().double().numpy()
        if self.predictor.total:
            references = self.predictor.saved.standardizer.references[:, self._column].numpy()
            values = values + references[structure.z].sum()
        energy = float(weights @ values) * self._in_ev
        square = float(weights @ (values * self._in_ev - energy) ** 2)
        return energy, square, slopes * self._in_ev

    def check_state(self, atoms: Any, tol: float = 1e-15) -> list[str]:
        """ASE's comparison with the atoms of `results`; ASE's own overlooks `info`."""
        changes = super().check_state(atoms, tol)
        same = self.atoms is None or of_atoms(self.atoms) == of_atoms(atoms)
        return changes if same else [*changes, "initial_charges"]

    def get_property(self, name: str, atoms: Any = None, allow_calculation: bool = True) -> Any:
        """ASE's way to a result; raises NoForces for forces of a model that never learned any."""
        if name == "forces" and not self._learned:
            raise NoForces(
                f"{self.predictor.name} learned no forces, and the slope of its energy is not a "
                "force: train a model on energies and forces of distorted geometries (molinv train "
                "--targets energy,forces; molinv data xtb makes some) and give its folder."
            )
        return super().get_property(name, atoms, allow_calculation)

    def _structure(self, atoms: Any) -> Structure:
        if atoms.pbc.any():
            raise InputError(PERIODIC)
        name = atoms.get_chemical_formula()
        check(atoms.numbers, atoms.positions)
        z = np.asarray(atoms.numbers, np.int64)
        charge, unpaired = settled(z, *of_atoms(atoms))
        given = Structure(
            name, z, atoms.positions, "atoms", GIVEN, charge=charge, unpaired=unpaired
        )
        found = self.predictor.usable(given)
        if isinstance(found, Rejected):
            raise InputError(found.reason)
        return found


def _energy(predictor: Predictor, name: str | None) -> tuple[str, int]:
    """The target that is the energy, and its column."""
    names = [t.name for t in predictor.targets]
    able = [t.name for t in predictor.targets if t.unit in IN_EV and t.kind == "scalar"]
    if name is None:
        atomwise = [t.name for t in predictor.targets if t.atomwise and t.unit in IN_EV]
        name = "U0" if "U0" in atomwise else atomwise[0] if len(atomwise) == 1 else None
    if name is None and able:
        raise InputError(
            f"{predictor.name} has no target that is surely its energy: say which one is, of "
            f"{', '.join(able)}, as in MolInvCalculator(energy={able[0]!r})"
        )
    if name not in able:
        asked = "an energy" if name is None else f"{name!r} as an energy"
        raise InputError(
            f"{predictor.name} cannot give {asked}: expected a target in one of "
            f"{', '.join(IN_EV)}, got {_listed(predictor)}; use a model trained on energies"
        )
    return name, names.index(name)


def _listed(predictor: Predictor) -> str:
    return ", ".join(f"{name} in {unit}" for name, unit in predictor.units.items())


def _dipole(predictor: Predictor) -> Predictor:
    """The model, seen to give one dipole vector."""
    target = predictor.targets[0]
    if len(predictor.targets) > 1 or target.kind != "vector" or target.unit not in IN_E_ANGSTROM:
        raise InputError(
            f"{predictor.name} cannot give the dipole: expected one vector in "
            f"{' or '.join(IN_E_ANGSTROM)}, got {_listed(predictor)}; use one trained on dipoles"
        )
    return predictor
