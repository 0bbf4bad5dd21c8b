"""The interface between a model and the trainer."""

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
from .readout import ATOMS, Readout, head


class Model(nn.Module, ABC):
    """A network that predicts t outputs of order one for each molecule.

    A new architecture is one file in this folder, whose class derives from Model. It is found by
    the file's name, and the tests check that its attributes are true:

    action      how a group moves the first input
    symmetries  those of T(3), SO3 and O3 under which the network is equivariant by construction;
                it must not be equivariant under the others
    outputs     the kinds of output that it can be made for: "scalar" (b, t), "vector" (b, t, 3),
                symmetric "tensor" (b, t, 3, 3), "atom scalar" (b, t, n) and "atom vector"
                (b, t, n, 3), which are 0 for padding, and "irreps" (b, t, d), specified as in
                "irreps 3o". If there are several, a setting called `output` chooses one
    max_atoms   the largest molecule that it accepts
    widths      widths of the atom and pair states to which further features can be added (see
                `Known`); `forward` then takes the features as its last argument. None if the
                network takes no features
    grows       settings that add layers whose outputs are 0 before training, by the prefix of
                their weights: a trained network can be given them later

    The constructor takes the number of targets first, then settings whose defaults can be
    written as JSON.
    """

    readout: Readout | None
    known: Known | None
    auxiliary: nn.Sequential | None
    widths: tuple[int, int] | None = None
    action: Action
    symmetries: tuple[str, ...] = ()
    outputs: ClassVar[tuple[str, ...]] = ("scalar",)
    max_atoms: ClassVar[int] = 1000
    grows: ClassVar[dict[str, str]] = {}

    def __init__(self):
        super().__init__()
        self.readout = None
        self.known = None
        self.auxiliary = None

    @abstractmethod
    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """The arguments of `forward`: first the one that the group acts on, then the others."""

    def set_readout(self, readout: Readout) -> None:
        """Set the readout that `read_out` uses."""
        self.readout = readout

    def set_features(self, sizes: Sizes, outputs: int = 0) -> None:
        """Add layers for features of these sizes.

        `outputs` is the number of outputs that start from a linear map of xTB's values; 0 for
        none. Raises InputError for a model that takes no features.
        """
        if self.widths is None:
            raise InputError(
                f"model {type(self).__name__.lower()} takes positions and elements only: leave out "
                "--features and --descriptors, or use point, painn, equivariant or graph."
            )
        self.known = Known(sizes, *self.widths, outputs)

    def asked(self, batch: Batch) -> tuple[Any, ...]:
        """The batch's features as the last input, or () for a model without features.

        Raises InputError for a batch without features or with another number of them.
        """
        if self.known is None:
            return ()
        if batch.features is None:
            raise InputError("the model takes features, which the batch lacks: see OnDevice.")
        takes = self.known.sizes.molecule + self.known.sizes.descriptors
        if (got := batch.features.molecule.shape[1]) != takes:
            raise InputError(
                f"the model takes {takes} features of each molecule, got {got}: install the RDKit "
                "version that it was trained with."
            )
        return (batch.features,)

    def read_out(
        self,
        total: Float[Tensor, "b t *e"],
        atoms: Float[Tensor, " b"],
        features: Features | None = None,
        more: Float[Tensor, "b t"] | None = None,
    ) -> Tensor:
        """The outputs, from the sum over a molecule's atoms and the number of atoms.

        This is the last step of `forward`. It applies the readout (by default a division by 20,
        to make outputs of order one) and adds `more` and the linear map of xTB's values, if there
        are any.
        """
        found = total / ATOMS if self.readout is None else self.readout(total, atoms)
        if features is not None and self.known is not None and self.known.said is not None:
            begun = self.known.from_xtb(features)
            more = begun if more is None else more + begun
        if more is None:
            return found
        return found + (more if self.readout is None else self.readout.shaped(more))

    def set_auxiliary(self, count: int) -> None:
        """Add `count` auxiliary outputs for every atom, used in training only.

        Raises InputError for a model that has no atom states to read (`widths` is None).
        """
        if self.widths is None:
            raise InputError(
                f"model {type(self).__name__.lower()} cannot learn auxiliary values of atoms: "
                "leave out --auxiliary, or use point, painn, equivariant or graph."
            )
        self.auxiliary = head(self.widths[0], count)

    def beside(self, outputs: Tensor, states: Float[Tensor, "b n d"]) -> Tensor:
        """The outputs; in training with auxiliary outputs, one row (b, _) of both."""
        if self.auxiliary is None or not self.training:
            return outputs
        return torch.cat([outputs.flatten(1), self.auxiliary(states).mT.flatten(1)], 1)

    def apart(self, row: Float[Tensor, "b _"], n: int) -> tuple[Tensor, Float[Tensor, "b a n"]]:
        """Split a row of `beside` into outputs and auxiliary outputs, for n padded atoms."""
        assert self.auxiliary is not None
        count = int(self.auxiliary[-1].out_features)  # pyright: ignore
        own, rest = row[:, : -count * n], row[:, -count * n :].unflatten(1, (count, n))
        return (own if self.readout is None else self.readout.shaped(own)), rest

    @abstractmethod
    def forward(self, *inputs: Any) -> Float[Tensor, "b t *e"]:
        """The outputs of each molecule, or of each of its atoms."""
