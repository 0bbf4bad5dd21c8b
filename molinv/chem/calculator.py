"""Energies and forces for ASE: relaxations, vibrations, molecular dynamics."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
import torch
from ase import units
from ase.calculators.calculator import Calculator, all_changes
from jaxtyping import Float
from torch import Tensor

from molinv import quadrature
from molinv.augment import Augmented
from molinv.chem.objects import PERIODIC
from molinv.chem.structure import Rejected, Structure, check
from molinv.datasets.batches import Batch
from molinv.errors import InputError
from molinv.predict import Predictor

IN_EV = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ha": units.Hartree,
    "Hartree": units.Hartree,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
}
NEARLY_HAAR = 0.05  # nats; QM9's models end closer
PAIRS = 40_000  # of atoms, run at once: bounds the memory of large molecules


class MolInvCalculator(Calculator):
    """The energy a model predicts, averaged over fixed orientations, and its exact gradient.

    model   a shipped model's name (None: the default) or a run folder
    energy  which target is the energy; by default U0, or the only one that is atomwise
    orbit   "haar" averages over all rotations by a quadrature that is exact up to `degree`;
            "learned" over `copies` elements of the learned distribution, drawn once, by `seed`;
            "identity" takes the orientation as it comes. By default "haar" where the
            distribution is within 0.05 nats of Haar's, else "learned"
    double  compute in float64, at about twice the time

    Results: energy and free_energy in eV, forces in eV/angstrom, energy_std, the standard
    deviation over orientations in eV. Atomwise energies (U0 of the shipped model) are relative to
    atom energies fitted on the training molecules: differences between geometries, and between
    isomers, mean something, total energies do not. The elements are kept in `elements` and
    `weights`, so that energies are a smooth function of the positions and forces its gradient:
    dynamics keep their energy as they would with any potential.

    A model knows the geometries that it learned from. QM9's, and so the shipped model's, are
    relaxed ones alone: near them its energy orders isomers and conformers, away from them its
    forces are an extrapolation. Train on energies of distorted geometries for dynamics.

    Raises InputError for a model without energies, or without a gradient (canonical), a target
    that is none, and periodic atoms, elements or sizes that the model cannot take.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "forces",
        "energy_std",
    ]
    default_parameters: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        energy: str | None = None,
        *,
        orbit: str | None = None,
        degree: int = 3,
        copies: int = 16,
        seed: int = 0,
        double: bool = False,
        trust: bool = False,
    ):
        path = os.fspath(model) if model is not None else None
        predictor = Predictor(path, trust=trust)
        self.predictor = predictor
        if predictor.saved.card["build"]["model"] == "canonical":
            raise InputError(
                "the frames of model canonical turn with the atoms, which its gradient leaves out, "
                "so that its forces would not be its energy's; use another model"
            )
        self.target, self._column = _energy(predictor, energy)
        self._in_ev = IN_EV[predictor.units[self.target]]
        self._dtype = torch.float64 if double else torch.float32
        # a copy: its weights are frozen, and in another precision perhaps
        self._network: Augmented = deepcopy(predictor.saved.network).to(self._dtype)
        self._network.requires_grad_(False)
        chosen = _choose(self._network) if orbit is None else orbit
        found = _fixed(self._network, chosen, degree, copies, seed)
        self.elements, self.weights = (x.to(self._dtype) for x in found)
        super().__init__(
            model=path, energy=self.target, orbit=chosen, degree=degree, copies=copies, seed=seed
        )

    def calculate(
        self,
        atoms: Any = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """ASE's hook: fills `results`, always with the forces too, which cost twice the energy."""
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        structure = self._structure(self.atoms)
        values, slopes = self._run(structure)
        weights = self.weights.numpy()
        energy = float(weights @ values)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": -slopes,
            "energy_std": float(np.sqrt(weights @ (values - energy) ** 2)),
        }

    def _structure(self, atoms: Any) -> Structure:
        if atoms.pbc.any():
            raise InputError(PERIODIC)
        name = atoms.get_chemical_formula()
        check(atoms.numbers, atoms.positions)
        z = np.asarray(atoms.numbers, np.int64)
        given = Structure(name, z, atoms.positions, "atoms", embedded=False)
        found = self.predictor.usable(given)
        if isinstance(found, Rejected):
            raise InputError(found.reason)
        return found

    def _run(self, structure: Structure) -> tuple[np.ndarray, np.ndarray]:
        """Energies (m,) in eV of the m orientations, and the average's gradient (n, 3)."""
        saved = self.predictor.saved
        pos = torch.tensor(structure.pos, dtype=self._dtype, requires_grad=True)
        origin = pos.mean(0) if saved.card["placement"]["center"] else torch.zeros(3).to(pos)
        z, n = torch.from_numpy(structure.z), len(structure.z)
        scale, mean = saved.standardizer.scale[self._column], saved.standardizer.mean[self._column]
        values, slope = [], torch.zeros_like(pos)
        size = max(1, PAIRS // n**2)
        parts = zip(self.elements.split(size), self.weights.split(size), strict=True)
        for g, weight in parts:
            copies = (pos - origin).expand(len(g), n, 3)
            batch = Batch(
                copies, z.expand(len(g), n), torch.zeros(len(g), 1).double(), torch.arange(len(g))
            )
            inputs = self._network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
            value = self._network.run(g, *inputs)[0][:, self._column]
            (part,) = torch.autograd.grad((weight * value).sum(), pos)
            slope += part
            values.append(value.detach())
        energies = (torch.cat(values).double() * scale + mean) * self._in_ev
        return energies.numpy(), (slope.double() * scale * self._in_ev).numpy()


def _energy(predictor: Predictor, name: str | None) -> tuple[str, int]:
    """The target that is the energy, and its column."""
    names = [t.name for t in predictor.targets]
    able = [t.name for t in predictor.targets if t.unit in IN_EV]
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


def _choose(network: Augmented) -> str:
    """Haar where the distribution is nearly that; equal draws would only be a worse quadrature."""
    mu = network.distribution
    if not mu.group.compact:
        return "learned"
    with torch.no_grad():
        return "haar" if float(mu.kl_haar()) < NEARLY_HAAR else "learned"


def _fixed(
    network: Augmented, orbit: str, degree: int, copies: int, seed: int
) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]]:
    """Elements to average over and their weights, which sum to one."""
    mu = network.distribution
    if orbit == "haar":
        return quadrature.rule(mu.group, degree)
    if orbit == "identity":
        return mu.group.identity(1), torch.ones(1)
    if orbit != "learned" or copies < 1:
        raise InputError(
            'MolInvCalculator: expected orbit "haar", "learned" or "identity" and at least one '
            f"copy, got {orbit!r} and {copies}"
        )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return mu.rsample(copies, generator), torch.full((copies,), 1 / copies)
