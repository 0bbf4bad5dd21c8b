"""What the trainer asks of a task."""

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
    """What a network learns; b examples, molecules or pictures.

    targets   what is learned, each with its name, unit and kind
    kind      how the network's outputs turn with a molecule (see `datasets.kinds`)
    outputs   how many outputs the network has for each example, atom or pixel
    reduce    how outputs are averaged over copies (see `Augmented`)
    columns   the names of what `measure` gives, as the metrics log has them, and their `units`
    higher    whether a larger measure is the better one
    gradient  whether the loss differentiates the network by the positions

    A task is made from data by `of_molecules` or `of_pictures`, with its settings after the data,
    and restored by `cls(**settings)`; what it fitted to the data are buffers. It defines one of
    the two, `settings`, `losses`, `metric`, `update` and `values`, and sets `targets`; the rest has
    defaults. Molecules come as `datasets.batches.Batch`: y (b, t) in the targets' units and
    float64, NaN where missing. Pictures come as `datasets.pictures.batches.PictureBatch`: x and y.
    Outputs are float32, of order one, and on the network's device. A task of the class of every
    pixel derives from `Maps`, one of classes from `Classes`.

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

    with `Mean` of `tasks.errors`. `molinv train --task mine:Squares` uses it from mine.py.
    """

    targets: tuple[Target, ...]
    kind: str = "scalar"
    form: tuple[int, int] | None = None  # of a molecule's outputs, where not one row
    center: bool = True  # whether molecules are put about their centroid before the network
    reduce: ClassVar[str] = "mean"
    higher: ClassVar[bool] = False
    gradient: ClassVar[bool] = False

    @classmethod
    def of_molecules(
        cls, molecules: Molecules, names: Sequence[str], train: Any, **settings: Any
    ) -> Task:
        """The task of these targets, fitted to the molecules `train`."""
        raise InputError(f"task {cls.called()} is of pictures: choose another for molecules.")

    @classmethod
    def of_pictures(cls, pictures: Pictures, **settings: Any) -> Task:
        """The task of training pictures."""
        raise InputError(f"task {cls.called()} is of molecules: choose another for pictures.")

    @classmethod
    def called(cls) -> str:
        """The name by which it is found: its file's, or "package.module:Name" out of tree."""
        package, _, file = cls.__module__.rpartition(".")
        return file if package == __package__ else f"{cls.__module__}:{cls.__name__}"

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What the constructor takes, as JSON."""

    def to_json(self) -> dict[str, Any]:
        """Name and settings, for `tasks.restore`; the fitted part is in the `state_dict`."""
        return {"name": self.called(), "settings": self.settings()}

    @property
    def outputs(self) -> int:
        """How many outputs the network has for each example."""
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
        """The values that batches hold as y, and the forces or None."""
        return molecules.values([t.name for t in self.targets]), None

    def prepare(self, batch: Any) -> Any:
        """The batch as the loss needs it."""
        return batch

    @abstractmethod
    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        """The losses of outputs (b, outputs, ...): a list of terms, whose means `total` joins.

        A term is a tensor (b, ...), not reduced, or a pair of one and where its entries count.
        """

    def total(self, means: Sequence[Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """The loss, from the mean of each term."""
        return torch.stack(list(means)).sum()

    @abstractmethod
    def metric(self) -> nn.Module:
        """An empty metric, which `update` fills; its `compute` is what `read` takes apart.

        Its states are added by `add_state`. Torchmetrics makes scalars of results (1,).
        """

    @abstractmethod
    def update(
        self, metric: Any, outputs: Tensor, batch: Any, weight: Tensor | None = None
    ) -> None:
        """Add the outputs of examples to a metric; `weight` is 0 for entries not seen."""

    def validate(self, metric: Any, network: Augmented, batch: Any) -> None:
        """Add what the network by itself says of a batch."""
        inputs = network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        self.update(metric, network.model(*inputs).float(), batch)

    def read(self, metric: Any) -> tuple[Float[Tensor, " m"], Float[Tensor, ""]]:
        """The measures (m,) and the error by which epochs are compared: smaller is better."""
        values = metric.compute().reshape(-1)
        return values, self.error(values)

    def error(self, values: Float[Tensor, " m"]) -> Float[Tensor, ""]:
        """The error of measures: smaller is better."""
        return values.nanmean() * (-1 if self.higher else 1)

    @property
    def predicted(self) -> tuple[Target, ...]:
        """The targets that outputs stand for; forces are a gradient."""
        return self.targets

    def known(self, batch: Any) -> Tensor:
        """The true values of a batch as `values` gives them, NaN where one is missing."""
        return batch.y.double()

    @abstractmethod
    def values(self, outputs: Tensor) -> Tensor:
        """What averaged outputs stand for: (b, *e) for each of `predicted`, (b, t, *e), in units.

        Of classes probabilities. Outputs are on the CPU, in float32 or float64.
        """

    def spread(self, std: Tensor, mean: Tensor) -> Tensor:
        """The standard deviation of `values` over an orbit, to first order in that of outputs."""
        mean, std = mean.double(), std.double()
        return (self.values(mean + std) - self.values(mean - std)).abs() / 2

    def extra_repr(self) -> str:
        return ", ".join(t.name for t in self.targets)
