"""The main job in minutes: train on real QM9, watch the extents open, predict.

A point transformer with no symmetry built in trains on 5,000 molecules together with a
distribution over rotations that starts at 0.05 rad.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ...training.curves import draw_curves
from ...chem import read
from ...datasets import load
from ...datasets.split import split
from ...prediction.evaluate import evaluate
from ...prediction.evaluate import table as accuracy_table
from ...prediction.predictor import Predictor
from ...training.config import TrainConfig
from ...training.run import train
from ..report import table

CONFIG = TrainConfig(targets="homo,lumo,gap", train_size=5000, epochs=24)
MOLECULES = {"benzene": "C1=CC=CC=C1", "phenol": "OC1=CC=CC=C1", "acetone": "CC(C)=O"}


def main(out: str = "demo") -> None:
    """Train, evaluate, draw and predict in the folder `out`."""
    console, config = Console(highlight=False), replace(CONFIG, out=out)
    console.print(
        f"Training {config.model} on {config.train_size:,} QM9 molecules, jointly with a "
        f"{config.distribution} over {config.group} ..."
    )
    folder = train(config)
    result = evaluate(folder)
    console.print(accuracy_table(result))
    for name, extent in result["extents"].items():
        console.print(
            f"learned half-width {name}: {extent['value']:.2f} {extent['unit']} "
            f"(started at 0.05, cap {extent['cap']:.2f})"
        )
    for picture in draw_curves(folder):
        console.print(f"wrote {picture}")
    console.print(compare(folder, config))


def compare(folder: Path, config: TrainConfig) -> Table:
    """Three well-known molecules, predicted from their SMILES, beside their QM9 values."""
    molecules = load(config.data)
    training = set(split(len(molecules), config.seed, config.train_size).train.tolist())
    y, made = molecules.select(config.target_names), []
    rows = Predictor(folder).predict(read(list(MOLECULES.values())))
    for (name, smiles), row in zip(MOLECULES.items(), rows, strict=True):
        index = list(molecules.smiles).index(smiles)
        first = name + (" (in the training set)" if index in training else "")
        assert isinstance(row, dict)
        for target, truth in zip(config.target_names, y[index], strict=True):
            numbers = f"{row[target]:.0f}", f"{row[f'{target}_std']:.1f}", f"{truth:.0f}"
            made.append((first, target, *numbers, str(row[f"{target}_unit"])))
            first = ""
    columns = ("molecule", "target", "predicted", "std over rotations", "QM9", "unit")
    title = "Predicted from SMILES (conformer by RDKit), beside QM9"
    return table(columns, made, title, left=(0, 5))
