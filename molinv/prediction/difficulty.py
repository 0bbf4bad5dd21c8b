"""Estimate the error of a model on a molecule: a centre and a scale.

Small networks predict them from the model's features of the molecule. They are fitted to held-out
molecules with the interval score of [centre - scale, centre + scale] (Gneiting and Raftery, JASA
102 (2007), equation 43), which is smallest for the narrowest interval with the wanted coverage. The
estimates are conformalised afterwards, so they decide how sharp intervals are, not whether they
hold (normalised conformal prediction: Papadopoulos et al. 2002; Lei et al. 2018, section 5.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor
from torch.nn.functional import silu

from ..atomic import atomic_write
from .applicability_domain import FeatureSpace

FILE = "difficulty.safetensors"
FOLDS = 5  # networks; each is fitted without a fifth of the calibration molecules
FEWEST = 200  # fewest calibration molecules; with fewer, all molecules have one scale
WIDTH, DROP, DECAY, RATE = 128, 0.4, 1.0, 2e-3
PASSES, STEPS = 40, 32  # passes over the molecules, and fewest steps in each
SCALES = (-3.0, 6.0)  # limits of a scale's logarithm: 1/20 to 400 times the usual scale
TINY, SPREADS = 1e-9, (-9.0, 1.0)  # limits of the members' deviation, and of its logarithm
BENDS = (0.0, 0.4, 0.8)  # logarithms of distances where the error may start to grow faster
PARTS = ("mean", "spread", "w0", "b0", "w1", "b1", "w2", "b2", "unit")


class Signs(NamedTuple):
    """Inputs for an estimate of the errors of b molecules.

    features  pooled inputs of the model's last layer (b, d), None for a model without them
    counts    number of atoms of each atomic number (b, 119)
    members   standard deviation over an ensemble's members (b, t), divided by the targets' standard
              deviation; None for a single model
    """

    features: Float[Tensor, "b d"] | None
    counts: Int64[np.ndarray, "b 119"]
    members: Float[Tensor, "b t"] | None = None

    @property
    def heavy(self) -> Int64[np.ndarray, " b"]:
        """Number of atoms other than hydrogen."""
        return self.counts[:, 2:].sum(1)

    def distance(self, space: FeatureSpace | None) -> Float64[np.ndarray, " b"]:
        """Distance from the training molecules; NaN without features."""
        if space is None or self.features is None:
            return np.full(len(self.counts), np.nan)
        return space.distance(self.features).double().numpy()

    @classmethod
    def joined(cls, parts: list[Signs]) -> Signs:
        """Concatenate the signs of all parts."""
        features = _together([p.features for p in parts])
        members = _together([p.members for p in parts])
        return cls(features, np.concatenate([p.counts for p in parts]), members)

    def averaged(self, numbers: Int64[np.ndarray, " m"]) -> Signs:
        """Average the signs of conformers to those of m molecules.

        `numbers` (m,) holds the number of conformers of each molecule, which are adjacent.
        """
        if (numbers == 1).all():
            return self
        start = np.cumsum(numbers) - numbers

        def mean(values: Tensor | None) -> Tensor | None:
            if values is None:
                return None
            total = np.add.reduceat(values.numpy(), start) / numbers[:, None]
            return torch.from_numpy(total.astype(np.float32))

        return Signs(mean(self.features), self.counts[start], mean(self.members))

    def take(self, chosen: np.ndarray) -> Signs:
        """Those of some of the molecules."""
        rows = torch.from_numpy(chosen)
        features, members = (
            None if each is None else each[rows] for each in (self.features, self.members)
        )
        return Signs(features, self.counts[chosen], members)


def _together(parts: list[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if len(known) == len(parts) else None


def counts(z: Int64[Tensor, "b n"]) -> Int64[np.ndarray, "b 119"]:
    """Number of atoms of each atomic number, padding not counted."""
    made = torch.zeros(len(z), 119, dtype=torch.int64)
    made.scatter_add_(1, z.cpu(), torch.ones_like(z, device="cpu"))
    made[:, 0] = 0
    return made.numpy()


def inputs(
    signs: Signs, space: FeatureSpace | None, elements: list[int], all_features: bool
) -> Float[Tensor, "b k"]:
    """Inputs (b, k) of the networks: size, composition, and distance from the training molecules.

    With `all_features` the whitened features too, and for an ensemble the deviation of its members.
    All inputs are bounded, so that a molecule unlike any other does not get an extreme scale.
    """
    heavy = torch.from_numpy(signs.heavy).float().clamp(min=1)
    atoms = torch.from_numpy(signs.counts.sum(1)).float()
    composition = torch.from_numpy(signs.counts[:, elements]).float() / heavy[:, None]
    made = [heavy.log()[:, None], atoms.log()[:, None], composition.clamp(max=4)]
    if space is not None and signs.features is not None:
        white = space.white(signs.features)
        far = white.square().mean(-1, keepdim=True).sqrt().log().clamp(-1, 3)
        made += [far, *((far - bend).clamp(min=0) for bend in BENDS)]
        made += [3 * torch.tanh(white / 3)] * all_features
    if signs.members is not None:
        made.append(signs.members.float().clamp(min=TINY).log().clamp(*SPREADS))
    return torch.cat(made, 1)


@dataclass(frozen=True, eq=False)
class Difficulty:
    """Weights of the networks, with a leading axis for the folds, and the targets' units."""

    tensors: Mapping[str, Tensor]

    @property
    def all_features(self) -> bool:
        """Whether the features are among the inputs."""
        return bool(self.tensors["all_features"])

    def folds(
        self, x: Float[Tensor, "b k"]
    ) -> tuple[Float64[np.ndarray, "f b t"], Float64[np.ndarray, "f b t"]]:
        """Centre and scale by each of f networks, in the targets' units."""
        t = {name: self.tensors[name].float() for name in PARTS}
        centre, scale = _network(((x - t["mean"]) / t["spread"]).float(), t)
        unit = t["unit"].double().numpy()
        return centre.double().numpy() * unit, scale.exp().double().numpy() * unit

    def __call__(
        self, x: Float[Tensor, "b k"]
    ) -> tuple[Float64[np.ndarray, "b t"], Float64[np.ndarray, "b t"]]:
        """The mean of the networks' centres, and the geometric mean of their scales."""
        centre, scale = self.folds(x)
        return centre.mean(0), np.exp(np.log(scale).mean(0))


