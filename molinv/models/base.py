"""What the trainer asks of a model, and what a model says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from ..actions import Action
from ..datasets.batches import Batch
from .readout import ATOMS, Readout


class Model(nn.Module, ABC):
    """A network from molecules to t outputs each, of order one.

    A new architecture is one file in this folder whose class derives from this one; it is
    found by the file's name, and the tests hold it to what it says of itself:

    action      how a group moves the first of its inputs
    symmetries  the groups under which it is equivariant by construction, of T(3), SO3 and O3;
                the tests see that it has these and none of the others
    outputs     the kinds of output it can be made for: "scalar" (b, t), "vector" (b, t, 3),
                "tensor" (b, t, 3, 3), symmetric, "atom scalar" (b, t, n) and "atom vector"
                (b, t, n, 3), zero for padding, "irreps", of which it is given those wanted as
                "irreps 3o", (b, t, d); where there is more than one, a setting called `output`
                chooses
    max_atoms   the largest molecule it takes

    Its constructor takes the number of targets first, then settings with defaults that JSON can
    hold.
    """

    readout: Readout | None
    action: Action
    symmetries: tuple[str, ...] = ()
    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    max_atoms: ClassVar[int] = 1000

    def __init__(self):
        super().__init__()
        self.readout = None

    @abstractmethod
    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """What `forward` is called with: first what the group acts on, then the rest."""

    def set_readout(self, readout: Readout) -> None:
        """Let `read_out` go by this."""
        self.readout = readout

    def read_out(self, total: Float[Tensor, "b t *e"], atoms: Float[Tensor, " b"]) -> Tensor:
        """The outputs, from the sum over a molecule's atoms and their number.

        What `forward` ends in: over 20 to be of order one, unless `make` was told otherwise.
        """
        return total / ATOMS if self.readout is None else self.readout(total, atoms)

    @abstractmethod
    def forward(self, *inputs: Any) -> Float[Tensor, "b t *e"]:
        """One row of outputs for each molecule, or for each of its atoms."""
