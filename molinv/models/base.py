"""What the trainer asks of a model, and what a model says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..actions import Action
from ..datasets.batches import Batch
from ..datasets.features import Features, Sizes
from ..errors import InputError
from .known import Known
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
    widths      of the states of an atom and of a pair to which it can add further features
                (see `Known`), which `forward` then takes last; None where it takes none

    Its constructor takes the number of targets first, then settings with defaults that JSON can
    hold.
    """

    readout: Readout | None
    known: Known | None
    auxiliary: nn.Sequential | None
    widths: tuple[int, int] | None = None
    action: Action
    symmetries: tuple[str, ...] = ()
    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    max_atoms: ClassVar[int] = 1000

    def __init__(self):
        super().__init__()
        self.readout = None
        self.known = None
        self.auxiliary = None

    @abstractmethod
    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """What `forward` is called with: first what the group acts on, then the rest."""

    def set_readout(self, readout: Readout) -> None:
        """Let `read_out` go by this."""
        self.readout = readout

    def set_features(self, sizes: Sizes, outputs: int = 0) -> None:
        """Let it take features of these sizes; InputError for a model that takes none.

        `outputs` is the number of those that what xTB says of a molecule is mapped to.
        """
        if self.widths is None:
            raise InputError(
                f"model {type(self).__name__.lower()} takes positions and elements only: leave out "
                "--features and --descriptors, or use point, painn, equivariant or graph."
            )
        self.known = Known(sizes, *self.widths, outputs)

    def asked(self, batch: Batch) -> tuple[Any, ...]:
        """The batch's features where the model takes some: the last of its inputs."""
        if self.known is None:
            return ()
        if batch.features is None:
            raise InputError("the model takes features, which the batch lacks: see OnDevice.")
        takes = self.known.sizes.molecule + self.known.sizes.descriptors
        if (got := batch.features.molecule.shape[1]) != takes:
            raise InputError(
                f"the model takes {takes} numbers of each molecule, not {got}: install the RDKit "
                "that it was trained with."
            )
        return (batch.features,)

    def read_out(
        self,
        total: Float[Tensor, "b t *e"],
        atoms: Float[Tensor, " b"],
        features: Features | None = None,
    ) -> Tensor:
        """The outputs, from the sum over a molecule's atoms and their number.

        What `forward` ends in: over 20 to be of order one, unless `make` was told otherwise, and
        with what follows from the xTB's numbers among the features.
        """
        found = total / ATOMS if self.readout is None else self.readout(total, atoms)
        if features is None or self.known is None or self.known.said is None:
            return found
        begun = self.known.from_xtb(features)
        return found + (begun if self.readout is None else self.readout.shaped(begun))

    def set_auxiliary(self, count: int) -> None:
        """Let it give so many numbers of every atom beside its outputs while it trains.

        InputError for a model that does not show its atoms' states.
        """
        if self.widths is None:
            raise InputError(
                f"model {type(self).__name__.lower()} cannot learn values of atoms beside its "
                "targets: leave out --auxiliary, or use point, painn, equivariant or graph."
            )
        width = self.widths[0]
        self.auxiliary = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, count)
        )

    def beside(self, outputs: Tensor, states: Float[Tensor, "b n d"]) -> Tensor:
        """The outputs; in training, after them in one row, the numbers of `set_auxiliary`."""
        if self.auxiliary is None or not self.training:
            return outputs
        return torch.cat([outputs.flatten(1), self.auxiliary(states).mT.flatten(1)], 1)

    def apart(self, row: Float[Tensor, "b _"], n: int) -> tuple[Tensor, Float[Tensor, "b a n"]]:
        """The two parts of what `beside` made of molecules padded to n atoms."""
        assert self.auxiliary is not None
        count = int(self.auxiliary[-1].out_features)  # pyright: ignore
        own, rest = row[:, : -count * n], row[:, -count * n :].unflatten(1, (count, n))
        return (own if self.readout is None else self.readout.shaped(own)), rest

    @abstractmethod
    def forward(self, *inputs: Any) -> Float[Tensor, "b t *e"]:
        """One row of outputs for each molecule, or for each of its atoms."""
