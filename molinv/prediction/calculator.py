"""ASE calculator: energies, forces and dipoles, for relaxations, vibrations and dynamics."""

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
    """Forces were requested from a model that was not trained on forces.

    Also a PropertyNotImplementedError, which ASE's file writers ignore.
    """


class MolInvCalculator(Calculator):
    """The energy of a model, averaged over fixed orientations, and its exact gradient.

    Only models that were trained on forces (targets energy and forces) give forces. The gradient of
    another model's energy is not a force: all molecules of QM9 are at minima, and the shipped
    models have not learned that these are minima. Requesting forces from such a model, as ASE's
    optimisers, vibrations and dynamics do, raises NoForces.

    model   name of a shipped model (None: the default), or a run folder; an ensemble is averaged
    energy  name of the target that is the energy; by default U0, or the only atomwise target
    dipole  run folder of a model that predicts dipole vectors, averaged in the same way
    orbit   "haar": a quadrature over all rotations, exact up to `degree`
            "learned": `copies` elements of the learned distribution, drawn once with `seed`
            "identity": the input's orientation only
            None: "haar" if the distribution is within 0.05 nats of Haar, else "learned"
    double  compute in float64, which takes about twice the time
    trust   import custom classes that the model's files name
    device  where to compute: "auto" (an accelerator if there is one), "cpu", "cuda", "mps"
    total   add the fitted atom energies to atomwise energies

    Results: energy and free_energy (eV); energy_std, the standard deviation over orientations (eV);
    forces (eV/angstrom), if the model was trained on them; dipole (e angstrom), with `dipole`.
    Charge and unpaired electrons of the Atoms are read as described in `chem.state`.

    Atomwise energies (U0 of the shipped models) are relative to atom energies that were fitted on
    the training molecules. Differences between geometries or isomers are meaningful; total energies
    are not, unless `total` is given. The orientations are fixed (see `averaged`), so the energy is
    a smooth function of the positions and the forces are its negative gradient. Molecular dynamics
    therefore conserve energy as with any potential.

    A model is accurate for geometries like those of its training data. The training data of the
    shipped models are relaxed geometries only; near these, energies rank isomers and conformers.

    Raises InputError for a model without energies, a target that is not an energy, an unavailable
    device, a device without float64 if `double` is given, and for periodic atoms, elements, sizes,
    charges or spins that the model does not accept.
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
        """ASE's hook that fills `results`; computing forces doubles the time."""
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
        """One member's energy, its variance over orientations, and its gradient.

        In eV, eV^2 and eV/angstrom.
        """
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
        """Changes since the last calculation; unlike ASE's method it considers `atoms.info`."""
        changes = super().check_state(atoms, tol)
        same = self.atoms is None or of_atoms(self.atoms) == of_atoms(atoms)
        return changes if same else [*changes, "initial_charges"]

    def get_property(self, name: str, atoms: Any = None, allow_calculation: bool = True) -> Any:
        """Return one result; raises NoForces for forces of a model that was not trained on them."""
        if name == "forces" and not self._learned:
            raise NoForces(
                f"{self.predictor.name} learned no forces, and the gradient of its energy is not a "
                "force: train a model on energies and forces of distorted geometries (molinv train "
                "--targets energy,forces; molinv data xtb makes some) and give its run folder."
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
    """Name and column of the target that is the energy."""
    names = [t.name for t in predictor.targets]
    able = [t.name for t in predictor.targets if t.unit in IN_EV and t.kind == "scalar"]
    if name is None:
        atomwise = [t.name for t in predictor.targets if t.atomwise and t.unit in IN_EV]
        name = "U0" if "U0" in atomwise else atomwise[0] if len(atomwise) == 1 else None
    if name is None and able:
        raise InputError(
            f"{predictor.name} has several targets that could be its energy: choose one of "
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
    """The predictor, checked to predict exactly one dipole vector."""
    target = predictor.targets[0]
    if len(predictor.targets) > 1 or target.kind != "vector" or target.unit not in IN_E_ANGSTROM:
        raise InputError(
            f"{predictor.name} cannot give the dipole: expected one vector in "
            f"{' or '.join(IN_E_ANGSTROM)}, got {_listed(predictor)}; use one trained on dipoles"
        )
    return predictor
