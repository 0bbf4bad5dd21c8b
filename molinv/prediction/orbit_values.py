"""A saved model's values for a batch, averaged over orientations.

Used by prediction, calibration and evaluation.
"""

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
    """Outputs averaged over orientations, for b molecules and t targets.

    mean      values (b, t, *e) in the targets' units, for classes probabilities (b, t, c)
    std       standard deviation over orientations (b, t, *e); NaN for one orientation
    features  inputs of the readout's last layer (b, d), averaged over atoms and orientations;
              None if `readout` finds no such layer
    members   standard deviation over an ensemble's members (b, t, *e); None for a single model

    For an ensemble, `mean` is the mean over members, `std` the root mean square of theirs, and
    `features` are the first member's.
    """

    mean: Float64[Tensor, "b t *e"]
    std: Float64[Tensor, "b t *e"]
    features: Float[Tensor, "b d"] | None
    members: Float64[Tensor, "b t *e"] | None = None


def orbit_values(saved: Saved, batch: Batch, copies: int) -> OrbitValues:
    """Average over `copies` elements of the learned distribution, the same for every batch.

    With 0 copies the molecules stay in their own orientation. All results are on the CPU.
    """
    if saved.members:
        return _over_members([orbit_values(member, batch, copies) for member in saved.members])
    network, task = saved.network, saved.task
    orbit = "learned" if copies else "identity"
    with Pooled(network.model, batch.mask.to(device_of(network))) as pooled:
        found = network.orbit(*inputs(network, batch), orbit=orbit, copies=copies or None)
    # float64 on the CPU only, because some devices lack it
    std = task.spread(found.std.cpu(), found.mean.cpu())
    if copies <= 1:  # one orientation has no spread
        std = torch.full_like(std, torch.nan)
    return OrbitValues(task.values(found.mean.cpu()), std, pooled.mean())


def _over_members(found: Sequence[OrbitValues]) -> OrbitValues:
    means, stds = (torch.stack(x) for x in ([f.mean for f in found], [f.std for f in found]))
    return OrbitValues(means.mean(0), stds.square().mean(0).sqrt(), found[0].features, means.std(0))


def signs_from(saved: Saved, found: OrbitValues, batch: Batch) -> Signs:
    """The signs (inputs of the error estimate) of a batch with these values."""
    members, task = found.members, saved.task
    if members is None or task.kind != "scalar" or not isinstance(task, Numbers):
        return Signs(found.features, counts(batch.z))
    spread = members / task.standardizer.scale.to(members)
    return Signs(found.features, counts(batch.z), spread.float())


def orbit_forces(saved: Saved, batch: Batch, copies: int) -> Float64[Tensor, "b n 3"]:
    """Forces (b, n, 3), the negative gradient of the averaged energy, on the CPU.

    In the energy's unit per angstrom. `copies` as in `orbit_values`.
    """
    if saved.members:
        return torch.stack([orbit_forces(m, batch, copies) for m in saved.members]).mean(0)
    network, center = saved.network, saved.card["placement"]["center"]
    if not has_double(device_of(network)):
        network = deepcopy(network).cpu()
    orbit = ("learned", copies) if copies else ("identity", None)
    on = batch.to(device_of(network))
    return potential(network, saved.standardizer, on, center, *orbit).forces.cpu()


def readout(model: nn.Module) -> nn.Linear | None:
    """The last layer of a model whose module `read` acts on each atom; None for any other model."""
    read = dict(model.named_children()).get("read")
    last = read[-1] if isinstance(read, nn.Sequential) else None
    return last if isinstance(last, nn.Linear) else None


class Pooled:
    """Context that averages the inputs of a model's readout over atoms and over all runs within.

    `mask` (b, n) is True at atoms. The readout's input is (b, n, d), or (atoms, d) in the mask's
    order.
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
        """The average over the runs (b, d), on the CPU; None if the readout never ran."""
        return (self._sum / self._runs).cpu() if self._runs else None
