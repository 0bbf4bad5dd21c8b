"""Peaks on SO(3) whose places and probabilities are learned, to find finite groups."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from ..groups.base import Group
from ..groups.merging import distance, merge
from ..groups.naming import Named, name_rotations
from ..groups.so3 import SO3
from ..groups.spirals import super_fibonacci
from .base import Weighted
from .listed import Listed, drawn

_TILT = (0.3, -0.5, 0.7)  # rad, so that the first places lie on no axis or plane of coordinates
LEAST = 1e-4  # smallest share, in units of the mean, that the natural gradient is exact for
NEVER = -60.0  # log-probability of a rotation that is not drawn
DRAWN = 1e-24  # smallest probability of one that is
SHARE = 0.1  # least probability of a peak, in units of the largest


class Peaks(Listed):
    """The identity, and `count` rotations whose places and probabilities are learned.

    It finds groups that are not known beforehand, also finite ones and in any frame:

        mu = Peaks(SO3())
        molinv.fit(Augmented(net, mu), (pos, y), lam=0.05)
        str(mu.named())                                     # D3 about (0.36, -0.48, 0.80)

    The places start evenly spread (super-Fibonacci spirals). The gradient of the loss moves each
    to the nearest rotation that the target does not change under. With the reward "entropy" and
    weight lam, the probabilities that minimise the objective are proportional to
    exp(-loss(g) / lam), the Gibbs distribution. So lam is the loss by which a rotation may differ
    from the best one and still be found; 0.05 is suitable for standardised targets. The identity
    has probability 1 - q, and q starts at `init` and stays below `cap`. A network that sees most
    inputs unmoved keeps what their orientation means. Train with `Augmented.risk`, as `molinv.fit`
    does.

    The distribution has atoms and no density. Entropy, `coverage` and `kl_haar` therefore treat
    each of the count + 1 rotations as an equal share of the group, as on a finite group; while
    the places are evenly spread this is the entropy relative to Haar at their resolution.

    Raises InputError for a group other than SO3, a count below 1, and a cap outside (0, 1).
    LieFlow (arXiv 2512.20043) finds such groups with a flow instead.
    """

    def __init__(
        self,
        group: Group,
        init: float = 0.2,
        cap: float = 0.5,
        *,
        count: int = 256,
        reward: str = "entropy",
        learn: bool = True,
    ):
        if not isinstance(group, SO3):
            raise InputError(
                f"Peaks: expected SO3, got {group}; on a finite group use Categorical."
            )
        if not isinstance(count, int) or count < 1 or not 0 < cap < 1:
            raise InputError(
                f"Peaks: expected a count of at least 1 and a cap between 0 and 1, got {count}, "
                f"{cap}."
            )
        super().__init__(group, count + 1, init, cap, reward, learn)
        so3 = SO3().double()
        places = so3.log(so3.exp(torch.tensor(_TILT).double()) @ super_fibonacci(count))
        self._places = nn.Parameter(places.to(torch.get_default_dtype()), requires_grad=learn)

    @property
    def places(self) -> nn.Parameter:
        """The rotation vectors (k, 3) of the rotations other than the identity, in rad."""
        return self._places

    def _elements(self) -> Float[Tensor, "m 3 3"]:
        return torch.cat([self.group.identity(1), self.group.exp(self._places)])

    def shares(self) -> Float[Tensor, " k"]:
        """The probabilities of the rotations other than the identity, given that one is drawn.

        Their gradient is the natural one, divided by the share of the rotation and multiplied by
        the mean share (Amari 1998). The ordinary gradient of an unlikely rotation is so small
        that it would never become likely again.
        """
        raw, share = self._among, self._among.detach().softmax(0)
        rate = 1 / (len(share) * share).clamp_min(LEAST)
        return (raw.detach() + rate * (raw - raw.detach())).softmax(0)

    def weighted(self, noise: Float[Tensor, "n 1"], most: int = 1) -> Weighted:
        """The identity and one other rotation for each row of noise, with weights.

        Half of the other rotations are drawn with equal probabilities, so that unlikely ones are
        compared as well, except for those that `complete` has left out; the weights correct for it
        (importance sampling). The loss of the identity on the same example is the baseline of the
        other's. A support of at most `most` elements is summed exactly.
        """
        if self.m <= most:
            return super().weighted(noise, most)
        elements, among = self._elements(), self.shares()
        every = (among.detach() > DRAWN).to(among)
        proposal = (among.detach() + every / every.sum()) / 2
        index = drawn(proposal, noise)
        weight = self._moved() * among[index] / proposal[index]
        pair = torch.stack([elements[:1].expand(len(noise), -1, -1), elements[1:][index]])
        return pair, torch.stack([1 - weight, weight])

    def settle(self, losses: Float[Tensor, " m"], lam: float) -> None:
        """Set all probabilities to the Gibbs distribution of the rotations' mean losses.

        `losses` are in the order of `support`. For a network that no longer changes, this is
        where training with the entropy reward of weight lam would end: probabilities proportional
        to exp(-loss / lam), with q at most its cap. Raises InputError for another number of
        losses, losses that are not finite, and lam at or below 0.
        """
        if losses.shape != (self.m,) or not losses.isfinite().all() or not lam > 0:
            raise InputError(
                f"Peaks.settle: expected {self.m} finite losses and lam above 0, got "
                f"{tuple(losses.shape)} and {lam}."
            )
        log_p = -losses.detach().to(self._among) / lam
        others = log_p[1:].logsumexp(0)
        cap = self._moved.cap[0]
        odds = (others - log_p[0]).sigmoid() / cap  # q in units of its cap
        with torch.no_grad():
            self._among.copy_(log_p[1:] - others)
            self._moved.raw.copy_(odds.clamp(1e-6, 1 - 1e-6).logit()[None])

    def log_odds(self) -> tuple[Tensor, Tensor]:
        """The parameters of the probabilities: of the other rotations, and of q."""
        return self._among, self._moved.raw

    @torch.no_grad()
    def complete(self, tolerance: float = 0.2) -> Named:
        """Move rotations to the elements of the finite group that the likely ones are nearest to.

        All elements but the identity are then equally likely, and the identity's probability is
        that of each, or 1 less the cap. A distribution that does not change when it is composed
        with itself is the uniform one on a group (Kawada and Ito 1940). Nothing is changed if the
        nearest group is infinite or there is none. Returns what `named` does.
        """
        found, cap = self.named(tolerance), float(self._moved.cap)
        if found.elements is None:
            return found
        so3, places = SO3().double(), self._elements()[1:].double().cpu()
        elements = so3.normalize(found.elements)
        away = distance(elements, torch.eye(3).double())
        elements = elements[away > away.min()]
        rows: list[int] = []
        for g in elements:
            apart = distance(places, g)
            apart[rows] = torch.inf
            rows.append(int(apart.argmin()))
        q = len(rows) / (len(rows) + 1)
        self._places[rows] = so3.log(elements).to(self._places)
        self._among.fill_(NEVER)[rows] = 0.0
        self._moved.raw.copy_(torch.tensor([q / cap]).clamp(1e-6, 1 - 1e-6).logit())
        return found

    def peaks(
        self, tolerance: float = 0.1, share: float = SHARE
    ) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, " n"]]:
        """The likely rotations and their probabilities, in float64, the identity included.

        Rotations within `tolerance` (rad) are merged into their mean. Left out are then those with
        less than `share` times the largest probability of a rotation other than the identity.
        """
        with torch.no_grad():
            g, p = (x.double().cpu() for x in self.support())
        largest = p[1:].max()  # it may be near the identity
        g, p = merge(g, tolerance, p)
        likely = p >= share * torch.cat([p[1:], largest[None]]).max()
        likely[0] = True  # the identity's, since it has at least half of the probability
        return g[likely], p[likely]

    def named(self, tolerance: float = 0.2) -> Named:
        """The group of rotations that the peaks are nearest to (see `groups.name_rotations`)."""
        return name_rotations(self.peaks()[0], tolerance)
