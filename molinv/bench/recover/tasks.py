"""The rows of `recover`: planted tasks with the distribution to learn, and training settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import pi
from typing import Any

import numpy as np

from ...datasets import planted
from ...datasets.split import split
from ...training.config import TrainConfig

# the same for all tasks: reward, its maximum cost, the distribution's learning rates and wait
_OURS = {"lam": 0.07, "cost": 0.02, "group_lr": 0.015, "group_end": 0.2, "wait": 0.3}
RECIPES: dict[str, dict[str, Any]] = {
    "molinv": {"regularizer": "share"} | _OURS,
    # the paper's norm of the half-widths, 0.05 per rad, from the first step (arXiv 2010.11882)
    "plain": {"regularizer": "width", "lam": 0.05 * pi, "group_lr": 0.03},
}
NETWORK = {"width": 64, "layers": 3, "hidden": 32, "kernels": 8}
# most molecules of these tasks: few molecules of QM9 are non-polar or have a large dipole
COUNT = {"per_molecule": 4_000, "sectors": 30_000}
MOST = 40_000
BATCH = 32
FIXED: dict[str, Any] = {"valid_size": 1000, "batch_size": BATCH}
PROPERTIES = ("homo", "lumo", "gap", "alpha")
MOMENTS = "molinv.bench.recover.network:Moments"


@dataclass(frozen=True)
class Row:
    """A planted task, and the variant (a distribution with its truths) that is learned.

    `plain` is the variant for the plain recipe, a box if there is one; None if another row of the
    task has it. `settings` override the task's defaults. `model` is the network, by default `point`
    with the settings of NETWORK.
    """

    name: str
    task: str
    variant: int = 0
    plain: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str = "point"

    def chosen(self, recipe: str) -> int | None:
        """The variant that a recipe learns in this row; None if the recipe has no run here."""
        return self.plain if recipe == "plain" else self.variant

    def text(self, seed: int, hidden: int | None, source: str, count: int | None) -> str:
        """The task as the name of a data set; `hidden` is the number of a hidden variant."""
        most = min(COUNT.get(self.task, MOST), count or MOST)
        settings: dict[str, Any] = {"seed": seed, "count": most} | dict(self.settings)
        if hidden is not None:
            settings |= drawn(self.task, hidden)
        if source != "qm9":
            settings["source"] = source
        return planted.to_text(self.task, settings)


ROWS = {
    row.name: row
    for row in (
        Row("full", "full", plain=1),
        Row("full-box", "full", 1),
        Row("full-basis", "full", 2),
        Row("axial", "axial", plain=0),
        Row("axial-basis", "axial", 2),
        Row("tilted", "tilted", plain=1),
        Row("tilted-box", "tilted", 1),
        Row("none", "none", plain=0),
        Row("sectors-2", "sectors", plain=0, settings={"k": 2}, model=MOMENTS),
        Row("sectors-4", "sectors", settings={"k": 4}, model=MOMENTS),
        Row("discrete", "discrete", plain=0, settings={"a": round(pi / 2, 6)}, model=MOMENTS),
        Row("translation", "translation", plain=0),
        Row("size", "size", plain=0),
        Row("chirality", "chirality", plain=0, model="molinv.bench.recover.network:Products"),
        Row("achiral", "achiral", plain=0),
        Row("per-molecule", "per_molecule", plain=0),
        Row("dipole", "dipole", plain=1),
        Row("dipole-as-scalars", "dipole_as_scalars", plain=1),
    )
}


def drawn(task: str, number: int) -> dict[str, Any]:
    """Settings of a hidden variant: another axis, angle, field or property, drawn from a seed.

    The same number gives the same settings. A task without settings of its own gets none.
    """
    rng = np.random.PCG64([number, *task.encode()])

    def uniform(low: float, high: float) -> float:
        return round(low + (high - low) * float(rng.random_raw()) / 2**64, 3)

    def choose(*options: Any) -> Any:
        return options[int(rng.random_raw() % len(options))]

    def straight() -> list[float]:
        return choose([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])

    def oblique() -> list[float]:
        while True:
            axis = np.array([uniform(-1, 1) for _ in range(3)])
            length = float(np.linalg.norm(axis))
            if 0.1 < length < 1 and np.abs(axis).max() < 0.75 * length:
                return [round(float(x) / length, 4) for x in axis]

    target, field = {"target": choose(*PROPERTIES)}, {"field": uniform(0.8, 2.0)}
    match task:
        case "full" | "achiral":
            return target
        case "axial":
            return target | field | {"axis": straight()}
        case "per_molecule":
            return field | {"axis": straight()}
        case "tilted":
            return target | field | {"axis": oblique()}
        case "none":
            return target | field
        case "sectors":
            return target | field | {"k": choose(2, 3, 5, 6)}
        case "discrete":
            return field | {"a": uniform(0.5, 1.3), "axis": oblique()}
        case "translation":
            return target | {"shift": uniform(0.5, 1.5)}
        case "size":
            return {"shift": uniform(0.5, 1.5)}
        case "chirality":
            return {"least": uniform(0.3, 1.0)}
    return {}


def configure(
    row: Row, recipe: str, text: str, seed: int, out: str, steps: int, minutes: float | None = None
) -> TrainConfig:
    """The settings of a run, the same for all rows except for the task's own."""
    task = planted.from_text(text)
    variant, molecules = task.variants[row.chosen(recipe) or 0], task.molecules
    epoch = -(-len(split(len(molecules), seed).train) // BATCH)  # steps
    vectors = [field.target for field in molecules.fields]  # targets that rotate
    return TrainConfig(
        data=text,
        targets=",".join(t.name for t in vectors or molecules.targets),
        out=out,
        model=row.model,
        model_args=dict(NETWORK) if row.model == "point" else {},
        group=str(variant.group),
        distribution=variant.distribution,
        distribution_args=dict(variant.settings),
        center=task.center,
        epochs=-(-steps // epoch) if minutes is None else None,
        minutes=minutes,
        seed=seed,
        **FIXED,
        **RECIPES[recipe],
    )
