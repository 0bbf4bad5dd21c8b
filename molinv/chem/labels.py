"""The values that a file has for each molecule: columns, properties and keys.

Every record gives one dict of texts, numbers and arrays, in the order of the file's reader. It
contains the cells of a table's row, the data fields of an .sdf record, or the keys and atom
columns of an extended XYZ frame. For ASE's databases and trajectories it contains key-value
pairs, data and calculated values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .arrays import of_bytes, of_rows, shaped
from .blocks import sdf_blocks
from .database import from_json, trajectory, unpacked
from .database import rows as database_rows
from .frames import Broken, frames
from .rdkit_log import quiet
from .structure import ReadOptions
from .tables import table_rows
from .textfile import numbered_lines
from .xyz import keys

Labels = dict[str, Any]
SMILES = "smiles"  # the key of a record's SMILES or InChI, if it has one
ASE = {"energy": "eV", "forces": "eV/angstrom", "dipole": "e angstrom", "charges": "e"}


def labels(path: Path, options: ReadOptions) -> Iterator[Labels]:
    """The values of each record of a file; raises InputError for other kinds of files."""
    if (extension := _extension(path)) not in LABELS:
        raise InputError(
            f"{path}: expected a file with values to learn, ending in {' '.join(LABELS)} (or one "
            f"of these with .gz), got {extension or 'no extension'!r}: convert it, as in "
            f"`obabel {path.name} -O {path.stem}.sdf`, or write a table of SMILES and values"
        )
    return LABELS[extension](path, options)


def _extension(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _of_table(path: Path, options: ReadOptions) -> Iterator[Labels]:
    table = table_rows(path, options)
    if table is None:
        return
    twice = [name for name, count in Counter(table.columns).items() if count > 1 and name]
    if twice:
        raise InputError(f"{path}: two columns are called {twice[0]!r}: rename one of them")
    for _, cells in table.rows:
        row = dict(zip(table.columns, (cell.strip() for cell in cells), strict=False))
        smiles = cells[table.smiles].strip() if table.smiles < len(cells) else ""
        yield row | {SMILES: smiles}  # `smiles_column` wins over another column of that name


def _of_blocks(path: Path, options: ReadOptions) -> Iterator[Labels]:
    for number, (_, block) in enumerate(sdf_blocks(path), 1):
        found: Labels = {}
        for name, text in fields(block):
            if name in found:
                raise InputError(f"{path}: record {number} has two fields {name!r}: rename one")
            found[name] = text
        yield found


def fields(block: list[str]) -> Iterator[tuple[str, str]]:
    """The (name, text) pairs of the data fields of an .sdf record."""
    name, value = None, []
    for line in [*block, ""]:
        if name is None and line.startswith(">") and "<" in line:
            name, value = line[line.index("<") + 1 : line.rindex(">")], []
        elif name is not None and not line.strip():
            yield name, "\n".join(value).strip()
            name = None
        elif name is not None:
            value.append(line)


def _of_frames(path: Path, options: ReadOptions) -> Iterator[Labels]:
    for frame in frames(numbered_lines(path)):
        try:
            if isinstance(frame, Broken) or "=" not in frame.comment:
                yield {}
            else:
                yield dict(of_rows(frame.comment, frame.rows)) | keys(frame)
        except InputError:
            yield {}


def _of_database(path: Path, options: ReadOptions) -> Iterator[Labels]:
    columns = "numbers, key_value_pairs, data, energy, forces, charges, dipole"
    given = list(database_rows(path, columns))
    atoms = [len(row[0]) // 4 if isinstance(row[0], bytes) else 0 for row in given]
    data = shaped([unpacked(row[2]) for row in given], atoms)
    for (_, pairs, _, energy, forces, charges, dipole), more in zip(given, data, strict=True):
        vector = of_bytes(dipole, 1)
        own = {
            "energy": energy,
            "forces": of_bytes(forces, 3),
            "charges": of_bytes(charges, 1),
            "dipole": None if vector is None else vector.array(),
        }
        own = {key: value for key, value in own.items() if value is not None}
        yield more | own | from_json(pairs)


def _of_trajectory(path: Path, options: ReadOptions) -> Iterator[Labels]:
    found, atoms = [], []
    for frame in trajectory(path):
        parts = (frame.get("info"), frame.get("calculator"))
        both = {k: v for part in parts if isinstance(part, dict) for k, v in part.items()}
        found.append({k: v for k, v in both.items() if k not in ("name", "parameters")})
        atoms.append(np.size(frame["numbers"]))
    yield from shaped(found, atoms)


LABELS: dict[str, Callable[[Path, ReadOptions], Iterator[Labels]]] = {
    ".csv": _of_table,
    ".tsv": _of_table,
    ".sdf": _of_blocks,
    ".xyz": _of_frames,
    ".extxyz": _of_frames,
    ".db": _of_database,
    ".traj": _of_trajectory,
}


def follows_ase(path: Path) -> bool:
    """Whether the file's format has, by convention, ASE's keys and units (see `ASE`)."""
    return _extension(path) in (".xyz", ".extxyz", ".db", ".traj")


def units(path: Path) -> dict[str, str]:
    """The units in a database's metadata, as schnetpack writes them; empty if there are none."""
    if _extension(path) != ".db":
        return {}
    try:
        rows = dict(database_rows(path, "name, value", "information"))
    except InputError:  # older databases have no such table
        return {}
    given = from_json(rows.get("metadata")).get("_property_unit_dict")
    return {k: str(v) for k, v in given.items()} if isinstance(given, dict) else {}


def block_smiles(path: Path) -> Iterator[str]:
    """The SMILES of each record of an .sdf file; "" if RDKit cannot read it."""
    from rdkit import Chem

    for _, block in sdf_blocks(path):
        with quiet():
            try:
                mol = Chem.MolFromMolBlock("\n".join(block) + "\n")
                yield Chem.MolToSmiles(mol) if mol is not None else ""
            except (RuntimeError, ValueError):
                yield ""
