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

# far below the trainer's, so that the model stays near its initial weights during timing
RATE = 1e-7
PRECISIONS = ("32-true", "bf16-mixed")


class TrainingStep:
    """A step of `training.module.Joint` on a batch, with the trainer's default settings.

    Makes the model's inputs (edges, for a graph), draws group elements and acts with them, runs the
    network, takes L1 loss minus reward, propagates back, clips by parameter group, and updates with
    Muon and AdamW. Lightning's hooks, logging and the gathering of the batch are not part of it.
    Noise is drawn in each step, whereas the trainer draws it for a whole epoch at once. Raises
    InputError if the loss is not finite.
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
        if not network.training:  # visiting all modules would take time
            network.train()

        def errors(outputs: Tensor) -> Tensor:
            return (outputs.float() - batch.y.float()).abs()

        with forward(batch, self.config.precision):
            risk = network.risk(errors, *inputs(network, batch), generator=self.generator)
        loss = risk.loss - self.config.lam * risk.reward
        if not torch.isfinite(loss):
            raise InputError(f"the loss of {type(network.model).__name__} is {loss.item()}.")
        self.optimizer.zero_grad()
        loss.backward()
        for group in self.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], group["clip"])
        self.optimizer.step()


class Inference:
    """One pass of the network without gradients and without averaging over an orbit."""

    def __init__(self, network: Augmented, precision: str = PRECISIONS[0]):
        self.network, self.precision = network, precision

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Float[Tensor, "b 1"]:
        if self.network.training:
            self.network.eval()
        with forward(batch, self.precision):
            return self.network.model(*inputs(self.network, batch))


def forward(batch: Batch, precision: str) -> torch.autocast:
    """Autocast as Lightning uses it for this precision."""
    kind, half = batch.pos.device.type, precision != PRECISIONS[0]
    return torch.autocast(kind, torch.bfloat16, enabled=half, cache_enabled=False)


def inputs(network: Augmented, batch: Batch) -> tuple[Any, ...]:
    """The network's arguments: the one that the group acts on, then the others."""
    return network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
