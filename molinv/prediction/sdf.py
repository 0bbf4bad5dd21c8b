"""Predictions as an .sdf file, with the columns of each molecule's row as data fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import atomic_write
from ..chem.blocks import sdf_blocks
from ..chem.rdkit_log import quiet
from ..chem.structure import Rejected, Structure

if TYPE_CHECKING:
    from rdkit import Chem

MOST = 999  # most atoms of a V2000 record; larger ones are written as V3000


def write_sdf(
    path: Path,
    structures: Sequence[Structure | Rejected],
    rows: Sequence[Mapping[str, Any]],
    inputs: Sequence[str] = (),
) -> None:
    """Write one record per row, in the order of `structures`, atomically.

    A record of an .sdf file among `inputs` keeps its atoms and bonds unchanged. Molecules from
    SMILES have the predicted conformer; others have atoms without bonds. A molecule that could not
    be read has no atoms, and the reason is in the field `error`.
    """
    blocks: dict[str, Iterator[str]] = {}
    for name in inputs:
        if _is_sdf(name) and Path(name).is_file():
            key = str(Path(name))  # as in Structure.source
            blocks[key] = chain(blocks.get(key, ()), _blocks(Path(name)))
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for item, row in zip(structures, rows, strict=True):
            original = blocks.get(item.source.rpartition(":")[0])
            block = None if original is None else next(original, None)
            file.write(_block(item) if block is None else block)
            for name, value in row.items():
                if (text := _text(value)) is not None:
                    file.write(f"> <{_field(name)}>\n{text}\n\n")
            file.write("$$$$\n")


def _block(item: Structure | Rejected) -> str:
    """The lines of a record up to the end of its atoms and bonds."""
    from rdkit import Chem

    mol = Chem.Mol() if isinstance(item, Rejected) else _molecule(item)
    mol.SetProp("_Name", " ".join(item.name.split())[:80])
    with quiet():
        return Chem.MolToMolBlock(mol, forceV3000=mol.GetNumAtoms() > MOST)


def _molecule(structure: Structure) -> Chem.Mol:
    """The structure as an RDKit molecule, with the bonds of its SMILES if they fit."""
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    from ..chem.conformers import parse_smiles
    from ..errors import InputError

    mol = None
    if structure.smiles:
        with quiet():
            try:
                mol = Chem.AddHs(parse_smiles(structure.smiles))
            except (InputError, RuntimeError, ValueError):
                mol = None
    found = [] if mol is None else [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    if mol is None or not np.array_equal(found, structure.z):
        bare = Chem.RWMol()
        for number in structure.z.tolist():
            atom = Chem.Atom(number)
            atom.SetNoImplicit(True)
            bare.AddAtom(atom)
        mol = bare.GetMol()
    conformer = Chem.Conformer(len(structure.z))
    conformer.Set3D(True)
    for i, place in enumerate(structure.pos.tolist()):
        conformer.SetAtomPosition(i, Point3D(*place))
    mol.RemoveAllConformers()
    mol.AddConformer(conformer)
    return mol


def _blocks(path: Path) -> Iterator[str]:
    """Yield the atoms and bonds of each record of an .sdf file, unchanged."""
    for _, block in sdf_blocks(path):
        end = next((i for i, line in enumerate(block) if line.startswith("M  END")), None)
        fields = next((i for i, line in enumerate(block) if line.startswith(">")), len(block))
        kept = list(islice(block, fields if end is None else end + 1))
        yield "".join(f"{line}\n" for line in kept)


def _text(value: Any) -> str | None:
    """A value as text of a data field; None for a missing value."""
    if value is None or (isinstance(value, float) and isnan(value)):
        return None
    lines = [line for line in str(value).splitlines() if line.strip()]
    return "\n".join(lines) or None


def _field(name: str) -> str:
    return name.replace("<", "(").replace(">", ")").replace("\n", " ")


def _is_sdf(name: str) -> bool:
    return name.lower().removesuffix(".gz").endswith((".sdf", ".mol"))
