"""Tasks: what a network learns. Each file has one task, found by the file's name.

    numbers        numbers, with an L1, squared, Huber or Laplace loss
    vectors        vectors, tensors and irreps; the error is the length of the difference
    atom_values    a number or vector of every atom
    energy_forces  an energy with its forces, which are its gradient
    classes        one of two or more classes, for one or more targets
    maps           the class of every pixel
    circle         a direction in the plane, with a von Mises likelihood

A task defines the network's outputs, their average over copies, the loss, the metric, and the
conversion of outputs to values with units. A Task defined in a file of this folder is found by
the file's name; elsewhere, "package.module:Name" is your own class derived from `Task`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError, unknown
from ..names import construct, defined, deriving, external

if TYPE_CHECKING:
    from ..datasets.molecules import Molecules
    from ..datasets.pictures.store import Pictures
    from ..datasets.targets import Target
    from .base import Task


def available() -> list[str]:
    """The names of the tasks."""
    return deriving(__path__, "Task")


def find(name: str) -> type[Task]:
    """Find a task's class by its name or "package.module:Name".

    Raises InputError for an unknown name, suggesting the nearest, and for a class that is not a
    task.
    """
    from .base import Task

    if ":" in name:
        found = external(name)
        if isinstance(found, type) and issubclass(found, Task):
            return found
        raise InputError(
            f"{name!r} is not a task: expected a class derived from molinv.tasks.base.Task, got "
            f"{found!r}."
        )
    if name not in available():
        raise unknown("task", name, available())
    module = importlib.import_module(f"{__name__}.{name}")
    return next(iter(defined(module, Task).values()))


def of_molecules(
    molecules: Molecules,
    names: Sequence[str],
    train: Any,
    name: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Task:
    """The task for the targets `names`, fitted to the molecules `train`.

    Without a `name` the task follows from the kind of the targets. Raises InputError for targets
    of different kinds, and for settings that the task refuses.
    """
    kind = find(name or _of_targets(molecules.describe(names)))
    return _made(kind, kind.of_molecules, (molecules, names, train), settings or {})


def of_pictures(
    pictures: Pictures, name: str | None = None, settings: dict[str, Any] | None = None
) -> Task:
    """The task for these training pictures; without a `name` it follows from their labels."""
    if name is None:
        name = {"maps": "maps", "labels": "classes"}.get(pictures.kind, "numbers")
        name = "circle" if pictures.classes == ("cos", "sin") else name
    kind = find(name)
    return _made(kind, kind.of_pictures, (pictures,), settings or {})


def kind_of(targets: Sequence[Target]) -> type[Task]:
    """The class of task for these targets, by their kind."""
    return find(_of_targets(targets))


def of_targets(targets: Sequence[Target]) -> Task:
    """The task for these targets, by their kind; not fitted to data."""
    return kind_of(targets)(targets)  # pyright: ignore[reportCallIssue]


def restore(content: dict[str, Any]) -> Task:
    """Make a task from the result of `Task.to_json`; then call its `load_state_dict`."""
    kind = find(content["name"])
    return construct(kind, f"task {content['name']}", (), content["settings"])


def _made(kind: type[Task], maker: Any, given: tuple, settings: dict[str, Any]) -> Task:
    return construct(maker, f"task {kind.called()}", given, settings)


def _of_targets(targets: Sequence[Target]) -> str:
    """The name of the task for these targets."""
    from ..datasets.targets import one_kind

    if sorted(t.kind for t in targets) == ["atom vector", "scalar"]:
        return "energy_forces"
    kind = one_kind(targets)
    if kind == "class":
        return "classes"
    return "numbers" if kind == "scalar" else "atom_values" if kind[:4] == "atom" else "vectors"
