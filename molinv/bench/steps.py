"""One step of training and one pass of inference, without a trainer around them."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..augment import Augmented
from ..datasets.batches import Batch
from ..errors import InputError
from ..training.config import TrainConfig
from ..training.optim import MuonAdamW, parameter_groups

# far below the trainer's: however many steps are timed, the model stays near its first weights
RATE = 1e-7
PRECISIONS = ("32-true", "bf16-mixed")


class TrainingStep:
    """What `training.module.Joint` does with a batch, by the trainer's default settings.

    The model's inputs are made (edges, for a graph), group elements are drawn, act, and the
    network runs; L1 loss less the reward, backward pass, clipping by parameter group, one step of
    Muon with AdamW. Left out: Lightning's hooks and logging, gathering the batch, and the draw of
    an epoch's noise for all molecules at once, in whose place a step draws its own. Raises
    InputError if the loss is not finite.
    """

    def __init__(self, network: Augmented, precision: str = PRECISIONS[0]):
        c = self.config = TrainConfig(precision=precision)
        self.network, half = network, precision != PRECISIONS[0]
        self.optimizer = MuonAdamW(
            parameter_groups(
                network.model,
                network.distribution,
                method=c.optimizer,
                lr=RATE,
                muon_lr=RATE,
                group_lr=RATE,
                weight_decay=c.weight_decay,
                clip=c.clip,
            ),
            torch.bfloat16 if half else torch.float32,
        )
        self.generator = torch.Generator(next(network.parameters()).device).manual_seed(0)

    def __call__(self, batch: Batch) -> None:
        network = self.network
        if not network.training:  # walking through the modules is no part of a step
            network.train()

        def errors(outputs: Tensor) -> Tensor:
            return (outputs.float() - batch.y.float()).abs()

        with forward(batch, self.config.precision):
            risk = network.risk(errors, *inputs(network, batch), generator=self.generator)
        loss = risk.loss - self.config.lam * risk.reward
        if not torch.isfinite(loss):
            raise InputError(f"the loss of {type(network.model).__name__} became {loss.item()}.")
        self.optimizer.zero_grad()
        loss.backward()
        for group in self.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])
        self.optimizer.step()


class Inference:
    """One pass of the network alone, without gradients and without averaging over an orbit."""

    def __init__(self, network: Augmented, precision: str = PRECISIONS[0]):
        self.network, self.precision = network, precision

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Float[Tensor, "b 1"]:
        if self.network.training:
            self.network.eval()
        with forward(batch, self.precision):
            return self.network.model(*inputs(self.network, batch))


def forward(batch: Batch, precision: str) -> torch.autocast:
    """The precision in which Lightning would run the network."""
    return torch.autocast(
        batch.pos.device.type,
        torch.bfloat16,
        enabled=precision != PRECISIONS[0],
        cache_enabled=False,
    )


def inputs(network: Augmented, batch: Batch) -> tuple[Any, ...]:
    """What the network is called with: first what the group acts on, then the rest."""
    return network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
