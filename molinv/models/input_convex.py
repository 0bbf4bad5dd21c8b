"""An input-convex network and an invertible map, the two parts of `GICNN`.

Sources: Amos, Xu, Kolter, "Input Convex Neural Networks" (ICML 2017); Dinh, Sohl-Dickstein, Bengio,
"Density estimation using Real NVP" (ICLR 2017).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

FLAT = 1e-3  # smallest modulus of strong convexity
LARGEST = 0.5  # logarithm of a coupling's factor


class InputConvex(nn.Module):
    """A smooth network that is strongly convex in its input: forward(z (b, d)) returns (b,).

    c(z) = h(z) + w.z + m/2 |z|^2, where each hidden layer is softplus of a non-negative combination
    of the layer before plus a linear function of z (Amos et al. 2017, eq. 2). With m > 0, c has one
    minimum, grows without bound, and increases along every ray from the minimum.
    """

    def __init__(
        self, d: int, width: int = 64, layers: int = 2, generator: torch.Generator | None = None
    ):
        super().__init__()
        sizes = [*[width] * layers, 1]
        self.direct = nn.ModuleList(_linear(d, size, generator) for size in sizes)
        # softplus of these are the weights between layers, about 1 / width at the start
        start = torch.tensor(1 / width).expm1().log()
        shapes = [(size, width) for size in sizes[1:]]
        self.raw_weights = nn.ParameterList(
            start + 0.5 * torch.randn(shape, generator=generator) for shape in shapes
        )
        self.raw_modulus = nn.Parameter(torch.tensor(0.1).expm1().log())

    def modulus(self) -> Float[Tensor, ""]:
        """The modulus m of strong convexity: c(z) >= c(z0) + m/2 |z - z0|^2 at the minimum z0."""
        return FLAT + F.softplus(self.raw_modulus)

    def forward(self, z: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        h = F.softplus(self.direct[0](z))
        for raw, direct in zip(self.raw_weights, self.direct[1:], strict=True):
            h = F.linear(h, F.softplus(raw)) + direct(z)
            h = F.softplus(h) if len(raw) > 1 else h
        return h.squeeze(-1) + self.modulus() / 2 * z.square().sum(-1)


class Couplings(nn.Module):
    """Affine coupling layers (Dinh et al. 2017, eqs. 7 and 8): an invertible map of (b, d), d >= 2.

    A layer keeps one half of the coordinates. It scales the others by a factor between 0.6 and 1.6
    and shifts them, both as functions of the first half. The map starts as the identity. The order
    of the coordinates is drawn from `generator` for every two layers.
    """

    orders: Tensor

    def __init__(
        self, d: int, width: int = 64, layers: int = 4, generator: torch.Generator | None = None
    ):
        super().__init__()
        orders: list[Tensor] = []
        self.nets = nn.ModuleList()
        for k in range(layers):
            # the second layer of two changes the half that the first one keeps
            order = orders[-1].flip(0) if k % 2 else torch.randperm(d, generator=generator)
            orders.append(order)
            last = nn.Linear(width, 2 * (d - d // 2))
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            first, second = (_linear(size, width, generator) for size in (d // 2, width))
            self.nets.append(nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last))
        self.register_buffer("orders", torch.stack(orders) if orders else torch.empty(0, d).long())

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        for order, net in zip(self.orders, self.nets, strict=True):
            kept, moved = x[:, order[: len(order) // 2]], x[:, order[len(order) // 2 :]]
            shift, log = net(kept).chunk(2, -1)
            moved = moved * (LARGEST * log.tanh()).exp() + shift
            x = torch.cat([kept, moved], -1)[:, order.argsort()]
        return x

    def inverse(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """The x with forward(x) = z, in closed form."""
        for order, net in zip(self.orders.flip(0), self.nets[::-1], strict=True):
            kept, moved = z[:, order[: len(order) // 2]], z[:, order[len(order) // 2 :]]
            shift, log = net(kept).chunk(2, -1)
            moved = (moved - shift) * (-LARGEST * log.tanh()).exp()
            z = torch.cat([kept, moved], -1)[:, order.argsort()]
        return z


def _linear(inputs: int, outputs: int, generator: torch.Generator | None) -> nn.Linear:
    """A linear layer with weights drawn from `generator`, scaled by 1 / sqrt(inputs)."""
    made = nn.Linear(inputs, outputs)
    with torch.no_grad():
        made.weight.normal_(0, inputs**-0.5, generator=generator)
        made.bias.normal_(0, 0.5, generator=generator)
    return made
