"""Classes: one of two or more classes, for each of one or more targets."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc

from ..datasets.molecules import Molecules
from ..datasets.pictures.store import Pictures
from ..datasets.targets import Target
from ..errors import InputError, unknown
from .base import Task
from .numbers import normalised

ABSENT = -1e4  # the score of a class that a target does not have


class Classes(Task):
    """Classes, one of two or more, with a cross entropy loss; values may be missing.

    targets        the targets with their classes
    class_weights  weights of classes: "balanced" gives all classes of a target the same total
                   weight, however rare; {"active": 5} gives weights by name; default: all 1
    weights        weights of targets by name, 1 if not given; they are scaled to a mean of 1
    measure        measure in the metrics log: "accuracy", or "ROC-AUC" for two classes

    The network's outputs are a score for each class (b, c), or (b, c, t) for several targets. If a
    target has fewer classes than another one, its last scores are masked. Raises InputError for a
    weight of an unknown class or target, for an unknown measure, and for targets without classes.
    """

    reduce: ClassVar[str] = "log_prob"
    higher: ClassVar[bool] = True

    def __init__(
        self,
        targets: Sequence[Target | dict[str, Any]],
        class_weights: str | dict[str, float] | None = None,
        weights: dict[str, float] | None = None,
        measure: str = "accuracy",
        counts: Sequence[Sequence[int]] | None = None,
    ):
        super().__init__()
        made = tuple(t if isinstance(t, Target) else Target(**t) for t in targets)
        self.targets = made
        if measure not in ("accuracy", "ROC-AUC"):
            raise unknown("measure", measure, ("accuracy", "ROC-AUC"))
        if plain := [t.name for t in self.targets if not t.classes]:
            raise InputError(f"task classes: {plain[0]} has no classes: choose --task numbers.")
        self.measure, self.counts = measure, counts
        self.given, self.class_weights = dict(weights or {}), class_weights
        self.weights = normalised(self.given, [t.name for t in self.targets])
        self.most = max(len(t.classes) for t in self.targets)
        # built as (c, t), not transposed: a transposed buffer cannot be sent to other processes
        there = torch.arange(self.most)[:, None] < torch.tensor([len(t.classes) for t in made])
        self.register_buffer("there", there, persistent=False)
        each = self._class_weights(there.T, class_weights)
        self.register_buffer("class_weight", each, persistent=False)

    there: Bool[Tensor, "c t"]
    class_weight: Float[Tensor, "t c"]

    @classmethod
    def of_molecules(
        cls,
        molecules: Molecules,
        names: Sequence[str],
        train: Any,
        class_weights: str | dict[str, float] | None = None,
        weights: dict[str, float] | None = None,
        measure: str | None = None,
    ) -> Classes:
        """The task for the targets `names`, with classes counted in the molecules `train`.

        Raises InputError if only one class of a target occurs among them.
        """
        targets = molecules.describe(names)
        y = molecules.values(names)[train]
        counts = [
            [int((y[:, i] == k).sum()) for k in range(len(t.classes))]
            for i, t in enumerate(targets)
        ]
        for target, found in zip(targets, counts, strict=True):
            if target.classes and sum(c > 0 for c in found) < 2:
                raise InputError(
                    f"the target {target.name!r} has only one class among the training molecules: "
                    "there is nothing to learn; drop it, or choose another --split or --seed."
                )
        two = all(len(t.classes) == 2 for t in targets)
        chosen = measure or ("ROC-AUC" if two else "accuracy")
        return cls(targets, class_weights, weights, chosen, counts)

    @classmethod
    def of_pictures(
        cls, pictures: Pictures, class_weights: str | dict[str, float] | None = None
    ) -> Classes:
        """The task of predicting one class for each picture."""
        counts = [torch.bincount(pictures.y, minlength=len(pictures.classes)).tolist()]
        return cls([_target("class", pictures.classes)], class_weights, counts=counts)

    def settings(self) -> dict[str, Any]:
        made: dict[str, Any] = {"targets": [t.to_json() for t in self.targets]}
        made |= {"measure": self.measure, "counts": self.counts}
        for name, value in (("class_weights", self.class_weights), ("weights", self.given)):
            made |= {name: value} if value else {}
        return made

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the first target."""
        return self.targets[0].classes

    @property
    def outputs(self) -> int:
        return self.most * len(self.targets)

    @property
    def units(self) -> list[str]:
        return [self.measure] * len(self.targets)

    @property
    def form(self) -> tuple[int, int] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The shape of a molecule's outputs, (classes, targets); None for a single target."""
        return (self.most, len(self.targets)) if len(self.targets) > 1 else None

    def scores(self, outputs: Tensor) -> Float[Tensor, "b c t"]:
        """Scores of each target's classes; those of classes that it does not have are -1e4."""
        wide = outputs if outputs.ndim == 3 else outputs[..., None]
        return wide.masked_fill(~self.there.to(wide.device), ABSENT)

    def labels_of(self, batch: Any) -> tuple[Int64[Tensor, "b t"], Bool[Tensor, "b t"]]:
        """The indices of the classes (0 where missing), and a mask of those that are known."""
        y = batch.y if batch.y.ndim == 2 else batch.y[:, None]
        there = ~y.isnan()
        return y.nan_to_num().long(), there

    def losses(self, outputs: Tensor, batch: Any) -> list[Any]:
        y, there = self.labels_of(batch)
        found = cross_entropy(self.scores(outputs), y, reduction="none")
        each = self.class_weight.to(found)
        found = found * each[torch.arange(len(self.targets), device=y.device), y]
        if self.weights is not None:
            found = found * self.weights.to(found)
        return [(found * there, there)]

    def metric(self) -> Scores:
        return Scores(self.measure)

    def update(
        self, metric: Any, outputs: Tensor, batch: Any, weight: Tensor | None = None
    ) -> None:
        metric.update(self.scores(outputs).log_softmax(1), *self.labels_of(batch))

    def read(self, metric: Any) -> tuple[Float[Tensor, " m"], Float[Tensor, ""]]:
        """Accuracy or ROC-AUC of each target; the error is the mean log loss, in nats."""
        found = metric.compute()
        losses = found[1] if self.weights is None else found[1] * self.weights.to(found)
        return found[0], losses.nanmean()

    def known(self, batch: Any) -> Tensor:
        """One-hot classes of each target (b, t, c), NaN where missing."""
        y, there = self.labels_of(batch)
        found = torch.nn.functional.one_hot(y, self.most).double()
        return found.masked_fill(~there[..., None], torch.nan)

    def values(self, outputs: Tensor) -> Tensor:
        """The probabilities of each target's classes (b, t, c); 0 for classes it does not have."""
        return self.scores(outputs).softmax(1).mT

    def spread(self, std: Tensor, mean: Tensor) -> Tensor:
        wide = std if std.ndim == 3 else std[..., None]  # std of logarithms, so relative
        return wide.mT * self.values(mean)

    def _class_weights(
        self, there: Bool[Tensor, "t c"], given: str | dict[str, float] | None
    ) -> Float[Tensor, "t c"]:
        made = there.float().clone(memory_format=torch.contiguous_format)
        fit = isinstance(given, dict) and all(_weight(w) for w in given.values())
        if given and not fit and (given != "balanced" or self.counts is None):
            raise InputError(
                'class_weights: expected "balanced" or weights of at least 0 by class, '
                f'as in {{"active": 5}}, got {given!r}.'
            )
        if isinstance(given, str):
            assert self.counts is not None
            for row, counts in zip(made, self.counts, strict=True):
                found = torch.tensor(counts, dtype=torch.float32)
                row[: len(found)] = found.sum() / found.clamp_min(1) / (found > 0).sum()
            return made
        names = {name for t in self.targets for name in t.classes}
        for name, weight in (given or {}).items():
            if name not in names:
                raise unknown("class with a weight:", name, names)
            for row, target in zip(made, self.targets, strict=True):
                for k, other in enumerate(target.classes):
                    row[k] = weight if other == name else row[k]
        return made


