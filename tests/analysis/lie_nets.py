"""Small functions of molecules whose derivatives along a generator are known."""

import torch
from torch import nn

from molinv.analysis.callables import of_callable
from molinv.analysis.subject import Structures


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def molecules(*sizes, dtype=torch.float64):
    pos = [normal(n, 3, seed=i).to(dtype) for i, n in enumerate(sizes)]
    z = [torch.randint(1, 9, (n,), generator=torch.Generator().manual_seed(n)) for n in sizes]
    return Structures(pos, z)


def subject(function, names=("f",), dtype=torch.float64, kind="scalar"):
    return of_callable(function, names, [""] * len(names), kind, dtype=dtype)


def linear(pos, z):
    """Degree 1: the sum of z coordinates, each times its element."""
    return (pos[..., 2] * z).sum(1, keepdim=True)


def quadrupole(pos, z):
    """Degree 2: 3 z^2 - r^2."""
    return (z * (3 * pos[..., 2] ** 2 - pos.square().sum(-1))).sum(1, keepdim=True)


def invariant(pos, z):
    return (z * pos.square().sum(-1)).sum(1, keepdim=True)


class Chain(nn.Module):
    """c . (B A x), summed over atoms; with `direct`, plus direct . x outside of both layers."""

    def __init__(self, direct=0.0):
        super().__init__()
        self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.a.weight = nn.Parameter(normal(3, 3, seed=1))
        self.b.weight = nn.Parameter(normal(3, 3, seed=2))
        self.c, self.direct = normal(3, seed=3), direct * normal(3, seed=4)

    def forward(self, pos, z):
        h = self.b(self.a(pos)) @ self.c + pos @ self.direct
        return h.sum(1, keepdim=True)


class Attention(nn.Module):
    """A transformer on raw coordinates: nothing invariant about it."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.read = nn.Linear(8, 1)

    def forward(self, pos, z):
        h = self.encoder(self.embed(pos), src_key_padding_mask=z == 0)
        h = self.mix(h, h, h, key_padding_mask=z == 0, need_weights=False)[0]
        return (self.read(h)[..., 0] * (z > 0)).sum(1, keepdim=True)
