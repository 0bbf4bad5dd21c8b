"""What a distribution on a group is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError, unknown
from ..groups.base import Group, drawn_on
from .bounded import Bounded, Numbers

Weighted = tuple[Float[Tensor, "j n d d"], Float[Tensor, "j n"]]
REWARDS = ("entropy", "share", "width", "none")
DELTA = 0.05  # of the cap: keeps the entropy reward finite at width 0
FURTHEST = 100.0  # rad, the largest cap on a compact group: 16 turns


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
        """Random numbers behind n samples, of no parameter or input, on the generator's device."""

    @abstractmethod
    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        """Group elements from noise, differentiable in the parameters where they are continuous."""

    def weight(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
        """1 for each element made from this noise, with grad log p(g) as its derivative.

        It carries the gradient that cannot pass through elements drawn from a finite set: the
        gradient of E_g loss(g) is E_g loss(g) grad log p(g) (Williams 1992). Constant elsewhere.
        """
        return torch.ones(len(noise)).to(self.group.generators)

    def support(self) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]] | None:
        """Every element that can be drawn and its probability; None where they are not finite."""
        return None

    @property
    def plain(self) -> bool:
        """Whether the gradient passes through the elements, so that a mean of losses has it all."""
        return True

    def weighted(self, noise: Float[Tensor, "n m"], most: int = 1) -> Weighted:
        """j elements for each row of noise, and weights that sum to 1 over them.

        The mean over noise of sum_j weight_j loss_j is E_g loss, with its gradient. A support of
        at most `most` elements is summed exactly; otherwise one element is drawn.
        """
        found = self.support()
        if found is None or len(found[0]) > most:
            return self.transform(noise)[None], self.weight(noise)[None]
        elements, p = found
        n = len(noise)
        return elements[:, None].expand(-1, n, -1, -1), p[:, None].expand(-1, n)

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

    def at(self, x: Any, *extra: Any) -> Distribution:
        """The distribution for this batch, as the network sees it; itself, unless conditional."""
        return self

    def rsample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """n elements, differentiable in the parameters where they are continuous."""
        return self.transform(self.noise(n, generator))

    def kl_haar(self) -> Tensor:
        """KL(self || Haar) in nats; raises InputError on a group that is not compact."""
        if not self.group.compact:
            raise InputError(f"{self.group} is not compact, so there is no Haar probability.")
        return -self.entropy()

    def regularizer(self) -> Tensor:
        """The scalar to be maximised beside the data's likelihood."""
        if self.reward == "none":
            return torch.zeros((), device=self.group.generators.device)
        return getattr(self, f"{self.reward}_reward")()

    def _extents(self, values: Iterable[Tensor], caps: Iterable[float]) -> dict[str, Extent]:
        """Extents along the generators, by their names."""
        rows = zip(self.group.names, values, self.group.units, caps, strict=True)
        return {name: Extent(value, unit, cap) for name, value, unit, cap in rows}


class Capped(Distribution, ABC):
    """Half-widths below caps; rewards are means over the batch where every input has its own."""

    @abstractmethod
    def shares(self) -> Float[Tensor, "*b k"]:
        """w / cap for each generator."""

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """Uniform numbers in [-1, 1], one for each generator."""
        return torch.rand(n, self.group.k, **drawn_on(self.group, generator)) * 2 - 1

    def mirrored(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        """The opposite coefficients."""
        return -noise

    def width_reward(self) -> Tensor:
        """||w / cap||, the paper's."""
        return self.shares().norm(dim=-1).mean()

    def share_reward(self) -> Tensor:
        """The mean over generators of w / cap."""
        return self.shares().mean()

    def entropy_reward(self) -> Tensor:
        """sum_i log((w_i + delta_i) / (cap_i + delta_i)), delta = 0.05 cap, in nats."""
        return ((self.shares() + DELTA) / (1 + DELTA)).log().sum(-1).mean()


class InAlgebra(Capped, ABC):
    """Coefficients xi = (a linear map of the noise), whose scale along each generator is learned.

    `init` and `cap` are in the generators' units, one number or one for each generator.
    Raises InputError on a group without generators, and for a cap on an angle beyond 100 rad.
    """

    def __init__(
        self,
        group: Group,
        init: Numbers = 0.05,
        cap: Numbers | None = None,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, reward)
        name = type(self).__name__
        if group.k == 0:
            raise InputError(f"{name}: {group} has no generators to spread over.")
        self._scales = Bounded(group.names, self.widest() if cap is None else cap, init, learn)
        caps = self._scales.cap
        if group.compact and caps.max() > FURTHEST:
            raise InputError(
                f"{name}: expected caps of at most {FURTHEST:.0f} rad on {group}, got "
                f"{caps.tolist()}: entropies are not known beyond, and no new element is reached."
            )

    def widest(self) -> list[float]:
        """The caps where none are given: the group's."""
        return list(self.group.caps)

    def shares(self) -> Float[Tensor, " k"]:
        """The scale along each generator, in units of its cap."""
        return self._scales() / self._scales.cap

    def extent(self) -> dict[str, Extent]:
        """The scale along each generator, in its unit."""
        return self._extents(self._scales(), self._scales.cap.tolist())


def relative_entropy(
    group: Group, log_density: Callable[[Tensor], Tensor], xi: Float[Tensor, "n k"]
) -> Tensor:
    """Entropy of exp's push-forward, relative to Haar where the group is compact.

    Averages -log sum_j p(xi_j) / haar(xi_j) over samples xi of p, j running over all
    coefficients of the same element that p can reach: two rotation vectors can be one rotation.
    """
    if not group.compact:
        return -log_density(xi).mean()
    pre = group.preimages(xi, float(xi.detach().norm(dim=-1).max()) + 2 * torch.pi)
    terms = log_density(pre) - group.haar_density(pre).log()
    return -terms.logsumexp(0).mean()


def sobol(n: int, k: int, like: Tensor) -> Float[Tensor, "n k"]:
    """Fixed low-discrepancy points inside the unit cube, for expectations without noise."""
    points = torch.quasirandom.SobolEngine(k, scramble=True, seed=0).draw(n)
    return points.clamp(1e-6, 1 - 1e-6).to(like)
