"""What a network takes beside positions and elements: added to its first states and pairs."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ..datasets.features import Features, Sizes


class Known(nn.Module):
    """Linear maps of a batch's features to a model's widths, 0 at first.

    A network that starts from one without features then begins as that one.
    """

    def __init__(self, sizes: Sizes, atom_width: int, pair_width: int):
        super().__init__()
        self.sizes = sizes
        self.of_atoms = _from_zero(sizes.atoms, atom_width)
        self.of_pairs = _from_zero(sizes.pairs, pair_width)
        self.of_molecules = _from_zero(sizes.molecule, atom_width)

    def atoms(self, x: Float[Tensor, "b n d"], features: Features) -> Float[Tensor, "b n d"]:
        """Atoms' states with what is known of each atom and of its molecule."""
        return self.nodes(x, features._replace(molecule=features.molecule[:, None]))

    def nodes(self, x: Float[Tensor, "*n d"], features: Features) -> Float[Tensor, "*n d"]:
        """The same where the molecule's features stand beside each atom's."""
        if self.of_atoms is not None:
            x = x + self.of_atoms(features.atoms)
        if self.of_molecules is not None:
            x = x + self.of_molecules(features.molecule)
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
