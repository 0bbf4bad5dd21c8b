"""What a network takes beside positions and elements: added to its first states and pairs."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from ..datasets.features import Features, Sizes

FARTHEST = 5.0  # spreads from the mean; descriptors beyond are counted as these
TAIL = 0.005  # of the training molecules at each end, which do not count in the spread
SAME = 1e-5  # relative spread from which on single precision tells values apart


class Known(nn.Module):
    """Linear maps of a batch's features to a model's widths, 0 at first.

    A network that starts from one without features then begins as that one. Descriptors and xTB's
    numbers of atoms are standardised by the training molecules' mean and scale, the reciprocal of
    their spread. `said` (outputs, 6) maps xTB's numbers of a molecule to the outputs.
    """

    mean: Tensor
    scale: Tensor
    atom_mean: Tensor
    atom_scale: Tensor

    def __init__(self, sizes: Sizes, atom_width: int, pair_width: int, outputs: int = 0):
        super().__init__()
        self.sizes = sizes
        self.of_atoms = _from_zero(sizes.atoms, atom_width)
        self.of_pairs = _from_zero(sizes.pairs, pair_width)
        self.of_molecules = _from_zero(sizes.molecule, atom_width)
        self.of_descriptors = _from_zero(sizes.descriptors, atom_width)
        if sizes.descriptors:
            self.register_buffer("mean", torch.zeros(sizes.descriptors))
            self.register_buffer("scale", torch.ones(sizes.descriptors))
        self.said = None
        if sizes.xtb:
            self.register_buffer("atom_mean", torch.zeros(sizes.xtb_atoms))
            self.register_buffer("atom_scale", torch.ones(sizes.xtb_atoms))
        if sizes.xtb and outputs:
            self.said = nn.Linear(sizes.xtb, outputs)
            nn.init.zeros_(self.said.weight)
            nn.init.zeros_(self.said.bias)

    def fit(self, values: Float[np.ndarray, "m d"]) -> None:
        """Standardise descriptors by those of the training molecules; constant ones count as 0.

        The spread is of the values between their 0.5 and 99.5 % quantiles, where these differ.
        """
        mean, scale = _standard(values)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def fit_atoms(self, values: Float[np.ndarray, "atoms fa"]) -> None:
        """The same for xTB's numbers of the training molecules' atoms."""
        mean, scale = _standard(values)
        self.atom_mean.copy_(torch.from_numpy(mean))
        self.atom_scale.copy_(torch.from_numpy(scale))

    def fit_said(
        self, values: Float[np.ndarray, "m d"], y: Float[np.ndarray, "m t"]
    ) -> Float[np.ndarray, " t"]:
        """Fit `said` by least squares; returns the spread of what it leaves of each output.

        `values` are those of `fit`, y the outputs, NaN where missing.
        """
        assert self.said is not None
        x = self._last(torch.from_numpy(values).float())
        x = torch.cat([x, torch.ones_like(x[:, :1])], 1).double().numpy()
        left = np.ones(y.shape[1])
        for k in range(y.shape[1]):
            there = ~np.isnan(y[:, k])
            found = np.linalg.lstsq(x[there], y[there, k], rcond=None)[0]
            self.said.weight.data[k] = torch.from_numpy(found[:-1])
            self.said.bias.data[k] = float(found[-1])
            left[k] = (y[there, k] - x[there] @ found).std()
        return left

    def from_xtb(self, features: Features) -> Float[Tensor, "b t"]:
        """What the outputs begin as."""
        assert self.said is not None
        with torch.autocast(features.molecule.device.type, enabled=False):
            return self.said(self._last(features.molecule.float()))

    def _last(self, values: Float[Tensor, "*n d"]) -> Float[Tensor, "*n s"]:
        """xTB's numbers of a molecule, standardised."""
        count = self.sizes.xtb
        return (values[..., -count:] - self.mean[-count:]) * self.scale[-count:]

    def _standardised(self, values: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        return ((values - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)

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
            x = x + self.of_atoms(self._atoms(features.atoms))
        if self.of_molecules is not None:
            x = x + self.of_molecules(features.molecule[..., : self.sizes.molecule])
        if self.of_descriptors is not None:
            far = self._standardised(features.molecule[..., self.sizes.molecule :])
            x = x + self.of_descriptors(far)
        return x

    def _atoms(self, atoms: Float[Tensor, "*n fa"]) -> Float[Tensor, "*n fa"]:
        """Those of xTB standardised."""
        if not (count := self.sizes.xtb_atoms):
            return atoms
        far = (atoms[..., -count:] - self.atom_mean) * self.atom_scale
        return torch.cat([atoms[..., :-count], far.clamp(-FARTHEST, FARTHEST)], -1)

    def pairs(self, x: Float[Tensor, "*n h"], pairs: Float[Tensor, "*n fp"]) -> Tensor:
        """Pairs' states with what is known of each pair."""
        return x if self.of_pairs is None else x + self.of_pairs(pairs)


def _standard(
    values: Float[np.ndarray, "m d"],
) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
    """Mean and reciprocal spread of each column; 0 of one that is constant."""
    x = values.astype(np.float64)
    ends = np.quantile(x, [TAIL, 1 - TAIL], axis=0)
    spread = np.clip(x, *ends).std(0)
    spread = np.where(spread > 0, spread, x.std(0))
    varies = spread > SAME * np.abs(x).max(0)
    return x.mean(0), np.where(varies, 1 / np.where(varies, spread, 1), 0)


def _from_zero(size: int, width: int) -> nn.Linear | None:
    if size == 0:
        return None
    layer = nn.Linear(size, width, bias=False)
    nn.init.zeros_(layer.weight)
    return layer
