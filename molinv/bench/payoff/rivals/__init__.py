"""Small re-implementations of three published methods, as further rows of `payoff`.

    LILA           a distribution learned by an approximate marginal likelihood   lila
    LieAugmenter   generators learned with the network through augmented views    lie_augmenter
    LieGAN         generators found by an adversary, then given to the network    liegan

Each file says what was not reproduced. All learn rotations in continuous families, so they run on
`field` only.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ....training.config import TrainConfig
from . import lie_augmenter, liegan, lila

SETS = ("field",)  # the sets that they are for


class Rival(NamedTuple):
    """A method that trains by its own objective.

    chosen   its settings of TrainConfig, which replace those of the learned distribution
    weights  its other settings
    fit      trains in the folder of a config, and returns it
    """

    chosen: dict[str, Any]
    weights: dict[str, float]
    fit: Callable[[TrainConfig], Path]


RIVALS = {
    "LILA": Rival(lila.CHOSEN, lila.WEIGHTS, lila.fit),
    "LieAugmenter": Rival(lie_augmenter.CHOSEN, lie_augmenter.WEIGHTS, lie_augmenter.fit),
    "LieGAN": Rival(liegan.CHOSEN, liegan.WEIGHTS, liegan.fit),
}
