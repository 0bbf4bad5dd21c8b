"""From a saved model and structures to values with units and their spread over rotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .chem.structure import Rejected, Structure
from .datasets.batches import Batch
from .models import too_large
from .training.saved import Saved
from .training.saved import load as load_saved


class Predictor:
    """Predicts with the model of a run folder.

    Each value is averaged over `copies` orientations drawn from the distribution the model
    learned; its standard deviation over them says how far it still depends on orientation.
    Raises InputError where there is no model (see `molinv.training.saved.load`).
    """

    def __init__(self, path: str | Path, copies: int = 8, trust: bool = False):
        self.saved: Saved = load_saved(path, trust)
        self.copies = copies
        self.elements = set(self.saved.card["elements"])

    @property
    def units(self) -> dict[str, str]:
        """The unit of each target."""
        return {t.name: t.unit for t in self.saved.standardizer.targets}

    def predict(
        self, structures: Iterable[Structure | Rejected], batch_size: int = 64
    ) -> Iterator[dict[str, Any] | Rejected]:
        """One row for each structure, in order; what cannot be predicted comes as Rejected.

        A row has name, source, embedded and, for each target, its value, `<target>_std` over
        rotations and `<target>_unit`. Structures are read in batches of `batch_size`.
        """
        stream = iter(structures)
        while chunk := list(islice(stream, batch_size)):
            checked = [self._known(item) for item in chunk]
            good = [item for item in checked if isinstance(item, Structure)]
            rows = iter(self._run(good) if good else [])
            for item in checked:
                yield item if isinstance(item, Rejected) else next(rows)

    def _known(self, item: Structure | Rejected) -> Structure | Rejected:
        if isinstance(item, Rejected):
            return item
        model = self.saved.network.model
        limit: int = model.max_atoms  # pyright: ignore[reportAssignmentType]
        if len(item.z) > limit:
            reason = too_large(self.saved.card["build"]["model"], limit, len(item.z))
            return Rejected(item.name, item.source, reason)
        foreign = sorted({int(z) for z in item.z} - self.elements)
        if not foreign:
            return item
        names = ", ".join(_symbol(z) for z in foreign)
        known = ", ".join(_symbol(z) for z in sorted(self.elements))
        reason = (
            f"the model was not trained on {names}, only on {known}; train on data that has it."
        )
        return Rejected(item.name, item.source, reason)

    def _run(self, structures: Sequence[Structure]) -> list[dict[str, Any]]:
        batch = pad(structures, center=self.saved.card["placement"]["center"])
        network, standardizer = self.saved.network, self.saved.standardizer
        inputs = network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        found = network.orbit(*inputs, orbit="learned", copies=self.copies)
        mean = standardizer.inverse(found.mean).tolist()
        std = (found.std.double() * standardizer.scale).tolist()
        rows = []
        for i, s in enumerate(structures):
            row: dict[str, Any] = {"name": s.name, "source": s.source, "embedded": s.embedded}
            for j, target in enumerate(standardizer.targets):
                row[target.name] = mean[i][j]
                row[f"{target.name}_std"] = std[i][j]
                row[f"{target.name}_unit"] = target.unit
            rows.append(row)
        return rows


def pad(structures: Sequence[Structure], center: bool = True) -> Batch:
    """Structures as one padded batch; targets are NaN."""
    b, n = len(structures), max(len(s.z) for s in structures)
    pos, z = np.zeros((b, n, 3), np.float32), np.zeros((b, n), np.int64)
    for i, s in enumerate(structures):
        origin = s.pos.mean(0) if center else 0.0
        pos[i, : len(s.z)], z[i, : len(s.z)] = s.pos - origin, s.z
    return Batch(
        torch.from_numpy(pos),
        torch.from_numpy(z),
        torch.full((b, 1), torch.nan, dtype=torch.float64),
        torch.arange(b),
    )


def _symbol(z: int) -> str:
    from rdkit.Chem import GetPeriodicTable

    return GetPeriodicTable().GetElementSymbol(z)
