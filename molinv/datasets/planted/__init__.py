"""Real molecules with a target whose symmetry is known, to test what a distribution learns.

| task | target | true symmetry |
|---|---|---|
| `full` | a property | all rotations |
| `axial` | property + F mu.n, n along x, y or z | rotations about n |
| `tilted` | property + F mu.n, n along none of them | rotations about n; a box stays at 0 |
| `none` | property + F (mu_z + v_x) | none |
| `sectors` | property + a level for the dipole's azimuth | half-width pi / k about z |
| `discrete` | property + a level for the pose | a ball of radius a |
| `translation` | a property; molecules are not centred | translations, up to their cap |
| `size` | second moment of the nuclear charge | rigid motions, no shear or scaling |
| `chirality` | a pseudoscalar | rotations, no reflection |
| `achiral` | a property | rotations and reflections |
| `per_molecule` | property + F mu.n for polar molecules only | all rotations if non-polar |
| `dipole` | dipole vectors | all rotations |
| `dipole_as_scalars` | dipole vectors that are not turned back | none |

    task = make("axial", field=2.0, axis=(0, 1, 0))
    mu = task.variants[0].build()
    task.molecules                                       # posed, with y
    [truth.holds(truth.measure(mu)) for truth in task.variants[0].truths]

As the name of a data set, a task is written `planted:axial`, or with settings as JSON
`planted:axial{"field": 2, "axis": [0, 1, 0]}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...errors import InputError, unknown
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
    "check_center",
    "from_text",
    "is_planted",
    "make",
    "to_text",
]

_PREFIX = "planted:"
_UNCENTRED = ("translation", "size")  # the position of a molecule is part of these tasks


def make(name: str, **settings: Any) -> Planted:
    """Make a task by name; `settings` are the arguments of the function with that name.

    All tasks take `molecules` (QM9 by default), `count` and `seed`. The same settings give the same
    molecules, poses and targets. Raises InputError for an unknown name or setting.
    """
    if name not in TASKS:
        raise unknown("planted task", name, TASKS)
    return construct(TASKS[name], f"planted task {name}", (), settings)  # pyright: ignore


def is_planted(text: str) -> bool:
    """Whether the name of a data set is that of a planted task."""
    return text.startswith(_PREFIX)


def to_text(name: str, settings: dict[str, Any]) -> str:
    """The name of a task as a data set, as `from_text` reads it."""
    return f"{_PREFIX}{name}" + (json.dumps(settings, sort_keys=True) if settings else "")


def from_text(text: str) -> Planted:
    """Make a task from text of the form `planted:NAME{SETTINGS}`.

    The setting `source` names the data set of the molecules. Raises InputError for text of another
    form, for the errors of `make`, and for those of `load` with `source`.
    """
    name, settings = _parts(text)
    if not is_planted(text) or settings is None or "molecules" in settings:
        raise InputError(
            f"expected a planted task such as 'planted:axial' or 'planted:axial{{\"field\": 2}}' "
            f"with its settings as JSON, got {text!r}."
        )
    if "source" in settings:
        from .. import load

        settings["molecules"] = load(settings.pop("source"))
    return make(name, **settings)


def check_center(text: str, center: bool) -> None:
    """Raise InputError if centring the molecules would remove what the task plants."""
    if is_planted(text) and center and (name := _parts(text)[0]) in _UNCENTRED:
        raise InputError(
            f"planted:{name} depends on the positions of the molecules: pass --center false."
        )


def _parts(text: str) -> tuple[str, dict[str, Any] | None]:
    """The task's name and its settings; the settings are None if they are not valid JSON."""
    name, brace, rest = text.removeprefix(_PREFIX).partition("{")
    try:
        return name.strip(), json.loads(brace + rest) if brace else {}
    except ValueError:
        return name.strip(), None
