"""Standardise targets to numbers with mean 0 and standard deviation 1, and back.

A total energy is mostly a sum over atoms (a carbon atom contributes a million meV). That part is
removed by a linear fit of the element counts to the training molecules. The rest is an
atomisation energy, apart from what the fit absorbs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64, UInt8
from torch import Tensor, nn

from ..errors import InputError
from .kinds import SHAPES
from .molecules import Molecules
from .ragged import take
from .targets import Target, one_kind

# explains an atomwise value beside a prediction
ATOMWISE = "relative to atom energies fitted on the training molecules, not total energies"
FLAT = 1e-10  # a smaller spread, as a fraction of the largest value, is rounding
OFFSET = 5.0  # largest difference between a trained model's mean and the data's, in scales


def fit_references(
    z: UInt8[np.ndarray, " atoms"],
    ptr: Int64[np.ndarray, " ends"],
    y: Float64[np.ndarray, " n"],
    indices: Int64[np.ndarray, " m"],
    max_z: int = 119,
) -> Float64[Tensor, " {max_z}"]:
    """Fit one energy per element, in y's unit, by least squares on the molecules `indices`.

    Entry k belongs to atomic number k; elements that do not occur get 0. If the element counts do
    not determine the energies, this is the solution of least norm.
    """
    atoms, chosen = take(ptr, indices)
    elements, column = np.unique(z[atoms], return_inverse=True)
    row = np.repeat(np.arange(len(indices)), np.diff(chosen))
    shape = (len(indices), len(elements))
    counts = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]).reshape(shape)
    solution = np.linalg.lstsq(counts.astype(np.float64), y[indices], rcond=None)[0]
    references = torch.zeros(max_z, dtype=torch.float64)
    references[torch.from_numpy(elements.astype(np.int64))] = torch.from_numpy(solution)
    return references


class Standardizer(nn.Module):
    """Subtracts atom references (atomwise targets only) and the mean, and divides by the scale.

    The scale is the standard deviation. Vectors and tensors are only divided, by the root mean
    square of their lengths, which no rotation changes. For values of atoms, mean and scale are
    taken over all atoms. `forces`, the negative gradient of the only target, are divided by
    `force_scale`.

    Make it with `fit`. Save `config()` (JSON) and `state_dict()` (float64 tensors); restore it
    with `from_config` and `load_state_dict`. The buffers are references (119, t), mean (t,) and
    scale (t,), in the targets' units; they must stay in float64. Raises InputError for targets of
    several kinds.
    """

    references: Tensor
    mean: Tensor
    scale: Tensor
    force_scale: Tensor

    def __init__(self, targets: Sequence[Target], forces: Target | None = None):
        super().__init__()
        self.targets, self.forces = tuple(targets), forces
        self.kind = one_kind(self.targets)
        t = len(self.targets)
        self.register_buffer("references", torch.zeros(119, t, dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(t, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(t, dtype=torch.float64))
        if forces is not None:
            self.register_buffer("force_scale", torch.ones((), dtype=torch.float64))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Standardizer:
        """Move with the parent module, but stay on the CPU if the device has no float64 (MPS)."""
        there = fn(torch.zeros(1)).device
        return self if there.type == "mps" else super()._apply(fn, recurse)

    @classmethod
    def fit(
        cls,
        molecules: Molecules,
        targets: Sequence[str],
        train: Int64[np.ndarray, " m"],
        forces: str | None = None,
    ) -> Standardizer:
        """Fit to the named targets on the molecules `train`. Missing values (NaN) are ignored.

        Raises InputError for an unknown target, and for a target that is constant or has no value.
        """
        gradient = None if forces is None else molecules.describe([forces])[0]
        self = cls(molecules.describe(targets), gradient)
        if forces is not None:
            self.force_scale.copy_(self._spread(molecules, forces, train)[1])
        if self.kind != "scalar":
            for i, name in enumerate(targets):
                self.mean[i], self.scale[i] = self._spread(molecules, name, train)
            return self
        raw = molecules.select(targets)
        known = ~np.isnan(raw[train])
        for i, target in enumerate(self.targets):
            if target.atomwise:
                chosen = train[known[:, i]]
                found = fit_references(molecules.z, molecules.ptr, raw[:, i], chosen)
                self.references[:, i] = found
        rest = torch.from_numpy(raw[train]) - self._sums(molecules, train)
        for i, target in enumerate(self.targets):
            values = rest[torch.from_numpy(known[:, i]), i]
            largest = np.abs(raw[train][known[:, i], i]).max(initial=0.0)
            if not len(values) or (scale := values.std(correction=0)) <= FLAT * largest:
                raise _constant(target.name, len(values), "molecules")
            self.mean[i], self.scale[i] = values.mean(), scale
        return self

    def keep(
        self, trained: Standardizer, molecules: Molecules, train: Int64[np.ndarray, " m"]
    ) -> None:
        """Take over the scale of a trained model with the same targets, and its mean if it fits.

        Fine-tuning then starts from the trained model's predictions. If the values differ from
        the model's mean by more than `OFFSET` scales on average, they are taken to be of another
        level of theory. References and mean then stay those of the data.
        """
        self.scale.copy_(trained.scale)
        if self.forces is not None and trained.forces is not None:
            self.force_scale.copy_(trained.force_scale)
        if self.kind != "scalar":
            self.mean.copy_(trained.mean)
            return
        raw = torch.from_numpy(molecules.select([t.name for t in self.targets])[train])
        away = (raw - trained._sums(molecules, train) - trained.mean).nanmean(0).abs()
        near = away <= OFFSET * trained.scale
        self.mean[near] = trained.mean[near]
        self.references[:, near] = trained.references[:, near]

    @staticmethod
    def _spread(
        molecules: Molecules, name: str, train: Int64[np.ndarray, " m"]
    ) -> tuple[Tensor, Tensor]:
        """The mean of a field, which is 0 for vectors and tensors, and its scale."""
        target = molecules.describe([name])[0]
        rows = take(molecules.ptr, train)[0] if target.by_atom else train
        values = torch.from_numpy(molecules.values([name])[rows, 0])
        values = values.flatten(1) if values.ndim > 1 else values[:, None]
        values = values[~values.isnan().any(1)]
        largest = float(values.abs().max()) if len(values) else 0.0
        turns = values.shape[1] > 1
        mean = values.new_zeros(()) if turns else values.mean()
        scale = (values - mean).square().sum(1).mean().sqrt()
        if not scale > FLAT * largest:  # also when it is NaN, without any value
            raise _constant(name, len(values), "atoms" if target.by_atom else "molecules")
        return mean, scale

    def _sums(self, molecules: Molecules, chosen: Int64[np.ndarray, " m"]) -> Tensor:
        """The references summed over the atoms of each chosen molecule, (m, t)."""
        atoms, ptr = take(molecules.ptr, chosen)
        each = self.references.numpy()[molecules.z[atoms]]
        return torch.from_numpy(np.add.reduceat(each, ptr[:-1], axis=0))

    def of(
        self, molecules: Molecules, chosen: Int64[np.ndarray, " m"]
    ) -> Float64[np.ndarray, "m t"]:
        """The standardised targets of the chosen molecules."""
        raw = torch.from_numpy(molecules.select([t.name for t in self.targets])[chosen])
        return ((raw - self._sums(molecules, chosen) - self.mean) / self.scale).numpy()

    def forward(
        self, y: Float[Tensor, "b t *e"], z: Int64[Tensor, "b n"] | None = None
    ) -> Float32[Tensor, "b t *e"]:
        """Standardise y, in the targets' units.

        z is 0 for padding; None skips the atom references, as for pictures. Pass total energies
        in float64: float32 resolves only 1 meV in 1e7 meV.
        """
        y = y.to(self.mean.device)
        if self.kind != "scalar":
            return ((y.double() - self._wide(self.mean)) / self._wide(self.scale)).float()
        rest = y.double() if z is None else y.double() - self.references[z.to(y.device)].sum(1)
        return ((rest - self.mean) / self.scale).float()

    def inverse(self, standardised: Float[Tensor, "*c b t *e"]) -> Float64[Tensor, "*c b t *e"]:
        """Values in the targets' units; atom references are not added to atomwise targets.

        For values of atoms, the entries of padding have no meaning.
        """
        standardised = standardised.to(self.mean.device)
        if self.kind != "scalar":
            wide = standardised.double() * self._wide(self.scale)
            return wide + self._wide(self.mean)
        return standardised.double() * self.scale + self.mean

    def spread(self, standardised: Float[Tensor, "*c b t *e"]) -> Float64[Tensor, "*c b t *e"]:
        """Convert standard deviations to the targets' units."""
        return standardised.to(self.mean.device).double() * self._wide(self.scale)

    def _wide(self, values: Float64[Tensor, " t"]) -> Tensor:
        """Reshape (t,) to (t, 1, ...), so that it broadcasts over the entries of a target."""
        after = len(SHAPES[self.kind]) + self.kind.startswith("atom")
        return values.view(-1, *[1] * after)

    def config(self) -> dict[str, Any]:
        """The settings that `state_dict` does not hold, for JSON."""
        content: dict[str, Any] = {"targets": [t.to_json() for t in self.targets]}
        if self.forces is not None:
            content["forces"] = self.forces.to_json()
        return content

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Standardizer:
        """A standardiser made from `config()`, to be filled by `load_state_dict`."""
        forces = config.get("forces")
        return cls([Target(**t) for t in config["targets"]], forces and Target(**forces))


def _constant(name: str, count: int, what: str) -> InputError:
    return InputError(
        f"the target {name!r} is constant on the {count} training {what} that have it: there is "
        "nothing to learn; drop it or train on more."
    )
