"""The picture experiments: data and network of each task, its truth, and the accepted range.

The truth is how far a picture can be moved without changing its label, minus how far the pictures
of the data set are moved already. All tasks share the reward's weight and decay, the initial
extents and their learning rate, and the optimizer's settings. The length of a run depends on the
task. The two tasks with label maps share a smaller weight and a smaller push (see
`training.picture_data.fill`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import degrees, inf, pi
from typing import Any

SIZE = (90, 120)  # height and width of CamVid's pictures


@dataclass(frozen=True)
class PictureTask:
    """A task; angles and hues in degrees, offsets in half-sides, other extents as logarithms.

    truth       the half-width that the label allows; None if it is not known
    low, high   bounds of a right half-width
    settings    settings of the run in addition to those that all tasks share
    group       SO2 or Hue, circles on which `fixed` is uniform; or a group without Haar measure,
                which has no run `fixed`
    judged      the extents that have the truth; the widest one is judged, all others are reported
    root        whether the task needs CamVid's folder
    """

    name: str
    what: str
    truth: float | None
    low: float
    high: float
    settings: dict[str, Any] = field(default_factory=dict)
    group: str = "SO2"
    judged: tuple[str, ...] = ("angle",)
    root: bool = False

    def reach(self, extents: dict[str, float]) -> float:
        """The widest judged half-width, in degrees for a circle."""
        widest = max(extents[name] for name in self.judged)
        return degrees(widest) if self.circle else widest

    @property
    def circle(self) -> bool:
        """Whether the extent is an angle or a hue."""
        return self.judged in (("angle",), ("hue",))


def _turns(k: int) -> PictureTask:
    truth = 180 / k
    settings = _digits({"task": "turns", "k": k, "straight": True}, 150)
    what, bounds = f"which of {k} turns", (0.9 * truth, 1.1 * truth)
    return PictureTask(f"digits-k{k}", what, truth, *bounds, settings)


def _digits(data: dict[str, Any], epochs: int = 60, **model: Any) -> dict[str, Any]:
    given = {"width": 16} | model
    return {"data": "planted", "data_args": data, "model_args": given, "epochs": epochs}


def _control(name: str, what: str, *judged: str) -> PictureTask:
    """A task whose label is how far a digit was moved; its extents must stay below 0.05."""
    settings = _digits({"task": name, "straight": True}, coordinates=True)
    return PictureTask(name, what, 0.0, 0.0, 0.05, settings, "Affine2", judged)


def _camvid(name: str, what: str, high: float, within: float) -> PictureTask:
    data = {"data": "camvid", "data_args": {"size": list(SIZE)}, "model_args": {"width": 16}}
    settings = data | {"batch_size": 8, "rotated_within": within, "epochs": 40}
    return PictureTask(name, what, None, 0.0, high, settings, root=True)


_ANGLE, _HUE = {"task": "angle", "straight": True}, _digits({"task": "any-hue"})
_UPDOWN = {"data": "up_down", "model_args": {"width": 16}, "epochs": 100}
_MADE = (
    *(_turns(k) for k in (1, 2, 3, 6)),
    PictureTask("digits-angle", "the turn", 0.0, 0.0, 5.0, _digits(_ANGLE)),
    PictureTask("updown", "which of two, and which way up", 45.0, 40.0, 50.0, _UPDOWN),
    PictureTask("hue", "the hue", 0.0, 0.0, 9.0, _digits({"task": "hue"}), "Hue", ("hue",)),
    PictureTask("any-hue", "the digit", 180.0, 171.0, inf, _HUE, "Hue", ("hue",)),
    PictureTask("any-colour", "the digit", 180.0, 171.0, inf, _HUE, "ColourJitter", ("hue",)),
    _control("position", "where it is", "tx", "ty"),
    _control("scale", "how large it is", "scale"),
    _control("shear", "how sheared it is", "shear"),
    _camvid("camvid", "streets, upright", 30.0, 0.0),
    _camvid("rotated-camvid", "streets, turned", inf, pi),
)
TASKS = {task.name: task for task in _MADE}

METHODS: dict[str, dict[str, Any]] = {
    "none": {"distribution": "Identity"},
    "fixed": {"distribution": "Haar"},
    "learned": {"distribution": "UniformBox", "distribution_args": {"init": 0.05}},
}
WITHOUT_HAAR = ("Affine2", "ColourJitter")  # groups without a uniform distribution for `fixed`
