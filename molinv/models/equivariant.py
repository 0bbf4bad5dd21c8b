"""Convolutions of irreps with e3nn's spherical harmonics: equivariant by construction."""

from __future__ import annotations

from typing import Any

import torch
from e3nn import o3
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ..actions import Points
from ..actions.irreps import parse
from ..datasets.batches import Batch
from ..datasets.features import Features as Given
from ..datasets.kinds import IRREPS, SHAPES, Kinds
from ..errors import InputError, unknown
from .base import Model
from .convolution import Convolution, Couplings, Features, Path, paths
from .features import safe_norm
from .pairs import Waves, from_centroid
from .readout import exactly
from .spectra import Spectra


def _degrees(irreps: str) -> tuple[int, ...]:
    """The degrees that an irreps output needs; raises InputError for other parities."""
    terms = parse(irreps)
    if any(parity != (-1) ** l for _, l, parity in terms):
        raise InputError(
            f"equivariant: expected irreps of parity (-1)^degree, such as 0e, 1o, 2e and 3o, got "
            f"{irreps}; use model point."
        )
    return tuple(sorted({0, *(l for _, l, _ in terms)}))


READ = Kinds[tuple[int, ...]](
    {
        "scalar": (0,),
        "vector": (0, 1),
        "tensor": (0, 2),
        "atom scalar": (0,),
        "atom vector": (0, 1),
    },
    _degrees,
)
HIDDEN = 32  # width of the radial network


