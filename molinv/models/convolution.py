"""Products of neighbours' features with spherical harmonics, summed over the neighbours."""

from __future__ import annotations

import torch
from e3nn import o3
from jaxtyping import Float
from torch import Tensor, nn

from .pairs import in_parts

Features = dict[int, Tensor]  # degree l -> (b, n, 2 l + 1, channels >> l), of parity (-1)^l
Path = tuple[int, int, int]  # degrees of the sent feature, the harmonic, the received feature


def paths(sent: tuple[int, ...], harmonics: int, arriving: tuple[int, ...]) -> list[Path]:
    """The allowed products of a sent feature and a harmonic, of parity (-1)^l."""
    return [
        (i, j, k)
        for i in sent
        for j in range(harmonics + 1)
        for k in arriving
        if abs(i - j) <= k <= i + j and (i + j + k) % 2 == 0
    ]


class Couplings(nn.Module):
    """The matrices sqrt(2 k + 1) sum_m C_(a m c) Y_m(r_ij) from a to c, for every path.

    Y are spherical harmonics of r_ij and C Clebsch-Gordan coefficients, both in e3nn's
    "component" normalisation, where the components of degree 1 are x, y and z.
    """

    def __init__(self, degree: int, used: list[Path]):
        super().__init__()
        self.used, self.degree = used, degree
        self.harmonics = o3.SphericalHarmonics(list(range(degree + 1)), False, "component")
        for path in used:
            coefficients = o3.wigner_3j(*path) * (2 * path[2] + 1) ** 0.5
            self.register_buffer(self._name(path), coefficients, persistent=False)

    def forward(
        self, unit: Float[Tensor, "b n n 3"], envelope: Float[Tensor, "b n n 1"]
    ) -> dict[Path, Float[Tensor, "b n c na"]]:
        sizes = [2 * j + 1 for j in range(self.degree + 1)]
        harmonics = (self.harmonics(unit) * envelope).split(sizes, -1)
        return {
            path: torch.einsum(
                "amc,bijm->bicja", self.get_buffer(self._name(path)), harmonics[path[1]]
            ).flatten(3)
            for path in self.used
        }

    def _name(self, path: Path) -> str:
        return "path" + "".join(map(str, path))


class Convolution(nn.Module):
    """sum_j W(r_ij) * (Y(r_ij) x h_j), where W has a weight for every path and channel.

    Equal to e3nn's o3.TensorProduct with "uvu" paths, but the sum over neighbours is a matrix
    product with the couplings, which took a seventh of the time on a CPU core.
    """

    def __init__(self, used: list[Path], channels: int, radial: int):
        super().__init__()
        self.used = used
        self.weights = nn.ModuleList(
            nn.Linear(radial, channels >> i, bias=False) for i, _, _ in used
        )
        for weight in self.weights.parameters():
            nn.init.normal_(weight)  # the default, 0.1, makes vectors too short to be learned

    def forward(self, h: Features, radial: Tensor, couplings: dict[Path, Tensor]) -> Features:
        sent = sorted(h)

        def sums(radial: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
            part = dict(zip(sent, tensors, strict=False))
            results = []
            for path, weight, coupling in zip(
                self.used, self.weights, tensors[len(sent) :], strict=True
            ):
                weighted = weight(radial)[:, :, :, None] * part[path[0]][:, None]
                results.append(coupling @ weighted.flatten(2, 3))
            return tuple(results)

        results = in_parts(
            sums, radial, *(h[i] for i in sent), *(couplings[path] for path in self.used)
        )
        arrived: dict[int, list[Tensor]] = {}
        for path, result in zip(self.used, results, strict=True):
            arrived.setdefault(path[2], []).append(result)
        return {k: torch.cat(parts, -1) for k, parts in arrived.items()}
