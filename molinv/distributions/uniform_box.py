"""Uniform in the algebra: the paper's distribution, symmetric about 0 and with caps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .base import InAlgebra, relative_entropy, sobol

_POINTS = 2**16


class UniformBox(InAlgebra):
    """xi_i uniform on [-w_i, w_i], with learnable half-widths w_i below their caps.

    Uniform in the algebra is *not* uniform on the group: at the cap on SO3 its support is all of
    SO3, but its KL divergence from Haar is 0.238 nats. `init` and `cap` are in the generators'
    units (one number, or one for each). The paper's width is 2 w (arXiv 2010.11882, section 3).
    """

    def transform(self, noise: Float[Tensor, "n k"]) -> Float[Tensor, "n d d"]:
        """exp(w u)."""
        return self.group.exp(self.coefficients(noise))

    def coverage(self) -> float | None:
        """The volume of the box times the mean Haar density in it, counting each element once.

        None if the group is not compact, or if no Haar density is known.
        """
        if not self.group.compact:
            return None
        with torch.no_grad():
            xi, widths = self._points(), self._scales()
            try:
                density = self.group.haar_density(xi)
            except InputError:
                return None
            copies = self._inside(self.group.preimages(xi, float(widths.norm()))).sum(0)
            share = (2 * widths).prod() * (density / copies).mean()
        return min(float(share), 1.0)

    def entropy(self) -> Tensor:
        """Entropy in nats, relative to Haar if the group is compact; correct for all widths.

        Its gradient is correct only while no element has two preimages in the box: on SO3 below
        pi / sqrt 3 rad. So report this, but train with `regularizer`.
        """
        return relative_entropy(self.group, self.log_density, self._points())

    def log_density(self, xi: Float[Tensor, "*b k"]) -> Float[Tensor, "*b"]:
        """The log of the density in the algebra."""
        return torch.where(self._inside(xi), -(2 * self._scales()).log().sum(), -torch.inf)

    def coefficients(self, noise: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """w u."""
        widths = self._scales()
        return noise.to(widths) * widths

    def _points(self) -> Tensor:
        return self.coefficients(2 * sobol(_POINTS, self.group.k, self._scales()) - 1)

    def _inside(self, xi: Float[Tensor, "*b k"]) -> Tensor:
        return (xi.abs() <= self._scales() * (1 + 1e-5)).all(-1)
