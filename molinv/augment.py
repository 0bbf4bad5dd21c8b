"""Sample, act, run, act back, average: any network with a distribution on a group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from . import quadrature
from .actions import Action, Invariant, Points
from .distributions import Distribution
from .errors import InputError, unknown

_REDUCE = ("mean", "prob", "log_prob")
_HALF = (torch.bfloat16, torch.float16)


class Orbit(NamedTuple):
    """The model's outputs over an orbit of the group: mean, standard deviation, how many.

    Where the output action weighs its entries, `weight` is the mean of their weights: 0 where no
    element of the orbit saw the entry, whose mean then says nothing. None where none is weighed.
    """

    mean: Tensor
    std: Tensor
    count: int
    weight: Tensor | None = None


class Augmented(nn.Module):
    """h(x) = E_g [ rho_out(g)^-1 f(rho_in(g) x) ] with g drawn from a learnable distribution.

    model         called as model(x, *extra); only x is acted on
    distribution  on the group; its parameters train with the network's
    input, output the actions on x and on what the model returns
    copies        group elements per example: in training the output gains a leading axis of
                  this length, over which the *loss* is averaged; in evaluation, outputs are
    reduce        "mean", or for logits (b, classes, ...) "prob", the mean probability, or
                  "log_prob", its logarithm

    In evaluation model(x) is the learned average with a fixed seed, the same on every call.
    Source: Benton et al., NeurIPS 2020 (arXiv 2010.11882), equations 2 to 5.
    """

    def __init__(
        self,
        model: nn.Module,
        distribution: Distribution,
        input: Action | None = None,
        output: Action | None = None,
        copies: int = 1,
        reduce: str = "mean",
    ):
        super().__init__()
        if copies < 1:
            raise InputError(f"Augmented: expected at least one copy, got {copies}.")
        if reduce not in _REDUCE:
            raise unknown("reduce", reduce, _REDUCE)
        self.model, self.distribution = model, distribution
        self.input = Points() if input is None else input
        self.output = Invariant() if output is None else output
        self.copies, self.reduce = copies, reduce

    def forward(
        self,
        x: Any,
        *extra: Any,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "c b m"] | None = None,
    ) -> Any:
        """(copies, b, ...) in training, the learned average (b, ...) in evaluation.

        Where the output action weighs its entries (pixels that left the picture), training
        returns (value, weight), both with the copies axis. In training `noise`, made beforehand
        by the distribution's `noise`, takes the place of drawing it from `generator`, so that an
        example can have the same elements in any batch. Raises InputError for noise in
        evaluation, and for noise of another number of copies or examples.
        """
        if not self.training:
            if noise is not None:
                raise InputError("Augmented: noise is for training; in evaluation use orbit().")
            return self.orbit(x, *extra, generator=generator).mean
        mu, size = self.distribution.at(x, *extra), self.input.size(x)
        if noise is None:
            draws = (mu.noise(size, generator) for _ in range(self.copies))
        elif noise.shape[:-1] == (self.copies, size):
            draws = noise.unbind()
        else:
            raise InputError(
                f"Augmented: expected noise ({self.copies}, {size}, m) for {self.copies} copies "
                f"of {size} examples, got {tuple(noise.shape)}."
            )
        runs = [self.run(self._exactly(mu.transform, u), x, *extra) for u in draws]
        values, weights = zip(*runs, strict=True)
        if weights[0] is None:
            return torch.stack(values)
        return torch.stack(values), torch.stack(weights)

    def run(self, g: Float[Tensor, "b d d"], x: Any, *extra: Any) -> tuple[Tensor, Tensor | None]:
        """rho_out(g)^-1 f(rho_in(g) x) for one element an example, and the entries' weights.

        Under autocast the model alone has the lower precision: a rotation in it is none.
        """
        group = self.distribution.group
        y = self.model(self._exactly(self.input.act, group, g, x), *extra)
        y = y.float() if y.dtype in _HALF else y
        return self._exactly(self.output.pull_back, group, g, y, x)

    @torch.no_grad()
    def orbit(
        self,
        x: Any,
        *extra: Any,
        orbit: str = "learned",
        copies: int | None = None,
        degree: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Orbit:
        """Mean and standard deviation of the outputs over an orbit, streamed over copies.

        orbit   "identity" runs the model once; "learned" draws `copies` (default 8, or the
                model's own number if that is larger) elements; "haar" averages over the whole
                compact group, exactly up to `degree` (default 4) by quadrature, or over `copies`
                drawn elements. All examples share the draws, so that the result for one does not
                depend on the others in its batch.
        Memory does not grow with the number of copies. Standard deviations are the population's
        for a quadrature and the unbiased estimate for drawn elements. Raises InputError for
        "haar" on a group that is not compact.
        """
        total = mean = square = torch.zeros(())
        count, weighed = 0, False
        elements = self.elements(
            x, *extra, orbit=orbit, copies=copies, degree=degree, generator=generator
        )
        for g, weight in elements:
            value, inside = self.run(g, x, *extra)
            weighed = inside is not None
            value = value if self.reduce == "mean" else value.softmax(1)
            part = value.new_tensor(weight) if inside is None else weight * inside
            if count == 0:
                mean, square, total = torch.zeros_like(value), torch.zeros_like(value), 0 * part
            before, total = total, total + part
            step, share = value - mean, part / torch.where(total == 0, 1.0, total)
            mean = mean + step * share
            square = square + step.square() * share * before  # exactly 0 after one
            count += 1
        if count == 0:
            raise InputError(f"Augmented: expected at least one copy, got {copies}.")
        drawn = orbit == "learned" or copies is not None
        bessel = count / (count - 1) if drawn and count > 1 else 1.0
        std = (bessel * square / torch.where(total == 0, 1.0, total)).clamp_min(0).sqrt()
        mean = mean.log() if self.reduce == "log_prob" else mean
        return Orbit(mean, std, count, total if weighed else None)

    def elements(
        self,
        x: Any,
        *extra: Any,
        orbit: str = "learned",
        copies: int | None = None,
        degree: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[tuple[Tensor, float]]:
        """What `orbit` averages over: elements (b, d, d) and their weights, one copy at a time."""
        group, size = self.distribution.group, self.input.size(x)
        device = group.generators.device
        if generator is None:
            generator = torch.Generator(device).manual_seed(0)
        match orbit:
            case "identity":
                yield group.identity(size), 1.0
            case "learned":
                mu = self.distribution.at(x, *extra)
                n = max(8, self.copies) if copies is None else copies
                for _ in range(n):
                    # one draw for the whole batch: a value must not depend on its neighbours
                    noise = mu.noise(1, generator)
                    if mu is self.distribution:
                        yield self._exactly(mu.transform, noise).expand(size, -1, -1), 1 / n
                    else:  # bound to the inputs, each with extents of its own
                        yield self._exactly(mu.transform, noise.expand(size, -1)), 1 / n
            case "haar" if copies is not None:
                for _ in range(copies):
                    yield group.haar(1, generator).expand(size, -1, -1), 1 / copies
            case "haar":
                nodes, weights = quadrature.rule(group, 4 if degree is None else degree)
                for node, weight in zip(nodes.to(device), weights.tolist(), strict=True):
                    yield node.to(group.generators).expand(size, -1, -1), weight
            case _:
                raise unknown("orbit", orbit, ("identity", "learned", "haar"))

    def _exactly(self, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args) as it is outside of autocast."""
        with torch.autocast(self.distribution.group.generators.device.type, enabled=False):
            return function(*args)
