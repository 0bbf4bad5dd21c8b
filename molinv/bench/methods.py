"""The methods that `qm9-equal-time` compares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DISTRIBUTIONS = {
    "none": "Identity",
    "fixed Haar": "Haar",
    "learned box": "UniformBox",
    "learned HaarBall": "HaarBall",
}
FAENET = "molinv.bench.faenet:FAENet"


@dataclass(frozen=True, eq=False)
class Method:
    """A row of the table: an architecture with its settings, and a distribution on SO3."""

    network: str
    over: str
    model: str
    model_args: dict[str, Any] = field(default_factory=dict)
    ours: bool = True

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.network}, {self.over}"

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.name.lower().replace(", ", "-").replace(" ", "-")

    @property
    def learned(self) -> bool:
        """Whether its distribution is learned."""
        return self.over.startswith("learned")

    def settings(self) -> dict[str, Any]:
        """The part of a run's settings that is this method's own."""
        return {
            "model": self.model,
            "model_args": self.model_args,
            "group": "SO3",
            "distribution": DISTRIBUTIONS.get(self.over, "Identity"),
        }


_FREE = {
    "point absolute": ("point", {"geometry": "absolute"}),
    "point displacement": ("point", {"geometry": "displacement"}),
    "graph": ("graph", {}),
}
METHODS = (
    *(Method(n, over, m, args) for n, (m, args) in _FREE.items() for over in DISTRIBUTIONS),
    Method("point distance", "none", "point", {"geometry": "distance"}),
    Method("painn", "none", "painn"),
    Method("equivariant", "none", "equivariant"),
    Method("PyG SchNet", "none", "schnet", ours=False),
    Method("PyG ViSNet", "none", "visnet", ours=False),
    Method("FAENet", "one frame", "canonical", {"model": FAENET, "frames": "one"}, ours=False),
)
