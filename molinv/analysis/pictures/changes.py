"""How far what a model says of moved pictures is from what it said before."""

from __future__ import annotations

from collections.abc import Sequence
from math import degrees, pi
from typing import Any

import torch
from torch import Tensor
from torchmetrics import JaccardIndex

from ...prediction.picture_errors import metric_name
from ...tasks.base import Task
from ...tasks.circle import angle_between
from ...tasks.maps import IGNORED, Maps
from ...tasks.numbers import Numbers
from ..section import Chart, Section, Series
from .poses import Poses

Ways = dict[str, list[Poses]]  # "network alone", "averaged ...": poses along each generator


def changes(task: Task, ways: Ways, reach: dict[str, float]) -> Section:
    """The equivariance error of label maps, or the spread of other outputs, over the poses.

    Of label maps it is the share of pixels, and the mIoU, in which the labels of the moved
    picture differ from the labels of the picture, moved; only pixels count that came from inside
    and that the model saw. Of classes it is the share of pictures that get another class, of a
    circle the mean change in degrees, of numbers the mean change in the training pictures'
    standard deviations; and the standard deviation of the outputs over the poses of a picture.
    `reach` marks the learned half-widths.
    """
    maps = isinstance(task, Maps)
    kind = task.called()
    title = "How well its label map moves with the picture" if maps else "How much its outputs move"
    made = Section("equivariance", title)
    for i, first in enumerate(next(iter(ways.values()))):
        curves, spread, overlap = [], {}, []
        for way, every in ways.items():
            here = every[i]
            found = [change(task, here, j) for j in range(len(here.at))]
            curves.append(Series(way, _shown(here), found))
            moved = [f for f, t in zip(found, here.at, strict=True) if t]
            spread[way] = {"mean": sum(moved) / len(moved), "largest": max(moved)}
            if maps:
                shared = [agreement(task, here, j) for j in range(len(here.at))]
                overlap.append(Series(way, _shown(here), shared))
                away = [j for j, t in enumerate(here.at) if t]
                spread[way]["miou"] = sum(shared[j] for j in away) / len(away)
                if isinstance(task, Maps) and task.classes[0] == "background":
                    front = [foreground(here, j) for j in away]
                    spread[way]["foreground_iou"] = sum(front) / len(front)
                    spread[way]["lowest_foreground_iou"] = min(front)
            else:
                spread[way]["orbit_std"] = orbit_std(task, here)
        if first.rounded is not None:
            label = "rounding alone, there and back"
            curves.append(Series(label, _shown(first), first.rounded.tolist(), style="dashed"))
        made.figures.append(_chart("change", first, _WHAT[kind], curves, reach))
        if maps:
            made.figures.append(_chart("agreement", first, "mIoU of the two label maps",
                                       overlap, reach))  # fmt: skip
        made.numbers[first.name] = spread
        made.findings += [_sentence(kind, first.name, way, n) for way, n in spread.items()]
    return made


def accuracy(task: Task, ways: Ways, reach: dict[str, float]) -> Section:
    """The metric against the truth over the poses; what the truth is stays as stored.

    But for label maps, which move with their pictures.
    """
    unit, better = metric_name(task), 1 if task.higher else -1
    made = Section("accuracy", f"Its {unit} as pictures move")
    for i, first in enumerate(next(iter(ways.values()))):
        series = [Series(way, _shown(every[i]), every[i].metric) for way, every in ways.items()]
        made.figures.append(_chart("metric", first, unit, series, reach))
        middle = len(first.at) // 2
        for way, every in ways.items():
            metric = every[i].metric
            worst = min(metric, key=lambda m: better * m)
            made.findings.append(
                f"{way.capitalize()}: {unit} {metric[middle]:.4g} on pictures as stored, "
                f"{sum(metric) / len(metric):.4g} on average over {first.name}, {worst:.4g} at "
                "the worst."
            )
        made.numbers[first.name] = {way: every[i].metric for way, every in ways.items()}
    return made


