"""Assumed actions of a rotation on the tensors inside a network.

A layer's output does not define how a rotation acts on it, so an action is assumed, and every
number about that layer depends on it. `trivial` assumes that nothing changes, as in an invariant
network; inner vectors and tensors rotate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from ...errors import InputError
from ...groups import SO3
from ...groups.wigner import wigner_d


@dataclass(frozen=True)
class Hidden:
    """An action on the output tensors of a stage (tuples and dicts in their order).

    `act(X, h)` takes the rotation vector X of a generator, (3,), and the tensors, and returns
    the tangents of exp(t X) h at t = 0. `name` is the description in reports.
    """

    name: str
    act: Callable[[Float[Tensor, " 3"], list[Tensor]], list[Tensor]]


trivial = Hidden("nothing changes", lambda x, h: [torch.zeros_like(part) for part in h])


def by_degree(*l: int, axis: int) -> Hidden:
    """One degree l for each output tensor, with its 2 l + 1 components (e3nn's order) on `axis`.

    Degree 0 does not change, in any shape. `act` raises InputError for an output that does not fit.
    """

    def act(x: Tensor, h: list[Tensor]) -> list[Tensor]:
        if len(h) != len(l):
            raise InputError(f"expected {len(l)} hidden tensors of degrees {l}, got {len(h)}.")
        return [_turned(x, part, degree, axis) for degree, part in zip(l, h, strict=True)]

    return Hidden(f"Wigner D of degrees {', '.join(map(str, l))}", act)


def irreps(text: str) -> Hidden:
    """e3nn's irreps, such as "16x0e+8x1o", on the last axis."""
    from e3nn import o3

    parts = [(mul, ir.l) for mul, ir in o3.Irreps(text)]
    sizes = [mul * (2 * l + 1) for mul, l in parts]

    def act(x: Tensor, h: list[Tensor]) -> list[Tensor]:
        done = []
        for tensor in h:
            if tensor.shape[-1] != sum(sizes):
                raise InputError(
                    f"expected {sum(sizes)} entries of {text}, got {tensor.shape[-1]}."
                )
            pieces = zip(tensor.split(sizes, -1), parts, strict=True)
            turned = (_turned(x, p.unflatten(-1, (mul, -1)), l, -1) for p, (mul, l) in pieces)
            done.append(torch.cat([part.flatten(-2) for part in turned], -1))
        return done

    return Hidden(f"Wigner D of {text}", act)


def default(root: nn.Module, name: str, stage: nn.Module) -> Hidden:
    """The default action of a stage: by its `irreps_out`, by molinv's own models, or trivial."""
    declared = getattr(stage, "irreps_out", None)
    if declared is not None:
        return irreps(str(declared))
    own = f"{type(root).__module__}.{type(root).__name__}"
    return _KNOWN.get(own, {}).get(name.split(".")[0], trivial)


def _by_size(x: Float[Tensor, " 3"], h: list[Tensor]) -> list[Tensor]:
    """Tensors (b, n, 2 l + 1, channels), with l from the shape."""
    return [_turned(x, part, (part.shape[2] - 1) // 2, 2) for part in h]


def _couplings(x: Float[Tensor, " 3"], h: list[Tensor]) -> list[Tensor]:
    """Tensors (b, n, 2 k + 1, n (2 i + 1)): maps from degree i of each neighbour to degree k."""
    done = []
    for part in h:
        apart = part.unflatten(3, (part.shape[1], -1))
        sent, arriving = (apart.shape[4] - 1) // 2, (apart.shape[2] - 1) // 2
        tangent = _turned(x, apart, arriving, 2) + _turned(x, apart, sent, 4)
        done.append(tangent.flatten(3))
    return done


# stages of molinv's equivariant networks whose outputs rotate
_KNOWN: Mapping[str, Mapping[str, Hidden]] = {
    "molinv.models.painn.Painn": {"waves": by_degree(0, 1, axis=-1)}
    | dict.fromkeys(("messages", "updates", "narrow", "last"), by_degree(0, 1, axis=2)),
    "molinv.models.equivariant.Equivariant": {
        "waves": by_degree(0, 1, axis=-1),
        "couplings": Hidden("Wigner D of the degrees they couple", _couplings),
        "layers": Hidden("Wigner D of each degree", _by_size),
        "turn": Hidden("Wigner D of each degree", _by_size),
    },
}


def rotation_vector(linear: Float[Tensor, "3 3"]) -> Float[Tensor, " 3"]:
    """The rotation part of a generator: its antisymmetric part."""
    skew = (linear - linear.mT) / 2
    return torch.stack([skew[2, 1], skew[0, 2], skew[1, 0]])


def _turned(x: Tensor, h: Tensor, l: int, axis: int) -> Tensor:
    if l == 0:
        return torch.zeros_like(h)
    if h.shape[axis] != 2 * l + 1:
        raise InputError(
            f"expected {2 * l + 1} components of degree {l} on axis {axis} of a hidden tensor, got "
            f"{tuple(h.shape)}."
        )
    generator = torch.einsum("a,aij->ij", x.to(h), so3_generators(l).to(h))
    return (h.movedim(axis, -1) @ generator.mT).movedim(-1, axis)


@cache
def so3_generators(l: int) -> Float[Tensor, "3 n n"]:
    """d/dt D^l(exp(t X_a)) at t = 0 about x, y and z, in e3nn's basis, float64."""
    eye, generators = torch.eye(3, dtype=torch.float64), SO3().double().generators
    slope = jacobian(lambda r: wigner_d(r[None], l)[l][0], eye)
    return torch.einsum("mnij,aij->amn", slope, generators)
