"""Forces as the gradient of the energy, through the action of the group.

The energy of a pose is E_g(x) = f(g x), so that its gradient F_g(x) = -g^-1 grad f (g x) is turned
back by the chain rule alone, and the mean over poses is the gradient of the mean: forces are
those of the orbit-averaged energy, conservative whatever the network makes of orientation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ..augment import Augmented
from ..datasets.batches import Batch
from ..datasets.references import Standardizer
from ..errors import InputError

# the gradient of a frame that turns with the atoms is left out there
WITHOUT = ("canonical",)


class Potential(NamedTuple):
    """Energies (b,) and their deviation over poses in eV or the like, forces (b, n, 3) over A.

    Energies are relative to the atoms' references; forces of padding are zero.
    """

    energy: Float64[Tensor, " b"]
    std: Float64[Tensor, " b"]
    forces: Float64[Tensor, "b n 3"]


def check_gradient(model: str, compiled: bool = False) -> None:
    """Raises InputError for a model whose gradient is not its own, and for a compiled one."""
    if model in WITHOUT:
        raise InputError(
            f"the frames of model {model} turn with the atoms, which its gradient leaves out, so "
            "that its forces would not be its energy's; use another model."
        )
    if compiled:
        raise InputError(
            "forces are a gradient, through which a compiled network cannot be trained: leave out "
            "--compile."
        )


def with_gradient(batch: Batch) -> Batch:
    """The same batch, whose positions a gradient can be taken with respect to."""
    return replace(batch, pos=batch.pos.detach().requires_grad_())


def slopes(
    energies: Float[Tensor, " b"], batch: Batch, center: bool = True
) -> Float[Tensor, "b n 3"]:
    """-d energies / d positions, itself differentiable in the network's parameters.

    `center` says that molecules are put about their centroid first, so that the energy does not
    change where all atoms move alike: their mean force is taken away, as the chain rule would.
    """
    (slope,) = torch.autograd.grad(energies.sum(), batch.pos, create_graph=True)
    return -_balanced(slope, batch) if center else -slope


def _balanced(slope: Float[Tensor, "b n 3"], batch: Batch) -> Float[Tensor, "b n 3"]:
    inside = batch.mask[..., None].to(slope.dtype)
    return slope - inside * slope.sum(1, keepdim=True) / inside.sum(1, keepdim=True)


def standardised_forces(
    standardizer: Standardizer, outputs: Float[Tensor, "b 1"], batch: Batch, center: bool
) -> tuple[Float[Tensor, "b 1 n 3"], Float[Tensor, "b 1 n 3"]]:
    """Forces that the outputs imply, and the true ones, in units of their root mean square."""
    assert batch.forces is not None
    ratio = (standardizer.scale[0] / standardizer.force_scale).to(outputs.dtype)
    found = ratio * slopes(outputs[:, 0], batch, center)
    truth = (batch.forces / standardizer.force_scale).to(found.dtype)
    return found[:, None], truth[:, None]


def potential(
    network: Augmented,
    standardizer: Standardizer,
    batch: Batch,
    center: bool = True,
    orbit: str = "identity",
    copies: int | None = None,
) -> Potential:
    """Energies and forces averaged over an orbit (see `Augmented.orbit`).

    The energy is the network's first output; `center` as in `slopes`. Works where gradients are
    switched off, too. Fewer molecules are taken at once the more copies there are, so that memory
    does not grow with them.
    """
    runs = 1 if orbit == "identity" else max(8, network.copies) if copies is None else copies
    size, scale, mean = max(1, len(batch) // runs), standardizer.scale[0], standardizer.mean[0]
    rows = []
    for start in range(0, len(batch), size):
        with torch.enable_grad():
            part = with_gradient(batch.rows(slice(start, start + size)))
            inputs = network.model.inputs(part)  # pyright: ignore[reportCallIssue]
            found = network.orbit(
                *inputs, orbit=orbit, copies=copies, gradients=True, recompute=len(batch) < runs
            )
            (slope,) = torch.autograd.grad(found.mean[:, 0].sum(), part.pos)
        slope = _balanced(slope, part) if center else slope
        energy, std = (x[:, 0].detach().double() * scale for x in (found.mean, found.std))
        rows.append((energy + mean, std, -slope.double() * scale))
    return Potential(*map(torch.cat, zip(*rows, strict=True)))
