"""read: any mix of files and SMILES strings, as one stream of structures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from molinv.chem.blocks import read_sdf
from molinv.chem.conformers import UNREADABLE, check_seed
from molinv.chem.extxyz import read_extxyz
from molinv.chem.smiles import from_smiles, read_smi, split
from molinv.chem.structure import ReadOptions, Rejected, Structure
from molinv.chem.tables import read_csv
from molinv.chem.xyz import read_xyz
from molinv.errors import InputError

Reader = Callable[[Path, ReadOptions], Iterator[Structure | Rejected]]

READERS: dict[str, Reader] = {
    ".smi": read_smi,
    ".csv": read_csv,
    ".sdf": read_sdf,
    ".mol": read_sdf,
    ".xyz": read_xyz,
    ".extxyz": read_extxyz,
}


def read(
    inputs: Sequence[str | os.PathLike[str]],
    *,
    smiles_column: str | None = None,
    seed: int = 0,
) -> Iterator[Structure | Rejected]:
    """Molecules from files (.smi .csv .sdf .mol .xyz .extxyz, also .gz) and SMILES strings.

    An input is a file where it exists or ends in a known extension, else a SMILES, with a
    name after white space if one follows. Files are streamed. A molecule that cannot be
    used comes as Rejected, in its place, and the rest goes on. `smiles_column` names the
    column of .csv files; `seed` makes conformers reproducible, each on its own: a
    molecule's coordinates do not depend on its neighbours in the list.

    Raises InputError, at once, for a missing file, a folder and an unknown extension; when
    the file's turn comes, for one without molecules, one that is not text, and a table
    without the SMILES column.
    """
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not given:
        raise InputError("expected at least one SMILES or file, got none")
    check_seed(seed)
    options = ReadOptions(seed, smiles_column)
    texts = [os.fspath(item) for item in given]
    return _read([(text, _reader(text)) for text in texts], options)


def _read(
    plan: list[tuple[str, Reader | None]], options: ReadOptions
) -> Iterator[Structure | Rejected]:
    for text, reader in plan:
        if reader is None:
            yield _argument(text, options)
            continue
        empty = True
        for item in reader(Path(text), options):
            empty = False
            yield item
        if empty:
            raise InputError(f"{text}: expected at least one molecule, got none; check the file")


def _reader(text: str) -> Reader | None:
    """The reader of a file, None for a SMILES; a SMILES may hold dots, / and \\ as well."""
    extension = _extension(text)
    if os.path.isdir(text):
        raise InputError(f"{text}: expected a file or a SMILES, got a folder; name the files in it")
    if extension in READERS:
        if not os.path.exists(text):
            raise InputError(f"{text}: file not found; check the path")
        return READERS[extension]
    if os.path.exists(text):
        raise InputError(
            f"{text}: expected a file that ends in {' '.join(READERS)} (or one of these with "
            f".gz), got {extension or 'no extension'!r}; convert or rename it"
        )
    return None


def _extension(text: str) -> str:
    name = text.lower().removesuffix(".gz")
    return os.path.splitext(name)[1]


def _argument(text: str, options: ReadOptions) -> Structure | Rejected:
    smiles, name = split(text)
    made = from_smiles(smiles, name, "argument", options)
    if isinstance(made, Rejected) and made.reason.startswith(UNREADABLE):
        return Rejected(made.name, made.source, f"{made.reason}, or name an existing file")
    return made
