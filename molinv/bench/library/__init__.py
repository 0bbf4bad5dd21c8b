"""Rates of predicting a library of molecules, compared with the network alone and RDKit alone.

    geometries    `molinv predict library.xyz -o out.parquet`, compared with the network alone on
                  prepared batches, sorted by size
    smiles        the same from SMILES, compared with RDKit alone on as many processes: parsing,
                  ETKDGv3 (again from random coordinates if it fails), and MMFF94

Each is timed as a complete call, including the start of its processes, but with the model already
loaded. All are timed in turn in one run, and ratios are taken within a round. The network runs
while the processes embed, so it needs a core of its own.

    molinv bench library
    molinv bench library --molecules 300 --rounds 1
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from ...chem.structure import GIVEN, Structure
from ...datasets import load
from ...datasets.batches import Batch
from ...datasets.molecules import Molecules
from ...prediction.batches import asked, by_size, pad
from ...prediction.library import predict_library
from ...prediction.predictor import Predictor
from ..flags import positive
from ..report import interval, machine, table, write
from ..turns import Spread, Task, in_turn, rates, ratios

TASK = 16  # molecules that a process embeds at once, as in `chem.parallel`
# each task with its lower bound in time
PAIRS = {"library of geometries": "network alone", "library of SMILES": "RDKit alone"}


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
        out: output folder.
        model: a shipped model's name or a run folder; the shipped default if not given.
        data: source of the molecules: qm9, or the folder of a data set with SMILES.
        molecules: number of molecules, drawn at random.
        copies: number of orientations to average over; always one for SMILES.
        workers: number of processes that embed SMILES.
        rounds: number of timing rounds.
    """
    positive(molecules=molecules, copies=copies, workers=workers, rounds=rounds)
    there = load(data)
    chosen = np.random.default_rng(0).permutation(len(there))[:molecules]
    with TemporaryDirectory() as place:
        tasks = _tasks(there.take(np.sort(chosen)), model, copies, workers, Path(place))
        seconds = in_turn(tasks, rounds)
    found = {name: rates(values) for name, values in seconds.items()}
    shares = {
        f"{name} / {alone}": ratios(seconds[alone], seconds[name])
        for name, alone in PAIRS.items()
        if name in seconds
    }
    rows = [(name, interval(rate, ",.1f")) for name, rate in found.items()]
    for name, share in shares.items():
        rows.append((name, interval(Spread(*(100 * v for v in share)), ".1f", " %")))
    columns = ("what", "molecules/s (lowest to highest)")
    title = f"{len(chosen):,} molecules, copies {copies}, workers {workers}"
    console = Console()
    console.print(table(columns, rows, title, left=(0, 1)))
    settings = {"molecules": len(chosen), "copies": copies, "workers": workers, "rounds": rounds}
    content = {"machine": machine(), "settings": settings}
    content |= {"molecules_per_s": found, "share": shares}
    console.print(f"wrote {write(Path(out) / 'library.json', content)}", highlight=False)


def _tasks(
    molecules: Molecules, model: str | None, copies: int, workers: int, place: Path
) -> dict[str, Task]:
    """The tasks to time, by name."""
    from ase import Atoms
    from ase.io import write as write_xyz

    predictor = Predictor(model, copies)
    each = [molecules.molecule(i)[:2] for i in range(len(molecules))]
    structures = [Structure(str(i), z, p.astype(float), "", GIVEN) for i, (z, p) in enumerate(each)]
    smiles = [s for s in molecules.smiles[:] if s]
    frames, lines = place / "library.xyz", place / "library.smi"
    write_xyz(frames, [Atoms(z, pos) for z, pos in each], format="xyz", fmt="%.6f")
    lines.write_text("".join(f"{s}\n" for s in smiles), encoding="utf-8")
    center = predictor.saved.card["placement"]["center"]
    names = asked(predictor.saved)
    parts = by_size(structures, 64)
    batches = [pad([structures[i] for i in part], center, names) for part in parts]
    network = predictor.saved.network

    def alone(batch: Batch) -> None:
        inputs = network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        network.orbit(*inputs, orbit="learned", copies=copies)

    def library(path: Path, copies: int, workers: int) -> None:
        predict_library(
            path, place / "o.parquet", model, copies=copies, workers=workers, progress=False
        )

    made = {
        "network alone": Task(alone, batches),
        "library of geometries": Task(lambda _: library(frames, copies, 0), [structures]),
    }
    if smiles:
        made["RDKit alone"] = Task(lambda every: _rdkit(every, workers), [smiles])
        made["library of SMILES"] = Task(lambda _: library(lines, 1, workers), [smiles])
    return made


def _rdkit(smiles: list[str], workers: int) -> None:
    parts = [smiles[i : i + TASK] for i in range(0, len(smiles), TASK)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_embed, parts))


def _embed(smiles: list[str]) -> None:
    """Search conformers with RDKit as `chem.conformers` does."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdDistGeom
    from rdkit.Chem import rdForceFieldHelpers as fields

    RDLogger.DisableLog("rdApp.*")  # pyright: ignore[reportAttributeAccessIssue]
    for text in smiles:
        mol = Chem.AddHs(Chem.MolFromSmiles(text))
        settings = rdDistGeom.ETKDGv3()
        settings.randomSeed = 0
        for settings.useRandomCoords in (False, True):  # random if the first search fails
            if made := rdDistGeom.EmbedMolecule(mol, settings) == 0:
                break
        if made and (types := fields.MMFFGetMoleculeProperties(mol)):
            field = fields.MMFFGetMoleculeForceField(mol, types)
            field.Initialize()
            field.Minimize(maxIts=1000)
