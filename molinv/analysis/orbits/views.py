"""The prediction for a molecule seen from every direction.

A molecule is seen from direction u when u points to the eye, along z. The rotations that bring u
there differ by a rotation in the plane of view, over which predictions are averaged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial.legendre import legvander
from torch import Tensor

from ... import quadrature
from .orbits import Orbits, length_squared, values_at, width

LATITUDES = torch.linspace(-90, 90, 13, dtype=torch.float64)
LONGITUDES = torch.linspace(-180, 165, 24, dtype=torch.float64)
TURNS = 8  # in the plane of view: averages in-plane harmonics up to order 7 away


def views(latitude: Tensor, longitude: Tensor) -> Float[Tensor, "*d 3 3"]:
    """Rotations that bring directions (degrees) to z, the molecule's own north up.

    Their rows are the unit vectors to the east, to the north and outwards.
    """
    lat, lon = torch.broadcast_tensors(latitude.deg2rad(), longitude.deg2rad())
    east = torch.stack([-lon.sin(), lon.cos(), torch.zeros_like(lat)], -1)
    north = torch.stack([-lat.sin() * lon.cos(), -lat.sin() * lon.sin(), lat.cos()], -1)
    return torch.stack([east, north, torch.linalg.cross(east, north)], -2)


@torch.no_grad()
def over_directions(
    orbits: Orbits, i: int, batch_size: int, tick: Callable[[int], None]
) -> Float[Tensor, "lat lon"]:
    """The first quantity of molecule i minus its mean over rotations, by direction.

    In the quantity's unit; lengths of the difference where it is not one number. At the poles all
    longitudes are one direction and get one value.
    """
    spin = torch.eye(3, dtype=torch.float64).repeat(TURNS, 1, 1)
    spin[:, :2, :2] = quadrature.so2(TURNS - 1)[0]
    seen = views(LATITUDES[:, None], LONGITUDES[None])
    pos, z = orbits.structures.batch([i], width(orbits.subject, orbits.structures))
    parts = []
    for g in (spin @ seen[:, :, None]).flatten(0, 2).split(batch_size):
        n = len(g)
        parts.append(values_at(orbits.subject, pos.expand(n, -1, -1), z.expand(n, -1), g)[:, 0])
        tick(n)
    found = torch.cat(parts).unflatten(0, (*seen.shape[:2], TURNS)).mean(2) - orbits.mean[i, 0]
    for pole in (0, -1):
        found[pole] = found[pole].mean(0)
    return length_squared(found, orbits.entries).sqrt() if orbits.entries else found


def mean_square(away: Float[Tensor, "lat lon"]) -> float:
    """The mean of squares over the sphere.

    Evenly spaced rings get the weights of Clenshaw and Curtis: exact for maps up to degree 6.
    """
    order = len(LATITUDES) - 1
    legendre = legvander(LATITUDES.deg2rad().sin().numpy(), order)
    weights = np.linalg.solve(legendre.T, np.eye(order + 1)[0])
    return float(weights @ away.square().mean(1).numpy())
