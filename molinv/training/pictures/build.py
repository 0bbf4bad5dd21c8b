"""From names to a network on pictures with its distribution."""

from __future__ import annotations

from typing import Any

from ... import distributions, groups
from ...actions import Action, Colour, Image, Invariant
from ...augment import Augmented
from ...groups.base import Group
from ...models import pictures as models
from ...names import construct

UNIT = "half-side"  # of the picture's shorter side


def build(
    targets: int,
    channels: int,
    maps: bool,
    *,
    model: str,
    model_args: dict[str, Any],
    group: str,
    action: str,
    padding: str,
    distribution: str,
    distribution_args: dict[str, Any],
    regularizer: str = "entropy",
    copies: int = 1,
    reduce: str = "mean",
) -> Augmented:
    """A network with `targets` outputs for each picture, or pixel, and a distribution on a group.

    Raises InputError for a name or a setting that does not exist, and for a group that cannot
    act on pictures.
    """
    settings = model_args if ":" in model else {"channels": channels} | model_args
    network = models.make(model, targets, settings, maps)
    chosen = in_pictures(groups.find(group))
    moves = _action(chosen, action, padding)
    moves.check(chosen)  # pyright: ignore[reportAttributeAccessIssue]
    mu = construct(
        distributions.find(distribution),
        f"distribution {distribution}",
        (chosen,),
        {"reward": regularizer} | distribution_args,
    )
    # colours are no places: what is said of a pixel stays where it is
    output = Invariant() if isinstance(moves, Colour) else network.output
    return Augmented(network, mu, input=moves, output=output, copies=copies, reduce=reduce)


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
