"""Continuous convolutions over the atoms of a molecule, not invariant under rotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..actions import Points
from ..actions.irreps import Irreps
from ..datasets.batches import Batch
from ..datasets.features import Features
from ..datasets.kinds import SHAPES, Kinds
from ..errors import InputError, unknown
from .base import Model
from .features import SOFT, Gaussians, safe_norm
from .readout import Moments, exactly, head

# number of values for one target, or for one target of each atom
NUMBERS = Kinds(
    {"scalar": 1, "vector": 3, "tensor": 6, "atom scalar": 1, "atom vector": 3},
    lambda irreps: Irreps(irreps).dim,
)
SIXTH = [[0, 1, 2], [1, 3, 4], [2, 4, 5]]  # indices of a symmetric tensor's six values
LARGE = 100  # atoms, above which kernels are computed in blocks
ROOM = 2**16  # pairs in a block: about 70 MB
SYMMETRIES = {"absolute": (), "displacement": ("T(3)",), "distance": ("T(3)", "SO3", "O3")}


class Layer(nn.Module):
    """A sum over all atoms' states, weighted by kernels of each pair, then a feed-forward layer.

    Each of k kernels weights width / k channels. `inside` is 0 for padding, which sends no
    message. The weights are not normalised: softmax attention with pair features as bias had
    twice the error.
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        kernel: Float[Tensor, "b k n n"],
        inside: Float[Tensor, "b n 1"],
    ) -> Float[Tensor, "b n d"]:
        b, n, d = x.shape
        value = (self.value(self.norm(x)) * inside).view(b, n, kernel.shape[1], -1)
        received = (kernel @ value.transpose(1, 2)).transpose(1, 2).reshape(b, n, d)
        x = x + self.out(received)
        return x + self.feed(x)


