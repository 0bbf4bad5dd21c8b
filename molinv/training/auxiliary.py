"""Numbers of atoms that are learned beside the targets; predictions do not need them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from ..actions import Action, Invariant, Vector
from ..chem import xtb
from ..datasets.features import XTB
from ..datasets.molecules import Molecules
from ..datasets.ragged import take
from ..errors import InputError
from ..groups.base import Group
from ..tasks.base import Task
from .config import TrainConfig

TAIL = 0.005  # fraction of the training atoms at each end that is clipped to compute the spread
FARTHEST = 8.0  # values are clipped to this many spreads


def auxiliary(
    config: TrainConfig, task: Task, molecules: Molecules, train: Int64[np.ndarray, " m"]
) -> Float64[np.ndarray, "atoms a"] | None:
    """The standardised numbers of atoms that the settings name; None if they name none.

    Each number is reduced by its mean over the training atoms of the element, because most of an
    atom's energy, for example, depends only on the element. It is then divided by the spread of
    the rest. Missing values are NaN; constant columns are left out. Raises InputError for a name
    that is not a number of every atom, if all columns are constant, and for targets that are
    vectors, tensors, values of atoms or forces (also with `jitter`).
    """
    names = config.auxiliary_names
    if (names or config.jitter) and (task.kind != "scalar" or task.gradient):
        raise InputError(
            f"{'auxiliary' if names else 'jitter'}: expected targets that are numbers or classes "
            f"of molecules, got {task.targets[0].name}: leave it out."
        )
    if not names:
        return None
    named = [name for name in names if name != XTB]
    for target in molecules.describe(named):
        if target.kind != "atom scalar":
            raise InputError(
                f"auxiliary: expected numbers of every atom such as charges, got {target.name}, "
                f"a {target.kind}."
            )
    columns = [molecules.values(named)] if named else []
    columns += [_by_xtb(molecules)] if XTB in names else []
    made = _standardised(np.concatenate(columns, 1), molecules, train)
    if not made.shape[1]:
        raise InputError(f"auxiliary: {config.auxiliary} is the same for all atoms: leave it out.")
    return made


class WithJitter(Action):
    """Numbers of molecules, followed in training by those of `Model.beside`.

    The last three numbers of each atom are a vector, the noise on its position; all others are
    invariant. A row of `outputs` numbers has nothing beside it.
    """

    def __init__(self, outputs: int):
        self.outputs = outputs

    def act(self, group: Group, g: Float[Tensor, "b d d"], x: Tensor) -> Tensor:
        """x unchanged: only `pull_back` knows how many atoms there are."""
        return x

    def pull_back(
        self, group: Group, g: Float[Tensor, "b d d"], y: Tensor, context: Any
    ) -> tuple[Tensor, None]:
        """The row with its vectors turned back; `context` are the positions (b, n, 3)."""
        if y.shape[1] == self.outputs:
            return y, None
        n = context.shape[1]
        rest, moved = y[:, : -3 * n], y[:, -3 * n :].unflatten(1, (3, n)).mT
        back, _ = Vector().pull_back(group, g, moved, context)
        return torch.cat([rest, back.mT.flatten(1)], 1), None

    def example(self, generator: torch.Generator, group: Group, n: int = 4) -> Tensor:
        """Normal numbers (n, outputs)."""
        return Invariant().example(generator, group, n)[:, :1].expand(n, self.outputs)


def _by_xtb(molecules: Molecules) -> Float64[np.ndarray, "atoms 39"]:
    said, sizes = molecules.extras.electronic, molecules.sizes
    assert said is not None
    made = np.full((len(molecules.z), len(xtb.ATOMS)), np.nan)
    known = np.flatnonzero(said.atom_start >= 0)
    at, ptr = take(molecules.ptr, known)
    shift = np.repeat(said.atom_start[known] - ptr[:-1], sizes[known])
    made[at] = said.atoms[np.arange(len(at)) + shift]
    return made


def _standardised(
    values: Float64[np.ndarray, "atoms a"], molecules: Molecules, train: Int64[np.ndarray, " m"]
) -> Float64[np.ndarray, "atoms a"]:
    seen = np.zeros(len(values), bool)
    seen[take(molecules.ptr, train)[0]] = True
    left = np.array(values, np.float64)
    for element in np.unique(molecules.z):
        own = molecules.z == element
        if (own & seen).any():
            left[own] -= np.nanmean(left[own & seen], 0)
    ends = np.nanquantile(left[seen], [TAIL, 1 - TAIL], axis=0)
    spread = np.nanstd(np.clip(left[seen], *ends), axis=0)
    varies = spread > 1e-6 * np.nanmax(np.abs(values[seen]), axis=0, initial=1e-12)
    return np.clip(left[:, varies] / spread[varies], -FARTHEST, FARTHEST)
