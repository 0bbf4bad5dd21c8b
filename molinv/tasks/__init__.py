"""Tasks: what a network learns, one file a kind, found by the file's name.

    numbers        numbers, by their L1, squared, Huber or Laplace error
    vectors        vectors, tensors and irreps, by the length of their error
    atom_values    numbers or vectors of every atom
    energy_forces  an energy with its forces, which are its gradient
    classes        one class of two or more, for each of one or more targets
    maps           the class of every pixel
    circle         a direction in the plane, by a von Mises likelihood

A task says what the network has to put out, how outputs are averaged over copies, the loss, the
metric, and the way back to values with units. A file in this folder that defines a Task is found
by its name; out of tree, "package.module:Name" is a class derived from `Task`.
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
    """The class of the task called `name`, or of "package.module:Name".

    Raises InputError for a name that does not exist, suggesting the nearest, and for what is not
    a task.
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
    """The task of these targets, fitted to the molecules `train`.

    Without a `name` the targets' kind says which. Raises InputError for targets that no task
    takes together, and as the task does.
    """
    kind = find(name or _of_targets(molecules.describe(names)))
    return _made(kind, kind.of_molecules, (molecules, names, train), settings or {})


def of_pictures(
    pictures: Pictures, name: str | None = None, settings: dict[str, Any] | None = None
) -> Task:
    """The task of these training pictures; without a `name` their labels say which."""
    if name is None:
        name = {"maps": "maps", "labels": "classes"}.get(pictures.kind, "numbers")
        name = "circle" if pictures.classes == ("cos", "sin") else name
    kind = find(name)
    return _made(kind, kind.of_pictures, (pictures,), settings or {})


def of_targets(targets: Sequence[Target]) -> Task:
    """The task of these targets by their kind, not fitted to anything yet."""
    return find(_of_targets(targets))(targets)  # pyright: ignore[reportCallIssue]


def restore(content: dict[str, Any]) -> Task:
    """The task that `Task.to_json` described, for `load_state_dict`."""
    kind = find(content["name"])
    return construct(kind, f"task {content['name']}", (), content["settings"])


def _made(kind: type[Task], maker: Any, given: tuple, settings: dict[str, Any]) -> Task:
    return construct(maker, f"task {kind.called()}", given, settings)


def _of_targets(targets: Sequence[Target]) -> str:
    """The task that takes these targets."""
    from ..datasets.targets import one_kind

    if sorted(t.kind for t in targets) == ["atom vector", "scalar"]:
        return "energy_forces"
    kind = one_kind(targets)
    if kind == "class":
        return "classes"
    return "numbers" if kind == "scalar" else "atom_values" if kind[:4] == "atom" else "vectors"
