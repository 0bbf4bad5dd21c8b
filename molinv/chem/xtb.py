"""Rotation-invariant results of GFN2-xTB for a molecule, its atoms and its pairs of atoms.

Source: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019), as tblite computes it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32

from ..errors import InputError

METHOD = "GFN2-xTB"
BOHR, HARTREE = 0.529177210544, 27.211386245981  # angstrom, eV; CODATA 2022
DEBYE = 2.541746473  # D in one e a0
HEAVIEST = 86  # radon
# tblite's "xtbml" features: populations and lengths of multipoles by shell and by atom, response
# and orbital energies of the atom's own density, parts of the energy, and weighted means of these
# over neighbouring atoms ("ext"). Atomic units, except orbital energies in eV
ATOMS = (
    *("CN_A", "p_s", "p_p", "p_d", "dipm_s", "dipm_p", "dipm_d", "qm_s", "qm_p", "qm_d"),
    *("q_A", "dipm_A", "qm_A", "response", "gap", "chem_pot", "HOAO", "LUAO", "E_eht", "E_rep"),
    *("E_ies_ixc", "E_axc", "E_aes", "E_disp2", "E_disp3", "E_tot", "w_tot", "ext_CN"),
    *("ext_q_A", "ext_dipm_A", "ext_qm_A", "ext_dipm_e", "ext_qm_e", "ext_dipm_Z", "ext_qm_Z"),
    *("ext_gap", "ext_chem_pot", "ext_HOAO", "ext_LUAO"),
)
PAIRS = ("bond order",)  # Wiberg bond orders
# energies in eV (atomisation relative to GFN2-xTB's free atoms); the length of the dipole in D
MOLECULE = ("homo - 1", "homo", "lumo", "lumo + 1", "atomisation", "dipole")


class Electronic(NamedTuple):
    """Results for a molecule of n atoms, in the order of `ATOMS`, `PAIRS` and `MOLECULE`."""

    atoms: Float32[np.ndarray, "n 39"]
    pairs: Float32[np.ndarray, "n n 1"]
    molecule: Float32[np.ndarray, " 6"]


def is_installed() -> bool:
    """Whether tblite is installed."""
    return importlib.util.find_spec("tblite") is not None


def check_installed() -> None:
    """Raise InputError if tblite is not installed."""
    if not is_installed():
        raise InputError(f"{METHOD} needs the package tblite: pip install 'molinv[xtb]'.")


def electronic(z: np.ndarray, pos: np.ndarray, charge: int = 0, unpaired: int = 0) -> Electronic:
    """Run GFN2-xTB on atoms z (n,) at pos (n, 3) in angstrom, which takes a few milliseconds.

    Raises InputError, without a final full stop, for an element without parameters, for an
    impossible number of unpaired electrons, if the SCF does not converge, and without tblite.
    """
    check_installed()
    if (heaviest := int(z.max())) > HEAVIEST:
        raise InputError(f"{METHOD} has no parameters for element {heaviest}, only up to 86")
    electrons = int(_without_f(z).sum()) - charge
    if (electrons - unpaired) % 2:
        core = "" if electrons == int(z.sum()) - charge else " (f electrons are in the core)"
        raise InputError(
            f"{electrons} electrons{core} cannot have {unpaired} unpaired: give the charge or the "
            "number of unpaired electrons"
        )
    found = _run(z, pos, charge, unpaired)
    ml = found["post-processing-dict"]
    each = [np.broadcast_to(ml.get(name, 0.0), len(z)) for name in ATOMS]
    orders = np.asarray(found["bond-orders"]).reshape(len(z), len(z), -1).sum(-1, keepdims=True)
    apart = sum(_of_atom(int(number)) for number in z)
    levels, filled = found["orbital-energies"], np.flatnonzero(found["orbital-occupations"] > 0.5)
    homo = int(filled[-1]) if len(filled) else 0
    four = [levels[min(max(homo + k, 0), len(levels) - 1)] for k in (-1, 0, 1, 2)]
    whole = [
        *(HARTREE * level for level in four),
        HARTREE * (float(found["energy"]) - apart),
        DEBYE * np.linalg.norm(ml["molecular-dipole"]),
    ]
    made = (np.stack(each, 1), orders, np.array(whole))
    if not all(np.isfinite(part).all() for part in made):
        raise InputError(f"{METHOD} gave a number that is not finite")
    return Electronic(*(part.astype(np.float32) for part in made))


def _without_f(z: np.ndarray) -> np.ndarray:
    """Atomic numbers of the same parity of electrons as in xTB.

    Lanthanoids have the three valence electrons of lanthanum, and their f electrons in the core.
    """
    return np.where((z > 57) & (z <= 71), 57, z)


def _run(z: np.ndarray, pos: np.ndarray, charge: int, unpaired: int) -> dict[str, Any]:
    """tblite's results, at its default electronic temperature of 300 K."""
    from tblite.exceptions import TBLiteRuntimeError
    from tblite.interface import Calculator

    try:
        with _one_thread():
            calculator = Calculator(METHOD, np.asarray(z), np.asarray(pos) / BOHR, charge, unpaired)
            calculator.set("verbosity", 0)
            for what in ("xtbml", "bond-orders", "molecular-multipoles"):
                calculator.add(what)
            return calculator.singlepoint().dict()
    except TBLiteRuntimeError as error:
        raise InputError(f"{METHOD}: {' '.join(str(error).split()).rstrip('.')}") from None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: with several, a small molecule takes a hundred times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # tblite uses the same OpenMP library as torch
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _of_atom(number: int) -> float:
    """The energy of a free atom in its ground state, in Hartree."""
    from ase.data import ground_state_magnetic_moments
    from tblite.interface import Calculator

    electrons = int(_without_f(np.array(number)))
    unpaired = int(ground_state_magnetic_moments[electrons])
    unpaired += (electrons - unpaired) % 2
    with _one_thread():
        atom = Calculator(METHOD, np.array([number]), np.zeros((1, 3)), 0, unpaired)
        atom.set("verbosity", 0)
        return float(atom.singlepoint().get("energy"))
