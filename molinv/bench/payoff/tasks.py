"""What `payoff` trains: data sets with a symmetry that physics gives them, and the methods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import degrees, pi
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ...augment import Augmented
from ...datasets import load, matrix, planted, surface
from ...datasets.batches import Batch
from ...datasets.electric_field import Settings, label, truth
from ...distributions import Distribution, Peaks
from ...groups import PointGroup
from ...groups.merging import distance
from ...tasks.base import Task
from ...training.config import TrainConfig
from ...training.settling import settle
from .rivals import RIVALS

Chosen = dict[str, Any]  # settings of TrainConfig
NONE, FULL, PAPER, LEARNED, GIVEN = "none", "full", "Augerino", "learned", "true group"
USUAL = (NONE, FULL, PAPER, LEARNED, GIVEN)
METHODS = (*USUAL, *RIVALS)
# a box about x, y and z, whose norm is rewarded from the first step (Benton et al. 2020)
AUGERINO: Chosen = {
    "group": "SO3",
    "distribution": "UniformBox",
    "regularizer": "width",
    "lam": 0.05 * pi,
    "group_lr": 0.03,
    "group_end": 0.01,
    "wait": 0.0,
}
BATCH = 32
FIXED: dict[str, Any] = {
    "model": "point",
    "batch_size": BATCH,
    "valid_size": 200,
    "warmup": 50,
    "accelerator": "cpu",
}
PASSES = 40  # least, over the training examples
SIZE = {"width": 64, "layers": 2}  # of the network
SETTLED = 1000  # validation examples that measure the final probabilities, at most
NEAR = 10.0  # degrees from the true axis
OFF = 0.25  # rad, half-widths about the axis from pi, and about other axes from 0


@dataclass(frozen=True)
class Set(ABC):
    """Data with a symmetry that is not an input, in the folder `root` of the benchmark."""

    root: Path

    name: ClassVar[str]
    unit: ClassVar[str]
    target: ClassVar[str]
    # the number of steps, in units of the command's
    effort: ClassVar[int] = 1
    # settings of the data and of the network, the same for all methods
    settings_of_data: ClassVar[Chosen] = {}
    # the learned distribution and how it is trained, one setting for all sizes and seeds
    learned: ClassVar[Chosen]

    @property
    def data(self) -> str:
        """The data set that is trained on."""
        return str(self.root / "molecules")

    @property
    @abstractmethod
    def labels(self) -> dict[str, Any]:
        """The settings that the labels depend on, beside the name of the data set."""

    @abstractmethod
    def make(self, workers: int) -> None:
        """Label what is not labelled yet; InputError for a folder made with other settings."""

    @abstractmethod
    def given(self) -> Chosen:
        """The distribution of the true group."""

    @abstractmethod
    def judge(self, network: Augmented, task: Task, examples: Batch) -> dict[str, Any]:
        """What was learned, in words as `found`, and whether it is `right`.

        `task` and validation examples serve to measure the network's loss.
        """

    def config(self, method: str, size: int, seed: int, steps: int, out: Path) -> TrainConfig:
        """The training settings; those of the usual methods differ in the distribution alone."""
        chosen = {
            NONE: lambda: {"group": "SO3", "distribution": "Identity"},
            FULL: lambda: {"group": "SO3", "distribution": "Haar"},
            PAPER: lambda: AUGERINO,
            LEARNED: dict,
            GIVEN: self.given,
            **{name: lambda rival=rival: rival.chosen for name, rival in RIVALS.items()},
        }[method]()
        return TrainConfig(
            data=self.data,
            targets=self.target,
            out=str(out),
            train_size=size,
            epochs=max(-(-self.effort * steps // -(-size // BATCH)), PASSES),
            seed=seed,
            **FIXED | {"model_args": SIZE} | self.settings_of_data | self.learned | chosen,
        )


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
