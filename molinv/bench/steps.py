"""One step of training and one pass of inference, without a trainer."""

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

# far below the trainer's, so that the model stays near its initial weights however many steps run
RATE = 1e-7
PRECISIONS = ("32-true", "bf16-mixed")


class TrainingStep:
    """A step of `training.module.Joint` on a batch, with the trainer's default settings.

    The model's inputs are made (edges, for a graph), group elements are drawn and act, and the
    network runs; L1 loss minus the reward, backward pass, clipping by parameter group, one step of
    Muon with AdamW. Lightning's hooks and logging and gathering the batch are left out. Noise is
    drawn in each step; the trainer draws an epoch's for all molecules at once. Raises InputError
    if the loss is not finite.
    """

    def __init__(self, network: Augmented, precision: str = PRECISIONS[0]):
        self.network, self.config = network, TrainConfig(precision=precision)
        rates = dict.fromkeys(("lr", "muon_lr", "group_lr"), RATE)
        rest = {"weight_decay": self.config.weight_decay, "clip": self.config.clip}
        parts, method = (network.model, network.distribution), self.config.optimizer
        groups = parameter_groups(*parts, method=method, **rates, **rest)
        half = precision != PRECISIONS[0]
        self.optimizer = MuonAdamW(groups, torch.bfloat16 if half else torch.float32)
        self.generator = torch.Generator(next(network.parameters()).device).manual_seed(0)

    def __call__(self, batch: Batch) -> None:
        network = self.network
        if not network.training:  # visiting the modules does not belong to a step
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
    """Lightning's autocast for a precision."""
    kind, half = batch.pos.device.type, precision != PRECISIONS[0]
    return torch.autocast(kind, torch.bfloat16, enabled=half, cache_enabled=False)


def inputs(network: Augmented, batch: Batch) -> tuple[Any, ...]:
    """The network's arguments: first what the group acts on, then the rest."""
    return network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
