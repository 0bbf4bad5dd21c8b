"""Training any torch module with its distribution: `molinv.fit`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from rich import get_console
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from ..augment import Augmented
from ..errors import InputError
from ..sharing import share_cores
from .config import RunConfig
from .noise import keyed_noise
from .recipe import Diverged, Recipe
from .schedule import Schedule


class FitHistory(NamedTuple):
    """What `fit` returns: an entry for every hundredth of the steps.

    `loss` is the mean since the previous entry, without the reward; `extents` has the half-widths
    of each generator, in its unit.
    """

    step: list[int]
    loss: list[float]
    extents: dict[str, list[float]]


@share_cores()
def fit(
    model: Augmented,
    data: Sequence[Tensor] | Iterable[Sequence[Any]],
    loss: Callable[[Any, Any], Any] | None = None,
    *,
    steps: int = 2000,
    batch_size: int = 128,
    lam: float = 0.02,
    wait: float = 0.3,
    optimizer: str = "muon",
    lr: float = 1e-3,
    muon_lr: float = 5e-3,
    group_lr: float = 3e-2,
    seed: int = 0,
    progress: bool = True,
) -> FitHistory:
    """Train a network and its distribution jointly, with the recipe of `molinv train`.

        model = Augmented(net, distributions.UniformBox(groups.SO3()))
        history = fit(model, (pos, z, y))  # net(pos, z) learns y
        history.extents["wz"][-1]          # in rad
        model(pos, z)                      # the mean over the learned distribution

    Args:
        model: trained in place, on its device, and left in evaluation mode.
        data: tensors (x, *extra, y) with a row for each example, or an iterable of such batches,
            for example a DataLoader. Only x is moved by the group.
        loss: loss(output, y) returns the loss of every entry, not reduced (see `Augmented.risk`).
            Absolute error in units of the standard deviation of y if not given.
        steps: optimizer steps. Data with fewer batches is repeated.
        batch_size: examples per step, where `data` are tensors.
        lam: weight of the reward for a wide distribution, per unit of loss.
        wait: fraction of training before the distribution learns. A distribution that is wide
            before the network knows what that costs hides it from the network.
        optimizer: muon (for matrices, with AdamW for the rest) or adamw.
        lr: AdamW's learning rate. Every learning rate decays along a cosine to 1 %.
        muon_lr: Muon's learning rate.
        group_lr: the distribution's learning rate.
        seed: random seed of the order of examples and of the group elements.
        progress: show a progress bar in a terminal or a notebook.

    Raises InputError for data that does not fit, and Diverged if the loss is not finite.
    """
    if not isinstance(model, Augmented):
        what = type(model).__name__
        raise InputError(f"fit: expected Augmented(network, distribution), got {what}: wrap it.")
    if steps < 1:
        raise InputError(f"fit: expected at least 1 step, got {steps}.")
    rates: dict[str, Any] = {"lr": lr, "muon_lr": muon_lr, "group_lr": group_lr}
    config = RunConfig(
        epochs=1, batch_size=batch_size, lam=lam, wait=wait, optimizer=optimizer, seed=seed, **rates
    )
    batches = _batches(data, config)
    module = _Fit(model, config, _scaled_error() if loss is None else loss)
    device = model.distribution.group.generators.device
    for part in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(part).setLevel(logging.WARNING)
    shown = progress and (get_console().is_terminal or get_console().is_jupyter)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        trainer = pl.Trainer(
            max_epochs=1,
            limit_train_batches=steps,
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            callbacks=[Schedule(config), *[TQDMProgressBar(leave=False)] * shown],
            enable_progress_bar=shown,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        try:
            trainer.fit(module, batches)
        except SystemExit:  # Lightning turns Ctrl-C into it
            if not trainer.interrupted:
                raise
    if trainer.interrupted:
        raise KeyboardInterrupt
    model.to(device).eval()
    return module.history


class _Fit(Recipe):
    """The loss of batches (x, *extra, y), and the history."""

    def __init__(self, network: Augmented, config: RunConfig, loss: Callable[[Any, Any], Any]):
        super().__init__(network, config)
        self.loss, self._recent = loss, []
        self.history = FitHistory([], [], {name: [] for name in network.distribution.extent()})

    def training_step(self, batch: Any, step: int) -> Tensor:
        x, *extra, y = batch
        network, size = self.network, self.network.input.size(x)
        drawn = keyed_noise(network.distribution, network.copies, size, (self.config.seed, step))
        noise = drawn.to(self.device)
        risk = network.risk(lambda output: self.loss(output, y), x, *extra, noise=noise)
        if not torch.isfinite(risk.loss):
            raise Diverged(
                f"fit: the loss is {risk.loss.item()} at step {step + 1}: look for values that are "
                "not finite, or try a lower lr and muon_lr."
            )
        self._recent.append(risk.loss.detach())
        return risk.loss - self.lam * risk.reward

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        done, steps = batch_idx + 1, int(self.trainer.num_training_batches)
        if done % max(1, steps // 100) and done < steps:
            return
        row = {"loss": torch.stack(self._recent).mean()}
        self._recent.clear()
        row |= {name: e.value.detach() for name, e in self.network.distribution.extent().items()}
        self.log_dict(row, prog_bar=True, batch_size=1)
        self.history.step.append(done)
        self.history.loss.append(float(row.pop("loss")))
        for name, value in row.items():
            self.history.extents[name].append(float(value))


def _scaled_error() -> Callable[[Any, Any], Tensor]:
    """Absolute error in units of the standard deviation of y in the first batch."""
    scale: list[Tensor] = []

    def error(output: Any, y: Any) -> Tensor:
        if not (isinstance(y, Tensor) and y.is_floating_point() and isinstance(output, Tensor)):
            raise InputError(
                "fit: give a loss where outputs and y are not tensors of real numbers."
            )
        if output.shape != y.shape:
            raise InputError(
                f"fit: expected an output {tuple(y.shape)}, as y, got {tuple(output.shape)}."
            )
        if not scale:
            scale.append((y - y.mean(0)).square().mean().sqrt().clamp_min(1e-12))
        return (output - y.to(output)).abs() / scale[0].to(output)

    return error


def _batches(data: Any, config: RunConfig) -> Iterator[Any]:
    """Batches that repeat without end; rows of tensors are shuffled anew in each pass."""
    if isinstance(data, tuple | list) and all(isinstance(part, Tensor) for part in data):
        sizes = [len(part) for part in data]
        if len(sizes) < 2 or len(set(sizes)) > 1 or not sizes[0]:
            raise InputError(
                f"fit: expected tensors (x, *extra, y) with one row an example, got {sizes} rows."
            )
        rows, generator = TensorDataset(*data), torch.Generator().manual_seed(config.seed)
        order = RandomSampler(rows, generator=generator)
        some = BatchSampler(order, min(config.batch_size, len(rows)), drop_last=True)
        data = DataLoader(rows, batch_size=None, sampler=some, generator=generator)
    return _repeated(data)


def _repeated(data: Iterable[Any]) -> Iterator[Any]:
    found = True
    while found:
        found = False
        for batch in data:
            found = True
            yield batch
    raise InputError("fit: the data has too few batches for so many steps.")
