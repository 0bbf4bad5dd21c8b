"""The base classes of distributions on a group."""

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
DELTA = 0.05  # fraction of the cap that keeps the entropy reward finite at width 0
FURTHEST = 100.0  # rad, the largest cap on a compact group: 16 turns


class Extent(NamedTuple):
    """The width of a distribution along one generator, its unit and its cap.

    The width is a half-width, a standard deviation, a radius or a probability, depending on the
    distribution.
    """

    value: Tensor
    unit: str
    cap: float


class Distribution(nn.Module, ABC):
    """A probability distribution on a group, with learnable parameters.

    A distribution owns its parameters, their constraints, its sampling and its regulariser.
    `reward` names what `regularizer` returns: "entropy", "share", "width" or "none". Raises
    InputError for another reward.
    """

    def __init__(self, group: Group, reward: str = "entropy"):
        super().__init__()
        if reward not in REWARDS:
            raise unknown("regularizer", reward, REWARDS)
        self.group, self.reward = group, reward

    @abstractmethod
    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n m"]:
        """Random numbers for n samples, on the generator's device.

        They depend neither on parameters nor on inputs.
        """

    @abstractmethod
    def transform(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n d d"]:
        """Group elements from noise, differentiable in the parameters where they are continuous."""

    def weight(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, " n"]:
        """Score weights: their value is 1 for each row of noise, their gradient grad log p(g).

        They carry the gradient that cannot pass through elements drawn from a finite set: the
        gradient of E_g loss(g) is E_g loss(g) grad log p(g) (Williams 1992). For continuous
        distributions they are constant.
        """
        return torch.ones(len(noise)).to(self.group.generators)

    def support(self) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]] | None:
        """All elements and their probabilities; None unless there are finitely many."""
        return None

    @property
    def plain(self) -> bool:
        """Whether a plain mean of losses over drawn elements has the full gradient."""
        return True

    def weighted(self, noise: Float[Tensor, "n m"], most: int = 1) -> Weighted:
        """j elements for each row of noise, and weights that sum to 1 over j.

        The mean over noise of sum_j weight_j loss_j estimates E_g loss and its gradient. A
        support of at most `most` elements is summed exactly; otherwise one element is drawn.
        """
        found = self.support()
        if found is None or len(found[0]) > most:
            return self.transform(noise)[None], self.weight(noise)[None]
        elements, p = found
        n = len(noise)
        return elements[:, None].expand(-1, n, -1, -1), p[:, None].expand(-1, n)

    def mirrored(self, noise: Float[Tensor, "n m"]) -> Float[Tensor, "n m"] | None:
        """Noise of the inverse elements if they have the same density; None if not known.

        In the mean over such a pair, terms that are odd in the coefficients cancel. These terms
        don't depend on the widths but cause most of the variance of their gradient (antithetic
        variates; Hammersley and Morton 1956).
        """
        return None

    @abstractmethod
    def extent(self) -> dict[str, Extent]:
        """The extent along each generator, by the generator's name."""

    @abstractmethod
    def coverage(self) -> float | None:
        """Haar measure of the support, in [0, 1]; None where the group is not compact."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """Entropy in nats, relative to Haar (which has entropy 0) if the group is compact.

        On other groups it is relative to the Lebesgue measure of the coefficients.
        """

    def width_reward(self) -> Tensor:
        """||w / cap||: the dimensionless form of the paper's reward (arXiv 2010.11882, eq. 5)."""
        return torch.zeros(())

    def entropy_reward(self) -> Tensor:
        """Entropy in nats relative to the widest member of the family: 0 at the cap.

        It is smoothed so that it is finite at width 0.
        """
        return torch.zeros(())

    def share_reward(self) -> Tensor:
        """The mean of w / cap over generators; the entropy reward if there are no widths.

        The push is the same for every generator and at every width, so lambda is the largest
        increase in loss that opening all generators may cost. As long as lambda is below the
        increase that a constant model has, the reward never pays for ignoring the input.
        """
        return self.entropy_reward()

    def at(self, x: Any, *extra: Any) -> Distribution:
        """The distribution for a batch of inputs x: itself, unless it is conditional."""
        return self

    def rsample(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n d d"]:
        """Draw n elements, differentiable in the parameters where they are continuous."""
        return self.transform(self.noise(n, generator))

    def kl_haar(self) -> Tensor:
        """KL(self || Haar) in nats; raises InputError on a group that is not compact."""
        if not self.group.compact:
            raise InputError(f"{self.group} is not compact, so there is no Haar probability.")
        return -self.entropy()

    def regularizer(self) -> Tensor:
        """The reward, a scalar: minimise loss - lambda * reward."""
        if self.reward == "none":
            return torch.zeros((), device=self.group.generators.device)
        return getattr(self, f"{self.reward}_reward")()

    def _extents(self, values: Iterable[Tensor], caps: Iterable[float]) -> dict[str, Extent]:
        """Extents along the generators, by their names."""
        rows = zip(self.group.names, values, self.group.units, caps, strict=True)
        return {name: Extent(value, unit, cap) for name, value, unit, cap in rows}


class Capped(Distribution, ABC):
    """A distribution with half-widths below caps.

    If every input has its own half-widths, rewards are means over the batch.
    """

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
        """||w / cap||, as in the paper."""
        return self.shares().norm(dim=-1).mean()

    def share_reward(self) -> Tensor:
        """The mean over generators of w / cap."""
        return self.shares().mean()

    def entropy_reward(self) -> Tensor:
        """sum_i log((w_i + delta_i) / (cap_i + delta_i)), delta = 0.05 cap, in nats."""
        return ((self.shares() + DELTA) / (1 + DELTA)).log().sum(-1).mean()


class InAlgebra(Capped, ABC):
    """Coefficients xi are a linear map of the noise, with a learned scale along each generator.

    `init` and `cap` are in the generators' units: one number, or one for each generator.
    Raises InputError on a group without generators, and for an angle's cap above 100 rad.
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
                f"{caps.tolist()}: larger caps reach no new element, and entropy is unknown there."
            )

    def widest(self) -> list[float]:
        """The default caps: the group's."""
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
    """Entropy (nats) of the distribution on the group, relative to Haar if it is compact.

    Averages -log sum_j p(xi_j) / haar(xi_j) over samples xi of p. The sum is over all
    coefficients of the same element that p can reach, since several rotation vectors can
    describe one rotation.
    """
    if not group.compact:
        return -log_density(xi).mean()
    pre = group.preimages(xi, float(xi.detach().norm(dim=-1).max()) + 2 * torch.pi)
    terms = log_density(pre) - group.haar_density(pre).log()
    return -terms.logsumexp(0).mean()


def sobol(n: int, k: int, like: Tensor) -> Float[Tensor, "n k"]:
    """n fixed quasi-random points inside the unit cube, for expectations without noise."""
    points = torch.quasirandom.SobolEngine(k, scramble=True, seed=0).draw(n)
    return points.clamp(1e-6, 1 - 1e-6).to(like)
