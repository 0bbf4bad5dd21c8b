"""Invariants of irreps: the power spectrum and the bispectrum of each channel."""

from __future__ import annotations

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import unknown
from .convolution import Features
from .readout import HALF

SPECTRA = ("none", "power", "bispectrum")


class Spectra(nn.Module):
    """Numbers of features (b, n, 2 l + 1, channels >> l) that no rotation or reflection changes.

    "power"       |x_l|^2 / (2 l + 1) of each channel, for every degree l from 1 to `degree`
    "bispectrum"  the same, then sum_abc C_abc x_ia x_jb x_kc with Wigner's 3j symbols C, for
                  degrees 1 <= i <= j <= k <= i + j whose sum is even. Each has channels >> k
                  values, of the first channels of the three degrees

    `size` is the number of values of an atom. The power spectrum does not change if each degree is
    rotated by a rotation of its own. The bispectrum does, so it sees how degrees are oriented
    relative to each other. For degrees whose sum is odd it would change sign under inversion.
    Raises InputError for another kind. Source: Kakarala 2012 (J. Math. Imaging Vis. 44, 341).
    """

    def __init__(self, kind: str, degree: int, channels: int):
        super().__init__()
        if kind not in SPECTRA:
            raise unknown("spectrum", kind, SPECTRA)
        self.degrees = [] if kind == "none" else list(range(1, degree + 1))
        self.triples = [
            (i, j, k)
            for i in self.degrees
            for j in self.degrees[i - 1 :]
            for k in self.degrees[j - 1 :]
            if k <= i + j and (i + j + k) % 2 == 0 and kind == "bispectrum"
        ]
        for triple in self.triples:
            self.register_buffer(_name(triple), o3.wigner_3j(*triple), persistent=False)
        self.size = sum(channels >> k for k in [*self.degrees, *(t[2] for t in self.triples)])

    def forward(self, x: Features) -> Float[Tensor, "b n c"]:
        with torch.autocast(x[0].device.type, enabled=False):
            x = {l: part.float() if part.dtype in HALF else part for l, part in x.items()}
            made = [x[l].square().mean(2) for l in self.degrees]
            for i, j, k in self.triples:
                count = x[k].shape[-1]
                parts = [x[l][..., :count] for l in (i, j, k)]
                coefficients = self.get_buffer(_name((i, j, k))).to(parts[0])
                made.append(torch.einsum("abc,xyaq,xybq,xycq->xyq", coefficients, *parts))
        return torch.cat(made, -1) if made else x[0].new_zeros(*x[0].shape[:2], 0)


def _name(triple: tuple[int, int, int]) -> str:
    return "symbols" + "".join(map(str, triple))
