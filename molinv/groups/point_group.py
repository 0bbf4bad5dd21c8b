"""Finite groups from a few of their elements, and the point groups of crystals and molecules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .finite import Finite, unlike
from .so3 import SO3

_SAME = 1e-6


def closure(
    matrices: Float[Tensor, "n d d"] | Sequence, limit: int = 1000
) -> Float[Tensor, "m d d"]:
    """All products of the matrices, in float64, the identity first.

    Raises InputError where there are more than `limit` of them, or one of them is not finite.
    """
    made = torch.stack([torch.as_tensor(g, dtype=torch.float64) for g in matrices])
    if made.ndim != 3 or made.shape[1] != made.shape[2]:
        raise InputError(f"closure: expected matrices (n, d, d), got {tuple(made.shape)}.")
    found = torch.eye(made.shape[1], dtype=torch.float64)[None]
    fresh = found
    while len(fresh):
        products = (fresh[:, None] @ made[None]).flatten(0, 1)
        if not products.isfinite().all():
            raise InputError("closure: a product of the matrices is not finite.")
        fresh = unlike(products, found, _SAME)
        found = torch.cat([found, fresh])
        if len(found) > limit:
            raise InputError(
                f"closure: the matrices have more than {limit} products, so they generate no "
                "finite group of that size: check their angles, or raise the limit."
            )
    return found


class PointGroup(Finite):
    """A point group by its Schoenflies symbol, its main axis along z: PointGroup("D4h").

    Cn, Cnv, Cnh, Dn, Dnh, Dnd, S2n with any n; Cs, Ci, T, Td, Th, O, Oh, I, Ih. Two-fold axes
    of D lie along x, mirror planes of Cnv contain x; cubic axes are x, y, z. Raises InputError
    for another symbol; groups from matrices of your own are Finite(closure(matrices)).
    """

    EXAMPLES = (("C3v",), ("D2d",), ("O",))

    def __init__(self, symbol: str = "D4h"):
        super().__init__(closure(_generators(symbol)), check=False)
        self.to(torch.get_default_dtype())
        self.symbol = symbol


def _generators(symbol: str) -> list[Tensor]:
    number = re.search(r"[1-9]\d*", symbol)
    n = int(number[0]) if number else 1
    flip, level, upright = -torch.eye(3).double(), _diagonal(1, 1, -1), _diagonal(1, -1, 1)
    axis, across = _turn(n), _diagonal(1, -1, -1)
    third, fifth = _turn(3, 1.0, 1.0, 1.0), _turn(5, 0.0, 1.0, (1 + sqrt(5)) / 2)
    known = {
        "Cn": [axis],
        "Cnv": [axis, upright],
        "Cnh": [axis, level],
        "Dn": [axis, across],
        "Dnh": [axis, across, level],
        "Dnd": [axis, across, _turn(2 * n) @ level],
        "Sn": [axis @ level],
        "Cs": [level],
        "Ci": [flip],
        "T": [third, _turn(2)],
        "Td": [third, _turn(4) @ level],
        "Th": [third, _turn(2), flip],
        "O": [third, _turn(4)],
        "Oh": [third, _turn(4), flip],
        "I": [third, fifth],
        "Ih": [third, fifth, flip],
    }
    kind = re.sub(r"[1-9]\d*", "n", symbol)
    if kind not in known or "n" in symbol:
        raise InputError(
            f"PointGroup: {symbol!r} is not a Schoenflies symbol such as C3v, D4h, D2d, S4 or Td."
        )
    if kind == "Sn" and n % 2:
        raise InputError(f"PointGroup: S{n} is C{n}h; expected an even number.")
    return known[kind]


def _turn(n: int, x: float = 0.0, y: float = 0.0, z: float = 1.0) -> Float[Tensor, "3 3"]:
    """The rotation by 2 pi / n about an axis."""
    axis = torch.tensor([x, y, z], dtype=torch.float64)
    return SO3().exp(2 * pi / n * axis / axis.norm())


def _diagonal(*entries: int) -> Float[Tensor, "3 3"]:
    return torch.diag(torch.tensor(entries, dtype=torch.float64))
