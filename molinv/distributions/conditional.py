"""Half-widths that depend on the input."""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from ..groups.base import Group
from .base import Capped, Extent
from .bounded import Bounded, Numbers
from .fingerprint import Fingerprint
from .uniform_box import UniformBox

_MOMENTUM = 0.05


class Conditional(Capped):
    """A uniform box whose half-widths depend on the input: w(x) = cap * sigmoid(raw(x)).

    `encoder(x, *extra)` returns (b, k) numbers; where it returns 0, half-widths are `init`. The
    encoder must be invariant under the group, because the widths must not depend on the input's
    orientation: testing.check_equivariant checks this. The default encoder is for molecules,
    called as encoder(pos, z).

    `at(x, *extra)` returns a copy that is bound to a batch. Only a bound copy has samples (one
    for each input, in order), `widths` and a `regularizer` (the mean over the batch); without a
    batch they raise InputError. Extents without a batch are a running mean over training batches.
    """

    _seen: Tensor

    def __init__(
        self,
        group: Group,
        encoder: nn.Module | None = None,
        init: Numbers = 0.05,
        cap: Numbers | None = None,
        *,
        reward: str = "entropy",
        learn: bool = True,
    ):
        super().__init__(group, reward)
        if group.k == 0:
            raise InputError(f"Conditional: {group} has no generators to spread over.")
        # not learned, because the encoder's last bias has the same effect
        self._start = Bounded(group.names, list(group.caps) if cap is None else cap, init, False)
        self.encoder = Fingerprint(group.k) if encoder is None else encoder
        if not learn:
            self.encoder.requires_grad_(False)
        self.register_buffer("_seen", self._start().detach().clone())
        self._widths: Tensor | None = None

    def at(self, x: Any, *extra: Any) -> Conditional:
        """A copy bound to a batch of inputs; raises InputError unless the encoder gives (b, k)."""
        raw = self.encoder(x, *extra)
        if raw.ndim != 2 or raw.shape[1] != self.group.k:
            raise InputError(
                f"Conditional: expected (b, {self.group.k}) numbers from the encoder, one for each "
                f"generator of {self.group}, got {tuple(raw.shape)}."
            )
        bound = copy(self)
        bound._widths = widths = self._start.cap * (self._start.raw + raw).sigmoid()
        if self.training:
            self._seen.lerp_(widths.detach().mean(0), _MOMENTUM)
        return bound

    @property
    def widths(self) -> Float[Tensor, "b k"]:
        """The half-widths of each input (b, k), in the generators' units."""
        if self._widths is None:
            raise InputError(
                "Conditional: call at(x) first: each input has half-widths of its own."
            )
        return self._widths

    def transform(self, noise: Float[Tensor, "b k"]) -> Float[Tensor, "b d d"]:
        """exp(w(x) u), with one row of noise u for each input of the batch."""
        if len(noise) != len(self.widths):
            raise InputError(
                f"Conditional: expected noise for the batch's {len(self.widths)} inputs, "
                f"got {len(noise)} rows."
            )
        return self.group.exp(noise.to(self.widths) * self.widths)

    def extent(self) -> dict[str, Extent]:
        """Half-widths (b,) along each generator; without a batch, their running mean."""
        values = self._seen if self._widths is None else self._widths.mT
        return self._extents(values, self._start.cap.tolist())

    def boxes(self) -> list[UniformBox]:
        """One fixed box for each input; without a batch, a single box of the mean extents."""
        rows = self._seen[None] if self._widths is None else self._widths
        cap = self._start.cap.tolist()
        boxes = [UniformBox(self.group, w, cap, learn=False) for w in rows.detach().tolist()]
        return [box.to(rows) for box in boxes]

    def coverage(self) -> float | None:
        """The mean coverage of the inputs' boxes; None if it is unknown for all of them."""
        known = [share for box in self.boxes() if (share := box.coverage()) is not None]
        return sum(known) / len(known) if known else None

    def entropy(self) -> Tensor:
        """The mean entropy of the inputs' boxes, without a gradient: train with `regularizer`."""
        return torch.stack([box.entropy() for box in self.boxes()]).mean()

    def shares(self) -> Float[Tensor, "b k"]:
        """The half-widths of each input, in units of the caps."""
        return self.widths / self._start.cap
