"""Write the predictions of held-out molecules beside the columns of the input."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..chem.readers import records
from ..chem.structure import ReadOptions
from ..datasets.own import is_own
from ..prediction.input_columns import InputColumns
from ..prediction.output import write
from ..training.config import TrainConfig

FILE = "predictions.csv"
Row = dict[str, Any]


def write_predictions(folder: Path, config: TrainConfig, results: Sequence[Row]) -> None:
    """Write predictions.csv: the prediction of each row of the input while it was held out.

    Columns, in order:
    - those of the input; a name that predictions also have is prefixed with `input_`
    - name, source, `fold`, `<target>_true` and the columns of a prediction
    - `error`, the reason if there is no prediction

    Values are means over the seeds, and `<target>_seeds_std` is their standard deviation. For a
    named data set there is a row for each predicted molecule.
    """
    found = _by_molecule(folder, results)
    made = [*(_of_file(config, found) if is_own(config.data) else _of_set(found))]
    write(folder / FILE, made)


def _by_molecule(folder: Path, results: Sequence[Row]) -> dict[str, list[Row]]:
    """The test predictions of each molecule, by its id."""
    found: dict[str, list[Row]] = {}
    for result in results:
        if "errors" not in result:
            continue
        run = folder / f"seed_{result['seed']}" / f"fold_{result['fold']}"
        with (run / "test_predictions.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                name = row.pop("id")
                found.setdefault(name, []).append({"fold": str(result["fold"])} | row)
    return found


def _of_file(config: TrainConfig, found: dict[str, list[Row]]) -> Iterator[Row]:
    options = ReadOptions(smiles_column=config.smiles_column)
    items = list(records([config.data], options))
    taken = {name for rows in found.values() for name in rows[0]} | {"name", "source", "error"}
    columns = InputColumns([config.data], config.smiles_column, taken)
    cells = columns.cells([item.source for item in items])
    reasons = _reasons(Path(config.out))
    for item, given in zip(items, cells, strict=True):
        rows = found.get(item.source.rsplit(":", 1)[-1], [])
        row = given | {"name": item.name, "source": item.source} | joined(rows)
        missing = reasons.get(item.source, "it was in no fold that was tested")
        yield row | {"error": None if rows else missing}


def _of_set(found: dict[str, list[Row]]) -> Iterator[Row]:
    for name, rows in found.items():
        yield {"name": name} | joined(rows) | {"error": None}


def _reasons(folder: Path) -> dict[str, str]:
    """The reason why a row of the file could not be used, by its source."""
    made: dict[str, str] = {}
    for path in sorted(folder.glob("seed_*/fold_*/**/rejected.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            made |= {row["source"]: row["reason"] for row in csv.DictReader(file)}
    return made


def joined(rows: Sequence[Row]) -> Row:
    """Combine rows of several seeds: the mean of numbers, and the most frequent text.

    For several rows, each number that has a true value also gets the column `_seeds_std`, the
    standard deviation.
    """
    if len(rows) < 2:
        return dict(rows[0]) if rows else {}
    made: Row = {"fold": " ".join(row["fold"] for row in rows)}
    for name in rows[0]:
        if name == "fold":
            continue
        texts = [row.get(name) or "" for row in rows]
        classes = name.endswith("_class") or f"{name.removesuffix('_true')}_class" in rows[0]
        try:
            values = None if classes else [float(text) for text in texts]
        except ValueError:
            values = None
        if values is None:
            made[name] = Counter(texts).most_common(1)[0][0]
            continue
        made[name] = float(np.mean(values))
        if f"{name}_true" in rows[0]:
            made[f"{name}_seeds_std"] = float(np.std(values, ddof=1))
    return made
