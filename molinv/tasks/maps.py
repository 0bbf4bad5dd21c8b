"""The class of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..datasets.pictures.store import Pictures
from ..datasets.targets import Target
from .base import Task

IGNORED = -1  # the class of pixels that are ignored


class Maps(Task):
    """The class of every pixel, with a cross entropy loss; the metric is mIoU.

    classes  names of the classes
    void     label of pixels to ignore
    """

    reduce: ClassVar[str] = "log_prob"
    higher: ClassVar[bool] = True

    def __init__(self, classes: Sequence[str], void: int | None = None):
        super().__init__()
        self.classes, self.void = tuple(classes), void
        self.targets = (Target("mIoU", "mIoU"),)

    @classmethod
    def of_pictures(cls, pictures: Pictures) -> Maps:
        """The task for pictures with label maps."""
        return cls(pictures.classes, pictures.void)

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def settings(self) -> dict[str, Any]:
        return {"classes": list(self.classes), "void": self.void}

    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        y = self.seen(batch.y, None)
        found = cross_entropy(outputs, y, ignore_index=IGNORED, reduction="none")
        return [(found, y != IGNORED)]

    def seen(self, y: Tensor, weight: Tensor | None) -> Tensor:
        """Label maps (b, h, w), IGNORED for void pixels and where `weight` (b, 1, h, w) is 0."""
        if self.void is not None:
            y = torch.where(y == self.void, IGNORED, y)
        return y if weight is None else torch.where(weight[:, 0] > 0, y, IGNORED)

    def metric(self) -> nn.Module:
        from torchmetrics import JaccardIndex

        n = len(self.classes)
        return JaccardIndex(task="multiclass", num_classes=n, ignore_index=IGNORED)

    def update(
        self, metric: Any, outputs: Tensor, batch: Any, weight: Tensor | None = None
    ) -> None:
        metric.update(outputs.argmax(1), self.seen(batch.y, weight))

    def values(self, outputs: Tensor) -> Tensor:
        """The probabilities of the classes (b, c, h, w); outputs are their logarithms."""
        return outputs.softmax(1)