def save(folder: Path, made: Mapping[str, Difficulty]) -> str | None:
    """Write the networks of all kinds of geometry into a model's folder.

    Returns the file's SHA-256, or None if there are no networks.
    """
    if not made:
        (folder / FILE).unlink(missing_ok=True)
        return None
    content = to_bytes(
        {f"{k}/{n}": t.contiguous() for k, d in made.items() for n, t in d.tensors.items()}
    )
    with atomic_write(folder / FILE) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read(folder: Path, sha256: str | None) -> dict[str, Difficulty]:
    """Read the networks in a model's folder, by kind of geometry.

    Raises ValueError for a file with another digest.
    """
    if sha256 is None:
        return {}
    path = folder / FILE
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError(f"{path} is not the one that was written with the intervals.")
    made: dict[str, dict[str, Tensor]] = {}
    for name, tensor in load_file(path).items():
        kind, _, part = name.partition("/")
        made.setdefault(kind, {})[part] = tensor
    return {kind: Difficulty(tensors) for kind, tensors in made.items()}


def fit(
    x: Float[Tensor, "m k"],
    residuals: Float64[np.ndarray, "m t"],
    fold: Int64[np.ndarray, " m"],
    level: float,
    signed: bool,
    all_features: bool,
) -> Difficulty:
    """Fit one network per fold to residuals (m, t), NaN where unknown.

    Network f is not fitted to the molecules whose `fold` is f; those with a `fold` of -1 are used
    by all networks. Without `signed`, residuals are lengths and centres are zero. The same
    arguments give the same weights.
    """
    generator = torch.Generator().manual_seed(0)
    unit = np.nan_to_num(np.nanquantile(np.abs(residuals), level, axis=0), nan=1.0)
    unit = torch.from_numpy(np.where(unit > 0, unit, 1.0)).float()
    truth = torch.from_numpy(residuals).float() / unit
    shown = torch.from_numpy(fold[None] != np.arange(FOLDS)[:, None])[..., None]
    shown = shown & ~truth.isnan()
    truth = truth.nan_to_num()
    mean, spread = x.mean(0), x.std(0) + 1e-6
    x, k, t = (x - mean) / spread, x.shape[1], truth.shape[1]
    sizes = ((k, WIDTH), (WIDTH, WIDTH), (WIDTH, 2 * t))
    weights: dict[str, Tensor] = {}
    for i, (n, m) in enumerate(sizes):
        bound = n**-0.5 * (0.1 if i == 2 else 1.0)
        drawn = torch.rand(FOLDS, n, m, generator=generator)
        weights[f"w{i}"] = ((2 * drawn - 1) * bound).requires_grad_()
        weights[f"b{i}"] = torch.zeros(FOLDS, 1, m, requires_grad=True)
    batch = min(256, max(16, len(x) // STEPS))
    batches = -(-len(x) // batch)
    optimizer = torch.optim.AdamW(weights.values(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=PASSES * batches)
    for _ in range(PASSES):
        for rows in torch.randperm(len(x), generator=generator).split(batch):
            centre, scale = _network(x[rows], weights, generator)
            half = scale.exp()
            away = (truth[rows] - centre * signed).abs()
            score = half + torch.relu(away - half) / (1 - level)
            optimizer.zero_grad()
            (score * shown[:, rows]).sum((1, 2)).div(len(rows) * t).sum().backward()
            optimizer.step()
            schedule.step()
    made = {name: value.detach() for name, value in weights.items()}
    if not signed:
        made["w2"][..., :t], made["b2"][..., :t] = 0.0, 0.0
    made = {name: value.half() for name, value in made.items()}  # half the size of the file
    flag = torch.tensor(int(all_features))
    return Difficulty(made | {"mean": mean, "spread": spread, "unit": unit, "all_features": flag})


def _network(
    x: Tensor, weights: Mapping[str, Tensor], generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "f b t"], Float[Tensor, "f b t"]]:
    """Centres and log scales for standardised inputs; with a generator, dropout is applied."""
    for i in range(3):
        x = x @ weights[f"w{i}"] + weights[f"b{i}"]
        if i < 2:
            x = silu(x)
            if generator is not None:
                kept = torch.rand(x.shape, generator=generator) >= DROP
                x = x * kept / (1 - DROP)
    centre, scale = x.chunk(2, -1)
    return centre, scale.clamp(*SCALES)
