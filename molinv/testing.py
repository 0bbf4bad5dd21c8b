"""The laws, as checks that anyone can run on a group, an action or a network of their own.

Each check raises LawBroken, an AssertionError that names the law, by how much it was missed
and the tolerance; it returns None where all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .actions.base import Action
from .errors import InputError
from .groups import Compose, Finite, Group
from .groups.base import matrix_exp
from .groups.matrix import bracket_residual

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
BATCHES = ((), (1,), (3, 1, 2))


class LawBroken(AssertionError):
    """A law does not hold."""


def check_group(group: Group, dtype: torch.dtype = torch.float64, seed: int = 0) -> None:
    """Check a group's exponential, inverse, closure, logarithm, elements and Haar measure."""
    group = deepcopy(group).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    zero = torch.zeros(group.k, dtype=dtype)
    _compare(f"{group}: exp(0) is the identity", group.exp(zero), group.identity(), dtype)
    _check_finite(group, dtype)
    for batch in BATCHES:
        xi = coefficients(group, *batch, generator=generator).to(dtype)
        g = group.exp(xi)
        if g.shape != (*batch, group.d, group.d) or g.dtype != dtype:
            raise LawBroken(
                f"{group}: exp of coefficients {tuple(xi.shape)} should be "
                f"{(*batch, group.d, group.d)} of {dtype}, got {tuple(g.shape)} of {g.dtype}."
            )
        eye = group.identity(*batch)
        _compare(f"{group}: inverse(g) g is the identity", group.inverse(g) @ g, eye, dtype)
        if _commuting(group):
            reference = matrix_exp(group.algebra(xi).double())
            _compare(f"{group}: exp is the matrix exponential", g, reference, dtype)
        for i in range(group.k):
            one = xi * torch.eye(group.k, dtype=dtype)[i]
            reference = matrix_exp(group.algebra(one).double())
            _compare(f"{group}: exp along {group.names[i]}", group.exp(one), reference, dtype)
        if _known(lambda: group.log(group.identity())) and not isinstance(group, Finite):
            _compare(f"{group}: log undoes exp", group.log(g), xi, dtype)
    g = sample(group, 16, generator).to(dtype)
    law = f"{group}: inverse(g) g is the identity on every component"
    _compare(law, group.inverse(g) @ g, group.identity(16), dtype)
    _check_closure(group, generator, dtype)
    _check_gradient_at_zero(group, dtype)
    if group.compact and _known(lambda: group.haar(1, generator)):
        _check_haar(group, generator, dtype)


def check_action(
    action: Action, group: Group, dtype: torch.dtype = torch.float64, seed: int = 0
) -> None:
    """Check that the identity does nothing, (g h) x = g (h x), and pull_back undoes act.

    None of them may write into its input. An action that interpolates obeys the last two within
    its own tolerance. A group that the action's `check` refuses has to be refused by `act` too.
    """
    group = deepcopy(group).to(dtype)
    generator = torch.Generator().manual_seed(seed)
    x = _cast(action.example(generator, group), dtype)
    n, before = action.size(x), deepcopy(x)
    name = f"{type(action).__name__}({group})"
    if not _known(lambda: action.check(group)):
        if _known(lambda: action.act(group, group.identity(n), x)):
            raise LawBroken(f"{name}: act takes a group that check refuses.")
        return
    g, h = (sample(group, n, generator, action.reach).to(dtype) for _ in "gh")
    close = action.tolerance
    _compare(
        f"{name}: the identity does nothing", action.act(group, group.identity(n), x), x, dtype
    )
    both = action.act(group, g, action.act(group, h, x))
    _compare(f"{name}: (g h) x = g (h x)", action.act(group, g @ h, x), both, dtype, close)
    back, _ = action.pull_back(group, g, action.act(group, g, x), x)
    _compare(f"{name}: pull_back undoes act", back, x, dtype, close)
    _compare(f"{name}: its input stays as it was", x, before, dtype, tolerance=0.0)


