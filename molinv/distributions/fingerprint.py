"""Invariant features of molecules: the default encoder of a conditional distribution."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ..errors import InputError

_SOFT = 1e-6  # angstrom squared: smooths the length of a vector near 0


class Even(nn.Module):
    """A linear map y = W x / n + b over n inputs, with W of order sqrt n.

    A step of Adam with learning rate lr changes y by about lr times the size of x, whatever the
    layer's width. So it can be trained at the learning rate of half-widths.
    """

    def __init__(self, inputs: int, outputs: int, zero: bool = False):
        super().__init__()
        scale = 0.0 if zero else inputs**0.5
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * scale)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b m"]:
        """W x / n + b."""
        return nn.functional.linear(x, self.weight / x.shape[-1], self.bias)


class Fingerprint(nn.Module):
    """Features (b, outputs) from pos (b, n, 3) in angstrom and z (b, n), 0 for padding.

    They are invariant under permutations of the atoms, rotations, reflections and translations,
    and are 0 before training. Each atom sees the elements and distances of all atoms, expanded
    in eight Gaussians. Two things are pooled: the mean over atoms, and the lengths of `width`
    dipoles sum_i q_i r_i, whose learned charges q_i sum to 0. Without z, all points count as
    the same element.
    """

    centres: Tensor

    def __init__(self, outputs: int, width: int = 32, channels: int = 8):
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.8, 6.4, 8), persistent=False)
        self.element = nn.Embedding(119, channels)
        self.local = nn.Sequential(Even(9 * channels, width), nn.SiLU(), Even(width, 2 * width))
        self.read = nn.Sequential(
            Even(2 * width, width), nn.SiLU(), Even(width, outputs, zero=True)
        )

    def forward(
        self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b outputs"]:
        """The features (b, outputs); raises InputError unless pos is a tensor (b, n, 3)."""
        if not isinstance(pos, Tensor) or pos.ndim != 3:
            raise InputError(
                f"Fingerprint: expected pos (b, n, 3), got {type(pos).__name__}: give Conditional "
                "an encoder of its own for other inputs."
            )
        z = pos.new_ones(pos.shape[:2], dtype=torch.long) if z is None else z
        mask = (z > 0).to(pos)[..., None]
        element = self.element(z) * mask
        near = _lengths(pos[:, :, None] - pos[:, None])[..., None] - self.centres.to(pos)
        seen = torch.einsum("bijg,bjc->bigc", (-(near**2) / 0.64).exp(), element).flatten(2)
        state = self.local(torch.cat([element, seen], -1)) * mask
        atoms = mask.sum(1).clamp_min(1)
        pooled, charge = state.chunk(2, -1)
        charge = (charge - charge.sum(1, keepdim=True) / atoms[:, None]) * mask
        dipole = torch.einsum("bnc,bnx->bcx", charge, pos)
        return self.read(torch.cat([pooled.sum(1) / atoms, _lengths(dipole)], -1))


def _lengths(vectors: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    return (vectors.square().sum(-1) + _SOFT).sqrt()
