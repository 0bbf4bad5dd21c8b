"""Real molecules with a target whose symmetry is known: what a learned one is held to.

| task | target | what is to be learned |
|---|---|---|
| `full` | a property | all rotations |
| `axial` | property + F mu.n, n along x, y or z | rotations about n |
| `tilted` | the same, n along none of them | the axis n; a box stays shut |
| `none` | property + F (mu_z + v_x) | nothing |
| `sectors` | property + level of the dipole's azimuth | half-width pi / k about z |
| `discrete` | property + level of the pose | a ball of radius a |
| `translation` | a property, molecules not centred | translations to their cap |
| `size` | second moment of the nuclear charge | rigid motions, no shear or scale |
| `chirality` | a pseudoscalar | rotations, no reflection |
| `achiral` | a property | rotations and reflections |
| `per_molecule` | property + F mu.n for polar molecules only | free where non-polar |
| `dipole` | dipole vectors | all rotations |
| `dipole_as_scalars` | the same, not turned back | nothing |

    task = make("axial", field=2.0, axis=(0, 1, 0))
    mu = task.variants[0].build()
    task.molecules                                       # posed, with y
    [truth.holds(truth.measure(mu)) for truth in task.variants[0].truths]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import unknown
from ...names import construct
from .fields import axial, full, none, per_molecule, tilted
from .handed import achiral, chirality
from .partial import discrete, sectors
from .sizes import size, translation
from .task import Planted, Variant
from .truths import AxisIs, ExtentIs, Separates, SpanIs, Truth, auc
from .vectors import dipole, dipole_as_scalars

TASKS: dict[str, Callable[..., Planted]] = {
    "full": full,
    "axial": axial,
    "tilted": tilted,
    "none": none,
    "sectors": sectors,
    "discrete": discrete,
    "translation": translation,
    "size": size,
    "chirality": chirality,
    "achiral": achiral,
    "per_molecule": per_molecule,
    "dipole": dipole,
    "dipole_as_scalars": dipole_as_scalars,
}

__all__ = [
    "TASKS",
    "AxisIs",
    "ExtentIs",
    "Planted",
    "Separates",
    "SpanIs",
    "Truth",
    "Variant",
    "auc",
    "make",
]


def make(name: str, **settings: Any) -> Planted:
    """A task by name; its settings are those of the function of that name.

    All take `molecules` (QM9 by default), `count` and `seed`. The same settings give the same
    molecules, poses and targets. Raises InputError for an unknown name or setting.
    """
    if name not in TASKS:
        raise unknown("planted task", name, TASKS)
    return construct(TASKS[name], f"planted task {name}", (), settings)  # pyright: ignore
