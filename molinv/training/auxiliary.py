"""Numbers of atoms that are learned beside the targets; predictions do not need them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from ..chem import xtb
from ..datasets.features import XTB
from ..datasets.molecules import Molecules
from ..datasets.ragged import take
from ..errors import InputError
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
    vectors, tensors, values of atoms or forces.
    """
    if not (names := config.auxiliary_names):
        return None
    if task.kind != "scalar" or task.gradient:
        raise InputError(
            "auxiliary: expected targets that are numbers or classes of molecules, got "
            f"{task.targets[0].name}: leave it out."
        )
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
