"""Report sections: how outputs and accuracy change as pictures are moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import degrees, pi
from statistics import fmean as mean
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...prediction.picture_errors import metric_name
from ...tasks.base import Task
from ...tasks.circle import Circle, angle_between
from ...tasks.classes import Classes
from ...tasks.maps import IGNORED, Maps
from ...tasks.numbers import Numbers
from ..section import Section, Series
from ..wording import capital
from .poses import Poses

Ways = dict[str, list[Poses]]  # "network alone", "averaged ...": poses along each generator


def changes(task: Task, ways: Ways, reach: dict[str, float]) -> Section:
    """The equivariance error of label maps, or the change of other outputs, over the poses.

    Label maps: the labels of the moved picture against the moved labels of the picture, as the
    fraction of pixels that differ and as mIoU, over pixels from inside that the model saw.
    Classes: the fraction of pictures that get another class. Circles: the mean change in degrees.
    Numbers: the mean change in standard deviations of the training set. Other than for maps, also
    the standard deviation over the poses of a picture. `reach` marks the learned half-widths.
    """
    maps, kind = isinstance(task, Maps), kind_of(task)
    title = "How well its label map moves with the picture" if maps else "How much its outputs move"
    made = Section("equivariance", title)
    for here in _by_generator(ways):
        first = next(iter(here.values()))
        away = [j for j, t in enumerate(first.at) if t]
        curves, overlap, spread = [], [], {}
        for way, poses in here.items():
            found = [change(task, poses, j) for j in range(len(poses.at))]
            curves.append(Series(way, _shown(poses), found))
            moved = [found[j] for j in away]
            spread[way] = {"mean": mean(moved), "largest": max(moved)}
            if not maps:
                spread[way]["orbit_std"] = orbit_std(task, poses)
                continue
            shared = [map_iou(task, poses, j) for j in range(len(poses.at))]
            overlap.append(Series(way, _shown(poses), shared))
            spread[way]["miou"] = mean(shared[j] for j in away)
            if isinstance(task, Maps) and task.classes[0] == "background":
                front = [foreground(poses, j) for j in away]
                spread[way]["foreground_iou"] = mean(front)
                spread[way]["lowest_foreground_iou"] = min(front)
        if first.rounded is not None:
            label = "rounding only: moved and moved back"
            curves.append(Series(label, _shown(first), first.rounded.tolist(), style="dashed"))
        _chart(made, "change", first, _WHAT[kind], curves, reach)
        if maps:
            _chart(made, "agreement", first, "mIoU of the two label maps", overlap, reach)
        made.numbers[first.name] = spread
        made.findings += [_sentence(kind, first.name, way, n) for way, n in spread.items()]
    return made


def accuracy(task: Task, ways: Ways, reach: dict[str, float]) -> Section:
    """The metric over the poses. The truth of label maps moves with the pictures."""
    unit, better = metric_name(task), 1 if task.higher else -1
    made = Section("accuracy", f"Its {unit} as pictures move")
    for here in _by_generator(ways):
        first = next(iter(here.values()))
        series = [Series(way, _shown(poses), poses.metric) for way, poses in here.items()]
        _chart(made, "metric", first, unit, series, reach)
        for way, poses in here.items():
            worst = min(poses.metric, key=lambda m: better * m)
            made.findings.append(
                f"{capital(way)}: {unit} {poses.metric[len(first.at) // 2]:.4g} on pictures "
                f"as stored, {mean(poses.metric):.4g} on average over {first.name}, {worst:.4g} at "
                "the worst."
            )
        made.numbers[first.name] = {way: poses.metric for way, poses in here.items()}
    return made


def _by_generator(ways: Ways) -> Iterator[dict[str, Poses]]:
    """For each generator, the poses of all ways."""
    for i in range(len(next(iter(ways.values())))):
        yield {way: every[i] for way, every in ways.items()}


def change(task: Task, poses: Poses, j: int) -> float:
    """The change from the unmoved pose to pose j, in the unit of `_WHAT`."""
    still, moved = poses.values[len(poses.at) // 2], poses.values[j]
    if isinstance(task, Maps):
        own, known = _known(poses, j)
        return float((own != moved)[known].double().mean())
    if isinstance(task, Classes):
        return float((moved.argmax(1) != still.argmax(1)).double().mean())
    if isinstance(task, Circle):
        return degrees(float(angle_between(moved, still).abs().mean()))
    return float(((moved - still) / _scale(task)).abs().mean())


def map_iou(task: Task, poses: Poses, j: int) -> float:
    """mIoU of the labels of moved pictures against the moved labels of pictures."""
    own, known = _known(poses, j)
    metric: Any = task.metric()
    metric.update(poses.values[j].where(known, 0), own.where(known, IGNORED))
    return float(metric.compute())


def foreground(poses: Poses, j: int) -> float:
    """The fraction of equal pixels among those with a class above 0 in either map of pose j."""
    own, known = _known(poses, j)
    moved = poses.values[j]
    either = ((own > 0) | (moved > 0)) & known
    return float((own == moved)[either].double().mean()) if either.any() else 1.0


def orbit_std(task: Task, poses: Poses) -> float:
    """The standard deviation of outputs over the poses of a picture, averaged over pictures.

    Classes: of the probability of the unmoved picture's class. Circles: the root mean square change
    from the unmoved picture, in degrees. Numbers: in standard deviations of the training set.
    """
    values, middle = poses.values.double(), len(poses.at) // 2
    if isinstance(task, Classes):
        best = values[middle].argmax(1)
        shares = values.gather(2, best.expand(len(values), -1)[..., None])[..., 0]
        return float(shares.std(0, correction=0).mean())
    if isinstance(task, Circle):
        still = values[middle]
        turns = torch.stack([angle_between(v, still) for v in values])
        return degrees(float(turns.square().mean(0).sqrt().mean()))
    return float((values.std(0, correction=0) / _scale(task)).mean())


def _scale(task: Task) -> Tensor:
    """The standard deviations of a task of numbers."""
    assert isinstance(task, Numbers)
    return task.standardizer.scale


def kind_of(task: Task) -> str:
    """The key of a task's outputs in `_WHAT`; InputError for any other task."""
    kinds = {"maps": Maps, "classes": Classes, "circle": Circle, "numbers": Numbers}
    found = next((name for name, kind in kinds.items() if isinstance(task, kind)), None)
    if found is None:
        raise InputError(
            f"analyse moves pictures for the tasks {', '.join(kinds)} and derived ones, not for "
            f"{task.called()}."
        )
    return found


