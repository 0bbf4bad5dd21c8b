"""Chemistry in: molecules from SMILES, SDF, XYZ, tables and databases, as atoms and coordinates.

    structure    Structure and Rejected, what reading ends in, and Pending, before; check
    conformers   SMILES or an RDKit molecule -> 3-D coordinates
    readers      read: any mix of files, SMILES and Python objects, one stream of structures
    smiles, tables, blocks, pdb, xyz, database     one family of file formats each
    state        total charge and unpaired electrons, and how inputs say them
    labels       what a file says of each molecule beside its atoms; arrays: and of each atom
    objects      ase.Atoms and RDKit's Mol
    graph        the bond graph; descriptors: what RDKit computes of it; xtb: what GFN2-xTB says
    classes      the rings and functional groups that a molecule has
    solid        whether an RDKit molecule's coordinates are a geometry, and what they lack
    parallel     records worked on in several processes, in their order
    frames       how an XYZ file falls into frames; atom_lines: elements and coordinates of one
    textfile, unpacking     numbered lines of a text file; gzip, and never without end
    rdkit_log    RDKit's own words, off the screen and into a message

RDKit and ASE load when a name is first used, not when this package is imported.

MolInvCalculator is found here too, where scripts look for it; it lives in `prediction`.
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
