"""Standardised numbers, with an L1, squared, Huber or Laplace loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..datasets.molecules import Molecules
from ..datasets.pictures.store import Pictures
from ..datasets.references import Standardizer
from ..datasets.targets import Target
from ..errors import InputError, unknown
from .base import Task
from .errors import known, lengths, per_target

SMALLEST = 1e-3  # spreads: the Laplace loss does not reward mean errors much below this

LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda e: e,
    "l2": torch.square,
    "huber": lambda e: torch.where(e < 1, 0.5 * e.square(), e - 0.5),
    "laplace": lambda e: e,
}


class Numbers(Task):
    """Standardised numbers of molecules or pictures.

    targets  the targets
    loss     "l1", "l2", "huber" (quadratic below one standard deviation) or "laplace": the
             likelihood of a Laplace distribution whose scale is fitted to each target. This is
             the log of the mean absolute error, so loss and reward are both in nats
    weights  weights of targets by name, 1 if not given; they are scaled to a mean of 1
    forces   target of the forces, for `EnergyForces`

    Missing values (NaN) are ignored. Raises InputError for an unknown loss, for targets of
    another kind, and for a weight of an unknown target.
    """

    kinds: ClassVar[tuple[str, ...]] = ("scalar",)

    def __init__(
        self,
        targets: Sequence[Target | dict[str, Any]],
        loss: str = "l1",
        weights: dict[str, float] | None = None,
        forces: Target | dict[str, Any] | None = None,
    ):
        super().__init__()
        if loss not in LOSSES:
            raise unknown("loss", loss, LOSSES)
        made = [t if isinstance(t, Target) else Target(**t) for t in targets]
        slope = forces if forces is None or isinstance(forces, Target) else Target(**forces)
        self.standardizer = Standardizer(made, slope)
        self.kind = self.standardizer.kind
        if self.kind.split()[0] not in {k.split()[0] for k in self.kinds}:
            raise InputError(
                f"task {self.called()} is not for {self.kind} targets such as {made[0].name}: "
                "leave out --task."
            )
        self.loss, self.given = loss, dict(weights or {})
        self.targets = tuple(made) if slope is None else (*made, slope)
        self.weights = normalised(self.given, [t.name for t in self.targets])

    @classmethod
    def of_molecules(
        cls,
        molecules: Molecules,
        names: Sequence[str],
        train: Any,
        loss: str = "l1",
        weights: dict[str, float] | None = None,
    ) -> Numbers:
        """The task for the targets `names`, standardised by the molecules `train`."""
        task = cls(molecules.describe(names), loss, weights)
        task.standardizer = Standardizer.fit(molecules, names, train)
        return task

    @classmethod
    def of_pictures(cls, pictures: Pictures, loss: str = "laplace") -> Numbers:
        """The task for these training pictures, whose numbers it is standardised by."""
        task = cls([Target(name, "") for name in pictures.classes], loss)
        y, standardizer = pictures.y.double(), task.standardizer
        spread = y.std(0, correction=0)
        standardizer.mean.copy_(y.mean(0))
        standardizer.scale.copy_(torch.where(spread > 0, spread, 1.0))
        return task

    def settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = self.standardizer.config() | {"loss": self.loss}
        return settings | ({"weights": self.given} if self.given else {})

    @property
    def outputs(self) -> int:
        return len(self.standardizer.targets)

    def truth(self, batch: Any) -> Float[Tensor, "b t *e"]:
        """The true values of a batch, standardised like the outputs; NaN where missing."""
        return self.standardizer(batch.y, batch.z)

    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        weights = None if self.weights is None else self.weights[: outputs.shape[1]]
        truth = self.truth(batch).to(outputs.device)
        return self.terms(*masked(outputs, truth, self.kind, self.loss, weights))

    def terms(self, errors: Tensor, there: Tensor) -> list[Any]:
        """One term, or for the Laplace loss one term for each target."""
        if self.loss != "laplace":
            return [(errors, there)]
        return list(zip(errors.unbind(1), there.unbind(1), strict=True))

    def total(self, means: Sequence[Float[Tensor, ""]]) -> Float[Tensor, ""]:
        made = torch.stack(list(means))
        return ((made + SMALLEST).log() if self.loss == "laplace" else made).sum()

    def metric(self) -> nn.Module:
        from .mean import Mean

        return Mean(len(self.targets))

    def update(
        self, metric: Any, outputs: Tensor, batch: Any, weight: Tensor | None = None
    ) -> None:
        metric.update(*self.sums(outputs, self.truth(batch).to(outputs.device)))

    def sums(self, outputs: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of standardised absolute errors over known values, and their number, both (t,)."""
        there = known(truth, self.kind)
        errors = lengths(outputs - truth.nan_to_num(), self.kind) * there
        return per_target(errors), per_target(there)

    def read(self, metric: Any) -> tuple[Float[Tensor, " m"], Float[Tensor, ""]]:
        """Mean absolute errors in the targets' units, and their weighted standardised mean."""
        shares = metric.compute()
        weighted = shares if self.weights is None else shares * self.weights.to(shares)
        return shares * self.scales().to(shares), weighted.nanmean()

    def scales(self) -> Float[Tensor, " m"]:
        """The scale of each measure: multiplies standardised errors to give the target's unit."""
        scale = self.standardizer.scale
        if self.standardizer.forces is None:
            return scale
        return torch.cat([scale, self.standardizer.force_scale[None]])

    @property
    def predicted(self) -> tuple[Target, ...]:
        return self.standardizer.targets

    def known(self, batch: Any) -> Tensor:
        return self.standardizer.inverse(self.truth(batch))

    def values(self, outputs: Tensor) -> Tensor:
        """Predictions in the targets' units, clipped from below at each target's `least`."""
        values = self.standardizer.inverse(outputs)
        if self.kind != "scalar":
            return values
        least = [-torch.inf if t.least is None else t.least for t in self.predicted]
        return values.maximum(values.new_tensor(least))

    def spread(self, std: Tensor, mean: Tensor) -> Tensor:
        return self.standardizer.spread(std)


def masked(
    outputs: Float[Tensor, "b t *e"],
    target: Float[Tensor, "b t *e"],
    kind: str = "scalar",
    loss: str = "l1",
    weights: Float[Tensor, " t"] | None = None,
) -> tuple[Float[Tensor, "b t *n"], Bool[Tensor, "b t *n"]]:
    """The losses, and a mask of known values: one term of `Augmented.risk`.

    Missing values are NaN in `target`; their loss is 0, without a gradient. A vector or tensor
    has one loss, and so has each atom's value. `weights` (t,) multiply the losses of the targets.
    """
    there = known(target, kind)
    errors = LOSSES[loss](lengths(outputs - target.nan_to_num(), kind, safe=True)) * there
    if weights is not None:
        errors = errors * weights.to(errors).view(-1, *[1] * (errors.ndim - 2))
    return errors, there


def normalised(weights: dict[str, float], names: Sequence[str]) -> Float[Tensor, " t"] | None:
    """The targets' weights, scaled to a mean of 1 so that lam keeps its meaning; None for {}.

    Raises InputError for a weight of an unknown target.
    """
    for name in weights:
        if name not in names:
            raise unknown("target with a weight:", name, names)
    if not weights:
        return None
    found = torch.tensor([float(weights.get(name, 1.0)) for name in names])
    return found / found.mean()
