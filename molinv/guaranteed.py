"""Guaranteed invariance of outputs or of a hidden feature, and a bound on the rest."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .actions import Action
from .actions.base import flatten, rebuild
from .augment import Augmented
from .distributions import Haar
from .errors import InputError, unknown
from .groups import SO3, Group


class Certificate(NamedTuple):
    """A bound on how much the average can still depend on the orientation.

    All three have the shape and unit of the output.

    before  standard deviation of the network itself over Haar
    bound   upper bound on the standard deviation of the average, from the power in the degrees
            that the rule does not average away
    rest    part of `before` (root of a variance) in degrees above `reach`. Use a larger reach
            unless `rest` is far below `bound`, or 0 up to rounding
    """

    before: Tensor
    bound: Tensor
    rest: Tensor


class Guaranteed(nn.Module):
    """sum_i w_i rho_out(g_i)^-1 f(rho_in(g_i) x) over a rule that is exact up to a degree.

    The average has no dependence on the orientation of any degree l from 1 to `degree`, whatever
    f is. It is differentiable, so it serves for training as well as for a trained network. It
    calls the network once for each element of the rule: on SO3 4 times for degree 1, 12 for 2,
    24 for 3, and 60 for 4 and 5.

    model   called as model(x, *extra), as in `Augmented`
    group   compact and with a rule: SO2, SO3 (default), O3, a finite group, or your own group
            that overrides `rule`
    input, output  actions, as in `Augmented`

    Raises InputError for a group that is not compact or has no rule.
    """

    nodes: Tensor
    weights: Tensor

    def __init__(
        self,
        model: nn.Module,
        group: Group | None = None,
        input: Action | None = None,
        output: Action | None = None,
        degree: int = 3,
    ):
        super().__init__()
        group = SO3() if group is None else group
        self.run = Augmented(model, Haar(group), input, output)
        self.degree = degree
        nodes, weights = group.rule(degree)
        self.register_buffer("nodes", nodes, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, x: Any, *extra: Any, **named: Any) -> Any:
        """The average (b, ...) of each part of the output.

        Raises InputError if the output action gives weights, as `Segmentation` does.
        """
        total: list[Any] = []
        for w, y in zip(self.weights, self._orbit(self.nodes, x, extra, named), strict=True):
            parts = [w.to(part) * part for part in flatten(y)]
            total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
        return rebuild(y, total)

    @torch.no_grad()
    def certificate(
        self, x: Any, *extra: Any, reach: int | None = None, **named: Any
    ) -> Certificate:
        """How much the average of each output entry can still depend on the orientation.

        The average is a mean of rotated copies of the network, and rotating preserves a
        function's norm. So a degree above the rule's leaves at most the square root of its power.
        The power in degrees up to `reach` (default: `degree` + 2) is computed with a rule of
        twice that degree. Raises InputError for a group without `basis` (SO2 and SO3 have it),
        and for a reach that is not above `degree`.
        """
        group = self.run.distribution.group
        reach = self.degree + 2 if reach is None else reach
        if reach <= self.degree:
            raise InputError(
                f"Guaranteed: expected a reach above the degree {self.degree}, got {reach}."
            )
        nodes, weights = group.rule(2 * reach)
        columns, degree_of = group.basis(nodes, reach)
        base = None
        for k, y in enumerate(self._orbit(nodes, x, extra, named)):
            y = y.double()
            if base is None:  # summing f - base loses no digits to the common part of f
                base, square = y, torch.zeros_like(y)
                found = y.new_zeros(len(degree_of), *y.shape)
            away = y - base
            square += weights[k].to(y) * away.square()
            found += (weights[k] * columns[k]).to(y).view(-1, *[1] * y.ndim) * away
        power = found.new_zeros(reach + 1, *found.shape[1:])
        power.index_add_(0, degree_of.to(found.device), found.square())  # power of f - base
        variance = (square - power[0]).clamp_min(0)
        rest = (variance - power[1:].sum(0)).clamp_min(0)
        left = power[self.degree + 1 :].sum(0) + rest
        return Certificate(variance.sqrt(), left.sqrt(), rest.sqrt())

    def _orbit(self, nodes: Float[Tensor, "n d d"], x: Any, extra: tuple, named: dict):
        size = self.run.input.size(x)
        for g in nodes.to(self.run.distribution.group.generators):
            value, weight = self.run.run(g.expand(size, *g.shape), x, *extra, **named)
            if weight is not None:
                raise InputError(
                    "Guaranteed: the output action gives weights, which this average cannot use; "
                    "use Augmented.orbit()."
                )
            yield value


class Integrated(nn.Module):
    """The network with a hidden feature replaced by its average over a group.

    h(x) = readout(sum_i w_i feature(rho_in(g_i) x)), where the feature is the input of a submodule,
    `layer`, and the readout is the rest of the network from there. For a finite group the output
    is exactly invariant, whatever the weights are. For SO3 the averaged feature has no dependence
    on the orientation of any degree from 1 to `degree`, and `features.certificate(x)` bounds the
    rest. Calls the network once for each element, and once more.

    model   called as model(x, *extra), where the group acts on x; its output is an invariant
    layer   name of a submodule that is called once with one tensor (b, ...), such as "read" in
            molinv's networks. If the readout is linear, the result is that of `Guaranteed`
    group, input, degree  as in `Guaranteed`

    The output must depend on the orientation only through this feature. A network with another
    path from x to the output does not become invariant. Raises InputError for an unknown layer,
    and on a call if the layer is not called once with one tensor.

    Source: invariant integration, after Rath and Condurache 2023 (arXiv 2303.01567). They
    average products of features; here the feature itself is averaged.
    """

    def __init__(
        self,
        model: nn.Module,
        layer: str,
        group: Group | None = None,
        input: Action | None = None,
        degree: int = 3,
    ):
        super().__init__()
        if not isinstance(model, nn.Module):
            raise InputError(f"Integrated: expected a torch module, got {type(model).__name__}.")
        names = [name for name, _ in model.named_modules() if name]
        if layer not in names:
            raise unknown("layer", layer, names)
        self.layer = layer
        self.features = Guaranteed(_Feature(model, layer), group, input, degree=degree)

    def forward(self, x: Any, *extra: Any, **named: Any) -> Any:
        """The output (b, ...) for the averaged feature."""
        mean = self.features(x, *extra, **named)
        model = self.features.run.model.model
        assert isinstance(model, nn.Module)
        put = model.get_submodule(self.layer).register_forward_pre_hook(lambda *_: (mean,))
        with put:
            return model(x, *extra, **named)


class _Feature(nn.Module):
    """The input of a network's submodule."""

    def __init__(self, model: nn.Module, layer: str):
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, *given: Any, **named: Any) -> Tensor:
        found: list[tuple[Any, ...]] = []
        module = self.model.get_submodule(self.layer)
        with module.register_forward_pre_hook(lambda _, inputs: found.append(inputs)):
            self.model(*given, **named)
        if len(found) != 1 or len(found[0]) != 1 or not isinstance(found[0][0], Tensor):
            raise InputError(
                f"Integrated: expected the layer {self.layer} to be called once with one tensor, "
                f"got {len(found)} calls with {[len(inputs) for inputs in found]} arguments."
            )
        return found[0][0]
