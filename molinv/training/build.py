"""Make a network and its distribution from their names, for molecules and for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from .. import distributions, groups, models
from ..actions import Action, Colour, Image, Invariant, Irreps
from ..augment import Augmented
from ..chem.descriptors import Descriptors
from ..datasets.features import XTB, sizes
from ..datasets.kinds import of_kind
from ..datasets.molecules import Molecules
from ..distributions import Distribution
from ..errors import InputError, unknown
from ..groups.base import Group
from ..names import construct
from ..tasks.base import Task

UNIT = "half-side"  # half of a picture's shorter side
READOUTS = ("auto", "sum", "mean")
AUXILIARY = "model.auxiliary."  # prefix of weights that only training needs
GROWS = 0.5  # above this correlation with the number of atoms, the readout is a sum


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

    model, model_args    the architecture and its settings (see `models.make`)
    group                the name of the group
    distribution, distribution_args, regularizer   the distribution, its settings and its reward
    copies               group elements per example and step
    kind                 the kind of the outputs, which says how they are turned back
    reduce               how outputs are averaged: "mean", "prob" or "log_prob"
    readout, form        as for `models.make`
    features             names of further inputs (see `datasets.features`)
    descriptors          the descriptors, as `Descriptors.to_json` gives them

    Raises InputError for an unknown name or setting, and for a model without such outputs.
    """
    asked = model_args.get("output", kind)
    if asked != kind and ":" not in model:
        raise InputError(
            f"model_args ask for {asked} outputs, but the targets are of kind {kind}: leave out "
            "output, which follows from the targets."
        )
    network = models.make(model, targets, model_args, kind, readout, form)
    mu = on_group(groups.find(group), distribution, distribution_args, regularizer)
    if XTB in features:
        check_rigid(mu.group)
    if features:
        there = sizes(features, len(Descriptors.of_json(descriptors)))
        outputs = targets if kind == "scalar" else 0  # outputs that rotations do not change
        network.set_features(there, outputs)
    return Augmented(network, mu, network.action, of_kind(kind), copies, reduce)


def check_rigid(group: Group) -> None:
    """Raise InputError for a group that does more than move and reflect molecules."""
    try:
        Irreps("1o").check(group)
    except InputError:
        raise InputError(
            "xTB's results stay the same under rigid motions and reflections alone: with xtb in "
            f"--features, expected such a group, got {group}."
        ) from None


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
    """A network of pictures with `targets` outputs, and a distribution on a group.

    channels   1 for grey pictures, 3 for RGB
    maps       True for outputs of every pixel, False for outputs of the picture
    action     "image" (positions), "colour", or "auto", which follows from the group
    padding    what comes in from outside: zeros, border or reflection

    The other arguments are those of `make_network`. Raises InputError for an unknown name or
    setting, and for a group that cannot act on pictures.
    """
    settings = model_args if ":" in model else {"channels": channels} | model_args
    network = models.pictures.make(model, targets, settings, maps)
    chosen = in_pictures(groups.find(group))
    moves = _action(chosen, action, padding)
    moves.check(chosen)  # pyright: ignore[reportAttributeAccessIssue]
    mu = on_group(chosen, distribution, distribution_args, regularizer)
    # a change of colour moves no pixel, so label maps stay as they are
    output = Invariant() if isinstance(moves, Colour) else network.output
    return Augmented(network, mu, moves, output, copies, reduce)


def of_task(task: Task) -> dict[str, Any]:
    """The arguments of `make_network` that follow from a task."""
    return {"kind": task.kind, "reduce": task.reduce, "form": task.form}


def on_group(
    group: Group, distribution: str, settings: dict[str, Any], regularizer: str
) -> Distribution:
    """The distribution called `distribution` on a group; raises InputError for a bad setting."""
    kind, what = distributions.find(distribution), f"distribution {distribution}"
    return construct(kind, what, (group,), {"reward": regularizer} | settings)


def readouts(
    asked: str | dict[str, Any], task: Task, molecules: Molecules, train: Any
) -> list[str | float] | None:
    """The readout of each output: "sum", "mean", or a number by which the sum is divided.

    `asked` is one readout, or a dict by target. "auto" becomes the sum for total energies and for
    targets that grow with the number of atoms of the molecules `train`, and the mean otherwise.
    Returns None if the task's outputs are not one number per molecule. Raises InputError for an
    unknown target or readout.
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
    if task.outputs % len(found):  # a user's task, whose outputs are not its targets
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
    """Raise InputError if a molecule of the data is too large for the model."""
    limit: int = model.max_atoms  # pyright: ignore[reportAssignmentType]
    largest = int(molecules.sizes.argmax())
    if (atoms := int(molecules.sizes[largest])) > limit:
        raise InputError(f"molecule {largest}: {models.too_large(name, limit, atoms)}")


def count_parameters(network: nn.Module) -> int:
    """The number of trainable parameters that predictions need."""
    named = network.named_parameters()
    return sum(p.numel() for n, p in named if p.requires_grad and not n.startswith(AUXILIARY))


def in_pictures(group: Group) -> Group:
    """Change a group's lengths from angstrom to half-sides of a picture, with a cap of 1.

    The default cap of lengths is 5 angstrom. In a picture, an offset of more than half the shorter
    side moves most of it out of sight.
    """
    for part in group.modules():  # with the parts of a composition
        if isinstance(part, Group):
            pairs = list(zip(part.units, part.caps, strict=True))
            part.caps = tuple(1.0 if unit == "angstrom" else cap for unit, cap in pairs)
            part.units = tuple(UNIT if unit == "angstrom" else unit for unit, _ in pairs)
    return group


def _action(group: Group, action: str, padding: str) -> Action:
    if action == "auto":
        action = "colour" if isinstance(group, groups.Hue | groups.ColourJitter) else "image"
    return Colour() if action == "colour" else Image(padding)
