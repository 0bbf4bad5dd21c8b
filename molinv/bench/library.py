"""How near a library's prediction comes to the rates of what it cannot do without.

    geometries    `molinv predict library.xyz -o out.parquet`, beside the network alone on batches
                  that lie ready, sorted by size
    smiles        the same of SMILES, beside RDKit alone: parsing, ETKDGv3, from random coordinates
                  where that fails, and MMFF94, in as many processes

Each is timed from its call to its end, with the start of its processes, in turn in one run; ratios
are taken within a round. The network runs while the processes embed: it needs a core that they
leave it. The model is loaded before.

    molinv bench library
    molinv bench library --molecules 300 --rounds 1
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ..chem.structure import Structure
from ..datasets import load
from ..datasets.molecules import Molecules
from ..errors import InputError
from ..prediction.library import predict_library
from ..prediction.predictor import Predictor, by_size, pad
from ..training.saved import write_json
from .throughput import machine
from .throughput_results import plain
from .turns import ratios, spread

TASK = 16  # molecules a process embeds at once, as `chem.parallel` does


def main(
    out: str = "library",
    model: str | None = None,
    data: str = "qm9",
    molecules: int = 2000,
    copies: int = 1,
    workers: int = 1,
    rounds: int = 5,
) -> None:
    """Measure rates in turn, print a table and write library.json into the folder.

    Args:
        out: the folder to write into.
        model: a shipped model's name or a run folder; the shipped default if not given.
        data: where the molecules come from: qm9, or a folder of a data set with SMILES.
        molecules: how many of them, drawn at random.
        copies: orientations averaged; with SMILES always one.
        workers: processes that embed SMILES.
        rounds: how often everything is measured.
    """
    for name, value in {"molecules": molecules, "copies": copies, "workers": workers}.items():
        if value < 1:
            raise InputError(f"{name}: expected at least 1, got {value}.")
    there = load(data)
    chosen = np.random.default_rng(0).permutation(len(there))[:molecules]
    console, folder = Console(), Path(out)
    with TemporaryDirectory() as place:
        tasks = _tasks(there.take(np.sort(chosen)), model, copies, workers, Path(place))
        seconds: dict[str, list[float]] = {name: [] for name in tasks}
        for task in tasks.values():
            task()  # libraries load
        for i in range(max(1, rounds)):
            names = list(tasks)
            for name in names[i % len(names) :] + names[: i % len(names)]:
                start = perf_counter()
                tasks[name]()
                seconds[name].append((perf_counter() - start) / len(chosen))
    table = Table(title=f"{len(chosen):,} molecules, copies {copies}, workers {workers}")
    for column in ("what", "molecules/s (lowest to highest)"):
        table.add_column(column)
    found = {name: spread([1 / s for s in values]) for name, values in seconds.items()}
    for name, rate in found.items():
        table.add_row(name, f"{rate.median:,.1f} ({rate.low:,.1f} to {rate.high:,.1f})")
    shares = {
        "library of geometries / network alone": ratios(
            seconds["network alone"], seconds["library of geometries"]
        ),
        "library of SMILES / RDKit alone": ratios(
            seconds["RDKit alone"], seconds["library of SMILES"]
        ),
    }
    for name, share in shares.items():
        text = f"{100 * share.median:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
        table.add_row(name, text)
    console.print(table)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"molecules": len(chosen), "copies": copies, "workers": workers, "rounds": rounds}
    content = {"machine": machine(torch.device("cpu")), "settings": settings}
    content |= {"molecules_per_s": found, "share": shares}
    write_json(folder / "library.json", plain(content))
    console.print(f"wrote {folder / 'library.json'}", highlight=False)


def _tasks(
    molecules: Molecules, model: str | None, copies: int, workers: int, place: Path
) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    from ase.data import chemical_symbols

    predictor = Predictor(model, copies)
    each = [molecules.molecule(i)[:2] for i in range(len(molecules))]
    structures = [Structure(str(i), z, p.astype(float), "", False) for i, (z, p) in enumerate(each)]
    smiles = [s for s in molecules.smiles[:] if s]
    frames, lines = place / "library.xyz", place / "library.smi"
    with frames.open("w") as file:
        for i, (z, pos) in enumerate(each):
            rows = zip(z.tolist(), pos.tolist(), strict=True)
            atoms = "".join(
                f"{chemical_symbols[a]} {x:.6f} {y:.6f} {w:.6f}\n" for a, (x, y, w) in rows
            )
            file.write(f"{len(z)}\nm{i}\n{atoms}")
    with lines.open("w") as file:
        file.write("".join(f"{s}\n" for s in smiles))
    center = predictor.saved.card["placement"]["center"]
    batches = [pad([structures[i] for i in part], center) for part in by_size(structures, 64)]
    network = predictor.saved.network

    def alone() -> None:
        for batch in batches:
            inputs = network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
            network.orbit(*inputs, orbit="learned", copies=copies)

    def library(path: Path, copies: int, workers: int) -> None:
        predict_library(
            path, place / "o.parquet", model, copies=copies, workers=workers, progress=False
        )

    made: dict[str, Callable[[], object]] = {
        "network alone": alone,
        "library of geometries": lambda: library(frames, copies, 0),
    }
    if smiles:
        made["RDKit alone"] = lambda: _rdkit(smiles, workers)
        made["library of SMILES"] = lambda: library(lines, 1, workers)
    return made


def _rdkit(smiles: list[str], workers: int) -> None:
    parts = [smiles[i : i + TASK] for i in range(0, len(smiles), TASK)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_embed, parts))


def _embed(smiles: list[str]) -> int:
    """How many of the SMILES RDKit finds a conformer for, as `chem.conformers` searches it."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdDistGeom
    from rdkit.Chem import rdForceFieldHelpers as fields

    RDLogger.DisableLog("rdApp.*")  # pyright: ignore[reportAttributeAccessIssue]
    found = 0
    for text in smiles:
        mol = Chem.AddHs(Chem.MolFromSmiles(text))
        settings = rdDistGeom.ETKDGv3()
        settings.randomSeed = 0
        for settings.useRandomCoords in (False, True):  # for those that fail without
            if made := rdDistGeom.EmbedMolecule(mol, settings) == 0:
                break
        if made:
            if types := fields.MMFFGetMoleculeProperties(mol):
                field = fields.MMFFGetMoleculeForceField(mol, types)
                field.Initialize()
                field.Minimize(maxIts=1000)
            found += 1
    return found
