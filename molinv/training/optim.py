"""An optimizer with Muon for matrices and AdamW for all other parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.adamw import adamw

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Float[Tensor, "m r c"], steps: int = 5) -> Float[Tensor, "m r c"]:
    """Approximately U V^T for each matrix U S V^T, by the quintic Newton-Schulz iteration.

    Computes in the dtype of the input. torch.optim.Muon rounds to bfloat16, which is slow on
    processors without bfloat16 instructions. Source: Jordan et al. 2024, "Muon".
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class MuonAdamW(Optimizer):
    """An optimizer whose parameter groups have the method "muon" or "adamw".

    A Muon step is scaled by 0.2 sqrt(max(rows, columns)), which gives it the size of an AdamW step.
    Weight decay is decoupled. Matrices of equal shape are orthogonalised together, in `dtype`. The
    kernel of a convolution counts as a matrix with one row per output channel.
    """

    def __init__(self, params: Iterable[dict[str, Any]], dtype: torch.dtype = torch.float32):
        self.dtype = dtype
        defaults = {
            "lr": 1e-3,
            "method": "adamw",
            "weight_decay": 0.0,
            "momentum": 0.95,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "clip": 0.0,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["method"] == "muon":
                self._muon(group, params)
            elif params:
                self._adamw(group, params)
        return loss

    def _muon(self, group: dict[str, Any], params: list[Tensor]) -> None:
        by_shape = defaultdict(list)
        for p in params:
            by_shape[p.shape].append(p)
        for shape, same in by_shape.items():
            grads = [p.grad for p in same]
            buffers = [self._state(p, "momentum") for p in same]
            torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])  # pyright: ignore
            nesterov = torch._foreach_lerp(grads, buffers, group["momentum"])  # pyright: ignore
            update = orthogonalise(torch.stack(nesterov).flatten(2).to(self.dtype))
            torch._foreach_mul_(same, 1 - group["lr"] * group["weight_decay"])  # pyright: ignore
            scale = group["lr"] * 0.2 * max(update.shape[1:]) ** 0.5
            steps = [u.view(shape) for u in update.to(same[0]).unbind()]
            torch._foreach_add_(same, steps, alpha=-scale)  # pyright: ignore

    def _adamw(self, group: dict[str, Any], params: list[Tensor]) -> None:
        adamw(
            params,
            [p.grad for p in params],  # pyright: ignore[reportArgumentType]
            [self._state(p, "mean") for p in params],
            [self._state(p, "square") for p in params],
            [],
            [self._counter(p) for p in params],
            foreach=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )

    def _state(self, p: Tensor, name: str) -> Tensor:
        if name not in self.state[p]:
            self.state[p][name] = torch.zeros_like(p)
        return self.state[p][name]

    def _counter(self, p: Tensor) -> Tensor:
        if "step" not in self.state[p]:
            self.state[p]["step"] = torch.zeros(())
        return self.state[p]["step"]


def parameter_groups(
    network: nn.Module,
    distribution: nn.Module,
    *,
    method: str,
    lr: float,
    muon_lr: float,
    group_lr: float,
    weight_decay: float,
    clip: float,
) -> list[dict[str, Any]]:
    """Parameter groups: matrices, the network's other parameters, the distribution's parameters.

    With `method` "muon", Muon trains hidden matrices and kernels of convolutions, except kernels
    with a single channel; AdamW trains embeddings and all other parameters. With "adamw", AdamW
    trains everything. The distribution's parameters have no weight decay.
    """
    embeddings = {
        p for m in network.modules() if isinstance(m, nn.Embedding) for p in m.parameters()
    }
    trained = [p for p in network.parameters() if p.requires_grad]
    kernels = {m.weight for m in network.modules() if isinstance(m, nn.Conv2d)}
    hidden = [
        p
        for p in trained
        if (p.ndim == 2 or p in kernels) and min(p.shape[:2]) > 1 and p not in embeddings
    ]
    if method == "adamw":
        hidden = []
    chosen = set(hidden)
    groups = [
        {"params": hidden, "method": "muon", "lr": muon_lr, "weight_decay": weight_decay},
        {"params": [p for p in trained if p not in chosen], "lr": lr, "weight_decay": 1e-5},
        {"params": [p for p in distribution.parameters() if p.requires_grad], "lr": group_lr},
    ]
    names = ("matrices", "others", "distribution")
    return [
        g | {"name": n, "clip": clip} for g, n in zip(groups, names, strict=True) if g["params"]
    ]
