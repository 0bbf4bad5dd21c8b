"""Sets whose true rotations are those about one axis: molecules in a field, real or planted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import degrees, pi
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ...augment import Augmented
from ...datasets import load, planted
from ...datasets.batches import Batch
from ...datasets.electric_field import Settings, label, truth
from ...distributions import Distribution
from ...tasks.base import Task
from .tasks import Chosen, Set

NEAR = 10.0  # degrees from the true axis
OFF = 0.25  # rad, half-widths about the axis from pi, and about other axes from 0


class AxisSet(Set):
    """Data whose true rotations are those about one axis."""

    # a box whose sides are not along x, y and z: its axes are learned with its half-widths
    learned: ClassVar[Chosen] = {
        "group": "LearnedBasis(3,3,compact=True)",
        "distribution": "UniformBox",
        "regularizer": "share",
        "lam": 0.3,
        "group_lr": 0.05,
        "group_end": 0.2,
        "wait": 0.15,
    }

    @property
    @abstractmethod
    def axis(self) -> Sequence[float]:
        """The true axis, of length 1."""

    def given(self) -> Chosen:
        axis = ",".join(f"{x:.9f}" for x in self.axis)
        return {"group": f"About({axis})", "distribution": "Haar"}

    def judge(self, network: Augmented, task: Task, examples: Batch) -> dict[str, Any]:
        """The learned axis and widths beside the truth, and whether they are right."""
        found = spread(network.distribution)
        true = torch.tensor(self.axis, dtype=torch.float64)
        angle = degrees(float((found.axis @ true).abs().clamp(max=1).acos()))
        right = angle <= NEAR and found.about >= pi - OFF and found.across <= OFF
        return {
            "axis": found.axis.tolist(),
            "degrees": angle,
            "about": found.about,
            "across": found.across,
            "found": f"{angle:.1f} degrees off, {found.about:.2f} / {found.across:.2f} rad",
            "right": right,
        }


@dataclass(frozen=True)
class FieldSet(AxisSet):
    """Molecules in an electric field, see `datasets.electric_field`.

    source      the data set of the molecules
    settings    how many, and the field
    """

    source: str = "qm9"
    settings: Settings = field(default_factory=Settings)

    name = "field"
    unit = "meV"
    target = "shift"

    @property
    def labels(self) -> dict[str, Any]:
        return asdict(self.settings) | {"source": self.source}

    def make(self, workers: int) -> None:
        label(load(self.source), self.settings, self.root, workers)

    @property
    def axis(self) -> Sequence[float]:
        return truth(self.root).axis


@dataclass(frozen=True)
class PlantedSet(AxisSet):
    """Different molecules in a field along a tilted axis, planted into HOMO energies.

    See `datasets.planted.tilted`. The learned method has the settings of the electric field.

    source      the data set of the molecules
    count       how many, each in one random orientation
    """

    source: str = "qm9"
    count: int = 12_500

    name = "planted"
    unit = "meV"
    target = "homo"
    _axis: ClassVar[tuple[float, float, float]] = (0.6, -0.48, 0.64)

    @property
    def labels(self) -> dict[str, Any]:
        return {}

    @property
    def data(self) -> str:
        settings = {"axis": list(self._axis), "count": self.count, "source": self.source}
        return planted.to_text("tilted", settings)

    def make(self, workers: int) -> None:
        """Nothing: labels are computed when the data is read."""

    @property
    def axis(self) -> Sequence[float]:
        return self._axis


class Spread(NamedTuple):
    """A box's widest axis of rotation, and its half-widths in rad.

    `about` is that about the axis, `across` the larger one about the axes at right angles to it.
    """

    axis: Float[Tensor, " 3"]
    about: float
    across: float


def spread(mu: Distribution) -> Spread:
    """The principal axes of a box on rotations, whatever the group's generators."""
    widths = torch.stack([extent.value for extent in mu.extent().values()]).detach().cpu().double()
    g = mu.group.generators.detach().cpu().double()
    # rotation vectors of the antisymmetric generators
    vectors = torch.stack([g[:, 2, 1], g[:, 0, 2], g[:, 1, 0]], 1)
    values, axes = torch.linalg.eigh(vectors.mT @ torch.diag(widths.square()) @ vectors)
    found = values.clamp_min(0).sqrt().tolist()
    return Spread(axes[:, -1], found[-1], found[-2])
