"""read: any mix of files, SMILES strings and Python objects, as one stream of structures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError
from .blocks import read_mol2, read_sdf
from .conformers import UNREADABLE, check_conformers, check_seed
from .database import read_db, read_traj
from .descriptor_columns import with_columns
from .descriptors import Descriptors
from .objects import from_object, is_object
from .parallel import finish_all
from .pdb import read_pdb
from .smiles import from_smiles, read_smi, read_standard_input, split
from .structure import Item, Pending, ReadOptions, Rejected, Structure
from .tables import read_csv
from .xyz import read_extxyz, read_xyz

Reader = Callable[[Path, ReadOptions], Iterator[Item]]
Source = Callable[[ReadOptions], Iterator[Item]]

READERS: dict[str, Reader] = {
    ".smi": read_smi,
    ".smiles": read_smi,
    ".txt": read_smi,
    ".inchi": read_smi,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".sdf": read_sdf,
    ".mol": read_sdf,
    ".mol2": read_mol2,
    ".pdb": read_pdb,
    ".xyz": read_xyz,
    ".extxyz": read_extxyz,
    ".db": read_db,
    ".traj": read_traj,
}
_TABLES = (".xlsx", ".xls", ".ods", ".parquet")
_BABEL = (".cif", ".mmcif", ".pdbqt", ".cml", ".cdx", ".gjf", ".com", ".log", ".out")
STDIN = "-"


def read(
    inputs: Any,
    *,
    smiles_column: str | None = None,
    seed: int = 0,
    conformers: int = 1,
    workers: int = 0,
    descriptors: Descriptors | None = None,
) -> Iterator[Structure | Rejected]:
    """Read molecules from files, SMILES strings, `ase.Atoms` and RDKit `Mol`.

    inputs         one input or a list. Files are .smi (.smiles .txt .inchi) .csv (.tsv) .sdf .mol
                   .mol2 .pdb .xyz .extxyz, and ASE's .db and .traj, all also with .gz. "-" is
                   standard input with one SMILES in each line. A string is a file if it exists or
                   ends in a known extension, else a SMILES, optionally followed by white space
                   and a name. An InChI ("InChI=...") is accepted wherever a SMILES is
    smiles_column  SMILES column of .csv files
    seed           random seed of the conformer search. A molecule's coordinates do not depend on
                   the other molecules or on the number of workers
    conformers     number of conformers for inputs without a 3-D structure
    workers        number of worker processes; 0 uses this process. A script that asks for workers
                   needs `if __name__ == "__main__":`
    descriptors    descriptors that a model takes (`Predictor.descriptors`); structures then have
                   their `columns`

    Files are streamed. A molecule that cannot be used is returned as Rejected in its position, and
    reading continues.

    Raises InputError at once for a missing file, a folder, an unknown extension, and an object that
    is not a molecule. While reading, raises InputError for a file without molecules, a file that is
    not text, and a table without the SMILES column or a column in `descriptors`.
    """
    options = ReadOptions(seed, smiles_column, conformers, descriptors)
    return finish_all(records(inputs, options), options, workers)


def records(inputs: Any, options: ReadOptions) -> Iterator[Item]:
    """The records that `read` finishes, before any conformer search; raises as `read` does."""
    check_seed(options.seed)
    check_conformers(options.conformers)
    one = isinstance(inputs, str | os.PathLike) or is_object(inputs)
    given: list[Any] = [inputs] if one else [*inputs]  # pyright: ignore[reportGeneralTypeIssues]
    if not given:
        raise InputError("expected at least one SMILES or file, got none")
    return _read([_source(item, number) for number, item in enumerate(given, 1)], options)


def _read(plan: list[Source], options: ReadOptions) -> Iterator[Item]:
    for source in plan:
        yield from source(options)


def _source(item: Any, number: int) -> Source:
    """The function that yields the records of one input."""
    if not isinstance(item, str | os.PathLike):
        made = from_object(item, number)
        return lambda options: iter([made])
    text = os.fspath(item)
    if text == STDIN:
        return lambda options: _some("standard input", read_standard_input())
    reader = _reader(text)
    if reader is None:
        return lambda options: _argument(text)
    path = Path(text)
    return lambda options: _some(text, with_columns(reader(path, options), path, options))


def _some(text: str, items: Iterator[Item]) -> Iterator[Item]:
    empty = True
    for item in items:
        empty = False
        yield item
    if empty:
        raise InputError(f"{text}: expected at least one molecule, got none; check the file")


def _reader(text: str) -> Reader | None:
    """The reader of a file; None for a SMILES, which may also contain dots, / and \\."""
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
            f".gz), got {extension or 'no extension'!r}; {_advice(text, extension)}"
        )
    return None


def _advice(text: str, extension: str) -> str:
    if extension in _TABLES:
        return "save the table as .csv"
    if extension in _BABEL:
        made = f"{os.path.splitext(text)[0]}.sdf"
        return f"convert it with Open Babel, as in: obabel {text} -O {made}"
    return "convert or rename it"


def _extension(text: str) -> str:
    name = text.lower().removesuffix(".gz")
    return os.path.splitext(name)[1]


def _argument(text: str) -> Iterator[Item]:
    smiles, name = split(text)
    yield Pending(name or smiles, "argument", partial(_from_argument, smiles, name))


def _from_argument(smiles: str, name: str, options: ReadOptions) -> Structure | Rejected:
    made = from_smiles(smiles, name, "argument", options)
    if isinstance(made, Rejected) and made.reason.startswith(UNREADABLE):
        return Rejected(made.name, made.source, f"{made.reason}, or name an existing file")
    return made
