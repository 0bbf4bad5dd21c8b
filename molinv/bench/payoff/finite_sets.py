"""Sets whose true rotations are a point group: atoms over a slab, and molecules in a crystal."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, dataclass, field
from math import degrees
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from ...augment import Augmented
from ...datasets import matrix, surface
from ...datasets.batches import Batch
from ...distributions import Peaks
from ...groups import PointGroup
from ...groups.merging import distance
from ...tasks.base import Task
from ...training.settling import settle
from .tasks import SIZE, Chosen, Set

NEAR = 10.0  # degrees from the true rotations


class FiniteSet(Set):
    """Data whose true rotations about the origin are a point group with main axis z.

    Where a molecule is belongs to the input. `Peaks` learns the rotations.
    """

    target = "interaction"
    settings_of_data: ClassVar[Chosen] = {
        "center": False,
        "model_args": SIZE | {"geometry": "absolute"},
    }
    learned: ClassVar[Chosen] = {
        "group": "SO3",
        "distribution": "Peaks",
        "regularizer": "entropy",
        "lam": 0.05,
        "wait": 0.2,
    }

    @property
    @abstractmethod
    def symbol(self) -> str:
        """The true group of rotations."""

    def given(self) -> Chosen:
        return {"group": f"PointGroup({self.symbol})", "distribution": "Haar"}

    def judge(self, network: Augmented, task: Task, examples: Batch) -> dict[str, Any]:
        """The learned group of rotations, and whether it is the true one in the right frame.

        `degrees` is the largest angle between a true rotation and the nearest one found. The
        probabilities are first measured on the examples, see `training.settling`.
        """
        mu = network.distribution
        assert isinstance(mu, Peaks)
        inputs = network.model.inputs(examples)  # pyright: ignore[reportCallIssue]
        settle(network, lambda outputs: task.losses(outputs, examples)[0][0], *inputs)
        named = mu.named()
        off = None if named.elements is None else farthest(self.symbol, named.elements)
        right = named.symbol == self.symbol and off is not None and off <= NEAR
        return {"symbol": named.symbol, "degrees": off, "found": str(named), "right": right}


def farthest(symbol: str, found: Float[Tensor, "m 3 3"]) -> float:
    """The largest angle (degrees) between an element of a point group and the nearest one found."""
    true = PointGroup(symbol).elements.to(found)
    return degrees(float(distance(true[:, None], found).amin(1).max()))


@dataclass(frozen=True)
class SurfaceSet(FiniteSet):
    """Single atoms over a metal slab, see `datasets.surface`.

    Given are the turns about the normal through an atom. The slab's mirror planes and slides by
    lattice vectors are not rotations about the origin; no method has them.
    """

    settings: surface.Settings = field(default_factory=surface.Settings)

    name = "surface"
    unit = "meV"
    effort = 3  # with fewer, no method fits the corrugation

    @property
    def labels(self) -> dict[str, Any]:
        return asdict(self.settings)

    def make(self, workers: int) -> None:
        surface.label(self.settings, self.root, workers)

    @property
    def symbol(self) -> str:
        return f"C{surface.truth(self.settings).turns}"


@dataclass(frozen=True)
class MatrixSet(FiniteSet):
    """Small molecules in a rare-gas crystal, see `datasets.matrix`.

    Given are the rotations of the site. Its reflections and inversion are not rotations; no method
    has them.
    """

    settings: matrix.Settings = field(default_factory=matrix.Settings)

    name = "matrix"
    unit = "meV"
    effort = 3

    @property
    def labels(self) -> dict[str, Any]:
        return asdict(self.settings)

    def make(self, workers: int) -> None:
        matrix.label(self.settings, self.root, workers)

    @property
    def symbol(self) -> str:
        return matrix.truth(self.settings).symbol