class IrrepsOut(nn.Module):
    """Sums over atoms of features, and of harmonics of positions, both weighted by scalars."""

    def __init__(self, output: str, targets: int, channels: int):
        super().__init__()
        self.terms, self.targets = parse(output.removeprefix(IRREPS)), targets
        turned = [(n, l) for n, l, _ in self.terms if l]
        self.turns = nn.ModuleList(
            nn.Linear(channels >> l, targets * n, bias=False) for n, l in turned
        )
        self.places = nn.ModuleList(o3.SphericalHarmonics(l, False, "component") for _, l in turned)
        self.sizes = [targets * n * (2 if l else 1) for n, l, _ in self.terms]
        self.scalars = sum(self.sizes)

    def forward(
        self, x: Features, s: Float[Tensor, "b n s"], r: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b t d"]:
        made, turned = [], iter(zip(self.turns, self.places, strict=True))
        for (_, l, _), weights in zip(self.terms, s.split(self.sizes, -1), strict=True):
            if l:
                turn, place = next(turned)
                gate, q = weights.chunk(2, -1)
                each = (turn(x[l]) * gate[:, :, None]).sum(1).mT + q.mT @ place(r / 3)
            else:
                each = weights.sum(1)
            made.append(each.reshape(len(s), self.targets, -1))
        return torch.cat(made, -1)


class Layer(nn.Module):
    """A convolution, then a residual update gated by the lengths of the received features."""

    def __init__(self, used: list[Path], channels: int):
        super().__init__()
        sent, arriving = (sorted({path[i] for path in used}) for i in (0, 2))
        self.norm = nn.LayerNorm(channels)
        self.send = nn.ModuleDict(
            {str(i): nn.Linear(channels >> i, channels >> i, bias=False) for i in sent}
        )
        self.convolution = Convolution(used, channels, HIDDEN)
        self.mix = nn.ModuleDict()
        for k in arriving:
            width = sum(channels >> path[0] for path in used if path[2] == k)
            self.mix[str(k)] = nn.Linear(width, channels >> k, bias=False)
        self.sizes = [channels >> k for k in arriving]
        self.gates = nn.Sequential(
            nn.LayerNorm(channels + sum(self.sizes)),
            nn.Linear(channels + sum(self.sizes), 2 * channels),
            nn.SiLU(),
            nn.Linear(2 * channels, sum(self.sizes)),
        )

    def forward(self, x: Features, radial: Tensor, couplings: dict[Path, Tensor]) -> Features:
        h = x | {0: self.norm(x[0])}
        h = {int(i): linear(h[int(i)]) for i, linear in self.send.items()}
        arrived = self.convolution(h, radial, couplings)
        mixed = {k: self.mix[str(k)](arrived[k]) for k in sorted(arrived)}
        lengths = [m[:, :, 0] if k == 0 else safe_norm(m.mT) for k, m in mixed.items()]
        gates = self.gates(torch.cat([x[0][:, :, 0], *lengths], -1)).split(self.sizes, -1)
        new = {
            k: gate[:, :, None] * (mixed[k] if k else 1)
            for k, gate in zip(mixed, gates, strict=True)
        }
        return {k: value + x[k] if k in x else value for k, value in new.items()}


class Equivariant(Model):
    """Message passing with irreps of O(3) up to `degree`, after NequIP (Batzner et al. 2022).

    Atoms carry `channels` scalars, half as many vectors, a quarter as many tensors of degree 2
    and so on. forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for padding) returns one of the
    following, where r is the position relative to the centroid, and T a symmetric tensor of
    degree 2. Sums over atoms are divided by 20, unless a readout is set.

    "scalar"       (b, t)        sum of s
    "vector"       (b, t, 3)     sum of v + q r, like a dipole
    "tensor"       (b, t, 3, 3)  sum of q I + T
    "atom scalar"  (b, t, n)     s of each atom
    "atom vector"  (b, t, n, 3)  v of each atom
    "irreps TEXT"  (b, t, d)     such as "irreps 0e + 3o": for every term of degree l a sum of
                                 x_l + q |r / 3|^l Y_l(r), for degree 0 a sum of s

    `spectrum` adds invariants of the last layer's features of degree 1 and more to the scalars that
    s and q are computed from: "power" or "bispectrum" (see `Spectra`).

    Raises InputError for an unknown output or spectrum, for irreps of another parity than (-1)^l,
    for a degree too low for the output, for fewer than 2^degree channels, and for no layers.
    """

    symmetries = ("T(3)", "SO3", "O3")
    outputs = (*READ, "irreps")

    def __init__(
        self,
        targets: int = 1,
        channels: int = 64,
        layers: int = 3,
        degree: int = 2,
        cutoff: float = 4.0,
        output: str = "scalar",
        spectrum: str = "none",
    ):
        super().__init__()
        if output not in SHAPES:
            raise unknown("output", output, READ)
        read = READ[output]
        if degree < max(read) or channels >> degree < 1 or layers < 1:
            raise InputError(
                f"expected a degree of at least {max(read)} for output {output!r}, at least "
                f"{2**degree} channels for degree {degree}, and at least one layer, got degree "
                f"{degree}, {channels} channels and {layers} layers."
            )
        self.action, self.output, self.widths = Points(), output, (channels, HIDDEN)
        every = tuple(range(degree + 1))
        self.spectra = Spectra(spectrum, degree, channels)
        steps = [(0,)] + [every] * (layers - 1) + [every if self.spectra.size else read]
        used = [paths(steps[i], degree, steps[i + 1]) for i in range(layers)]
        self.element = nn.Embedding(119, channels)
        self.waves = Waves(23, cutoff)
        self.radial = nn.Sequential(nn.Linear(24, HIDDEN), nn.SiLU())
        self.couplings = Couplings(degree, sorted({path for each in used for path in each}))
        self.layers = nn.ModuleList(Layer(each, channels) for each in used)
        self.top = top = max(read)
        self.terms = IrrepsOut(output, targets, channels) if output.startswith(IRREPS) else None
        turned = top and self.terms is None
        self.turn = nn.Linear(channels >> top, targets, bias=False) if turned else None
        scalars = 2 * targets if turned else targets
        self.read = nn.Sequential(
            nn.LayerNorm(channels + self.spectra.size),
            nn.Linear(channels + self.spectra.size, channels),
            nn.SiLU(),
            nn.Linear(channels, scalars if self.terms is None else self.terms.scalars),
        )
        self.register_buffer("cartesian", 5**0.5 * o3.wigner_3j(1, 1, 2), persistent=False)

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return (batch.pos, batch.z, *self.asked(batch))

    def forward(
        self,
        pos: Float[Tensor, "b n 3"],
        z: Int64[Tensor, "b n"],
        features: Given | None = None,
    ) -> Float[Tensor, "b t *e"]:
        mask = z > 0
        waves, unit = self.waves(pos, mask)
        s = self.element(z)
        if self.known is None or features is None:
            radial = self.radial(waves)
        else:
            linear, active = self.radial
            radial = active(self.known.pairs(linear(waves), features.pairs))
            s = self.known.atoms(s, features)
        couplings = self.couplings(unit, waves[..., -1:])
        x = {0: s[:, :, None]}
        for layer in self.layers:
            x = layer(x, radial, couplings)
        found = self._read(x, from_centroid(pos, mask), mask)
        if self.output.startswith("atom"):
            return found
        return self.beside(self.read_out(found, mask.sum(1), features), x[0][:, :, 0])

    def _read(
        self, x: Features, r: Float[Tensor, "b n 3"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b t *e"]:
        seen = x[0][:, :, 0]
        if self.spectra.size:
            seen = torch.cat([seen, self.spectra(x)], -1)
        s = exactly(self.read, seen) * mask[..., None]
        if self.terms is not None:
            return self.terms(x, s, r)
        if self.turn is None:
            return s.sum(1) if self.output == "scalar" else s.mT
        q, gate = s.chunk(2, -1)
        each = self.turn(x[self.top]) * gate[:, :, None]
        if self.output == "atom vector":
            return each.permute(0, 3, 1, 2)
        turned = each.sum(1).mT  # (b, t, 3 or 5)
        if self.output == "vector":
            return turned + q.mT @ r
        eye = torch.eye(3, dtype=r.dtype, device=r.device)
        return q.sum(1)[..., None, None] * eye + torch.einsum(
            "ijm,btm->btij", self.cartesian, turned
        )
