"""The base class of the rivals' objectives, trained by the trainer of all other methods."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ....training.module import Joint
from ....training.recipe import Diverged


class Objective(Joint):
    """A loss in place of that of `Joint`; data, optimizer, schedule and validation are its own.

    For one process and for numbers of molecules, as in this benchmark.
    """

    @abstractmethod
    def objective(self, batch: Any) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The error to report and the loss to minimise."""

    def training_step(self, batch: Any, step: int) -> Tensor:
        error, loss = self.objective(self.task.prepare(batch))
        if not torch.isfinite(loss):
            raise Diverged(f"training diverged at epoch {self.current_epoch + 1}, step {step + 1}.")
        size = len(batch)
        self.log("train/loss", loss.detach(), on_epoch=True, on_step=False, batch_size=size)
        self.log("train/error", error.detach(), on_epoch=True, on_step=True, batch_size=size)
        return loss

    def truth(self, batch: Any) -> Float[Tensor, " b"]:
        """The standardised target."""
        return self.task.truth(batch)[:, 0].float()  # pyright: ignore[reportCallIssue]

    def outputs(self, g: Float[Tensor, "b 3 3"], batch: Any) -> Float[Tensor, " b"]:
        """The network's output for moved molecules; the target does not move."""
        inputs = self.network.model.inputs(batch)  # pyright: ignore[reportCallIssue]
        return self.network.run(g, *inputs)[0][:, 0]
