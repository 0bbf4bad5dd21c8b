"""A saved model averaged over fixed orientations: a smooth function of the positions."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from .. import quadrature
from ..augment import Augmented
from ..chem.structure import Structure
from ..datasets.batches import Batch
from ..errors import InputError
from ..training.saved import Saved
from .batches import asked, budget, device_of, features_of, inputs

NEARLY_HAAR = 0.05  # nats from Haar, below which a quadrature is used


class Averaged:
    """Average a model's outputs over `elements` (m, d, d) with fixed `weights` (m,).

    orbit   "haar": a quadrature over all rotations, exact up to `degree`
            "learned": `copies` elements of the learned distribution, drawn with `seed`
            "identity": the input's own orientation only
            None: "haar" if the distribution is within 0.05 nats of Haar, else "learned"

    Computes on the device of `saved.network`. Values are in the targets' units; atomwise energies
    are relative to the atom references. Raises InputError for an unknown orbit and for no copies.
    """

    def __init__(
        self,
        saved: Saved,
        orbit: str | None = None,
        degree: int = 3,
        copies: int = 16,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ):
        # a copy, because the weights are frozen and may change their precision
        self.device = device_of(saved.network)
        self.network: Augmented = deepcopy(saved.network).cpu().to(dtype)
        self.network.requires_grad_(False)
        self.orbit = _choose(self.network) if orbit is None else orbit
        found = _fixed(self.network, self.orbit, degree, copies, seed)
        self.network.to(self.device)  # after drawing, so that all devices use the same elements
        self.elements, self.weights = (x.to(self.device, dtype) for x in found)
        self.standardizer, self.dtype = saved.standardizer, dtype
        self.features = asked(saved)
        self.center = saved.card["placement"]["center"]

    @torch.no_grad()
    def values(self, structure: Structure, column: int = 0) -> Float64[np.ndarray, " m"]:
        """A scalar target at each orientation (m,), in its unit."""
        pos = torch.tensor(structure.pos, dtype=self.dtype, device=self.device)
        values = [outputs[:, column] for outputs, _ in self._runs(structure, pos)]
        return self._in_unit(torch.cat(values), column)

    def _in_unit(self, values: Float[Tensor, " m"], column: int) -> Float64[np.ndarray, " m"]:
        scale, mean = self.standardizer.scale[column], self.standardizer.mean[column]
        return (values.cpu().double() * scale + mean).numpy()

    def with_gradient(
        self, structure: Structure, column: int = 0
    ) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, "n 3"]]:
        """A scalar target at each orientation (m,), and the gradient of its average (n, 3).

        The gradient is in the target's unit per angstrom.
        """
        pos = torch.tensor(structure.pos, dtype=self.dtype, device=self.device).requires_grad_()
        values, slope = [], torch.zeros_like(pos)
        for outputs, weight in self._runs(structure, pos):
            value = outputs[:, column]
            (part,) = torch.autograd.grad((weight * value).sum(), pos)
            slope += part
            values.append(value.detach())
        scale = self.standardizer.scale[column]
        return self._in_unit(torch.cat(values), column), (slope.cpu().double() * scale).numpy()

    @torch.no_grad()
    def mean(self, structure: Structure) -> Float64[np.ndarray, " t *e"]:
        """The averaged outputs (t, *e), rotated back to the structure's own orientation."""
        pos = torch.tensor(structure.pos, dtype=self.dtype, device=self.device)
        total = torch.zeros((), dtype=torch.float64)
        for outputs, weight in self._runs(structure, pos):
            total = total + torch.tensordot(weight.cpu().double(), outputs.cpu().double(), 1)
        return self.standardizer.inverse(total[None])[0].numpy()

    def _runs(
        self, structure: Structure, pos: Float[Tensor, "n 3"]
    ) -> Iterator[tuple[Float[Tensor, "c t *e"], Float[Tensor, " c"]]]:
        """Yield outputs and weights for a few orientations at a time."""
        origin = pos.mean(0) if self.center else torch.zeros(3).to(pos)
        z, n = torch.from_numpy(structure.z), len(structure.z)
        size = max(1, budget(self.device) // n**2)
        known = features_of([structure], self.features) if self.features else None
        for g, weight in zip(self.elements.split(size), self.weights.split(size), strict=True):
            copies = (pos - origin).expand(len(g), n, 3)
            batch = Batch(
                copies,
                z.expand(len(g), n),
                torch.zeros(len(g), 1).double(),
                torch.arange(len(g)),
                features=None if known is None else known.expand(len(g)).to(self.dtype),
            )
            yield self.network.run(g, *inputs(self.network, batch))[0], weight


def _choose(network: Augmented) -> str:
    """ "haar" if the distribution is nearly Haar; random draws would integrate less accurately."""
    mu = network.distribution
    if not mu.group.compact:
        return "learned"
    try:
        with torch.no_grad():
            return "haar" if float(mu.kl_haar()) < NEARLY_HAAR else "learned"
    except InputError:  # a group whose Haar density is not known
        return "learned"


def _fixed(
    network: Augmented, orbit: str, degree: int, copies: int, seed: int
) -> tuple[Float[Tensor, "m d d"], Float[Tensor, " m"]]:
    """The elements to average over, and their weights, which sum to one."""
    mu = network.distribution
    if orbit == "haar":
        return quadrature.rule(mu.group, degree)
    if orbit == "identity":
        return mu.group.identity(1), torch.ones(1)
    if orbit != "learned" or copies < 1:
        raise InputError(
            'expected orbit "haar", "learned" or "identity" and at least one '
            f"copy, got {orbit!r} and {copies}"
        )
    with torch.no_grad():
        support = mu.support()
        if support is not None and len(support[0]) <= copies:
            return support
        # finite factors of the group are summed exactly, so a draw has several elements
        each = len(mu.weighted(mu.noise(1), copies)[0])
        draws = max(1, copies // each)
        noise = mu.noise(draws, torch.Generator().manual_seed(seed))
        elements, weights = mu.weighted(noise, copies)
    return elements.flatten(0, 1), weights.flatten() / draws