def _weight(value: Any) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and 0 <= value < inf


def _target(name: str, classes: Sequence[str]) -> Target:
    return Target(name, "", kind="class", classes=tuple(classes))


class Scores(Metric):
    """Accuracy or ROC-AUC, and the log loss, of each target: (2, t), NaN where undefined."""

    full_state_update = False

    def __init__(self, measure: str):
        super().__init__()
        self.measure = measure
        for name in ("logs", "y", "there"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self, logs: Float[Tensor, "b c t"], y: Int64[Tensor, "b t"], there: Bool[Tensor, "b t"]
    ) -> None:
        """Add log probabilities, classes, and a mask of the known classes."""
        for name, value in (("logs", logs), ("y", y), ("there", there)):
            getattr(self, name).append(value)

    def compute(self) -> Float[Tensor, "2 t"]:
        kept = (self.logs, self.y, self.there)  # lists, or joined over processes
        logs, y, there = (x if isinstance(x, Tensor) else torch.cat([*x]) for x in kept)  # pyright: ignore
        each = zip(logs.unbind(2), y.unbind(1), there.unbind(1), strict=True)
        return torch.stack([self._of(*target) for target in each], 1)

    def _of(self, logs: Tensor, y: Tensor, there: Tensor) -> Float[Tensor, " 2"]:
        logs, y = logs[there], y[there]
        nothing = logs.new_full((), torch.nan)
        if not len(y):
            return torch.stack([nothing, nothing])
        loss = -logs.gather(1, y[:, None]).mean()
        if self.measure == "accuracy":
            return torch.stack([(logs.argmax(1) == y).float().mean(), loss])
        both = len(y.unique()) == 2
        return torch.stack([binary_auroc(logs[:, 1].exp(), y) if both else nothing, loss])
