"""User-defined tasks, as a user would write them in a file next to the data."""

import torch

from molinv.datasets.targets import Target
from molinv.tasks.base import Task
from molinv.tasks.errors import Mean


class Counts(Task):
    """Counts of at least 0, with a Poisson likelihood; outputs are logarithms."""

    def __init__(self, targets, floor=0.0):
        super().__init__()
        self.targets = tuple(t if isinstance(t, Target) else Target(**t) for t in targets)
        self.floor = floor
        self.register_buffer("level", torch.zeros(len(self.targets)))

    @classmethod
    def of_molecules(cls, molecules, names, train, floor=0.0):
        task = cls(molecules.describe(names), floor)
        task.level.copy_(torch.from_numpy(molecules.values(names)[train].mean(0)).log())
        return task

    def settings(self):
        return {"targets": [t.to_json() for t in self.targets], "floor": self.floor}

    def losses(self, outputs, batch):
        rate = outputs + self.level.to(outputs)
        return [rate.exp() - batch.y.to(rate) * rate]

    def metric(self):
        return Mean(len(self.targets))

    def update(self, metric, outputs, batch, weight=None):
        away = (self.values(outputs) - batch.y.to(outputs)).abs()
        metric.update(away.sum(0), torch.full_like(away[0], len(away)))

    def values(self, outputs):
        return (outputs + self.level.to(outputs)).exp() + self.floor


class Brightness(Task):
    """The mean of a picture's pixels, in percent."""

    def __init__(self):
        super().__init__()
        self.targets = (Target("brightness", "%"),)

    @classmethod
    def of_pictures(cls, pictures):
        return cls()

    @property
    def columns(self):
        return ["error"]

    def settings(self):
        return {}

    def losses(self, outputs, batch):
        return [(outputs[:, 0] - batch.x.mean((1, 2, 3))).square()]

    def metric(self):
        return Mean(1)

    def update(self, metric, outputs, batch, weight=None):
        away = self.values(outputs)[:, 0] - 100 * batch.x.mean((1, 2, 3))
        metric.update(away.abs().sum(), torch.tensor(len(away)))

    def values(self, outputs):
        return 100 * outputs


class NotATask:
    pass
