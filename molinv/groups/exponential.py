"""The exponential and the logarithm of any matrices."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_ROOTS = 5  # square roots taken before the series of the logarithm


def matrix_exp(a: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
    """torch's exponential, of one matrix as exact as of several.

    For a single one torch 2.13 stops its series too early, off by up to 1e-10 in float64.
    """
    if a[..., 0, 0].numel() == 1:
        return torch.linalg.matrix_exp(torch.stack([a, a]))[0]
    return torch.linalg.matrix_exp(a)


def matrix_log(g: Float[Tensor, "*b d d"]) -> Float[Tensor, "*b d d"]:
    """The principal logarithm, by inverse scaling and squaring (Higham 2008, section 11.5).

    The roots are Denman and Beavers' (1976), then log g = 2 artanh((g - 1) (g + 1)^-1). Exact to
    about 1e-13 in float64 where no eigenvalue of g is at or below 0; NaN or wrong elsewhere.
    """
    eye = torch.eye(g.shape[-1], dtype=g.dtype, device=g.device).expand_as(g)
    for _ in range(_ROOTS):
        root, back = g, eye
        for _ in range(8):
            root, back = (root + _inverse(back)) / 2, (back + _inverse(root)) / 2
        g = root
    x = (g - eye) @ _inverse(g + eye)
    square, series = x @ x, eye / 21
    for odd in range(19, 0, -2):
        series = eye / odd + square @ series
    return 2 ** (_ROOTS + 1) * (x @ series)


def _inverse(g: Tensor) -> Tensor:
    """g^-1, not finite where g is singular."""
    return torch.linalg.inv_ex(g)[0]
