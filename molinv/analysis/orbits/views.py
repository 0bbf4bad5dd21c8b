"""What a function says of a molecule from every direction.

Direction u of a molecule is seen when u points to the eye, along z: the rotations that bring it
there differ by a turn in the plane of view, and their average is what is seen.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial.legendre import legvander
from torch import Tensor

from ... import quadrature
from ..subject import Structures, Subject
from .orbits import Orbits, length_squared, values_at

LATITUDES = torch.linspace(-90, 90, 13, dtype=torch.float64)
LONGITUDES = torch.linspace(-180, 165, 24, dtype=torch.float64)
TURNS = 8  # in the plane of view: averages in-plane harmonics up to order 7 away


def views(latitude: Tensor, longitude: Tensor) -> Float[Tensor, "*d 3 3"]:
    """Rotations that bring directions (degrees) to z, the molecule's own north up.

    Their rows are the unit vectors to the east, to the north and outwards.
    """
    lat, lon = torch.broadcast_tensors(latitude.deg2rad(), longitude.deg2rad())
    zero = torch.zeros_like(lat)
    east = torch.stack([-lon.sin(), lon.cos(), zero], -1)
    north = torch.stack([-lat.sin() * lon.cos(), -lat.sin() * lon.sin(), lat.cos()], -1)
    return torch.stack([east, north, torch.linalg.cross(east, north)], -2)


@torch.no_grad()
def over_directions(
    subject: Subject,
    structures: Structures,
    orbits: Orbits,
    i: int,
    batch_size: int,
    tick: Callable[[int], None],
) -> Float[Tensor, "lat lon"]:
    """The first quantity less its mean over rotations, averaged over turns in the plane of view.

    In the quantity's unit; lengths of the difference where it is not one number. At the poles all
    longitudes are one direction and get one value.
    """
    spin = torch.eye(3, dtype=torch.float64).repeat(TURNS, 1, 1)
    spin[:, :2, :2] = quadrature.so2(TURNS - 1)[0]
    seen = views(LATITUDES[:, None], LONGITUDES[None])
    g = (spin @ seen[:, :, None]).flatten(0, 2)
    width = orbits.mean.shape[2] if subject.by_atom else None
    pos, z = structures.batch([i], width)
    parts = []
    for block in g.split(batch_size):
        n = len(block)
        values = values_at(subject, pos.to(subject.dtype).expand(n, -1, -1), z.expand(n, -1), block)
        parts.append(values[:, 0])
        tick(n)
    found = torch.cat(parts).unflatten(0, (*seen.shape[:2], TURNS)).mean(2) - orbits.mean[i, 0]
    for pole in (0, -1):
        found[pole] = found[pole].mean(0)
    entries = orbits.mean.dim() - 2
    return length_squared(found, entries).sqrt() if entries else found


def mean_square(away: Float[Tensor, "lat lon"]) -> float:
    """The mean of squares over the sphere.

    Evenly spaced rings get Clenshaw and Curtis's weights: exact for maps up to degree 6.
    """
    order = len(LATITUDES) - 1
    legendre = legvander(LATITUDES.deg2rad().sin().numpy(), order)
    weights = np.linalg.solve(legendre.T, np.eye(order + 1)[0])
    return float(weights @ away.square().mean(1).numpy())
