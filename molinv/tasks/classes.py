"""Classes: one of two or more, for each of one or more targets."""

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
    """Classes, one of two or more, by cross entropy; values may be missing.

    targets        each with its classes
    class_weights  "balanced" counts every class of a target alike, however rare it is; or how
                   much a class counts, by its name, as in {"active": 5}; all alike if not given
    weights        how much some targets count, by name; 1 if not given, and their mean is made 1
    measure        what the metrics log has: "accuracy", or "ROC-AUC" of targets of two classes

    The network puts out a score for each class, (b, c), of several targets (b, c, t); a target of
    fewer classes than another has the last ones masked. Raises InputError for an unknown class or
    target with a weight.
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
        # not transposed: buffers of unusual strides cannot be sent to other processes
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
        """The targets' classes, counted in the molecules `train`.

        Raises InputError where only one class of a target occurs there.
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
                    f"the target {target.name!r} has one class alone among the training molecules: "
                    "there is nothing to learn; drop it, or choose another --split or --seed."
                )
        two = all(len(t.classes) == 2 for t in targets)
        chosen = measure or ("ROC-AUC" if two else "accuracy")
        return cls(targets, class_weights, weights, chosen, counts)

    @classmethod
    def of_pictures(
        cls, pictures: Pictures, class_weights: str | dict[str, float] | None = None
    ) -> Classes:
        """The one class of a picture."""
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
        """How the outputs of a molecule lie: (classes, targets); None of a single target."""
        return (self.most, len(self.targets)) if len(self.targets) > 1 else None

    def scores(self, outputs: Tensor) -> Float[Tensor, "b c t"]:
        """Scores of every target's classes, the absent ones far below the others."""
        wide = outputs if outputs.ndim == 3 else outputs[..., None]
        return wide.masked_fill(~self.there.to(wide.device), ABSENT)

    def labels_of(self, batch: Any) -> tuple[Int64[Tensor, "b t"], Bool[Tensor, "b t"]]:
        """The numbers of the classes, 0 where one is missing, and where there is one."""
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
        """1 for the class that each target has (b, t, c), NaN where it is missing."""
        y, there = self.labels_of(batch)
        found = torch.nn.functional.one_hot(y, self.most).double()
        return found.masked_fill(~there[..., None], torch.nan)

    def values(self, outputs: Tensor) -> Tensor:
        """The probability of each target's classes, (b, t, c); 0 of classes it does not have."""
        return self.scores(outputs).softmax(1).mT

    def spread(self, std: Tensor, mean: Tensor) -> Tensor:
        wide = std if std.ndim == 3 else std[..., None]  # relative, as of logarithms
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
    """Accuracy or ROC-AUC, and the log loss, of each target: (2, t), NaN where unknown."""

    full_state_update = False

    def __init__(self, measure: str):
        super().__init__()
        self.measure = measure
        for name in ("logs", "y", "there"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(
        self, logs: Float[Tensor, "b c t"], y: Int64[Tensor, "b t"], there: Bool[Tensor, "b t"]
    ) -> None:
        """Logarithms of probabilities, classes, and where there is one."""
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
