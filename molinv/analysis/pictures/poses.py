"""A model's outputs for test pictures moved along each generator of a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from ...actions import Invariant, Segmentation
from ...augment import Orbit
from ...datasets.batches import Loader
from ...datasets.pictures.batches import PictureBatch, PicturesOnDevice
from ...datasets.pictures.store import Pictures
from ...groups.base import Group
from ...prediction.picture_errors import outputs
from ...tasks.classes import Classes
from ...tasks.maps import IGNORED, Maps
from ...training.saved import Saved

_SIZE = 64  # pictures a batch


@dataclass(frozen=True, eq=False)
class Poses:
    """Outputs along one generator, at 0 and at p places on each side.

    name, unit  of the generator
    at          coefficients from -cap to cap; the middle one is 0
    values      (2 p + 1, n, ...): classes of label maps, IGNORED where unseen; probabilities of
                classes; other outputs in the data's units (see Task.values)
    own         (2 p + 1, n, h, w): for label maps, the moved labels of the unmoved pictures; else
                None
    rounded     (2 p + 1,): the fraction of pixels that rounding changes in `own`
    metric      (2 p + 1,): the metric; the truth of label maps moves with the pictures
    """

    name: str
    unit: str
    at: list[float]
    values: Shaped[Tensor, "m n ..."]
    own: Int64[Tensor, "m n h w"] | None
    rounded: Float[Tensor, " m"] | None
    metric: list[float]


def poses(
    saved: Saved,
    pictures: Pictures,
    places: int,
    copies: int,
    tick: Callable[[int], None] = lambda done: None,
) -> Iterator[Poses]:
    """Poses along each generator of the learned distribution's group, up to its caps.

    Outputs are averaged over `copies`; 0 means the network alone. `tick` is called with 1 after
    each pose. Pictures are moved on the CPU.
    """
    group, task = deepcopy(saved.network.distribution.group).cpu(), saved.task
    for i, (name, unit, cap) in enumerate(zip(group.names, group.units, group.caps, strict=True)):
        at = torch.linspace(-cap, cap, 2 * places + 1, dtype=torch.float64)
        at[places] = 0.0
        still = [_labels(saved, outputs(saved, batch, copies)) for batch in _batches(pictures)]
        values, own, rounded, metrics = [], [], [], []
        for t in at:
            xi = torch.zeros(group.k, dtype=torch.float64)
            xi[i] = t
            g = group.exp(xi).float()
            metric, here, moved, lost = task.metric(), [], [], []
            for batch, before in zip(_batches(pictures), still, strict=True):
                h = g.expand(len(batch), -1, -1)
                x, y = saved.network.input.act(group, h, batch.x), batch.y
                if isinstance(task, Maps):
                    y = _along(saved, group, h, batch.y)
                    moved.append(_along(saved, group, h, before))
                    back = _along(saved, group, group.inverse(h), moved[-1])
                    known = back != IGNORED
                    lost.append((back != before)[known].double().mean())
                posed = PictureBatch(x, y, batch.index)
                found = outputs(saved, posed, copies)
                task.update(metric, found.mean, posed, found.weight)
                here.append(_labels(saved, found))
            values.append(torch.cat(here))
            metrics.append(float(task.read(metric)[0].mean()))
            if moved:
                own.append(torch.cat(moved))
                rounded.append(torch.stack(lost).mean())
            tick(1)
        maps = (torch.stack(own), torch.stack(rounded)) if own else (None, None)
        yield Poses(name, unit, at.tolist(), torch.stack(values), *maps, metrics)


def _batches(pictures: Pictures) -> Loader[PictureBatch]:
    store = PicturesOnDevice(pictures, "cpu")
    return Loader(store, store.indices, _SIZE, shuffle=False)


def _along(saved: Saved, group: Group, g: Float[Tensor, "b d d"], labels: Tensor) -> Tensor:
    """Label maps (b, h, w) moved by g; colour groups do not move them."""
    if isinstance(saved.network.output, Invariant):
        return labels
    return Segmentation(IGNORED).act(group, g, labels)


def _labels(saved: Saved, found: Orbit) -> Tensor:
    """Outputs (b, ...) as labels, probabilities or numbers."""
    task = saved.task
    if isinstance(task, Maps):
        labels = found.mean.argmax(1)
        return (
            labels if found.weight is None else labels.where(found.weight[:, 0] > 0, other=IGNORED)
        )
    return found.mean.exp() if isinstance(task, Classes) else task.values(found.mean)
