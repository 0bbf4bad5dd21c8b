"""Any torch module of the user's, as a model."""

from __future__ import annotations

import inspect
from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..actions import Points
from ..datasets.batches import Batch
from ..datasets.kinds import SHAPES
from ..errors import InputError
from ..names import construct
from .base import Model


class Plain(Model):
    """Wraps a torch module: net(pos (b, n, 3) in angstrom, z (b, n)) returns (b, targets, *e).

    z is 0 for padding. e is (), (3,) or (3, 3) by the kind of `output`, preceded by (n,) if each
    atom has a value. For classes, outputs are scores: the first class of all targets, then the
    second class of all targets and so on. The module is assumed to have no symmetry. Its class is
    called with the number of targets, if it takes a positional argument, and with its settings.
    Raises InputError for an unknown setting, and for an output of another shape.
    """

    def __init__(
        self,
        targets: int,
        kind: type[nn.Module],
        name: str,
        settings: dict[str, Any],
        output: str = "scalar",
    ):
        super().__init__()
        self.shape, self.by_atom = SHAPES[output], output.startswith("atom")
        first = (targets,) if takes_a_number(kind) else ()
        self.action, self.targets, self.name = Points(), targets, name
        self.net = construct(kind, f"model {name}", first, settings)

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.pos, batch.z

    def forward(
        self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]
    ) -> Float[Tensor, "b t *e"]:
        values = self.net(pos, z)
        came = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        each = (*(z.shape[1:] if self.by_atom else ()), *self.shape)
        if came != (len(z), self.targets, *each):
            expected = ", ".join(map(str, (len(z), self.targets, *each)))
            raise InputError(
                f"model {self.name}: expected an output ({expected}), one row a "
                f"molecule and one column an output, got {came}."
            )
        return values if self.readout is None else self.readout.shaped(values)


def takes_a_number(kind: type[nn.Module]) -> bool:
    """Whether the class takes a positional argument; the *args of nn.Module do not count."""
    if kind.__init__ is nn.Module.__init__:
        return False
    parameters = inspect.signature(kind).parameters.values()
    return any(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL) for p in parameters
    )
