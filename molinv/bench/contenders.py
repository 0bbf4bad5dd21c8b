"""What the benchmarks of speed compare: the architectures at their default sizes, and variants."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch

from .. import groups, models
from ..augment import Augmented
from ..distributions import Identity, UniformBox
from ..errors import InputError, unknown

REFERENCE = "schnet"
FAENET = "molinv.bench.faenet:FAENet"
# an architecture that is compared in several variants; any other is compared as it is
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "point": {"point": {}, "point-distance": {"geometry": "distance"}},
    "canonical": {
        "canonical-all": {"frames": "all"},
        "canonical-one": {"frames": "one"},
    },
}


@dataclass(frozen=True)
class Contender:
    """A name in the tables, and the model and settings behind it."""

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)

    def network(
        self, device: torch.device, copies: int = 1, learned: bool | None = None
    ) -> Augmented:
        """With one output, on a device, wrapped as the trainer would wrap it.

        A model that is invariant under rotations by construction has nothing to learn and trains
        with the Identity in place of a UniformBox on SO(3); `learned` decides otherwise.
        """
        net = models.make(self.model, 1, dict(self.settings))
        so3 = groups.SO3()
        if learned is None:
            learned = "SO3" not in net.symmetries
        mu = UniformBox(so3) if learned else Identity(so3)
        return Augmented(net, mu, input=net.action, copies=copies).to(device)


def known() -> dict[str, Contender]:
    """Every contender by name, point first; also FAENet's, whose package need not be there."""
    found = {
        name: Contender(name, model, settings)
        for model in sorted(models.available(), key=lambda name: name != "point")
        for name, settings in VARIANTS.get(model, {model: {}}).items()
    }
    return found | {"faenet": Contender("faenet", FAENET)}


def choose(text: str | None) -> list[Contender]:
    """The contenders whose names stand in `text`, separated by commas; by default every one.

    A name may be "package.module:Name". FAENet is left out of the default where its package is
    not installed. Raises InputError for a name that does not exist, suggesting the nearest, and
    where there is none or one stands twice.
    """
    all_known = known()
    if text is None:
        return [c for c in all_known.values() if c.model != FAENET or find_spec("faenet")]
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise InputError(f"models: expected different names, got {text!r}.")
    for name in names:
        if name not in all_known and ":" not in name:
            raise unknown("model", name, all_known)
    return [all_known.get(name, Contender(name, name)) for name in names]


def reference(chosen: list[Contender]) -> str:
    """What ratios are taken to: SchNet, or the first where it is not among the chosen."""
    names = [c.name for c in chosen]
    return REFERENCE if REFERENCE in names else names[0]
