"""From names to a network with its distribution, on molecules and on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from .. import distributions, groups, models
from ..actions import Action, Colour, Image, Invariant
from ..augment import Augmented
from ..chem.descriptors import Descriptors
from ..datasets.features import sizes
from ..datasets.kinds import of_kind
from ..datasets.molecules import Molecules
from ..distributions import Distribution
from ..errors import InputError, unknown
from ..groups.base import Group
from ..names import construct
from ..tasks.base import Task

UNIT = "half-side"  # of a picture's shorter side
READOUTS = ("auto", "sum", "mean")
AUXILIARY = "model.auxiliary."  # weights that only training needs
GROWS = 0.5  # correlation with the number of atoms from which a target's atoms are summed up


def make_network(
    targets: int,
    *,
    model: str,
    model_args: dict[str, Any],
    group: str,
    distribution: str,
    distribution_args: dict[str, Any],
    regularizer: str = "entropy",
    copies: int = 1,
    kind: str = "scalar",
    reduce: str = "mean",
    readout: Sequence[Any] | None = None,
    form: tuple[int, int] | None = None,
    features: Sequence[str] = (),
    descriptors: dict[str, Any] | None = None,
) -> Augmented:
    """A model of molecules with `targets` outputs of a kind, and a distribution on a group.

    Outputs are turned back as their kind says; `readout` and `form` are those of `models.make`,
    `features` the names of those that it takes (see `datasets.features`), `descriptors` those of
    its descriptors, as `Descriptors.to_json` gives them.
    Raises InputError for a name or a setting that does not exist, and for a model without such
    outputs.
    """
    asked = model_args.get("output", kind)
    if asked != kind and ":" not in model:
        raise InputError(
            f"model_args ask for {asked} outputs, but the targets are of kind {kind}: leave out "
            "output, which follows from the targets."
        )
    network = models.make(model, targets, model_args, kind, readout, form)
    if features:
        there = sizes(features, len(Descriptors.of_json(descriptors)))
        outputs = targets if kind == "scalar" else 0  # those that a rotation leaves as they are
        network.set_features(there, outputs)
    mu = on_group(groups.find(group), distribution, distribution_args, regularizer)
    return Augmented(network, mu, network.action, of_kind(kind), copies, reduce)


def make_picture_network(
    targets: int,
    channels: int,
    maps: bool,
    *,
    model: str,
    model_args: dict[str, Any],
    group: str,
    distribution: str,
    distribution_args: dict[str, Any],
    action: str,
    padding: str,
    regularizer: str = "entropy",
    copies: int = 1,
    reduce: str = "mean",
) -> Augmented:
    """A network with `targets` outputs for each picture, or pixel, and a distribution on a group.

    Raises InputError for a name or a setting that does not exist, and for a group that cannot
    act on pictures.
    """
    settings = model_args if ":" in model else {"channels": channels} | model_args
    network = models.pictures.make(model, targets, settings, maps)
    chosen = in_pictures(groups.find(group))
    moves = _action(chosen, action, padding)
    moves.check(chosen)  # pyright: ignore[reportAttributeAccessIssue]
    mu = on_group(chosen, distribution, distribution_args, regularizer)
    # colours are no places: what is said of a pixel stays where it is
    output = Invariant() if isinstance(moves, Colour) else network.output
    return Augmented(network, mu, moves, output, copies, reduce)


def of_task(task: Task) -> dict[str, Any]:
    """What `build` has to know of a task."""
    return {"kind": task.kind, "reduce": task.reduce, "form": task.form}


def on_group(
    group: Group, distribution: str, settings: dict[str, Any], regularizer: str
) -> Distribution:
    """The distribution of that name on a group."""
    kind, what = distributions.find(distribution), f"distribution {distribution}"
    return construct(kind, what, (group,), {"reward": regularizer} | settings)


def readouts(
    asked: str | dict[str, Any], task: Task, molecules: Molecules, train: Any
) -> list[str | float] | None:
    """How each of a task's outputs is made of those of the atoms: "sum", "mean" or a scale.

    None where the task's outputs are not one number a molecule. "auto" is the sum for total
    energies and for targets whose values grow with the number of atoms among the molecules
    `train`, else the mean. Raises InputError for a target or a readout that does not exist.
    """
    names = [t.name for t in task.targets]
    each = asked if isinstance(asked, dict) else dict.fromkeys(names, asked)
    for name, value in each.items():
        if name not in names:
            raise unknown("target with a readout:", name, names)
        if value not in READOUTS and _scale(value) is None:
            raise InputError(
                f"the readout of {name}: expected auto, sum, mean or a scale above 0, got "
                f"{value!r}."
            )
    if task.kind != "scalar":
        if set(each.values()) - {"auto", "sum"}:
            raise InputError(f"readout: {names[0]} is a {task.kind}, whose readout is fixed.")
        return None
    found: list[str | float] = []
    for target in task.targets[: task.outputs]:
        value = each.get(target.name, "sum")
        if value == "auto":
            grows = target.atomwise or task.gradient or _grows(molecules, target.name, train)
            value = "sum" if grows else "mean"
        found.append(value if value in READOUTS else _scale(value) or 0.0)
    if task.outputs % len(found):  # a task of one's own, whose outputs are not the targets'
        found = ["mean" if "mean" in found else "sum"]
    return found * (task.outputs // len(found))


def _scale(value: Any) -> float | None:
    try:
        return float(value) if float(value) > 0 else None
    except (TypeError, ValueError):
        return None


def _grows(molecules: Molecules, name: str, train: Any) -> bool:
    y, sizes = molecules.values([name])[train, 0], molecules.sizes[train]
    known = ~np.isnan(y)
    if known.sum() < 3 or not y[known].std() or not sizes[known].std():
        return False
    return abs(float(np.corrcoef(y[known], sizes[known])[0, 1])) > GROWS


def check_sizes(name: str, model: nn.Module, molecules: Molecules) -> None:
    """Raises InputError where any molecule of the data is too large for the model."""
    limit: int = model.max_atoms  # pyright: ignore[reportAssignmentType]
    largest = int(molecules.sizes.argmax())
    if (atoms := int(molecules.sizes[largest])) > limit:
        raise InputError(f"molecule {largest}: {models.too_large(name, limit, atoms)}")


def count_parameters(network: nn.Module) -> int:
    """The number of trained parameters that predictions need."""
    named = network.named_parameters()
    return sum(p.numel() for n, p in named if p.requires_grad and not n.startswith(AUXILIARY))


def in_pictures(group: Group) -> Group:
    """The group with offsets in half the shorter side, and the caps that go with it.

    A group's lengths are angstrom up to 5 by default; no picture has those, and an offset of
    more than half its side moves most of it out of sight.
    """
    for part in group.modules():  # of a composition, its parts as well
        if isinstance(part, Group):
            pairs = list(zip(part.units, part.caps, strict=True))
            part.caps = tuple(1.0 if unit == "angstrom" else cap for unit, cap in pairs)
            part.units = tuple(UNIT if unit == "angstrom" else unit for unit, _ in pairs)
    return group


def _action(group: Group, action: str, padding: str) -> Action:
    if action == "auto":
        action = "colour" if isinstance(group, groups.Hue | groups.ColourJitter) else "image"
    return Colour() if action == "colour" else Image(padding)
