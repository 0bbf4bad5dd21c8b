"""Features besides positions and elements, added to a network's first atom and pair states."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from ..datasets.features import Features, Sizes

FARTHEST = 5.0  # spreads from the mean, to which standardised values are clipped
TAIL = 0.005  # fraction of training molecules at each end that is clipped for the spread
LEAST = 1e-2  # of an output's spread: a fit to few molecules leaves less than the network can learn
SAME = 1e-5  # columns of smaller relative spread are constant in single precision


class Known(nn.Module):
    """Linear maps of a batch's features to a model's widths, initialised to 0.

    So a network that is fine-tuned from one without features starts with the same outputs.
    Descriptors and xTB's values of atoms are standardised by the training molecules' mean and
    `scale`, the reciprocal of their spread. `said` is a linear map from xTB's values of a molecule
    to the outputs.
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
        """Fit the standardisation to the descriptors (m, d) of the training molecules.

        The spread is that of values clipped to their 0.5 and 99.5 % quantiles, if these differ.
        Constant descriptors become 0.
        """
        mean, scale = _standard(values)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def fit_atoms(self, values: Float[np.ndarray, "atoms fa"]) -> None:
        """Fit the standardisation to xTB's values of the training molecules' atoms."""
        mean, scale = _standard(values)
        self.atom_mean.copy_(torch.from_numpy(mean))
        self.atom_scale.copy_(torch.from_numpy(scale))

    def fit_said(
        self, values: Float[np.ndarray, "m d"], y: Float[np.ndarray, "m t"]
    ) -> Float[np.ndarray, " t"]:
        """Fit `said` by least squares; returns the standard deviation of each output's residuals.

        `values` (m, d) are as in `fit`, y (m, t) the outputs, NaN where missing.
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
            spread = y[there, k].std()
            left[k] = max((y[there, k] - x[there] @ found).std(), LEAST * spread)
        return left

    def from_xtb(self, features: Features) -> Float[Tensor, "b t"]:
        """The part of the outputs that `said` predicts from xTB's values."""
        assert self.said is not None
        with torch.autocast(features.molecule.device.type, enabled=False):
            return self.said(self._last(features.molecule.float()))

    def _last(self, values: Float[Tensor, "*n d"]) -> Float[Tensor, "*n s"]:
        """xTB's values of a molecule, standardised."""
        count = self.sizes.xtb
        return (values[..., -count:] - self.mean[-count:]) * self.scale[-count:]

    def _standardised(self, values: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        return ((values - self.mean) * self.scale).clamp(-FARTHEST, FARTHEST)

    @property
    def constant(self) -> list[bool]:
        """Whether each descriptor is constant over the training molecules."""
        return (self.scale == 0).tolist()

    def atoms(self, x: Float[Tensor, "b n d"], features: Features) -> Float[Tensor, "b n d"]:
        """Atoms' states plus the features of each atom and of its molecule."""
        return self.nodes(x, features._replace(molecule=features.molecule[:, None]))

    def nodes(self, x: Float[Tensor, "*n d"], features: Features) -> Float[Tensor, "*n d"]:
        """As `atoms`, where features of the molecule are given for each atom."""
        if self.of_atoms is not None:
            x = x + self.of_atoms(self._atoms(features.atoms))
        if self.of_molecules is not None:
            x = x + self.of_molecules(features.molecule[..., : self.sizes.molecule])
        if self.of_descriptors is not None:
            far = self._standardised(features.molecule[..., self.sizes.molecule :])
            x = x + self.of_descriptors(far)
        return x

    def _atoms(self, atoms: Float[Tensor, "*n fa"]) -> Float[Tensor, "*n fa"]:
        """Atoms' features, with those of xTB standardised."""
        if not (count := self.sizes.xtb_atoms):
            return atoms
        far = (atoms[..., -count:] - self.atom_mean) * self.atom_scale
        return torch.cat([atoms[..., :-count], far.clamp(-FARTHEST, FARTHEST)], -1)

    def pairs(self, x: Float[Tensor, "*n h"], pairs: Float[Tensor, "*n fp"]) -> Tensor:
        """Pairs' states plus the features of each pair."""
        return x if self.of_pairs is None else x + self.of_pairs(pairs)


def _standard(
    values: Float[np.ndarray, "m d"],
) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
    """Mean and reciprocal spread of each column; the reciprocal is 0 for constant columns."""
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
