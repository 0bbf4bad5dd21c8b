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


class TrainingStep:
    """What `training.module.Joint` does with a batch, by the trainer's default settings.

    The model's inputs are made (edges, for a graph), group elements are drawn, act, and the
    network runs; L1 loss less the reward, backward pass, clipping by parameter group, one step of
    Muon with AdamW. Left out: Lightning's hooks and logging, gathering the batch, and the draw of
    an epoch's noise for all molecules at once, in whose place a step draws its own. Raises
    InputError if the loss is not finite.
    """

    def __init__(self, network: Augmented):
        c = self.config = TrainConfig()
        self.network = network
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
            )
        )
        self.generator = torch.Generator(next(network.parameters()).device).manual_seed(0)

    def __call__(self, batch: Batch) -> None:
        network = self.network
        if not network.training:  # walking through the modules is no part of a step
            network.train()
        outputs = network(*inputs(network, batch), generator=self.generator)
        error = (outputs - batch.y.float()).abs().mean()
        loss = error - self.config.lam * network.distribution.regularizer()
        if not torch.isfinite(loss):
            raise InputError(f"the loss of {type(network.model).__name__} became {loss.item()}.")
        self.optimizer.zero_grad()
        loss.backward()
        for group in self.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])
        self.optimizer.step()


class Inference:
    """One pass of the network alone, without gradients and without averaging over an orbit."""

    def __init__(self, network: Augmented):
        self.network = network

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Float[Tensor, "b 1"]:
        if self.network.training:
            self.network.eval()
        return self.network.model(*inputs(self.network, batch))


def inputs(network: Augmented, batch: Batch) -> tuple[Any, ...]:
    """What the network is called with: first what the group acts on, then the rest."""
    return network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
