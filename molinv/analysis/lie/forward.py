"""Forward-mode differentiation of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.autograd.forward_ad as fw
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves, tree_map

from ...errors import InputError


def directional(
    function: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, name: str
) -> tuple[Tensor, Tensor]:
    """(f(x), df[direction]) in one pass; zeros if the output does not depend on x.

    Attention runs on torch's math backend, because the fused ones have no forward rule on the CPU.
    Raises InputError with torch's message for an operation without a forward rule.
    """
    try:
        with _attention(), fw.dual_level():
            value, tangent = fw.unpack_dual(function(fw.make_dual(x, direction)))
    except RuntimeError as error:  # torch's NotImplementedError is one
        function(x)  # raises its own error where it fails without differentiation too
        reason = str(error).strip().split("\n")[0].split(". ")[0].rstrip(".")
        raise InputError(
            f"{name} has no Lie derivative, because it cannot be differentiated in forward mode: "
            f"{reason}."
        ) from error
    return value, torch.zeros_like(value) if tangent is None else tangent


def tangent_of(action: Callable[[Tensor], Tensor], generator: Float[Tensor, "d d"], like: Tensor):
    """d/dt of action(exp(t X)) at t = 0; the action takes group elements (b, d, d).

    The action is a smooth function of the matrix, so I + t X has the same derivative as exp(t X).
    """
    batch = len(like), *generator.shape
    eye = torch.eye(len(generator)).to(like).expand(batch).contiguous()
    with fw.dual_level():
        element = fw.make_dual(eye, generator.to(like).expand(batch).contiguous())
        tangent = fw.unpack_dual(action(element)).tangent
    return torch.zeros_like(like) if tangent is None else tangent


def split(tree: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Values and tangents of the real tensors of a module's output, in a fixed order."""
    pairs = [fw.unpack_dual(leaf) for leaf in tree_leaves(tree) if _real(leaf)]
    values = [pair.primal for pair in pairs]
    tangents = [torch.zeros_like(p.primal) if p.tangent is None else p.tangent for p in pairs]
    return values, tangents


def join(tree: Any, tangents: list[Tensor]) -> Any:
    """The same output with other tangents, in the order of `split`."""
    rest = iter(tangents)

    def other(leaf: Any) -> Any:
        return fw.make_dual(fw.unpack_dual(leaf).primal, next(rest)) if _real(leaf) else leaf

    return tree_map(other, tree)


def _real(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


@contextmanager
def _attention() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
