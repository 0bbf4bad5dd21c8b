"""The interface between a task and the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..augment import Augmented
from ..datasets.molecules import Molecules
from ..datasets.pictures.store import Pictures
from ..datasets.targets import Target
from ..errors import InputError


class Task(nn.Module, ABC):
    """What a network learns from b examples, molecules or pictures.

    targets   the targets, each with a name, unit and kind
    kind      how the network's outputs rotate with a molecule (see `datasets.kinds`)
    outputs   number of outputs of the network for each example, atom or pixel
    reduce    how outputs are averaged over copies (see `Augmented`)
    columns   names of the measures that `read` returns, as in the metrics log; `units` has
              their units
    higher    whether larger measures are better
    gradient  whether the loss differentiates the network by the positions

    A task is made from data by `of_molecules` or `of_pictures`, with its settings after the data,
    and restored by `cls(**settings)`. Values fitted to the data are buffers. A new task defines
    one of these two methods, `settings`, `losses`, `metric`, `update` and `values`, and sets
    `targets`; everything else has a default.

    Molecules come as `datasets.batches.Batch`, with y (b, t) in the targets' units, in float64,
    NaN where missing. Pictures come as `datasets.pictures.batches.PictureBatch`, with x and y.
    Outputs are float32, of order one, on the network's device. A task that predicts the class of
    every pixel derives from `Maps`, a task that predicts classes from `Classes`.

        class Squares(Task):
            def __init__(self, targets):
                super().__init__()
                self.targets = tuple(t if isinstance(t, Target) else Target(**t) for t in targets)

            @classmethod
            def of_molecules(cls, molecules, names, train):
                return cls(molecules.describe(names))

            def settings(self):
                return {"targets": [t.to_json() for t in self.targets]}

            def losses(self, outputs, batch):
                there = ~batch.y.isnan()
                return [((outputs - batch.y.nan_to_num().to(outputs)).square(), there)]

            def metric(self):
                return Mean(len(self.targets))

            def update(self, metric, outputs, batch, weight=None):
                away = (outputs - batch.y.to(outputs)).abs()
                metric.update(away.nansum(0), (~away.isnan()).sum(0))

            def values(self, outputs):
                return outputs

    `Mean` is in `tasks.errors`. `molinv train --task mine:Squares` uses this task from mine.py.
    """

    targets: tuple[Target, ...]
    kind: str = "scalar"
    form: tuple[int, int] | None = None  # shape of a molecule's outputs if they are not one row
    center: bool = True  # whether molecules are centred on their centroid before the network
    reduce: ClassVar[str] = "mean"
    higher: ClassVar[bool] = False
    gradient: ClassVar[bool] = False

    @classmethod
    def of_molecules(
        cls, molecules: Molecules, names: Sequence[str], train: Any, **settings: Any
    ) -> Task:
        """The task for the targets `names`, fitted to the molecules `train`."""
        raise InputError(f"task {cls.called()} is for pictures: choose another for molecules.")

    @classmethod
    def of_pictures(cls, pictures: Pictures, **settings: Any) -> Task:
        """The task for these training pictures."""
        raise InputError(f"task {cls.called()} is for molecules: choose another for pictures.")

    @classmethod
    def called(cls) -> str:
        """The name that `find` takes: the file's, or "package.module:Name" for other folders."""
        package, _, file = cls.__module__.rpartition(".")
        return file if package == __package__ else f"{cls.__module__}:{cls.__name__}"

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""

    def to_json(self) -> dict[str, Any]:
        """Name and settings, for `tasks.restore`; fitted values are in the `state_dict`."""
        return {"name": self.called(), "settings": self.settings()}

    @property
    def outputs(self) -> int:
        """The number of outputs of the network for each example."""
        return len(self.targets)

    @property
    def columns(self) -> list[str]:
        """The names of the measures."""
        return [t.name for t in self.targets]

    @property
    def units(self) -> list[str]:
        """The measures' units."""
        return [t.unit for t in self.targets]

    def labels(self, molecules: Molecules) -> tuple[Any, Any]:
        """The values that batches hold as y, and the forces (None without forces)."""
        return molecules.values([t.name for t in self.targets]), None

    def prepare(self, batch: Any) -> Any:
        """The batch as the loss needs it."""
        return batch

    @abstractmethod
    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        """The losses of outputs (b, outputs, ...): a list of terms, whose means `total` combines.

        A term is an unreduced tensor (b, ...), or a pair (losses, mask of entries that count).
        """

    def total(self, means: Sequence[Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """The loss, from the mean of each term."""
        return torch.stack(list(means)).sum()

    @abstractmethod
    def metric(self) -> nn.Module:
        """A new torchmetrics metric. `update` fills it, and `read` reads its result.

        Its states are added by `add_state`. Torchmetrics turns results (1,) into scalars.
        """

    @abstractmethod
    def update(
        self, metric: Any, outputs: Tensor, batch: Any, weight: Tensor | None = None
    ) -> None:
        """Add the outputs of examples to a metric; `weight` is 0 for entries to ignore."""

    def validate(self, metric: Any, network: Augmented, batch: Any) -> None:
        """Add a batch's outputs of the network alone, without averaging, to a metric."""
        inputs = network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        self.update(metric, network.model(*inputs).float(), batch)

    def read(self, metric: Any) -> tuple[Float[Tensor, " m"], Float[Tensor, ""]]:
        """The measures (m,), and the error (smaller is better) by which epochs are compared."""
        values = metric.compute().reshape(-1)
        return values, self.error(values)

    def error(self, values: Float[Tensor, " m"]) -> Float[Tensor, ""]:
        """The error that summarises the measures: smaller is better."""
        return values.nanmean() * (-1 if self.higher else 1)

    @property
    def predicted(self) -> tuple[Target, ...]:
        """The targets that outputs predict directly; forces are not, since they are a gradient."""
        return self.targets

    def known(self, batch: Any) -> Tensor:
        """The true values of a batch, in the form of `values`; NaN where missing."""
        return batch.y.double()

    @abstractmethod
    def values(self, outputs: Tensor) -> Tensor:
        """The predictions (b, t, *e) of the targets `predicted`, in their units.

        `outputs` are averaged outputs on the CPU, in float32 or float64. For classes, predictions
        are probabilities.
        """

    def spread(self, std: Tensor, mean: Tensor) -> Tensor:
        """The standard deviation of `values` over an orbit, to first order in the outputs' std."""
        mean, std = mean.double(), std.double()
        return (self.values(mean + std) - self.values(mean - std)).abs() / 2

    def extra_repr(self) -> str:
        return ", ".join(t.name for t in self.targets)
