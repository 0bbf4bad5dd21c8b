"""The shipped model's predictions for well-known molecules, beside QM9's values."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from rich import box
from rich.table import Table

from ...chem import read
from ...chem.structure import EMBEDDED
from ...datasets import load
from ...prediction.predictor import Predictor
from ...prediction.screen_table import number
from ...training.config import read_config
from ...training.shipped import locate
from ...training.source import prepare

# as QM9 writes them, so that they are found in it
MOLECULES = {
    "water": "O",
    "methane": "C",
    "ammonia": "N",
    "ethanol": "CCO",
    "acetone": "CC(C)=O",
    "benzene": "C1=CC=CC=C1",
    "phenol": "OC1=CC=CC=C1",
    "DMF": "CN(C)C=O",
    "THF": "C1CCOC1",
    "benzaldehyde": "O=CC1=CC=CC=C1",
}
TARGETS: tuple[str, ...] = ("homo", "lumo", "gap")
MODEL = "qm9-smiles"


class Known(NamedTuple):
    """A molecule's predicted values, their 90 % intervals and QM9's values, in meV, by target."""

    name: str
    trained: bool
    predicted: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    truth: dict[str, float]


def known_molecules() -> list[Known]:
    """Predict them from their SMILES."""
    folder = locate(MODEL)
    config = replace(read_config(folder / "config.yaml"), features="", geometries="", conformers=1)
    training = set(prepare(config).parts.train.tolist())
    molecules = load("qm9")
    y, smiles = molecules.select(TARGETS), list(molecules.smiles)
    predictor, made = Predictor(MODEL, targets=TARGETS, kind=EMBEDDED), list[Known]()
    rows = predictor.predict(read(list(MOLECULES.values())))
    for (name, text), row in zip(MOLECULES.items(), rows, strict=True):
        assert isinstance(row, dict)
        index = smiles.index(text)
        value, low, high = ({t: row[f"{t}{e}"] for t in TARGETS} for e in ("", "_low", "_high"))
        truth = dict(zip(TARGETS, y[index].tolist(), strict=True))
        made.append(Known(name, index in training, value, low, high, truth))
    return made


def known_table(found: list[Known]) -> Table:
    """The predictions with the half-widths of their intervals, and QM9's values."""
    made = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    made.title = f"Predicted by the shipped model {MODEL} from SMILES, beside QM9 (meV)"
    made.title_justify = "left"
    made.add_column("molecule")
    for name in TARGETS:
        made.add_column(name, justify="right")
        made.add_column("QM9", justify="right")
    for each in found:
        cells = list[str]()
        for t in TARGETS:
            value = each.predicted[t]
            half = max(each.high[t] - value, value - each.low[t])
            cells += [f"{number(value, half)} ± {number(half, half)}", f"{each.truth[t]:.0f}"]
        made.add_row(each.name if each.trained else f"{each.name} +", *cells)
    made.caption = "+ a test molecule; the others are among the model's training molecules"
    made.caption_justify = "left"
    return made
