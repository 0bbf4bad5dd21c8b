"""An energy with its forces, which are the energy's gradient through the group's action.

The energy of one orientation is E_g(x) = f(g x). Its forces F_g(x) = -g^-1 grad f (g x) are rotated
back by the chain rule alone, and their mean over g is the gradient of the mean energy. So forces
belong to the orbit-averaged energy and are conservative, whether the network is invariant or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ..augment import Augmented
from ..datasets.batches import Batch
from ..datasets.features import XTB, Sizes
from ..datasets.molecules import Molecules
from ..datasets.references import Standardizer
from ..datasets.units import check_forces
from ..errors import InputError
from .errors import known, lengths, per_target
from .numbers import Numbers, masked

# models whose gradient is not that of their output: canonical ignores the gradient of its frames
WITHOUT = ("canonical",)


FORCES = "atom vector"  # the kind of forces
FIXED = (
    "xTB's results are no function of positions for a network, so its forces would not be those of "
    "its energy: leave out xtb in --features, or the forces."
)


class EnergyForces(Numbers):
    """An energy, and forces that are minus the gradient of its average.

    Settings are those of `Numbers`. Raises InputError unless the unit of the forces is the
    energy's unit per angstrom.
    """

    gradient: ClassVar[bool] = True

    @classmethod
    def of_molecules(
        cls,
        molecules: Molecules,
        names: Sequence[str],
        train: Any,
        loss: str = "l1",
        weights: dict[str, float] | None = None,
    ) -> EnergyForces:
        """The task for two targets: a scalar, the energy, and an atom vector, its forces."""
        targets = sorted(molecules.describe(names), key=lambda t: t.kind == FORCES)
        if [t.kind for t in targets] != ["scalar", FORCES]:
            raise InputError(
                "task energy_forces: expected two targets, an energy and its forces, got "
                f"{', '.join(names)}: leave out --task, or name both."
            )
        energy, forces = targets
        check_forces(energy, forces)
        task = cls([energy], loss, weights, forces)
        task.standardizer = Standardizer.fit(molecules, [energy.name], train, forces.name)
        return task

    def labels(self, molecules: Molecules) -> tuple[Any, Any]:
        energy, forces = (t.name for t in self.targets)
        return molecules.values([energy]), molecules.values([forces])[:, 0]

    def prepare(self, batch: Any) -> Any:
        return with_gradient(batch)

    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        energy = super().losses(outputs, batch)
        both = standardised_forces(self.standardizer, outputs, batch, self.center)
        weights = None if self.weights is None else self.weights[-1:]
        return [*energy, *self.terms(*masked(*both, FORCES, self.loss, weights))]

    def validate(self, metric: Any, network: Augmented, batch: Any) -> None:
        found, scale = potential(network, self.standardizer, batch, self.center), self.scales()
        energy = (found.energy[:, None] - self.standardizer.mean) / scale[0]
        sums = self.sums(energy.float(), self.truth(batch).to(energy.device))
        away = ((found.forces - batch.forces.to(found.forces.device)) / scale[1]).float()[:, None]
        there = known(away, FORCES)
        errors = lengths(away.nan_to_num(), FORCES) * there
        both = (per_target(errors), per_target(there))
        metric.update(*(torch.cat(p).to(batch.pos.device) for p in zip(sums, both, strict=True)))


class Potential(NamedTuple):
    """Energies (b,), their standard deviation over orientations, and forces (b, n, 3).

    Energies are in the target's unit, relative to the atoms' references. Forces are in that unit
    per angstrom, and 0 for padding.
    """

    energy: Float64[Tensor, " b"]
    std: Float64[Tensor, " b"]
    forces: Float64[Tensor, "b n 3"]


def check_gradient(model: str, compiled: bool = False, features: Sequence[str] = ()) -> None:
    """Raise InputError for a model or features with an incomplete gradient, or a compiled model."""
    if XTB in features:
        raise InputError(FIXED)
    if model in WITHOUT:
        raise InputError(
            f"the gradient of model {model} leaves out that its frames rotate with the atoms, so "
            "its forces would not be those of its energy; use another model."
        )
    if compiled:
        raise InputError(
            "forces are a gradient, and a compiled network cannot be trained through a gradient: "
            "leave out --compile."
        )


def with_gradient(batch: Batch) -> Batch:
    """The same batch, with positions that require a gradient."""
    return replace(batch, pos=batch.pos.detach().requires_grad_())


def slopes(
    energies: Float[Tensor, " b"], batch: Batch, center: bool = True
) -> Float[Tensor, "b n 3"]:
    """-d energies / d positions, differentiable in the network's parameters.

    With `center`, molecules are centred before the network, so that translations do not change
    the energy. The mean force is then subtracted, as the chain rule requires.
    """
    (slope,) = torch.autograd.grad(energies.sum(), batch.pos, create_graph=True)
    return -_balanced(slope, batch) if center else -slope


def _balanced(slope: Float[Tensor, "b n 3"], batch: Batch) -> Float[Tensor, "b n 3"]:
    inside = batch.mask[..., None].to(slope.dtype)
    return slope - inside * slope.sum(1, keepdim=True) / inside.sum(1, keepdim=True)


def standardised_forces(
    standardizer: Standardizer, outputs: Float[Tensor, "b 1"], batch: Batch, center: bool
) -> tuple[Float[Tensor, "b 1 n 3"], Float[Tensor, "b 1 n 3"]]:
    """Predicted and true forces, in units of the training forces' root mean square."""
    assert batch.forces is not None
    ratio = (standardizer.scale[0] / standardizer.force_scale).to(outputs)
    found = ratio * slopes(outputs[:, 0], batch, center)
    truth = (batch.forces.to(standardizer.scale.device) / standardizer.force_scale).to(found)
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

    The energy is the network's first output; `center` is as in `slopes`. This also works inside
    torch.no_grad(). With more copies fewer molecules are computed at once, so that memory does
    not grow. Raises InputError for a model that takes xTB's results.
    """
    sizes = getattr(getattr(network.model, "known", None), "sizes", None)
    if isinstance(sizes, Sizes) and sizes.xtb_atoms:
        raise InputError(FIXED)
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
        wide = scale.device
        energy, std = (x[:, 0].detach().to(wide).double() * scale for x in (found.mean, found.std))
        rows.append((energy + mean, std, -slope.to(wide).double() * scale))
    return Potential(*map(torch.cat, zip(*rows, strict=True)))