_WHAT = {
    "maps": "fraction of pixels that differ",
    "classes": "fraction of pictures that get another class",
    "circle": "mean change (degrees)",
    "numbers": "mean change (training standard deviations)",
}


def _known(poses: Poses, j: int) -> tuple[Tensor, Tensor]:
    assert poses.own is not None
    own = poses.own[j]
    return own, (own != IGNORED) & (poses.values[j] != IGNORED)


def _shown(poses: Poses) -> list[float]:
    return [degrees(t) for t in poses.at] if poses.unit == "rad" else poses.at


def _chart(
    made: Section,
    kind: str,
    poses: Poses,
    what: str,
    series: Sequence[Series],
    reach: dict[str, float],
) -> None:
    unit = "degrees" if poses.unit == "rad" else poses.unit
    marks: list[tuple[float, str]] = []
    if 0 < (end := reach.get(poses.name, 0.0)) < pi - 0.01:
        shown = degrees(end) if poses.unit == "rad" else end
        marks = [(-shown, ""), (shown, "learned")]
    name, title = poses.name.replace(" ", "_"), f"{capital(what)}, along {poses.name}"
    made.chart(f"{kind}_{name}", title, f"{poses.name} ({unit})", what, series, vertical=marks)


def _sentence(kind: str, name: str, way: str, numbers: dict[str, Any]) -> str:
    top, start = numbers["largest"], f"{capital(way)}: moved along {name},"
    if kind == "maps":
        front = numbers.get("foreground_iou")
        return (
            f"{start} {numbers['mean']:.1%} of the pixels differ from the moved label map "
            f"({top:.1%} at the worst pose); mIoU of the two maps {numbers['miou']:.3f}"
            + (f", of the foreground {front:.3f}." if front else ".")
        )
    std = numbers["orbit_std"]
    if kind == "classes":
        return (
            f"{start} {numbers['mean']:.1%} of the pictures get another class ({top:.1%} at the "
            f"worst pose); orbit standard deviation of the class's probability {std:.3f}."
        )
    unit = "degrees" if kind == "circle" else "training standard deviations"
    return (
        f"{start} outputs change by {numbers['mean']:.3g} {unit} on average ({top:.3g} at the "
        f"worst pose); orbit standard deviation {std:.3g} {unit}."
    )
