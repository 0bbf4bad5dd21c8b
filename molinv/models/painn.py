"""PaiNN: message passing with scalars and vectors, equivariant by construction."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ..actions import Points
from ..datasets.batches import Batch
from ..datasets.features import Features
from ..errors import unknown
from .base import Model
from .features import safe_norm
from .pairs import Waves, from_centroid, in_parts
from .readout import exactly

Scalars = Float[Tensor, "b n f"]
Vectors = Float[Tensor, "b n 3 f"]


class Message(nn.Module):
    """Messages from the neighbours of each atom (equations 7 and 8).

    The first layer sends no vectors, because all vectors are zero there.
    """

    def __init__(self, width: int, radial: int, first: bool):
        super().__init__()
        self.kinds = 2 if first else 3
        self.send = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, self.kinds * width),
        )
        self.filters = nn.ModuleList(
            nn.Linear(radial, width, bias=False) for _ in range(self.kinds)
        )
        for weight in self.filters.parameters():
            nn.init.normal_(weight, std=0.5)  # the default makes vectors too short to be learned

    def forward(self, s: Scalars, v: Vectors, radial: Tensor, unit: Tensor) -> list[Tensor]:
        plain, turned, *carried = self.send(s).chunk(self.kinds, -1)
        axes = (v * carried[0][:, :, None]).unbind(2) if carried else ()
        return in_parts(self._sums, radial, unit, plain, turned, *axes)

    def _sums(
        self, radial: Tensor, unit: Tensor, plain: Scalars, turned: Scalars, *axes: Scalars
    ) -> tuple[Scalars, Vectors]:
        filters = [weight(radial) for weight in self.filters]  # each (b, n, n, f)
        s = (filters[0] * plain[:, None]).sum(2)
        v = unit.mT @ (filters[1] * turned[:, None])
        if axes:
            v = v + torch.stack([(filters[2] * axis[:, None]).sum(2) for axis in axes], 2)
        return s, v


class Update(nn.Module):
    """Mixes the scalars and vectors of each atom (equations 9 and 10)."""

    def __init__(self, width: int):
        super().__init__()
        self.mix = nn.Linear(width, 2 * width, bias=False)
        self.gates = nn.Sequential(
            nn.LayerNorm(2 * width),
            nn.Linear(2 * width, width),
            nn.SiLU(),
            nn.Linear(width, 3 * width),
        )

    def forward(self, s: Scalars, v: Vectors) -> tuple[Scalars, Vectors]:
        left, right = self.mix(v).chunk(2, -1)
        ss, sv, vv = self.gates(torch.cat([s, safe_norm(right.mT)], -1)).chunk(3, -1)
        return s + ss + sv * (left * right).sum(2), v + vv[:, :, None] * left


class Gated(nn.Module):
    """Maps scalars and vectors to other widths; scalars gate the vectors (figure 3)."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.out = out
        self.mix = nn.Linear(width, width + out, bias=False)
        self.gates = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, 2 * out)
        )

    def forward(self, s: Scalars, v: Vectors) -> tuple[Scalars, Vectors]:
        measured, v = self.mix(v).split([v.shape[-1], self.out], -1)
        s, gate = self.gates(torch.cat([s, safe_norm(measured.mT)], -1)).chunk(2, -1)
        return s, gate[:, :, None] * v


class Painn(Model):
    """PaiNN on padded molecules (Schuett et al. 2021, arXiv 2102.03150).

    Each atom carries scalars and vectors, so that outputs are equivariant under rotations and
    reflections, and invariant under translations. forward(pos (b, n, 3) in angstrom, z (b, n)
    with 0 for padding) returns one of the following, where r is the position relative to the
    centroid. Sums over atoms are divided by 20, unless a readout is set.

    "scalar"       (b, t)        sum of s
    "vector"       (b, t, 3)     sum of v + q r, like a dipole
    "tensor"       (b, t, 3, 3)  sum of q I + v r^T + r v^T, like a polarizability
    "atom scalar"  (b, t, n)     s of each atom
    "atom vector"  (b, t, n, 3)  v of each atom

    Unlike in the paper, scalars are normalised before each network, which allows a learning
    rate of 1e-3. Raises InputError for an unknown output.
    """

    symmetries = ("T(3)", "SO3", "O3")
    outputs = ("scalar", "vector", "tensor", "atom scalar", "atom vector")

    def __init__(
        self,
        targets: int = 1,
        width: int = 128,
        layers: int = 3,
        cutoff: float = 5.0,
        radial: int = 23,
        output: str = "scalar",
    ):
        super().__init__()
        if output not in self.outputs:
            raise unknown("output", output, self.outputs)
        self.action, self.output, self.widths = Points(), output, (width, radial + 1)
        self.element = nn.Embedding(119, width)
        self.waves = Waves(radial, cutoff)
        self.messages = nn.ModuleList(
            Message(width, radial + 1, first=i == 0) for i in range(layers)
        )
        self.updates = nn.ModuleList(Update(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        if output in ("scalar", "atom scalar"):
            self.read = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, targets))
        else:
            self.narrow, self.last = Gated(width, width // 2), Gated(width // 2, targets)

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return (batch.pos, batch.z, *self.asked(batch))

    def forward(
        self,
        pos: Float[Tensor, "b n 3"],
        z: Int64[Tensor, "b n"],
        features: Features | None = None,
    ) -> Float[Tensor, "b t *e"]:
        mask = z > 0
        radial, unit = self.waves(pos, mask)
        s = self.element(z)
        if self.known is not None and features is not None:
            s = self.known.atoms(s, features)
            # the envelope makes them go to 0 at the cutoff, like all inputs of the filters
            radial = self.known.pairs(radial, features.pairs * radial[..., -1:])
        v = s.new_zeros(*z.shape, 3, s.shape[-1])
        for message, update in zip(self.messages, self.updates, strict=True):
            ds, dv = message(s, v, radial, unit)
            s, v = update(s + ds, v + dv)
        found = self._read(self.norm(s), v, from_centroid(pos, mask), mask)
        if self.output.startswith("atom"):
            return found
        return self.beside(self.read_out(found, mask.sum(1), features), s)

    def _read(
        self, s: Scalars, v: Vectors, r: Float[Tensor, "b n 3"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b t *e"]:
        if self.output in ("scalar", "atom scalar"):
            each = exactly(self.read, s) * mask[..., None]
            return each.sum(1) if self.output == "scalar" else each.mT
        s, v = self.narrow(s, v)
        q, v = self.last(nn.functional.silu(s), v)
        q, v = q * mask[..., None], v.mT * mask[..., None, None]  # (b, n, t), (b, n, t, 3)
        if self.output == "atom vector":
            return v.transpose(1, 2)
        r = r[:, :, None]
        if self.output == "vector":
            return (v + q[..., None] * r).sum(1)
        outer = v[..., :, None] * r[..., None, :]
        eye = torch.eye(3, dtype=r.dtype, device=r.device)
        return (q[..., None, None] * eye + outer + outer.mT).sum(1)
