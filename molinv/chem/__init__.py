"""Chemistry in: molecules from SMILES, SDF, XYZ and tables, as atoms and coordinates.

    structure    Structure and Rejected, what every reader yields; check
    conformers   SMILES or an RDKit molecule -> 3-D coordinates
    readers      read: any mix of files and SMILES strings, one stream of structures
    smiles, tables, blocks, xyz, extxyz     one file format each
    frames       how an XYZ file falls into frames
    textfile     numbered lines of a plain or gzipped text file
    rdkit_log    RDKit's own words, off the screen and into a message

RDKit and ASE load when a name is first used, not when this package is imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conformers import embed
    from .readers import read
    from .structure import Rejected, Structure, check

__all__ = ["Rejected", "Structure", "check", "embed", "read"]

_HOME = {
    "Rejected": "structure",
    "Structure": "structure",
    "check": "structure",
    "embed": "conformers",
    "read": "readers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
