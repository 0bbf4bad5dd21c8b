"""What the trainer asks of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ..actions import Action
from ..datasets.batches import Batch


class Model(nn.Module, ABC):
    """A network from molecules to t numbers each, shape (b, t), of order one.

    A new architecture is one file in this folder whose class derives from this one; it is
    found by the file's name. Its constructor takes the number of targets first, then settings
    with defaults that JSON can hold.
    """

    action: Action

    @abstractmethod
    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """What `forward` is called with: first what the group acts on, then the rest."""

    @abstractmethod
    def forward(self, *inputs: Any) -> Float[Tensor, "b t"]:
        """One row of outputs for each molecule."""
