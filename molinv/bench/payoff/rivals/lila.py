"""LILA: a distribution that is learned by the gradient of a Laplace marginal likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ....training.config import TrainConfig
from ....training.run import train
from .objective import Objective

# every: network steps for each step of the hyperparameters; samples: group elements of the latter
WEIGHTS = {"every": 8, "samples": 8, "noise": 0.3, "rate": 0.05}
# a box that starts at 0.05 rad, as that of `learned`, has too small a gradient to open
CHOSEN: dict[str, Any] = {
    "copies": 2,
    "distribution_args": {"init": 0.5},
    "lam": 0.0,
    "group_lr": 0.1,
    "wait": 0.15,
}


class Lila(Objective):
    """Network steps on the regularised squared error of the average, then hyperparameter steps.

        network:   |y - f(x)|^2 + (s^2 / N) sum_l d_l |theta_l|^2
        the rest:  - log q(D | eta, s, d), the function `negative_evidence`

    f(x) is the average output over elements drawn from the distribution with parameters eta, s the
    noise, d_l the prior precision of a tensor theta_l. Source: Immer et al., "Invariance Learning
    in Deep Neural Networks with Differentiable Laplace Approximations" (NeurIPS 2022, arXiv
    2202.10638), the averaged network, the Laplace approximation with the generalised Gauss-Newton
    matrix, and the alternation of both kinds of steps.

    The augmentation is the box with learned axes of `learned`: the paper's has fixed generators,
    but its gradient holds for any parameters of the sampler. Not reproduced: the Kronecker-factored
    matrix over all layers. The one here is exact but has the readout's parameters only (two linear
    layers and a normalisation), as in Schwobel et al., "Last Layer Marginal Likelihood for
    Invariance Learning" (AISTATS 2022), and the determinant is taken a batch at a time, a lower
    bound of the evidence (Immer et al., ICML 2023, arXiv 2306.03968). Also not reproduced: its 20
    to 31 elements an example (here 2 for the network and 8 for the evidence), and the choice of the
    final epoch by the evidence, since all methods of this benchmark choose by validation error.
    """

    def __init__(self, *args: Any):
        super().__init__(*args)
        read = self.network.model.read  # pyright: ignore[reportAttributeAccessIssue]
        assert isinstance(read, nn.Module)
        self.log_noise = nn.Parameter(torch.tensor(log(WEIGHTS["noise"])))
        self.log_prior = nn.Parameter(torch.zeros(len(list(read.parameters()))))
        self._read, self._states = [read], []  # a list, so that it is not registered twice

    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        own = {"params": [self.log_noise, self.log_prior], "name": "evidence", "clip": 0.0}
        rate = WEIGHTS["rate"]
        optimizer.add_param_group(own | {"lr": rate, "peak": rate, "warmup": 0})
        return optimizer

    def objective(self, batch: Any) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        mu, truth = self.network.distribution, self.truth(batch)
        draws = self.noise()[:, batch.index]
        with torch.no_grad():  # the squared error does not train the distribution
            elements = [mu.transform(u) for u in draws]
        miss = torch.stack([self.outputs(g, batch) for g in elements]).mean(0) - truth
        weight = (2 * self.log_noise).exp().detach() / self._examples()
        precision = self.log_prior.exp().detach()
        loss = miss.square().mean() + weight * (precision * self._squares()).sum()
        if self.opens and self.global_step % WEIGHTS["every"] == 0:
            loss = loss + self._hyperparameters(batch, truth)
        return miss.abs().mean(), loss

    def _hyperparameters(self, batch: Any, truth: Float[Tensor, " b"]) -> Float[Tensor, ""]:
        """0, whose gradient is that of the negative evidence; none reaches the network."""
        mu, samples = self.network.distribution, int(WEIGHTS["samples"])
        generator = torch.Generator().manual_seed(self.config.seed + 7919 * self.global_step)
        states: list[Tensor] = []
        hook = self._read[0].register_forward_pre_hook(lambda _, given: states.append(given[0]))
        noise = [mu.noise(len(batch), generator) for _ in range(samples)]
        mean = torch.stack([self.outputs(mu.transform(u), batch) for u in noise]).mean(0)
        hook.remove()
        inside = (batch.z > 0)[..., None].to(mean)
        jacobian = jacobians(self._read[0], torch.stack(states, 1), inside)
        evidence = negative_evidence(
            mean,
            truth,
            jacobian,
            self.log_noise,
            self.log_prior,
            self._squares().detach(),
            self._examples(),
        )
        rest = [p for p in (*mu.parameters(), self.log_noise, self.log_prior) if p.requires_grad]
        slopes = torch.autograd.grad(evidence, rest)
        parts = [(s * (p - p.detach())).sum() for s, p in zip(slopes, rest, strict=True)]
        return torch.stack(parts).sum()

    def _squares(self) -> Float[Tensor, " l"]:
        """|theta_l|^2 of the readout's tensors."""
        return torch.stack([p.square().sum() for p in self._read[0].parameters()])

    def _examples(self) -> int:
        size = self.config.train_size  # pyright: ignore[reportAttributeAccessIssue]
        assert size is not None
        return size


def jacobians(
    read: nn.Module, states: Float[Tensor, "b c n d"], inside: Float[Tensor, "b n 1"]
) -> list[Float[Tensor, "b p"]]:
    """The derivatives of the averaged output by each tensor of the readout, for every molecule.

    The output is the mean over c copies of the sum over atoms of `read`, divided by 20, as in
    `models.readout` for a sum. Differentiable in `states`.
    """
    theta = {name: p.detach() for name, p in read.named_parameters()}

    def output(theta: dict[str, Tensor], states: Tensor, inside: Tensor) -> Tensor:
        return (functional_call(read, theta, (states,)) * inside).sum() / (20 * len(states))

    found = vmap(grad(output), in_dims=(None, 0, 0))(theta, states, inside)
    return [each.flatten(1) for each in found.values()]


def negative_evidence(
    mean: Float[Tensor, " b"],
    truth: Float[Tensor, " b"],
    jacobian: Sequence[Float[Tensor, "b p"]],
    log_noise: Float[Tensor, ""],
    log_prior: Float[Tensor, " l"],
    squares: Float[Tensor, " l"],
    examples: int,
) -> Float[Tensor, ""]:
    """- log q(D) / N by Laplace's method, from a batch of the N examples.

        |y - f|^2 / (2 s^2) + b log(s sqrt(2 pi)) + log det(1 + J D^-1 J^T / s^2) / 2

    divided by b, plus sum_l d_l |theta_l|^2 / (2 N). The determinant equals that of the
    generalised Gauss-Newton matrix over that of the prior (Sylvester). With b = N and a linear
    model at its optimum this is the exact evidence.
    """
    b, variance = len(truth), (2 * log_noise).exp()
    pairs = zip(jacobian, log_prior.exp(), strict=True)
    kernel = torch.stack([j @ j.mT / d for j, d in pairs]).sum(0) / variance
    fitted = (truth - mean).square().sum() / (2 * variance) + b * (log_noise + 0.5 * log(2 * pi))
    occam = 0.5 * torch.linalg.slogdet(torch.eye(b).to(kernel) + kernel)[1]
    return (fitted + occam) / b + 0.5 * (log_prior.exp() * squares).sum() / examples


def fit(config: TrainConfig) -> Path:
    """Train in the folder of `config`, or resume."""
    return train(config, objective=Lila)
