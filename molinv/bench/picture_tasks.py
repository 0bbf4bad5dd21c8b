"""The picture experiments: each task's data and network, the truth, and what meets it.

The truth is how far the label lets a picture be moved, less how far the data moves already. All
tasks share one setting: the reward's weight and how it falls, the extents' start and learning
rate, and the optimizer's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, pi
from typing import Any

SIZE = (90, 120)  # of CamVid's pictures, height and width


@dataclass(frozen=True)
class PictureTask:
    """A task; angles in degrees.

    truth       the half-width that the label allows; None where none is known
    low, high   what a learned half-width has to lie between
    settings    of the run, beside those that all tasks share
    group       SO2 or Hue, both circles: `fixed` is all of it
    """

    name: str
    what: str
    truth: float | None
    low: float
    high: float
    settings: dict[str, Any] = field(default_factory=dict)
    group: str = "SO2"
    root: bool = False


def _turns(k: int) -> PictureTask:
    truth = 180 / k
    data = {"task": "turns", "k": k, "straight": True}
    name = f"digits-k{k}"
    return PictureTask(name, f"which of {k} turns", truth, 0.9 * truth, 1.1 * truth, _digits(data))


def _digits(data: dict[str, Any]) -> dict[str, Any]:
    return {"data": "planted", "data_args": data, "model_args": {"width": 16}}


def _camvid(name: str, what: str, high: float, within: float) -> PictureTask:
    settings: dict[str, Any] = {
        "data": "camvid",
        "data_args": {"size": list(SIZE)},
        "model_args": {"width": 16},
        "batch_size": 8,
        "rotated_within": within,
    }
    return PictureTask(name, what, None, 0.0, high, settings, root=True)


_MADE = (
    *(_turns(k) for k in (1, 2, 3, 6)),
    PictureTask(
        "digits-angle", "the turn", 0.0, 0.0, 5.0, _digits({"task": "angle", "straight": True})
    ),
    PictureTask(
        "updown", "which of two, and which way up", 45.0, 40.0, 50.0,
        {"data": "up_down", "model_args": {"width": 16}},
    ),
    PictureTask("hue", "the hue", 0.0, 0.0, 9.0, _digits({"task": "hue"}), "Hue"),
    PictureTask("any-hue", "the digit", 180.0, 171.0, inf, _digits({"task": "any-hue"}), "Hue"),
    _camvid("camvid", "streets, upright", 30.0, 0.0),
    _camvid("rotated-camvid", "streets, turned", inf, pi),
)  # fmt: skip
TASKS = {task.name: task for task in _MADE}

METHODS: dict[str, dict[str, Any]] = {
    "none": {"distribution": "Identity"},
    "fixed": {"distribution": "Haar"},
    "learned": {"distribution": "UniformBox", "distribution_args": {"init": 0.05}},
}