def check_equivariant(
    model: Callable[..., Tensor],
    group: Group,
    input: Action,
    output: Action,
    x: Any,
    *extra: Any,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Check that model(g x) = g model(x) for random g, one for each example in the batch."""
    generator = torch.Generator().manual_seed(seed)
    g = sample(group, input.size(x), generator)
    with torch.no_grad():
        here = model(x, *extra)
        there, _ = output.pull_back(group, g, model(input.act(group, g, x), *extra), x)
    law = f"the model is equivariant under {group}"
    _compare(law, there, here, here.dtype, tolerance)


def coefficients(
    group: Group, *batch: int, generator: torch.Generator | None = None
) -> Float[Tensor, "*b k"]:
    """Random coefficients of at most half the caps: short of any angle of pi."""
    unit = 2 * torch.rand(*batch, group.k, generator=generator, dtype=torch.float64) - 1
    return (0.5 * unit * torch.tensor(group.caps, dtype=torch.float64)).to(group.generators)


def sample(
    group: Group, n: int, generator: torch.Generator | None = None, reach: float = 1.0
) -> Float[Tensor, "n d d"]:
    """n random elements, of every component of the group; `reach` times as far from these."""
    g = group.exp(reach * coefficients(group, n, generator=generator))
    if group.elements is None:
        return g
    pick = torch.randint(len(group.elements), (n,), generator=generator)
    return g @ group.elements.to(g)[pick]


def _check_closure(group: Group, generator: torch.Generator, dtype: torch.dtype) -> None:
    if group.k:
        miss = float(bracket_residual(group.generators).max())
        if not miss < 1e-5:
            raise LawBroken(
                f"{group}: the bracket of two generators leaves their span by {miss:.1e}."
            )
    elements = group.elements
    if elements is None:
        return
    _compare(f"{group}: the first element is the identity", elements[0], group.identity(), dtype)
    products = (elements[:, None] @ elements[None]).flatten(0, 1)
    between = products.flatten(1)[:, None] - elements.flatten(1)
    miss = between.abs().amax(-1).amin(1).max()
    if not miss < 1e3 * TOLERANCE[dtype]:
        raise LawBroken(f"{group}: a product of two elements is no element (off by {miss:.1e}).")


def _check_finite(group: Group, dtype: torch.dtype) -> None:
    caps = torch.tensor(group.caps, dtype=dtype)
    for signs in (1.0, -1.0):
        if not group.exp(signs * caps).isfinite().all():
            raise LawBroken(
                f"{group}: exp is not finite at {(signs * caps).tolist()}, its extents' caps: "
                "give it smaller caps, or an exp that does not overflow."
            )


def _check_gradient_at_zero(group: Group, dtype: torch.dtype) -> None:
    if group.k == 0:
        return
    zero = torch.zeros(group.k, dtype=dtype)
    jacobian = torch.autograd.functional.jacobian(group.exp, zero)
    law = f"{group}: the derivative of exp at 0 is the generators"
    _compare(law, torch.as_tensor(jacobian).movedim(-1, 0), group.generators, dtype)


def _check_haar(
    group: Group, generator: torch.Generator, dtype: torch.dtype, n: int = 4096
) -> None:
    """E f(h g) = E f(g) within six standard errors: f the entries, their squares and det."""
    g = group.haar(n, generator).double()
    if g.shape != (n, group.d, group.d):
        raise LawBroken(f"{group}: haar({n}) should be {(n, group.d, group.d)}, got {g.shape}.")
    det = torch.linalg.det(g)
    for h in sample(group, 8, generator).double():  # of several components
        moved = h @ g
        moments = {
            "mean": (g, moved),
            "square": (g**2, moved**2),
            "determinant": (det, torch.linalg.det(h) * det),
        }
        for name, (here, there) in moments.items():
            error = ((here.var(0) + there.var(0)) / n).sqrt()
            miss = (here.mean(0) - there.mean(0)).abs()
            if not (miss <= 6 * error + TOLERANCE[dtype]).all():
                raise LawBroken(
                    f"{group}: haar is not invariant: the {name} changes by "
                    f"{float(miss.max()):.2g} under a shift."
                )


def _commuting(group: Group) -> bool:
    """Whether exp is that of the sum: not where Compose multiplies parts that don't commute."""
    if not isinstance(group, Compose):
        return True
    a, b = group.a.generators.double(), group.b.generators.double()
    return not (a[:, None] @ b[None] - b[None] @ a[:, None]).any()


def _known(formula: Callable[[], Any]) -> bool:
    """Whether the group has this, rather than an InputError that says it has not."""
    try:
        formula()
    except InputError:
        return False
    return True


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    else:
        yield from (v for v in x.to_dict().values() if isinstance(v, Tensor))


def _cast(x: Any, dtype: torch.dtype) -> Any:
    if isinstance(x, Tensor):
        return x.to(dtype)
    return x.apply(lambda t: t.to(dtype) if t.is_floating_point() else t)


def _compare(
    law: str, got: Any, want: Any, dtype: torch.dtype, tolerance: float | None = None
) -> None:
    for a, b in zip(_tensors(got), _tensors(want), strict=True):
        a, b = a.detach(), b.detach()
        if a.shape != b.shape:
            raise LawBroken(f"{law}: expected shape {tuple(b.shape)}, got {tuple(a.shape)}.")
        if a.numel() == 0:
            continue
        scale = max(1.0, float(b.abs().max()))
        miss = float((a.double() - b.double()).abs().max()) / scale
        limit = TOLERANCE[dtype] if tolerance is None else tolerance
        if not miss <= limit:  # NaN fails
            raise LawBroken(f"{law}: off by {miss:.1e}, tolerance {limit:.0e}.")
