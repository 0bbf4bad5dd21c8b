"""A function's values as a molecule's directions are rotated onto an axis of space.

The rotations that bring a direction onto the axis differ by a rotation about the axis, over which
values are averaged. All values follow from the coefficients of the Wigner-D functions.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...groups import SO3
from ...groups.wigner import wigner_d
from ...quadrature import super_fibonacci

LATITUDES = torch.linspace(-90, 90, 31, dtype=torch.float64)
LONGITUDES = torch.linspace(-180, 180, 61, dtype=torch.float64)
AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
OTHERS = 200  # further axes that are tried
BETTER = 1.05  # factor in variance by which another axis must exceed x, y and z
_HELD = 1 << 22  # entries of Wigner-D functions held at once
_SO3 = SO3()


def views(latitude: Tensor, longitude: Tensor) -> Float[Tensor, "*d 3 3"]:
    """Rotations that bring directions (degrees) to z, the molecule's own north up.

    Their rows are the unit vectors to the east, to the north and outwards.
    """
    lat, lon = torch.broadcast_tensors(latitude.deg2rad(), longitude.deg2rad())
    east = torch.stack([-lon.sin(), lon.cos(), torch.zeros_like(lat)], -1)
    north = torch.stack([-lat.sin() * lon.cos(), -lat.sin() * lon.sin(), lat.cos()], -1)
    return torch.stack([east, north, torch.linalg.cross(east, north)], -2)


def about(
    coefficients: Float[Tensor, f * e], degree: int, axis: Float[Tensor, " 3"]
) -> Float[Tensor, f * e]:
    """The coefficients of the average over turns about an axis of space."""
    angles = 2 * torch.pi * torch.arange(2 * degree + 1, dtype=torch.float64) / (2 * degree + 1)
    turns = wigner_d(_SO3.double().exp(angles[:, None] * axis.double()), degree)
    made, start = [], 0
    for l, d in enumerate(turns):
        size = (2 * l + 1) ** 2
        part = coefficients[start : start + size].view(2 * l + 1, 2 * l + 1, -1)
        made.append(torch.einsum("mj,mke->jke", d.mean(0), part).reshape(size, -1))
        start += size
    return torch.cat(made).view(coefficients.shape)


def power(coefficients: Float[Tensor, f * e]) -> float:
    """The variance over rotations: the squares of coefficients of degree 1 and above."""
    return float(coefficients[1:].square().sum())


def best_axis(
    coefficients: Float[Tensor, f * e], degree: int
) -> tuple[str, Float[Tensor, " 3"], Float[Tensor, f * e]]:
    """The axis about which averaging keeps most variance: name, vector, averaged coefficients.

    It is x, y or z unless another axis keeps clearly more.
    """
    usual = {name: torch.tensor(axis).double() for name, axis in AXES.items()}
    found = {name: about(coefficients, degree, axis) for name, axis in usual.items()}
    name = max(found, key=lambda n: power(found[n]))
    best, kept, axis = found[name], power(found[name]), usual[name]
    for other in super_fibonacci(OTHERS)[:, 2]:
        made = about(coefficients, degree, other)
        if power(made) > BETTER * kept:
            kept, best, axis = power(made), made, other
            name = f"({', '.join(f'{c:.2f}' for c in other.tolist())})"
    return name, axis, best


def over_directions(
    coefficients: Float[Tensor, f * e], l_of: Int64[Tensor, " f"], axis: Float[Tensor, " 3"]
) -> Float[Tensor, "lat lon *e"]:
    """The expansion's values by the molecule's direction that points along an axis.

    At 31 latitudes and 61 longitudes of the molecule, in degrees.
    """
    degree = int(l_of[-1])
    east = torch.eye(3, dtype=torch.float64)[int(axis.abs().argmin())]
    one = torch.linalg.cross(axis, east)
    one = one / one.norm()
    to_axis = torch.stack([torch.linalg.cross(one, axis), one, axis], 1)
    g = to_axis @ views(LATITUDES[:, None], LONGITUDES[None]).flatten(0, 1)
    parts = g.split(max(1, _HELD // len(l_of)))
    columns = (_SO3.basis(part, degree)[0] for part in parts)
    flat = torch.cat([c @ coefficients.reshape(len(l_of), -1) for c in columns])
    return flat.view(len(LATITUDES), len(LONGITUDES), *coefficients.shape[1:])
