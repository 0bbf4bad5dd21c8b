"""What a network takes beside positions and elements: added to its first states and pairs."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..datasets.features import Features, Sizes

FARTHEST = 5.0  # spreads from the mean; descriptors beyond are counted as these
TAIL = 0.005  # of the training molecules at each end, which do not count in the spread
SAME = 1e-5  # relative spread from which on single precision tells values apart


class Known(nn.Module):
    """Linear maps of a batch's features to a model's widths, 0 at first.

    A network that starts from one without features then begins as that one. Descriptors are
    standardised by the training molecules' `mean` and `scale`, the reciprocal of their spread.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, sizes: Sizes, atom_width: int, pair_width: int):
        super().__init__()
        self.sizes = sizes
        self.of_atoms = _from_zero(sizes.atoms, atom_width)
        self.of_pairs = _from_zero(sizes.pairs, pair_width)
        self.of_molecules = _from_zero(sizes.molecule, atom_width)
        self.of_descriptors = _from_zero(sizes.descriptors, atom_width)
        if sizes.descriptors:
            self.register_buffer("mean", torch.zeros(sizes.descriptors))
            self.register_buffer("scale", torch.ones(sizes.descriptors))

    def fit(self, values: Float[np.ndarray, "m d"]) -> None:
        """Standardise descriptors by those of the training molecules; constant ones count as 0.

        The spread is of the values between their 0.5 and 99.5 % quantiles, where these differ.
        """
        x = values.astype(np.float64)
        ends = np.quantile(x, [TAIL, 1 - TAIL], axis=0)
        spread = np.clip(x, *ends).std(0)
        spread = np.where(spread > 0, spread, x.std(0))
        varies = spread > SAME * np.abs(x).max(0)
        self.mean.copy_(torch.from_numpy(x.mean(0)))
        self.scale.copy_(torch.from_numpy(np.where(varies, 1 / np.where(varies, spread, 1), 0)))

    @property
    def constant(self) -> list[bool]:
        """Which descriptors are the same for all training molecules."""
        return (self.scale == 0).tolist()

    def atoms(self, x: Float[Tensor, "b n d"], features: Features) -> Float[Tensor, "b n d"]:
        """Atoms' states with what is known of each atom and of its molecule."""
        return self.nodes(x, features._replace(molecule=features.molecule[:, None]))

    def nodes(self, x: Float[Tensor, "*n d"], features: Features) -> Float[Tensor, "*n d"]:
        """The same where the molecule's features stand beside each atom's."""
        if self.of_atoms is not None:
            x = x + self.of_atoms(features.atoms)
        if self.of_molecules is not None:
            x = x + self.of_molecules(features.molecule[..., : self.sizes.molecule])
        if self.of_descriptors is not None:
            far = (features.molecule[..., self.sizes.molecule :] - self.mean) * self.scale
            x = x + self.of_descriptors(far.clamp(-FARTHEST, FARTHEST))
        return x

    def pairs(self, x: Float[Tensor, "*n h"], pairs: Float[Tensor, "*n fp"]) -> Tensor:
        """Pairs' states with what is known of each pair."""
        return x if self.of_pairs is None else x + self.of_pairs(pairs)


def _from_zero(size: int, width: int) -> nn.Linear | None:
    if size == 0:
        return None
    layer = nn.Linear(size, width, bias=False)
    nn.init.zeros_(layer.weight)
    return layer
