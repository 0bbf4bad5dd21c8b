"""Any architecture, made invariant by averaging over the frames of a molecule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..actions import Points
from ..datasets.batches import Batch
from ..errors import InputError, unknown
from . import make
from .base import Model
from .readout import Readout

FRAMES = ("all", "one")
# signs of the first two axes; the third axis is their cross product, so that a frame is a rotation
SIGNS = ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0))


class Canonical(Model):
    """Another model, averaged over the four rotations to a molecule's principal axes.

    `model` and `model_args` are the name and settings of the inner model. It sees the molecule
    centred and rotated to the eigenvectors of the covariance of its atoms' positions. The signs of
    the eigenvectors leave four such rotations.

    frames  "all": average over all four frames, which is exact but costs four times as much
            "one": a random frame for each molecule in training, all four in evaluation

    Principal axes are not unique if two eigenvalues are equal, as in CH4, NH3 or C6H6 (linear
    molecules are not affected). Neither is the frame then, so the output is not invariant, and
    it is discontinuous near such a molecule.

    No gradient passes through the eigenvectors, because it would be infinite at equal
    eigenvalues. Gradients by the positions are therefore finite, but they are those at a fixed
    frame, not those of the function.

    Random frames are seeded by a counter in the model's state, which starts at a random number.
    A resumed run draws the same frames; a run on another number of processes does not.

    forward(pos (b, n, 3) in angstrom, z (b, n) with 0 for padding) returns (b, targets). Raises
    InputError for unknown `frames`, and for an inner model that does not predict scalars.
    Source: Puny et al., ICLR 2022 (arXiv 2110.03336); one random frame in a step: Duval
    et al., ICML 2023 (FAENet, arXiv 2305.05577).
    """

    drawn: Tensor

    def __init__(
        self,
        targets: int = 1,
        model: str = "point",
        model_args: dict[str, Any] | None = None,
        frames: str = "all",
    ):
        super().__init__()
        if frames not in FRAMES:
            raise unknown("frames", frames, FRAMES)
        settings = dict(model_args or {})
        if settings.get("output", "scalar") != "scalar":
            raise InputError(
                f"model canonical averages scalars only, not {settings['output']} outputs; use "
                f"model {model} by itself."
            )
        self.inner = make(model, targets, settings)
        self.action, self.frames = Points(), frames
        self.symmetries = ("T(3)", "SO3", *({"O3"} & set(self.inner.symmetries)))
        self.max_atoms = self.inner.max_atoms  # pyright: ignore[reportAttributeAccessIssue]
        self.register_buffer("drawn", torch.randint(2**31, ()))

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch.pos, batch.z

    def forward(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        mask = (z > 0)[..., None]
        centre = (pos * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
        # float64 if the device has it: the frame's error grows as two eigenvalues approach
        wide = torch.float32 if pos.device.type == "mps" else torch.float64
        centred = ((pos - centre) * mask).to(wide)
        axes = principal_axes(centred.detach())
        turned = [(centred @ frame).to(pos.dtype) for frame in self._frames(axes)]
        return torch.stack([self._run(x, z) for x in turned]).mean(0)

    def set_readout(self, readout: Readout) -> None:
        """Set the readout of the inner model, whose outputs are averaged."""
        self.inner.readout = readout

    def _run(self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"]) -> Tensor:
        untargeted = Batch(pos, z, pos.new_zeros(len(z), 0), torch.arange(len(z), device=z.device))
        return self.inner(*self.inner.inputs(untargeted))

    def _frames(self, axes: Float[Tensor, "b 3 3"]) -> Iterator[Float[Tensor, "b 3 3"]]:
        signs = axes.new_tensor(SIGNS)
        if self.training and self.frames == "one":
            generator = torch.Generator().manual_seed(int(self.drawn))
            self.drawn += 1
            pick = torch.randint(len(SIGNS), (len(axes),), generator=generator)
            yield rotation(axes, signs[pick.to(axes.device)])
        else:
            for sign in signs:
                yield rotation(axes, sign.expand(len(axes), 2))


def principal_axes(centred: Float[Tensor, "b n 3"]) -> Float[Tensor, "b 3 3"]:
    """Eigenvectors of the covariance of positions, as columns, by ascending eigenvalue."""
    return torch.linalg.eigh(centred.mT @ centred).eigenvectors


def rotation(axes: Float[Tensor, "b 3 3"], signs: Float[Tensor, "b 2"]) -> Float[Tensor, "b 3 3"]:
    """The rotation R whose first two columns are the signed axes; x @ R is in the frame."""
    two = axes[:, :, :2] * signs[:, None]
    third = torch.linalg.cross(two[:, :, 0], two[:, :, 1])
    return torch.cat([two, third[:, :, None]], -1)
