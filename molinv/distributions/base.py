"""What a distribution on a group is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError, unknown
from ..groups.base import Group
from .bounded import Bounded

REWARDS = ("entropy", "share", "width", "none")


class Extent(NamedTuple):
    """How far a distribution reaches along one generator."""

    value: Tensor
    unit: str
    cap: float


class Distribution(nn.Module, ABC):
    """A probability distribution on a group, with whatever of it can be learned.

    It owns its parameters, their constraints, its sampling and its reward for being wide.
    `reward` is one of REWARDS: what `regularizer` returns.
    """

    def __init__(self, group: Group, reward: str = "entropy"):
        super().__init__()
        if reward not in REWARDS:
            raise unknown("regularizer", reward, REWARDS)
        self.group, self.reward = group, reward

    @abstractmethod
    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """The random numbers behind n samples; they depend on no parameter and no input.

        Drawn on the generator's device.
        """

    @abstractmethod
    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        """Group elements from noise, differentiable in the parameters."""

    def mirrored(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n m"] | None:
        """Noise of the inverse elements where they are as likely as these; None where unknown.

        The two of a pair cancel what is odd in the coefficients, which says nothing of a width
        and is most of its gradient's variance (antithetic variates; Hammersley and Morton 1956).
        """
        return None

    @abstractmethod
    def extent(self) -> dict[str, Extent]:
        """How far it reaches along each generator, by the generator's name."""

    @abstractmethod
    def coverage(self) -> float | None:
        """Haar measure of the support, in [0, 1]; None where the group is not compact."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """In nats, relative to Haar on a compact group (0 is Haar itself), else to the algebra."""

    def width_reward(self) -> Tensor:
        """||w / cap||, the paper's regulariser made dimensionless (arXiv 2010.11882, eq. 5)."""
        return torch.zeros(())

    def entropy_reward(self) -> Tensor:
        """Nats relative to the widest member of the family: finite at width 0, 0 at the cap."""
        return torch.zeros(())

    def share_reward(self) -> Tensor:
        """The mean over generators of w / cap; separate elements, which have no w, have entropy.

        Each generator is pushed alike and at any width alike, and lambda is what may be paid for
        opening them all: less than a model that knows nothing loses, so that it is never made one.
        """
        return self.entropy_reward()

    def at(self, x, *extra) -> Distribution:
        """The distribution for this batch, as the network sees it; itself, unless conditional."""
        return self

    def rsample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """n elements, differentiable in the parameters."""
        return self.transform(self.noise(n, generator))

    def kl_haar(self) -> Tensor:
        """KL(self || Haar) in nats; raises InputError on a group that is not compact."""
        if not self.group.compact:
            raise InputError(f"{self.group} is not compact, so there is no Haar probability.")
        return -self.entropy()

    def regularizer(self) -> Tensor:
        """The scalar to be maximised beside the data's likelihood."""
        match self.reward:
            case "width":
                return self.width_reward()
            case "share":
                return self.share_reward()
            case "entropy":
                return self.entropy_reward()
        return torch.zeros((), device=self.group.generators.device)

    def _where(self, generator: torch.Generator | None) -> dict:
        device = self.group.generators.device if generator is None else generator.device
        return {"generator": generator, "device": device}


class InAlgebra(Distribution, ABC):
    """Coefficients xi = (a linear map of the noise), whose scale along each generator is learned.

    `init` and `cap` are in the generators' units, one number or one for each generator.
    Raises InputError on a group without generators.
    """

    def __init__(
        self,
        group: Group,
        init: float | Sequence[float] = 0.05,
        cap: float | Sequence[float] | None = None,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, reward)
        if group.k == 0:
            raise InputError(f"{type(self).__name__}: {group} has no generators to spread over.")
        self._scales = Bounded(group.names, self.widest() if cap is None else cap, init, learn)

    def mirrored(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        return -noise

    def widest(self) -> list[float]:
        """The caps where none are given: the group's."""
        return list(self.group.caps)

    def extent(self) -> dict[str, Extent]:
        rows = zip(self._scales(), self.group.units, self._scales.cap.tolist(), strict=True)
        return {name: Extent(*row) for name, row in zip(self.group.names, rows, strict=True)}

    def width_reward(self) -> Tensor:
        return (self._scales() / self._scales.cap).norm()

    def share_reward(self) -> Tensor:
        return (self._scales() / self._scales.cap).mean()


def relative_entropy(group: Group, log_density, xi: Float[Tensor, "n k"]) -> Tensor:
    """Entropy of exp's push-forward, relative to Haar where the group is compact.

    Averages -log sum_j p(xi_j) / haar(xi_j) over samples xi of p, j running over all
    coefficients of the same element: two rotation vectors can be one rotation.
    """
    if not group.compact:
        return -log_density(xi).mean()
    pre = group.preimages(xi)
    terms = log_density(pre) - group.haar_density(pre).log()
    return -terms.logsumexp(0).mean()


def sobol(n: int, k: int, like: Tensor) -> Float[Tensor, "n k"]:
    """Fixed low-discrepancy points inside the unit cube, for expectations without noise."""
    points = torch.quasirandom.SobolEngine(k, scramble=True, seed=0).draw(n)
    return points.clamp(1e-6, 1 - 1e-6).to(like)
