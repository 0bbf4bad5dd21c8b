"""QM9 from the PyPI package qm9pack 1.0.3, stored as a memory-mapped cache.

Source: Ramakrishnan, Dral, Rupp, von Lilienfeld, "Quantum chemistry structures and
properties of 134 kilo molecules", Sci. Data 1, 140022 (2014); B3LYP/6-31G(2df,p). The
3,054 molecules that failed the authors' consistency check are already left out. The
package's polarisability tensors are not read: their frame is not that of XYZ_Ang.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..screen import messages
from .checks import check
from .molecules import Molecules, Target
from .ragged import Strings, pointers

if TYPE_CHECKING:
    import pyarrow as pa

HARTREE = 27211.386245988  # meV, CODATA 2018
COUNT = 130_831
FOLDER = "qm9-1.0.3"
FILES = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")

# column of the CSV files, factor to the unit, target
_COLUMNS = (
    ("Dipole_debye", 1.0, Target("mu", "D", "dipole moment")),
    ("Polarizability_bohr3", 1.0, Target("alpha", "a0^3", "isotropic polarisability")),
    ("HOMO_au", HARTREE, Target("homo", "meV", "highest occupied orbital energy")),
    ("LUMO_au", HARTREE, Target("lumo", "meV", "lowest unoccupied orbital energy")),
    ("HOMO_LUMO_gap_au", HARTREE, Target("gap", "meV", "lumo minus homo")),
    ("R2_bohr2", 1.0, Target("r2", "a0^2", "electronic spatial extent")),
    ("ZPVE_au", HARTREE, Target("zpve", "meV", "zero-point vibrational energy")),
    ("InternalEnergy_0K_au", HARTREE, Target("U0", "meV", "internal energy at 0 K", True)),
    ("InternalEnergy_298K_au", HARTREE, Target("U", "meV", "internal energy at 298.15 K", True)),
    ("Enthalphy_298K_au", HARTREE, Target("H", "meV", "enthalpy at 298.15 K", True)),
    ("GibbsFreeEnergy_298K_au", HARTREE, Target("G", "meV", "free energy at 298.15 K", True)),
    ("Heatcapacity_Cv_cal_mol_K", 1.0, Target("Cv", "cal/(mol K)", "heat capacity at 298.15 K")),
)
TARGETS = tuple(target for _, _, target in _COLUMNS)
_TEXT = ("SMILES", "Elements", "XYZ_Ang", "Mulliken_pop")
_NUMBER = np.zeros(256, np.uint8)
_NUMBER[np.frombuffer(b"HCNOF", np.uint8)] = (1, 6, 7, 8, 9)


def cache_root() -> Path:
    """The folder of all caches: $MOLINV_CACHE, or ~/.cache/molinv."""
    return Path(os.environ.get("MOLINV_CACHE") or Path.home() / ".cache" / "molinv")


def open_qm9(root: str | Path | None = None) -> Molecules:
    """QM9's 130,831 molecules with twelve targets; built in `root` on first use, in seconds.

    U0, U, H and G are total energies in meV. Raises InputError if qm9pack is missing or
    the cache is damaged.
    """
    root = Path(root) if root is not None else cache_root()
    return Molecules.open(root / FOLDER) if (root / FOLDER).exists() else make_cache(root)


def make_cache(root: str | Path, source: Path | None = None) -> Molecules:
    """Read qm9pack's CSV files, or those in `source`, into the cache root/qm9-1.0.3.

    Raises InputError if a file is missing or has other content. Several processes may run it at
    the same time: the first to finish writes the cache.
    """
    from rich.progress import Progress

    source = _source() if source is None else source
    screen = messages()
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("building the QM9 cache", total=len(FILES) + 1)
        parts = []
        for name in FILES:
            parts.append(_read(source / name))
            progress.advance(task)
        molecules = check(_join(parts))
        if len(molecules) != COUNT:
            raise InputError(
                f"expected {COUNT:,} molecules in {source}, got {len(molecules):,}: "
                "reinstall qm9pack==1.0.3."
            )
        return molecules.save(Path(root) / FOLDER)


def _source() -> Path:
    """The data folder of qm9pack, found without importing it (it needs pkg_resources)."""
    spec = importlib.util.find_spec("qm9pack")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("QM9 needs the package qm9pack: pip install 'molinv[qm9]'.")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(path: Path) -> dict[str, np.ndarray]:
    """One CSV file as flat arrays; columns that hold lists as text are parsed as CSV again."""
    import pyarrow as pa
    from pyarrow import compute, csv

    types = {"Index": pa.int64(), "N_atoms": pa.int64()}
    types |= {name: pa.float64() for name, _, _ in _COLUMNS}
    types |= {name: pa.string() for name in _TEXT}
    try:
        table = csv.read_csv(
            path,
            convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types)),
        )
        sizes = table["N_atoms"].to_numpy()
        for name, mark in (("Elements", ","), ("XYZ_Ang", "],"), ("Mulliken_pop", ",")):
            counts = compute.count_substring(table[name], mark).to_numpy() + 1  # type: ignore
            if not np.array_equal(counts, sizes):
                row = int(np.flatnonzero(counts != sizes)[0])
                raise InputError(
                    f"{path.name}: the molecule with Index {table['Index'][row]} has N_atoms = "
                    f"{sizes[row]} but {counts[row]} entries in {name}: reinstall qm9pack==1.0.3."
                )
        symbols = _bytes(table["Elements"])[0].translate(None, b"[]', ")
        xyz = _bytes(table["XYZ_Ang"])[0].translate(None, b"[").replace(b"]]", b"\n")
        charges = _bytes(table["Mulliken_pop"])[0].translate(bytes.maketrans(b",]", b"\n\n"), b"[")
        arrays = {
            "sizes": sizes,
            "z": _NUMBER[np.frombuffer(symbols, np.uint8)],
            "pos": _numbers(xyz.replace(b"],", b"\n"), 3),
            "charges": _numbers(charges, 1)[:, 0],
            "y": np.stack([table[c].to_numpy() * factor for c, factor, _ in _COLUMNS], 1),
            "index": table["Index"].to_numpy(),
        }
        for kind, column in (("smiles", table["SMILES"]), ("ids", table["Index"].cast("string"))):
            text, lengths = _bytes(column)
            arrays |= {f"{kind}_text": np.frombuffer(text, np.uint8), f"{kind}_lengths": lengths}
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"cannot read {path}: {reason}; reinstall qm9pack==1.0.3.") from error
    if not len(arrays["z"]) == len(arrays["pos"]) == len(arrays["charges"]) == sizes.sum():
        raise InputError(f"{path} is not qm9pack 1.0.3's: its lists of atoms do not add up.")
    return arrays


def _bytes(column: pa.ChunkedArray) -> tuple[bytes, np.ndarray]:
    """The concatenated strings of a column, and their lengths in bytes."""
    text, lengths = [], []
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        ends = np.frombuffer(offsets, np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]
        text.append(memoryview(data)[ends[0] : ends[-1]])
        lengths.append(np.diff(ends).astype(np.int64))
    return b"".join(text), np.concatenate(lengths)


def _numbers(text: bytes, columns: int) -> np.ndarray:
    """Lines of comma-separated numbers as a float32 array (lines, columns)."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(i) for i in range(columns)]
    table = csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(column_names=names),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float32())),
    )
    return np.stack([table[name].to_numpy() for name in names], 1)


def _join(parts: list[dict[str, np.ndarray]]) -> Molecules:
    """The three parts as one set, in the order of QM9's Index."""
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    molecules = Molecules(
        z=whole["z"],
        pos=whole["pos"],
        ptr=pointers(whole["sizes"]),
        y=whole["y"],
        targets=TARGETS,
        charges=whole["charges"],
        smiles=Strings(whole["smiles_text"], pointers(whole["smiles_lengths"])),
        ids=Strings(whole["ids_text"], pointers(whole["ids_lengths"])),
    )
    if (np.diff(whole["index"]) > 0).all():
        return molecules
    return molecules.take(np.argsort(whole["index"], kind="stable"))
