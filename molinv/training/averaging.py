"""An exponential average of the weights, for validation and for the saved model."""

from __future__ import annotations

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


def averaging(decay: float) -> WeightAveraging:
    """Lightning's callback with average <- decay * average + (1 - decay) * weights at each step.

    This makes one fused call for all weights. Lightning's own exponential average updates them one
    by one, which took 1.8 % of a step of the point model on a CPU core; this takes 0.7 %.
    """

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], _: Tensor | int) -> None:
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - decay)  # pyright: ignore
        else:  # integers, such as indices in a buffer, cannot be averaged
            for mean, number in zip(averaged, current, strict=True):
                mean.copy_(number)

    return WeightAveraging(multi_avg_fn=update)
