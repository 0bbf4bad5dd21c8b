"""Molecules and functions of them whose dependence on orientation is known."""

import torch

from molinv.analysis.orbits import probe, sweep
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Quantity, Structures, Subject
from molinv.groups import SO3


def molecules(m=12, dtype=torch.float64, seed=0, y=None):
    """3 to 6 atoms of H to C each."""
    draw = torch.Generator().manual_seed(seed)
    pos = [torch.randn(3 + i % 4, 3, generator=draw, dtype=torch.float64) for i in range(m)]
    pos = [(p - p.mean(0)).to(dtype) for p in pos]
    return Structures(pos, [torch.arange(1, len(p) + 1) for p in pos], y)


def subject(function, kind="scalar", n=1, dtype=torch.float64, history=()):
    names = tuple(Quantity(name, "meV") for name in "abcdef"[:n])
    return Subject("f", function, names, kind, dtype=dtype, history=history)


def legendre(l, x):
    """P_l(x); of the cosine with a fixed axis a harmonic of degree l, mean square 1/(2 l + 1)."""
    before, value = torch.zeros_like(x), torch.ones_like(x)
    for k in range(l):
        before, value = value, ((2 * k + 1) * x * value - k * before) / (k + 1)
    return value


def harmonic(l, axis=(0.0, 0.0, 1.0)):
    """A harmonic of degree l of the direction to the first atom, to which 3 is added."""

    def f(pos, z):
        along = torch.tensor(axis, dtype=torch.float64)
        direction = pos[:, 0] / pos[:, 0].norm(dim=1, keepdim=True)
        return 3 + legendre(l, direction @ (along / along.norm()).to(pos))[:, None]

    return f


def made(section, subject, structures, degree=9, **settings):
    """A section, with the orbits by a rule of this degree that it was made from."""
    turns = SO3().double().haar(16, torch.Generator().manual_seed(0))
    outside = turns, probe(subject, structures, turns)[1]
    orbits = sweep(subject, structures, degree, outside=outside)
    return section(orbits, Settings(degree=degree, **settings)), orbits
