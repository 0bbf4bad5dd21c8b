"""A data set whose symmetry is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from ... import distributions
from ...errors import InputError
from ...groups import Group
from ..molecules import Molecules
from ..ragged import owners
from .bodies import labelled, scalar
from .truths import Truth

Formula = Callable[[Float64[np.ndarray, "atoms 3"]], Float64[np.ndarray, "n t"]]


@dataclass(frozen=True, eq=False)
class Variant:
    """A distribution to learn on a task, and the facts that should hold after training."""

    group: Group
    distribution: str
    truths: tuple[Truth, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def build(self, **settings: Any) -> distributions.Distribution:
        """The distribution before training; `settings` replace the variant's own."""
        kind = distributions.find(self.distribution)
        return kind(self.group, **{**self.settings, **settings})


@dataclass(frozen=True, eq=False)
class Planted:
    """Posed molecules with a target that follows a formula, and the symmetry to be learned.

    molecules   posed coordinates, and y of one target or of a vector's three components
    formula     a function of coordinates (atoms, 3) of the same molecules that returns y (n, t)
    variants    distributions with their truths; the first is the default
    output      "scalar", or "vector" if y turns with the molecule
    center      False if the position of a molecule is part of the task: do not centre it
    odd         whether y changes its sign under reflections
    """

    name: str
    molecules: Molecules
    formula: Formula
    variants: tuple[Variant, ...]
    output: str = "scalar"
    center: bool = True
    odd: bool = False

    @property
    def group(self) -> Group:
        return self.variants[0].group

    def moved(self, group: Group, g: Float[Tensor, "n d d"]) -> Float64[np.ndarray, "atoms 3"]:
        """The coordinates (angstrom) after each molecule is moved by its own group element."""
        own = owners(self.molecules.ptr)
        linear = group.linear(g).detach().double().numpy()
        pos = np.einsum("aij,aj->ai", linear[own], self.molecules.pos.astype(np.float64))
        return pos + g.detach().double().numpy()[own, :-1, -1] if group.homogeneous else pos

    def conflict(self, group: Group, g: Float[Tensor, "n d d"]) -> float:
        """The mean over molecules of |g^-1 formula(g x) - y|, in standard deviations of y.

        It is 0 if the elements g are symmetries of the task. Otherwise, if all poses are equally
        likely, no network can have a smaller error.
        """
        y = self.molecules.y
        found = self.formula(self.moved(group, g))
        if self.output == "vector":
            back = group.linear(group.inverse(g)).detach().double().numpy()
            found = np.einsum("nij,nj->ni", back, found)
        return float(np.abs(found - y).mean() / spread(self.output, y))

    def check(self, mu: distributions.Distribution) -> None:
        """Raise InputError if a fixed distribution reflects molecules with a chiral target."""
        learned = any(p.requires_grad for p in mu.parameters())
        if self.odd and not learned and bool((torch.linalg.det(_drawn(mu)) < 0).any()):
            raise InputError(
                f"{self.name}: the target is chiral (a reflection changes its sign), and "
                f"{type(mu).__name__} on {mu.group} reflects: use SO3, or learn the reflection."
            )


def unchanged(
    name: str, posed: Molecules, target: str, variants: tuple[Variant, ...], center: bool = True
) -> Planted:
    """A task whose target is a property of the molecules that no motion changes."""
    y, described = scalar(posed, target), posed.describe([target])
    made = labelled(posed, y, *described)
    return Planted(name, made, lambda pos: y, variants, center=center)


def _drawn(mu: distributions.Distribution) -> Tensor:
    return mu.group.linear(mu.rsample(64, torch.Generator().manual_seed(0)).detach())


def spread(output: str, y: Float64[np.ndarray, "n t"]) -> float:
    """The standard deviation of a scalar, or the root mean square of a vector's components."""
    return float(y.std() if output == "scalar" else np.sqrt(np.square(y).mean()))
