"""Centre, turn and shift molecules before a network sees them.

Stored orientations are not random. A model is invariant only if it is accurate in other
orientations as well. Each molecule gets one rotation and one shift, keyed by (seed, index): they
are the same in every epoch and on every device.
"""

from __future__ import annotations

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from ..groups.so3 import SO3, from_quaternion
from .kinds import of_kind


def poses(n: int, seed: int) -> tuple[Float64[Tensor, "n 3 3"], Float64[Tensor, "n 3"]]:
    """n Haar-random rotations and n standard normal vectors, from one seed.

    Row i belongs to molecule i. Rotations act on columns; they are normalised Gaussian
    4-vectors read as quaternions (Shoemake 1992).
    """
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    vectors = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return from_quaternion(q / q.norm(dim=1, keepdim=True)), vectors


def place(
    pos: Float32[Tensor, "atoms 3"],
    ptr: Int64[Tensor, " ends"],
    center: bool = True,
    rotate: bool = False,
    shift: float = 0.0,
    seed: int = 0,
) -> Float32[Tensor, "atoms 3"]:
    """Coordinates in angstrom, with each molecule turned about its centroid and moved.

    `center` moves the centroid (the unweighted mean over atoms) to the origin. `rotate` turns by
    the molecule's rotation of `poses`. `shift` (angstrom) then multiplies its vector of `poses`,
    which is added.
    """
    if not (center or rotate or shift):
        return pos
    sizes = ptr.diff()
    n = len(sizes)
    owner = torch.repeat_interleave(torch.arange(n), sizes)
    exact = pos.double()
    centroid = exact.new_zeros(n, 3).index_add_(0, owner, exact) / sizes[:, None]
    rotations, vectors = poses(n, seed)
    local = exact - centroid[owner]
    if rotate:
        local = torch.einsum("aij,aj->ai", rotations[owner], local)
    offset = shift * vectors if center else shift * vectors + centroid
    return (local + offset[owner]).float()


def turn(
    values: Float64[Tensor, " rows *e"], kind: str, ptr: Int64[Tensor, " ends"], seed: int
) -> Float64[Tensor, " rows *e"]:
    """Turn values (n, ...) or (atoms, ...) of a kind of target by the same rotations as `place`."""
    if kind in ("scalar", "atom scalar"):
        return values
    g = poses(len(ptr) - 1, seed)[0]
    by_atom = torch.repeat_interleave(g, ptr.diff(), 0) if kind.startswith("atom") else g
    return of_kind(kind).act(SO3(), by_atom, values)
