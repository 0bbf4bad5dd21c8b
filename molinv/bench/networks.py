"""Registry of the networks and methods (network and distribution) that benchmarks compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch

from .. import groups, models
from ..augment import Augmented
from ..distributions import Identity, UniformBox
from .flags import listed

REFERENCE = "schnet"
FAENET = "molinv.bench.faenet:FAENet"


@dataclass(frozen=True)
class Network:
    """A network of a benchmark with its settings; `peer` marks other packages' models."""

    name: str
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    peer: bool = False

    def build(
        self, device: torch.device, copies: int = 1, learned: bool | None = None
    ) -> Augmented:
        """The network with one output, wrapped as in training.

        By default a model with built-in rotation symmetry gets an Identity distribution, and any
        other a UniformBox on SO(3). `learned` overrides this choice.
        """
        net = models.make(self.model, 1, dict(self.settings))
        so3 = groups.SO3()
        if learned is None:
            learned = "SO3" not in net.symmetries
        mu = UniformBox(so3) if learned else Identity(so3)
        return Augmented(net, mu, input=net.action, copies=copies).to(device)


# models with several variants in the speed benchmarks
_VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "point": {"point": {}, "point-distance": {"geometry": "distance"}},
    "canonical": {"canonical-all": {"frames": "all"}, "canonical-one": {"frames": "one"}},
}


def known() -> dict[str, Network]:
    """The networks of the speed benchmarks by name, point first; FAENet may not be installed."""
    order = sorted(models.available(), key=lambda name: name != "point")
    found = {
        name: Network(name, model, settings)
        for model in order
        for name, settings in _VARIANTS.get(model, {model: {}}).items()
    }
    return found | {"faenet": Network("faenet", FAENET, peer=True)}


def choose(text: str | None) -> list[Network]:
    """The networks in a list of names, by default all whose packages are installed.

    A name may be "package.module:Name". Raises InputError as `listed` does.
    """
    there = known()
    if text is None:
        return [n for n in there.values() if n.model != FAENET or find_spec("faenet")]
    return [there.get(n, Network(n, n)) for n in listed(text, "model", there, outside=True)]


def reference(chosen: list[Network]) -> str:
    """Name of the network that ratios are relative to: SchNet if chosen, else the first one."""
    names = [n.name for n in chosen]
    return REFERENCE if REFERENCE in names else names[0]


# networks of the benchmark `potential`
POTENTIALS = {
    "point": Network("point", "point", {"width": 96, "layers": 3, "geometry": "displacement"}),
    "painn": Network("painn", "painn", {"width": 64, "layers": 3}),
}

DISTRIBUTIONS = {"none": "Identity", "fixed Haar": "Haar"}
DISTRIBUTIONS |= {"learned box": "UniformBox", "learned HaarBall": "HaarBall"}


@dataclass(frozen=True, eq=False)
class Method:
    """A row of `qm9-equal-time`: a network and a distribution on SO3.

    `more` are further training settings; `plus` is their name in the table.
    """

    network: Network
    over: str = "none"
    plus: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The method's name in the table."""
        return f"{self.network.name}, {self.over}{self.plus and f' + {self.plus}'}"

    @property
    def folder(self) -> str:
        """Name of the method's folder."""
        return self.name.lower().replace(", ", "-").replace(" + ", "-").replace(" ", "-")

    @property
    def kind(self) -> str:
        """ "none", "fixed" or "learned", by the distribution; or "peer"."""
        return "peer" if self.network.peer else self.over.split()[0]

    def settings(self) -> dict[str, Any]:
        """The training settings of this method."""
        return {
            "model": self.network.model,
            "model_args": self.network.settings,
            "group": "SO3",
            "distribution": DISTRIBUTIONS.get(self.over, "Identity"),
            **self.more,
        }


_FRAMES = {"model": FAENET, "frames": "one"}
_FREE = (
    Network("point absolute", "point", {"geometry": "absolute"}),
    Network("point displacement", "point", {"geometry": "displacement"}),
    Network("graph", "graph"),
)
_XTB = {  # xTB features of the data's own geometries; computing them is not timed
    "xTB labels": {"auxiliary": "charges,xtb", "auxiliary_weight": 2.0},
    "xTB inputs": {"features": "xtb"},
}
METHODS = {
    method.name: method
    for method in (
        *(Method(network, over) for network in _FREE for over in DISTRIBUTIONS),
        *(Method(_FREE[0], "learned HaarBall", plus, more) for plus, more in _XTB.items()),
        Method(Network("point distance", "point", {"geometry": "distance"})),
        Method(Network("painn", "painn")),
        Method(Network("equivariant", "equivariant")),
        Method(Network("PyG SchNet", "schnet", peer=True)),
        Method(Network("PyG ViSNet", "visnet", peer=True)),
        Method(Network("FAENet", "canonical", _FRAMES, peer=True), "one frame"),
    )
}