class Point(Model):
    """A convolutional network over atoms, in three variants set by `geometry`.

    "absolute"      uses coordinates, and distance and direction of pairs: no symmetry
    "displacement"  uses the distance and direction r_ij / (|r_ij| + 0.1) of pairs, so it is
                    translation invariant
    "distance"      uses only the distances of pairs, so it is invariant under all rigid motions

    forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for padding) returns "scalar" (b, t),
    "vector" (b, t, 3), symmetric "tensor" (b, t, 3, 3), "atom scalar" (b, t, n), "atom vector"
    (b, t, n, 3) or irreps such as "irreps 3o" (b, t, d), by the setting `output`. Components of
    vectors, tensors and irreps are plain numbers: the network does not make them equivariant.
    `moments` dipole moments, whose lengths are mapped to the outputs, are for targets such as the
    size of a dipole (see `Moments`).

    Raises InputError for an unknown geometry or output, for a width that `kernels` does not
    divide, for vectors, tensors or irreps from distances alone, and for moments of outputs that
    are not scalars.
    """

    outputs = (*NUMBERS, "irreps")
    grows: ClassVar[dict[str, str]] = {"moments": "moments."}

    def __init__(
        self,
        targets: int = 1,
        width: int = 160,
        layers: int = 4,
        kernels: int = 16,
        hidden: int = 64,
        geometry: str = "absolute",
        output: str = "scalar",
        moments: int = 0,
    ):
        super().__init__()
        if geometry not in SYMMETRIES:
            raise unknown("geometry", geometry, SYMMETRIES)
        if output not in SHAPES:
            raise unknown("output", output, NUMBERS)
        if geometry == "distance" and NUMBERS[output] > 1:
            raise InputError(
                f"point: no {output} follows from distances alone; use geometry absolute or "
                "displacement."
            )
        if width % kernels:
            raise InputError(
                f"point: expected a width divisible by {kernels} kernels, got {width}."
            )
        if not isinstance(moments, int) or moments < 0:
            raise InputError(f"point: expected 0 or more moments, got {moments!r}.")
        if moments and output != "scalar":
            raise InputError(
                f"point: moments are for numbers of molecules, not for {output} outputs: leave "
                "them out."
            )
        self.action, self.geometry, self.widths = Points(), geometry, (width, hidden)
        self.symmetries = SYMMETRIES[geometry]
        self.element = nn.Embedding(119, width)
        if geometry == "absolute":
            self.place = nn.Sequential(nn.Linear(3, width), nn.SiLU(), nn.Linear(width, width))
        self.radial = Gaussians()
        seen = len(self.radial.centres) + (0 if geometry == "distance" else 3)
        self.pair = nn.Sequential(
            nn.Linear(seen, hidden), nn.SiLU(), nn.Linear(hidden, layers * kernels)
        )
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.output, size = output, targets * NUMBERS[output]
        self.read = head(width, size)
        self.moments = None
        if moments:
            self.moments = Moments(width, size, moments, vectors=geometry != "distance")

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        return (batch.pos, batch.z, *self.asked(batch))

    def forward(
        self,
        pos: Float[Tensor, "b n 3"],
        z: Int64[Tensor, "b n"],
        features: Features | None = None,
    ) -> Tensor:
        inside = (z > 0)[..., None].to(pos.dtype)
        n, given = z.shape[1], (pos, z, inside, *(features or ()))
        if n <= LARGE or torch.compiler.is_compiling():
            x = self._states(*given)
        else:
            parts = zip(*(t.split(max(1, ROOM // n**2)) for t in given), strict=True)
            x = torch.cat([_remade(self._states, *part) for part in parts])
        if self.output == "scalar":
            total, atoms = (exactly(self.read, x) * inside).sum(1), inside.sum((1, 2))
            more = None if self.moments is None else self.moments(x, pos, z > 0)
            return self.beside(self.read_out(total, atoms, features, more), x)
        each = (exactly(self.read, x) * inside).unflatten(-1, (-1, NUMBERS[self.output]))
        if self.output.startswith("atom"):
            return each.transpose(1, 2).reshape(len(z), -1, z.shape[1], *SHAPES[self.output])
        total = each.sum(1) / 20
        return total[..., SIXTH] if self.output == "tensor" else total

    def _states(
        self,
        pos: Float[Tensor, "b n 3"],
        z: Int64[Tensor, "b n"],
        inside: Float[Tensor, "b n 1"],
        *given: Tensor,
    ) -> Float[Tensor, "b n d"]:
        """The atoms' states after the last layer; `given` are the parts of `Features`."""
        x, pairs = self.element(z), pos.new_empty(0)
        if self.geometry == "absolute":
            x = x + self.place(pos)
        if self.known is not None:
            features = Features(*given)
            x, pairs = self.known.atoms(x, features), features.pairs
        for layer, kernel in zip(self.layers, self._kernels(pos, pairs), strict=True):
            x = layer(x, kernel, inside)
        return x

    def _kernels(
        self, pos: Float[Tensor, "b n 3"], pairs: Tensor
    ) -> Float[Tensor, "layers b k n n"]:
        """The kernels of all layers.

        Intermediate tensors take several times the memory of the kernels, so kernels of a large
        molecule are computed for a block of atoms at a time.
        """
        b, n, _ = pos.shape
        if n <= LARGE or torch.compiler.is_compiling():
            return self._received(pos, pos, pairs)
        step = max(1, ROOM // (b * n))
        blocks = pos.split(step, 1)
        known = pairs.split(step, 1) if pairs.numel() else [pairs] * len(blocks)
        if torch.is_grad_enabled():
            parts = zip(blocks, known, strict=True)
            return torch.cat([_remade(self._received, own, pos, of) for own, of in parts], 3)
        kernels, start = pos.new_empty(0), 0
        for block, of in zip(blocks, known, strict=True):
            made = self._received(block, pos, of)
            if start == 0:
                kernels = made.new_empty((*made.shape[:3], n, n))
            kernels[..., start : start + made.shape[3], :] = made
            start += made.shape[3]
        return kernels

    def _received(
        self, own: Float[Tensor, "b r 3"], pos: Float[Tensor, "b n 3"], pairs: Tensor
    ) -> Float[Tensor, "layers b k r n"]:
        """Kernels between the atoms at `own` and all atoms; `pairs` are the pairs' features."""
        vector = own[:, :, None] - pos[:, None]
        distance = safe_norm(vector)
        seen = self.radial(distance)
        if self.geometry != "distance":
            seen = torch.cat([seen, vector / (distance[..., None] + SOFT)], -1)
        if self.known is None:
            made = self.pair(seen)
        else:
            first, active, last = self.pair
            made = last(active(self.known.pairs(first(seen), pairs)))
        made = made.unflatten(-1, (len(self.layers), -1))
        return made.permute(3, 0, 4, 1, 2)


def _remade(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """function(*tensors) with checkpointing: the backward pass computes it again."""
    if torch.is_grad_enabled():
        return checkpoint(function, *tensors, use_reentrant=False)
    return function(*tensors)
