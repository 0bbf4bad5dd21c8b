"""A network whose outputs, or whose feature before the readout, are averaged over a group."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from ...datasets.batches import Batch
from ...errors import unknown
from ...groups import PointGroup
from ...guaranteed import Guaranteed, Integrated
from ...models.base import Model
from ...models.point import Point
from ...models.readout import Readout

OVER = ("outputs", "feature")


class Averaged(Model):
    """`Point`, exactly invariant under the rotations of a point group about the origin.

    `symbol` is the group, `over` what is averaged: its outputs (`Guaranteed`), or the atoms'
    states before the readout's layers (`Integrated`). Other settings are those of `Point`.
    Raises InputError for an unknown `over`.
    """

    def __init__(self, targets: int = 1, symbol: str = "C4", over: str = "feature", **own: Any):
        super().__init__()
        if over not in OVER:
            raise unknown("over", over, OVER)
        network, group = Point(targets, **own), PointGroup(symbol)
        self.action = network.action
        if over == "outputs":
            self.averaged = Guaranteed(network, group, network.action)
        else:
            self.averaged = Integrated(network, "read", group, network.action)
        self.network = [network]  # its parameters are in `averaged`

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return self.network[0].inputs(batch)

    def set_readout(self, readout: Readout) -> None:
        self.network[0].set_readout(readout)

    def forward(self, *inputs: Any) -> Float[Tensor, "b t"]:
        return self.averaged(*inputs)
