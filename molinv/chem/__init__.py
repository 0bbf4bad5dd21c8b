"""Reading molecules from SMILES, SDF, XYZ, tables and databases, as atoms and coordinates.

    structure    Structure, Rejected and Pending, which readers return; check
    conformers   3-D coordinates from a SMILES or an RDKit molecule
    readers      read: any mix of files, SMILES and Python objects, as one stream of structures
    smiles, tables, blocks, pdb, xyz, database     one family of file formats each
    state        total charge and number of unpaired electrons, and the keys that inputs use
    labels       values that a file has for each molecule
    arrays       values that a file has for each atom
    columns, descriptor_columns     columns of an input file that are copied or used by a model
    objects      ase.Atoms and RDKit's Mol
    graph        the bond graph
    descriptors  RDKit's descriptors
    xtb          energies, charges and bond orders from GFN2-xTB
    classes      the rings and functional groups of a molecule
    solid        whether an RDKit molecule has a complete 3-D geometry
    parallel     several worker processes, with results in order
    frames       the frames of an XYZ file
    atom_lines   elements and coordinates of a frame
    textfile     numbered lines of a text file
    unpacking    gzip with a limit on the unpacked size
    rdkit_log    RDKit's log, as a short reason in error messages

RDKit and ASE are loaded when a name is first used, not when this package is imported.

MolInvCalculator, which is in `prediction`, can be imported from here as well.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..prediction.calculator import MolInvCalculator
    from .conformers import embed, embed_many
    from .readers import read
    from .structure import Rejected, Structure, check

__all__ = ["MolInvCalculator", "Rejected", "Structure", "check", "embed", "embed_many", "read"]

_HOME = {
    "MolInvCalculator": "..prediction.calculator",
    "Rejected": ".structure",
    "Structure": ".structure",
    "check": ".structure",
    "embed": ".conformers",
    "embed_many": ".conformers",
    "read": ".readers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
