"""LieGAN: generators that an adversary cannot tell from the data, then used as augmentation."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from ....datasets.batches import Batch, Loader
from ....models.point import Point
from ....training.config import TrainConfig
from ....training.molecule_data import MoleculeData
from ....training.run import train
from ....training.saved import write_json
from ....training.source import prepare
from .generators import BOX, FreeRotations, free, half_turn, held, likeness, overlap

# likeness and overlap weigh the regularisers, lr_* are learning rates of Adam, length (rad) is that
# of the first vectors: from 0.1 rad the adversary, which must learn y first, gives no direction
WEIGHTS = {
    "likeness": 0.2,
    "overlap": 0.1,
    "lr_generator": 3e-3,
    "lr_discriminator": 2e-3,
    "length": 1.5,
}
CHOSEN: dict[str, Any] = {"group": free(), **BOX, "lam": 0.0}
FOUND = "liegan.json"  # the generators of the first stage, in the run's folder
WIDTH = 64


class Discriminator(nn.Module):
    """Tells pairs (x, y) of the data from (g x, y), by a network over atoms and y.

    The paper's reads flattened inputs of one size; molecules differ in their number of atoms.
    """

    def __init__(self):
        super().__init__()
        self.seen = Point(WIDTH, width=WIDTH, layers=2)
        self.judge = nn.Sequential(
            *(nn.Linear(WIDTH + 1, 2 * WIDTH), nn.LeakyReLU(0.2)),
            *(nn.Linear(2 * WIDTH, 2 * WIDTH), nn.LeakyReLU(0.2), nn.Linear(2 * WIDTH, 1)),
        )

    def forward(
        self, pos: Float[Tensor, "b n 3"], z: Int64[Tensor, "b n"], y: Float[Tensor, "b 1"]
    ) -> Float[Tensor, "b 1"]:
        """The logit of "data"."""
        return self.judge(torch.cat([self.seen(pos, z), y], 1))


def discover(
    batches: Iterable[tuple[Batch, Float[Tensor, "b 1"]]], seed: int, k: int = 3
) -> Float[Tensor, "k 3"]:
    """The rotation vectors (rad) that a generator finds in an adversarial game.

        generator:      - log D(g x, y) + a |cos(g x, x)| + b sum_ij |cos(v_i, v_j)|
        discriminator:  - log D(x, y) - log(1 - D(g x, y))

    with g = exp(sum_i xi_i v_i), xi uniform in [-1, 1], and one step of each on every batch.
    `batches` hold molecules and standardised targets. Source: Yang, Walters, Dehmamy and Yu,
    "Generative Adversarial Symmetry Discovery" (ICML 2023, arXiv 2302.00236): the objective, with
    the non-saturating loss and both regularisers of its published code.

    Not reproduced: general matrices (see `FreeRotations`), discrete symmetries, and a
    discriminator on flattened inputs (see `Discriminator`). The rates and weights are this
    benchmark's.
    """
    draws = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        group, discriminator = FreeRotations(k, WEIGHTS["length"]), Discriminator()
    rate, betas = WEIGHTS["lr_generator"], (0.5, 0.999)
    makes = torch.optim.Adam(group.parameters(), rate, betas)
    tells = torch.optim.Adam(discriminator.parameters(), WEIGHTS["lr_discriminator"])
    for batch, y in batches:
        ones, zeros = torch.ones_like(y), torch.zeros_like(y)
        g = group.exp(2 * torch.rand(len(y), k, generator=draws) - 1)
        moved = batch.pos @ g.mT
        fooled = cross_entropy(discriminator(moved, batch.z, y), ones)
        loss = fooled + WEIGHTS["likeness"] * likeness(batch.pos, moved, batch.z)
        loss = loss + WEIGHTS["overlap"] * overlap(group.vectors)
        makes.zero_grad()
        loss.backward()
        makes.step()
        logits = discriminator(batch.pos, batch.z, y), discriminator(moved.detach(), batch.z, y)
        told = (cross_entropy(logits[0], ones) + cross_entropy(logits[1], zeros)) / 2
        tells.zero_grad()
        told.backward()
        tells.step()
    return half_turn(group.vectors.detach())


def fit(config: TrainConfig) -> Path:
    """Find generators unless the folder has them, then train with them as augmentation.

    The first stage takes as many steps as the second. Only the second can be resumed amid its
    steps.
    """
    folder = Path(config.out)
    path = folder / FOUND
    if not path.is_file():
        data = MoleculeData(prepare(config), config)
        vectors = discover(islice(_batches(data, config), _steps(config)), config.seed)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"vectors": vectors.tolist(), "weights": WEIGHTS})
    vectors = torch.tensor(json.loads(path.read_text(encoding="utf-8"))["vectors"])
    return train(replace(config, group=held(vectors)), trust=True)


def _batches(data: MoleculeData, config: TrainConfig):
    """The batches of the training examples and their standardised targets, without end."""
    stored = data.stores("cpu")[0]
    for epoch in range(config.epochs or 0):
        for batch in Loader(stored, data.train, config.batch_size, seed=config.seed, epoch=epoch):
            yield batch, data.task.truth(batch).float()  # pyright: ignore[reportCallIssue]


def _steps(config: TrainConfig) -> int:
    assert config.train_size is not None
    assert config.epochs is not None
    return config.epochs * -(-config.train_size // config.batch_size)
