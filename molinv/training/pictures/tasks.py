"""What is learned of a picture: its class, every pixel's, a direction, or numbers.

| task | outputs | loss | metric |
|---|---|---|---|
| classes | a score for each | cross entropy | accuracy |
| maps | a score for each class, at every pixel | cross entropy of known pixels | mIoU of those |
| circle | (a, b), see below | von Mises likelihood | mean error of the angle, degrees |
| numbers | standardised numbers | Laplace likelihood, see below | L1 in their own units |

A circle is a pair of numbers called cos and sin. The outputs are the natural parameters of a
von Mises density, p(angle) = exp(a cos + b sin) / (2 pi I0(|(a, b)|)), so that the loss is in
nats like a cross entropy and one weight of the reward suits both. With L1 or squared errors the
same weight would buy a wider distribution wherever targets are circular: their loss stays finite
however sure the network could have been, and a reward that outbids it opens what the label is
about until nothing is left to learn. So numbers too have a likelihood: each one's errors are
Laplace's with the scale that fits them best, which leaves the logarithm of their mean size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics import Accuracy, JaccardIndex, MeanMetric, Metric

from ...datasets.pictures.store import Pictures

IGNORED = -1  # the class of pixels that nobody sees
_SMALLEST = 1e-3  # of a standard deviation: errors below it are worth nothing more


@dataclass(frozen=True)
class Task:
    """What the outputs stand for; JSON can hold it.

    kind     "classes", "maps", "circle" or "numbers"
    classes  the classes' names, or the numbers'
    void     the label of pixels that do not count
    mean, scale  of numbers in the training pictures: what they are standardised by
    """

    kind: str
    classes: tuple[str, ...]
    void: int | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @classmethod
    def of(cls, train: Pictures) -> Task:
        """The task of these training pictures."""
        if train.kind == "maps":
            return cls("maps", train.classes, train.void)
        if train.kind == "labels":
            return cls("classes", train.classes)
        if train.classes == ("cos", "sin"):
            return cls("circle", train.classes)
        y = train.y.double()
        scale = y.std(0, correction=0)
        scale = torch.where(scale > 0, scale, 1.0)
        return cls("numbers", train.classes, None, tuple(y.mean(0).tolist()), tuple(scale.tolist()))

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Task:
        """From what `dataclasses.asdict` made of it."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in content.items()
        }
        return cls(**fields)

    @property
    def reduce(self) -> str:
        """How outputs are averaged over copies: classes by their probabilities."""
        return "log_prob" if self.kind in ("classes", "maps") else "mean"

    @property
    def better(self) -> float:
        """1 where a larger metric is better, -1 where a smaller one is."""
        return 1.0 if self.kind in ("classes", "maps") else -1.0

    @property
    def unit(self) -> str:
        """The metric's name."""
        names = {"classes": "accuracy", "maps": "mIoU", "circle": "error, degrees"}
        return names.get(self.kind, "L1")

    def losses(self, outputs: Tensor, y: Tensor) -> list:
        """The losses of examples (b, ...), as terms of `Augmented.risk`, added up by `total`.

        For maps with weights: void pixels do not count.
        """
        if self.kind == "numbers":
            return list((outputs - self.standardise(y)).abs().unbind(1))
        if self.kind == "circle":
            return [von_mises(outputs, y)]
        if self.kind == "classes":
            return [cross_entropy(outputs, y, reduction="none")]
        y = self.seen(y, None)
        found = cross_entropy(outputs, y, ignore_index=IGNORED, reduction="none")
        return [(found, y != IGNORED)]

    def total(self, means: Sequence[Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """The loss from the mean of each term; of numbers the likelihood of their mean errors."""
        if self.kind == "numbers":
            return (torch.stack(list(means)) + _SMALLEST).log().sum()
        return means[0]

    def seen(self, y: Tensor, weight: Tensor | None) -> Tensor:
        """Label maps (b, h, w) with IGNORED where a pixel is void or has weight 0 (b, 1, h, w)."""
        if self.void is not None:
            y = torch.where(y == self.void, IGNORED, y)
        return y if weight is None else torch.where(weight[:, 0] > 0, y, IGNORED)

    def metric(self) -> Metric:
        """An empty metric; `update` fills it."""
        n = len(self.classes)
        if self.kind == "classes":
            return Accuracy(task="multiclass", num_classes=n) if n > 1 else MeanMetric()
        if self.kind == "maps":
            return JaccardIndex(task="multiclass", num_classes=n, ignore_index=IGNORED)
        return MeanMetric()

    def update(self, metric: Metric, outputs: Tensor, y: Tensor, weight: Tensor | None) -> None:
        """Adds examples' outputs (b, ...), averaged or not, and truth to a metric."""
        if self.kind == "maps":
            metric.update(outputs.argmax(1), self.seen(y, weight))
        elif self.kind == "classes":
            found = outputs.argmax(1)
            metric.update(*((found, y) if len(self.classes) > 1 else ((found == y).float(),)))
        elif self.kind == "circle":
            metric.update(angle_between(outputs, y).abs() * (180 / pi))
        else:
            metric.update((self.values(outputs) - y).abs())

    def standardise(self, y: Tensor) -> Tensor:
        """Numbers as the network's outputs are."""
        return (y - y.new_tensor(self.mean)) / y.new_tensor(self.scale)

    def values(self, outputs: Tensor) -> Tensor:
        """Outputs (b, t) as numbers: of a circle cosine and sine, else in the data's units."""
        if self.kind == "circle":
            return torch.nn.functional.normalize(outputs, dim=-1)
        return outputs * outputs.new_tensor(self.scale) + outputs.new_tensor(self.mean)


def von_mises(outputs: Float[Tensor, "b 2"], y: Float[Tensor, "b 2"]) -> Float[Tensor, " b"]:
    """-log of the density at the directions y, less that of the uniform one, in nats."""
    sure = (outputs.square().sum(-1) + 1e-12).sqrt()  # a root has no slope at 0
    return torch.special.i0e(sure).log() + sure - (outputs * y).sum(-1)


def angle_between(a: Float[Tensor, "b 2"], b: Float[Tensor, "b 2"]) -> Float[Tensor, " b"]:
    """The angle from b to a in (-pi, pi], of vectors of any length."""
    cross = b[:, 0] * a[:, 1] - b[:, 1] * a[:, 0]
    return torch.atan2(cross, (a * b).sum(-1))
