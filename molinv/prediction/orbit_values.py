"""A saved model's values for a batch, averaged over orientations: what predicts and calibrates."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from ..datasets.batches import Batch
from ..tasks.energy_forces import potential
from ..tasks.numbers import Numbers
from ..training.saved import Saved
from .batches import device_of, has_double, inputs
from .difficulty import Signs, counts


class OrbitValues(NamedTuple):
    """Mean and deviation over orientations (b, t, *e), in the targets' units, and features.

    Of classes these are probabilities (b, t, c).

    Features (b, d) are what the readout's last layer sees, averaged over atoms and orientations;
    None where `readout` finds no such layer. The deviation of one orientation is NaN. `members`
    is the standard deviation over an ensemble's members, None of a single model; `mean` is then
    their mean, `std` the root mean square of theirs, and the features are the first member's.
    """

    mean: Float64[Tensor, "b t *e"]
    std: Float64[Tensor, "b t *e"]
    features: Float[Tensor, "b d"] | None
    members: Float64[Tensor, "b t *e"] | None = None


def orbit_values(saved: Saved, batch: Batch, copies: int) -> OrbitValues:
    """Averaged over `copies` elements of the learned distribution, the same ones for any batch.

    0 copies take the molecules as they are. All that comes back is on the CPU.
    """
    if saved.members:
        return _over_members([orbit_values(member, batch, copies) for member in saved.members])
    network, task = saved.network, saved.task
    orbit = "learned" if copies else "identity"
    with Pooled(network.model, batch.mask.to(device_of(network))) as pooled:
        found = network.orbit(*inputs(network, batch), orbit=orbit, copies=copies or None)
    # in float64 only there, because not every device has it
    std = task.spread(found.std.cpu(), found.mean.cpu())
    if copies <= 1:  # says nothing of the spread
        std = torch.full_like(std, torch.nan)
    return OrbitValues(task.values(found.mean.cpu()), std, pooled.mean())


def _over_members(found: Sequence[OrbitValues]) -> OrbitValues:
    means, stds = (torch.stack(x) for x in ([f.mean for f in found], [f.std for f in found]))
    return OrbitValues(means.mean(0), stds.square().mean(0).sqrt(), found[0].features, means.std(0))


def signs_from(saved: Saved, found: OrbitValues, batch: Batch) -> Signs:
    """The signs of a batch with these values."""
    members, task = found.members, saved.task
    if members is None or task.kind != "scalar" or not isinstance(task, Numbers):
        return Signs(found.features, counts(batch.z))
    spread = members / task.standardizer.scale.to(members)
    return Signs(found.features, counts(batch.z), spread.float())


def orbit_forces(saved: Saved, batch: Batch, copies: int) -> Float64[Tensor, "b n 3"]:
    """The forces of the energy averaged so, on the CPU."""
    if saved.members:
        return torch.stack([orbit_forces(m, batch, copies) for m in saved.members]).mean(0)
    network, center = saved.network, saved.card["placement"]["center"]
    if not has_double(device_of(network)):
        network = deepcopy(network).cpu()
    orbit = ("learned", copies) if copies else ("identity", None)
    on = batch.to(device_of(network))
    return potential(network, saved.standardizer, on, center, *orbit).forces.cpu()


def readout(model: nn.Module) -> nn.Linear | None:
    """The last layer of a model whose `read` works on each atom, None for any other model."""
    read = dict(model.named_children()).get("read")
    last = read[-1] if isinstance(read, nn.Sequential) else None
    return last if isinstance(last, nn.Linear) else None


class Pooled:
    """As a context: means over atoms of what a model's readout sees, over all runs within.

    `mask` (b, n) says where the atoms are; the readout sees (b, n, d), or (atoms, d) in the order
    of the mask.
    """

    def __init__(self, model: nn.Module, mask: Bool[Tensor, "b n"]):
        self._layer, self._mask = readout(model), mask
        self._sum, self._runs = torch.zeros(()), 0

    def __enter__(self) -> Pooled:
        layer = self._layer
        self._hook = layer.register_forward_pre_hook(self._see) if layer is not None else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _see(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen, mask = inputs[0].detach(), self._mask
        if seen.ndim == 2:
            padded = seen.new_zeros(*mask.shape, seen.shape[-1])
            padded[mask] = seen
            seen = padded
        weight = mask.to(seen.dtype)
        weight = weight / weight.sum(1, keepdim=True)
        self._sum = self._sum + torch.einsum("bn,bnd->bd", weight, seen)
        self._runs += 1

    def mean(self) -> Float[Tensor, "b d"] | None:
        """The average over the runs, None where there was none to see."""
        return (self._sum / self._runs).cpu() if self._runs else None
