"""The runs of the benchmark, their settings, and where their results are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import InputError
from ...training.config import TrainConfig
from ...training.fine_tuning import TAKEN
from ...training.presets import fitted
from ..grid import Run
from . import chemprop, ours, sets
from .cells import PART, Cell
from .environment import Environment

PROGRAMS = ("chemprop", "molinv", "init", "shipped")
SPLITS = ("random", "scaffold")
QM9_SPLIT = "standard"
QUICK = 90  # molecules with --quick


class Part(NamedTuple):
    """One program on one cell, and which of its models; None for all models in one run."""

    program: str
    cell: Cell
    model: int | None = None

    @property
    def path(self) -> Path:
        """Path of the result."""
        name = self.program + ("" if self.model is None else f"-{self.model}")
        return self.cell.folder / name / "result.json"

    def read(self) -> dict[str, Any] | None:
        """The result; None if it does not exist yet."""
        if not self.path.is_file():
            return None
        return json.loads(self.path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Plan:
    """What all runs share; see the benchmark's flags.

    train_size, test    numbers of QM9 molecules, None for all
    """

    out: Path
    where: Environment
    model: str
    init: str
    settings: dict[str, Any]
    accelerator: str
    ensemble: int
    minutes: float | None
    train_size: int | None
    test: int | None
    quick: bool

    def cells(self, names: list[str], splits: list[str], seeds: list[int]) -> Iterator[Cell]:
        """Every set, split and seed; QM9 has one split."""
        for name in names:
            for split in splits if name != "qm9" else [QM9_SPLIT]:
                yield from (Cell(self.out, name, split, seed) for seed in seeds)

    def write(self, cell: Cell) -> tuple[str, ...]:
        """Write the file that all programs read; returns the unreadable records."""
        if cell.set == "qm9":
            sizes = (QUICK // 2, QUICK // 2) if self.quick else (self.train_size, self.test)
            cell.write(*sets.qm9(self.model, cell.seed, *sizes))
            return ()
        molecules = sets.SETS[cell.set](self.where.data)
        if self.quick:
            molecules = molecules.first(QUICK)
        cell.write(molecules, sets.divide(molecules.smiles, cell.split, cell.seed))
        return molecules.unreadable

    def parts(self, cell: Cell) -> list[Part]:
        """The runs of a cell; chemprop's is first, because its time decides that of the others."""
        made = [Part("chemprop", cell)]
        made += [Part("molinv", cell, k) for k in range(self.ensemble)]
        if cell.set == "qm9":
            return [*made, Part("shipped", cell)]
        return made + [Part("init", cell, k) for k in range(self.ensemble)]

    def run(self, part: Part) -> Run:
        """The run of a part."""
        cell = part.cell
        number = "" if part.model is None else f", model {part.model + 1} of {self.ensemble}"
        facts = {"program": part.program, "set": cell.set, "split": cell.split, "seed": cell.seed}
        label, test = f"{cell}: {part.program}{number}", {}
        if part.program == "chemprop":
            config: Any = self._chemprop(part)
            work, test = partial(chemprop.measure, self.where, cell), self.where.decisive()
        elif part.program == "shipped":
            config = ours.ShippedConfig(str(cell.file), str(part.path.parent), self.model)
            work = partial(ours.shipped, cell)
        else:
            config, work = self._molinv(part), partial(ours.measure, cell)
        return Run(label, part.path, config, partial(work, config), test, facts)

    def _chemprop(self, part: Part) -> chemprop.ChempropConfig:
        return chemprop.ChempropConfig(
            data=str(part.cell.file),
            targets=",".join(part.cell.units),
            out=str(part.path.parent),
            ensemble=self.ensemble,
            epochs=3 if self.quick else None,  # more than its 2 warm-up epochs
            seed=100 * part.cell.seed,
            accelerator=self.accelerator,
        )

    def _molinv(self, part: Part) -> TrainConfig:
        cell = part.cell
        settings: dict[str, Any] = {
            "data": str(cell.file),
            "targets": ",".join(f"{name} [{unit}]" for name, unit in cell.units.items()),
            "split": f"column:{PART}",
            "out": str(part.path.parent),
            "seed": 100 * cell.seed + (part.model or 0),
            "accelerator": self.accelerator,
        }
        settings |= {"epochs": 1} if self.quick else {"minutes": self._minutes(cell)}
        more = self.settings
        if part.program == "init":  # the initial model decides the architecture
            settings["init"] = self.init
            more = {name: value for name, value in more.items() if name not in TAKEN}
        try:
            return fitted(TrainConfig(**settings | more))
        except TypeError as error:
            raise InputError(f"settings: {str(error).split('() ')[-1]}.") from error

    def _minutes(self, cell: Cell) -> float:
        if self.minutes is not None:
            return self.minutes
        rival = Part("chemprop", cell)
        if (result := rival.read()) is None:
            raise InputError(
                f"{cell}: molinv trains as long as chemprop, which has no result in "
                f"{rival.path.parent}: add chemprop to --only, or give --minutes."
            )
        return result["seconds"] / 60