def change(task: Task, poses: Poses, j: int) -> float:
    """How far pose j is from the unmoved one, in the unit of `_WHAT`."""
    still, moved = poses.values[len(poses.at) // 2], poses.values[j]
    if isinstance(task, Maps):
        own, known = _known(poses, j)
        return float((own != moved)[known].double().mean())
    if task.called() == "classes":
        return float((moved.argmax(1) != still.argmax(1)).double().mean())
    if task.called() == "circle":
        return degrees(float(angle_between(moved, still).abs().mean()))
    return float(((moved - still) / _scale(task)).abs().mean())


def agreement(task: Task, poses: Poses, j: int) -> float:
    """mIoU of the labels of moved pictures against the moved labels of pictures."""
    own, known = _known(poses, j)
    n = task.outputs
    metric = JaccardIndex(task="multiclass", num_classes=n, ignore_index=IGNORED)
    metric.update(poses.values[j].where(known, 0), own.where(known, IGNORED))
    return float(metric.compute())


def foreground(poses: Poses, j: int) -> float:
    """Of the pixels that either map of pose j gives a class above 0, the share of equal ones."""
    own, known = _known(poses, j)
    moved = poses.values[j]
    either = ((own > 0) | (moved > 0)) & known
    return float((own == moved)[either].double().mean()) if either.any() else 1.0


def orbit_std(task: Task, poses: Poses) -> float:
    """The outputs' standard deviation over the poses of a picture, its mean over pictures.

    Of classes that of the probability of the class that the unmoved picture gets; of a circle
    the root mean square turn from where it was, in degrees; of numbers in standard deviations.
    """
    values, middle = poses.values.double(), len(poses.at) // 2
    if task.called() == "classes":
        best = values[middle].argmax(1)
        shares = values.gather(2, best.expand(len(values), -1)[..., None])[..., 0]
        return float(shares.std(0, correction=0).mean())
    if task.called() == "circle":
        still = values[middle]
        turns = torch.stack([angle_between(v, still) for v in values])
        return degrees(float(turns.square().mean(0).sqrt().mean()))
    return float((values.std(0, correction=0) / _scale(task)).mean())


def _scale(task: Task) -> Tensor:
    """The spreads of a task of numbers."""
    assert isinstance(task, Numbers)
    return task.standardizer.scale


_WHAT = {
    "maps": "share of pixels that differ",
    "classes": "share of pictures that get another class",
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
    kind: str, poses: Poses, what: str, series: Sequence[Series], reach: dict[str, float]
) -> Chart:
    unit = "degrees" if poses.unit == "rad" else poses.unit
    marks: list[tuple[float, str]] = []
    if 0 < (end := reach.get(poses.name, 0.0)) < pi - 0.01:
        shown = degrees(end) if poses.unit == "rad" else end
        marks = [(-shown, ""), (shown, "learned")]
    name = poses.name.replace(" ", "_")
    return Chart(
        f"{kind}_{name}", f"{what[0].upper()}{what[1:]}, along {poses.name}",
        f"{poses.name} ({unit})", what, series,
        vertical=marks,
    )  # fmt: skip


def _sentence(kind: str, name: str, way: str, numbers: dict[str, Any]) -> str:
    mean, top = numbers["mean"], numbers["largest"]
    if kind == "maps":
        front = numbers.get("foreground_iou")
        return (
            f"{way.capitalize()}: moved along {name}, {mean:.1%} of the pixels get another label "
            f"than the moved label map has ({top:.1%} at the worst pose); mIoU of the two maps "
            f"{numbers['miou']:.3f}" + (f", of the foreground {front:.3f}." if front else ".")
        )
    std = numbers["orbit_std"]
    if kind == "classes":
        return (
            f"{way.capitalize()}: moved along {name}, {mean:.1%} of the pictures get another class "
            f"({top:.1%} at the worst pose); orbit standard deviation of the class's probability "
            f"{std:.3f}."
        )
    unit = "degrees" if kind == "circle" else "training standard deviations"
    return (
        f"{way.capitalize()}: moved along {name}, outputs change by {mean:.3g} {unit} on average "
        f"({top:.3g} at the worst pose); orbit standard deviation {std:.3g} {unit}."
    )
