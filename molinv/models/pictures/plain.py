"""Any torch module of the user's, as a network on pictures."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from ...actions import Invariant, Segmentation
from ...errors import InputError
from ...names import construct
from ..plain import takes_a_number
from .base import PictureModel


class Plain(PictureModel):
    """Wraps a torch module: net(x (b, c, h, w)) returns (b, targets).

    With `maps` the output is (b, targets, h, w). The module's class is called with the number of
    targets, if it takes a positional argument, and with its settings. Raises InputError for an
    unknown setting, and for an output of another shape.
    """

    def __init__(
        self, targets: int, kind: type[nn.Module], name: str, settings: dict[str, Any], maps: bool
    ):
        super().__init__()
        self.output = Segmentation() if maps else Invariant()
        self.targets, self.name, self.per_pixel = targets, name, maps
        first = (targets,) if takes_a_number(kind) else ()
        self.net = construct(kind, f"model {name}", first, settings)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b t *hw"]:
        values = self.net(x)
        want = (len(x), self.targets, *(x.shape[-2:] if self.per_pixel else ()))
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        if came != want:
            raise InputError(f"model {self.name}: expected an output {want}, got {came}.")
        return values
