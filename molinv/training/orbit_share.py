"""How much a network's outputs depend on orientation: their variance and error over rotations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from ..augment import Augmented
from ..datasets.batches import Batch
from ..groups.so3 import SO3
from ..models.base import Model
from ..tasks.errors import known, lengths, per_target
from ..tasks.numbers import Numbers

MOLECULES = 128  # the number of validation molecules that are used
ROTATIONS = 8  # rotations of each molecule
CERTAIN = 2  # rotations of each for a model that is invariant, so that only rounding varies
_STREAM = 0x6F72626974  # "orbit": makes these rotations differ from all others of the seed


@torch.no_grad()
def orbit_share(
    network: Augmented, task: Numbers, batches: Iterable[Batch], seed: int
) -> dict[str, float]:
    """The columns `<target>_orbit_variance` and `<target>_orbit_square`, in unit^2.

    These are the means over molecules of the unbiased variance Var_g f(g x), and of the mean over g
    of |f(g x) - y|^2. The rotations g are about the centroid and drawn from Haar, and f is turned
    back. For values of atoms, the means are over atoms. The rotations depend only on the seed and
    on the order of the molecules, so they are the same in every epoch.

    Computed without autocast, like predictions: half precision would round coordinates to three
    digits, and the rounding depends on orientation.
    """
    key = np.random.SeedSequence([seed, _STREAM]).generate_state(1, np.uint64)[0]
    generator = torch.Generator().manual_seed(int(key >> np.uint64(1)))
    with torch.autocast(network.distribution.group.generators.device.type, enabled=False):
        sums = torch.stack([_sums(network, task, batch, generator) for batch in batches]).sum(0)
    variance, square = (sums[:2] / sums[2:]).tolist()
    row = {}
    for target, *both in zip(task.standardizer.targets, variance, square, strict=True):
        for name, value in zip(("variance", "square"), both, strict=True):
            row[f"{target.name}_orbit_{name}"] = value
    return row


def _sums(
    network: Augmented, task: Numbers, batch: Batch, generator: torch.Generator
) -> Float64[Tensor, "4 t"]:
    """Sums over a batch of variances and squared errors, and the number of values in each sum."""
    model = network.model
    number = CERTAIN if isinstance(model, Model) and "SO3" in model.symmetries else ROTATIONS
    turns = SO3().haar(number * len(batch), generator).view(number, len(batch), 3, 3)
    truth = task.standardizer.inverse(task.standardizer(batch.y, batch.z))
    values = torch.stack([_outputs(network, task, batch, g) for g in turns.to(batch.pos)])
    kind = task.standardizer.kind
    there = known(truth, kind)
    around = lengths(values - values.mean(0), kind).square().sum(0) / (number - 1)
    away = lengths(values - truth.nan_to_num(), kind).square().mean(0)
    of_all = there | (kind == "scalar")  # the variance needs no true value
    found = (around * of_all, away * there, of_all, there)
    return torch.stack([per_target(x.double()) for x in found])


def _outputs(
    network: Augmented, task: Numbers, batch: Batch, g: Tensor
) -> Float64[Tensor, "b t *e"]:
    """The outputs for molecules turned about their centroids: turned back, in target units."""
    inside = batch.mask[..., None]
    centroid = batch.pos.sum(1, keepdim=True) / inside.sum(1, keepdim=True)
    turned = ((batch.pos - centroid) @ g.mT + centroid).masked_fill(~inside, 0.0)
    inputs = network.model.inputs(replace(batch, pos=turned))  # pyright: ignore[reportCallIssue]
    outputs = network.orbit(*inputs, orbit="identity").mean
    outputs = network.output.pull_back(SO3(), g, outputs, None)[0]
    return task.standardizer.inverse(outputs)
