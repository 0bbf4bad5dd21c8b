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
    """A distribution to learn on a task, and what it should come to."""

    group: Group
    distribution: str
    truths: tuple[Truth, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def build(self, **settings: Any) -> distributions.Distribution:
        """The distribution before training; `settings` over the variant's own."""
        kind = distributions.find(self.distribution)
        return kind(self.group, **{**self.settings, **settings})


@dataclass(frozen=True, eq=False)
class Planted:
    """Posed molecules with a target that follows a formula, and what is to be learned from them.

    molecules   coordinates as posed, and y of one target, or of a vector's three components
    formula     y (n, t) of the same molecules at other coordinates (atoms, 3), float64
    variants    distributions with their truths, the one to begin with first
    output      "scalar", or "vector" where y turns with the molecule
    center      False where a molecule's place is part of the task: don't centre it
    odd         whether y changes its sign in a mirror
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
        """The atoms after each molecule was moved by its own element."""
        own = owners(self.molecules.ptr)
        linear = group.linear(g).detach().double().numpy()
        pos = np.einsum("aij,aj->ai", linear[own], self.molecules.pos.astype(np.float64))
        return pos + g.detach().double().numpy()[own, :-1, -1] if group.homogeneous else pos

    def conflict(self, group: Group, g: Float[Tensor, "n d d"]) -> float:
        """How far labels are from what the formula says of the moved molecules.

        The mean over molecules of |g^-1 formula(g x) - y|, in standard deviations of y: 0 if
        moving by these elements is a symmetry, what no network can get under if it is not and
        each pose is as likely as any other.
        """
        y = self.molecules.y
        found = self.formula(self.moved(group, g))
        if self.output == "vector":
            back = group.linear(group.inverse(g)).detach().double().numpy()
            found = np.einsum("nij,nj->ni", back, found)
        return float(np.abs(found - y).mean() / spread(self.output, y))

    def check(self, mu: distributions.Distribution) -> None:
        """Raises InputError where a target that changes in a mirror is always mirrored."""
        learned = any(p.requires_grad for p in mu.parameters())
        if self.odd and not learned and bool((torch.linalg.det(_drawn(mu)) < 0).any()):
            raise InputError(
                f"{self.name}: the target is chiral, it changes its sign in a mirror, and "
                f"{type(mu).__name__} on {mu.group} reflects: use SO3, or learn the reflection."
            )


def unchanged(
    name: str, posed: Molecules, target: str, variants: tuple[Variant, ...], center: bool = True
) -> Planted:
    """A task whose target is a property of the molecules, however they are moved."""
    y, described = scalar(posed, target), posed.describe([target])
    made = labelled(posed, y, *described)
    return Planted(name, made, lambda pos: y, variants, center=center)


def _drawn(mu: distributions.Distribution) -> Tensor:
    return mu.group.linear(mu.rsample(64, torch.Generator().manual_seed(0)).detach())


def spread(output: str, y: Float64[np.ndarray, "n t"]) -> float:
    """The scale of a scalar (about its mean), or of a vector's components (about 0)."""
    return float(y.std() if output == "scalar" else np.sqrt(np.square(y).mean()))
