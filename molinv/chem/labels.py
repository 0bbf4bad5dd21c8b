"""What a file says of each molecule beside its atoms: columns, properties, keys.

One mapping of texts, numbers and arrays for each record, in the order of the readers' records:
cells of a .csv row, data fields of an .sdf record, keys of an extended XYZ comment and columns of
its atoms, key-value pairs, energy, forces, charges and dipole of an ASE database's row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..errors import InputError
from .arrays import of_bytes, of_rows
from .blocks import sdf_blocks
from .database import rows as database_rows
from .frames import Broken, frames
from .rdkit_log import quiet
from .structure import ReadOptions
from .tables import table_rows
from .textfile import numbered_lines

Labels = dict[str, Any]
SMILES = "smiles"  # the key under which a record's SMILES is found, where it has one


def labels(path: Path, options: ReadOptions) -> Iterator[Labels]:
    """Those of each record of a file; raises InputError for a kind of file that has none."""
    extension = _extension(path)
    if extension not in LABELS:
        raise InputError(
            f"{path}: expected a file with values to learn, ending in {' '.join(LABELS)} (or one "
            f"of these with .gz), got {extension or 'no extension'!r}"
        )
    return LABELS[extension](path, options)


def _extension(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _of_table(path: Path, options: ReadOptions) -> Iterator[Labels]:
    table = table_rows(path, options)
    if table is None:
        return
    for _, cells in table.rows:
        row = dict(zip(table.columns, (cell.strip() for cell in cells), strict=False))
        smiles = cells[table.smiles].strip() if table.smiles < len(cells) else ""
        yield {SMILES: smiles} | row


def _of_blocks(path: Path, options: ReadOptions) -> Iterator[Labels]:
    for _, block in sdf_blocks(path):
        found, name, value = {}, None, []
        for line in [*block, ""]:
            if name is None and line.startswith(">") and "<" in line:
                name, value = line[line.index("<") + 1 : line.rindex(">")], []
            elif name is not None and not line.strip():
                found[name], name = "\n".join(value).strip(), None
            elif name is not None:
                value.append(line)
        yield found


def _of_frames(path: Path, options: ReadOptions) -> Iterator[Labels]:
    from ase.io.extxyz import key_val_str_to_dict

    for frame in frames(numbered_lines(path)):
        if isinstance(frame, Broken) or "=" not in frame.comment:
            yield {}
            continue
        try:
            found = dict(key_val_str_to_dict(frame.comment))
            yield dict(of_rows(frame.comment, frame.rows)) | found
        except Exception:  # whatever ASE's parser runs into, as in `extxyz`
            yield {}


def _of_database(path: Path, options: ReadOptions) -> Iterator[Labels]:
    with ExitStack() as stack:
        columns = "key_value_pairs, energy, forces, charges, dipole"
        for pairs, energy, forces, charges, dipole in database_rows(path, stack, columns):
            try:
                found = json.loads(pairs) if pairs else {}
            except (TypeError, ValueError, RecursionError):
                found = {}
            vector = of_bytes(dipole, 1)
            own = {
                "energy": energy,
                "forces": of_bytes(forces, 3),
                "charges": of_bytes(charges, 1),
                "dipole": None if vector is None else vector.array(),
            }
            own = {key: value for key, value in own.items() if value is not None}
            yield own | (found if isinstance(found, dict) else {})


LABELS: dict[str, Callable[[Path, ReadOptions], Iterator[Labels]]] = {
    ".csv": _of_table,
    ".sdf": _of_blocks,
    ".xyz": _of_frames,
    ".extxyz": _of_frames,
    ".db": _of_database,
}
TOTAL_ENERGY = {".xyz": "energy", ".extxyz": "energy", ".db": "energy"}  # in eV, as ASE's are


def energy_key(path: Path) -> str | None:
    """The key of total energies in eV, in the files that have one by convention."""
    return TOTAL_ENERGY.get(_extension(path))


def block_smiles(path: Path) -> Iterator[str]:
    """The SMILES of each record of an .sdf file, empty where RDKit cannot read it."""
    from rdkit import Chem

    for _, block in sdf_blocks(path):
        with quiet():
            try:
                mol = Chem.MolFromMolBlock("\n".join(block) + "\n")
                yield Chem.MolToSmiles(mol) if mol is not None else ""
            except (RuntimeError, ValueError):
                yield ""
