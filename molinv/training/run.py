"""Train a model in a run folder, or resume an interrupted run."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import yaml
from filelock import FileLock, Timeout
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import (
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from .. import __version__
from ..atomic import atomic_write
from ..distributions import Peaks
from ..errors import InputError, Terminated
from ..sharing import has_bf16, share_cores
from ..tasks.energy_forces import check_gradient
from ..tasks.numbers import Numbers
from . import presets
from .averaging import averaging
from .build import count_parameters
from .checkpoint import SafeCheckpoints
from .config import BEFORE, RunConfig, TrainConfig
from .data import RunData
from .fine_tuning import like_initial, start_from
from .history import History
from .module import Joint
from .molecule_data import MoleculeData
from .picture_config import PictureConfig
from .picture_data import PictureData
from .saved import ENSEMBLE, Saved
from .schedule import Schedule
from .settling import Settling
from .source import prepare

# settings that may change when a run is resumed
FREE = (
    "epochs",
    "minutes",
    "accelerator",
    "devices",
    "strategy",
    "num_nodes",
    "precision",
    "compile",
)


@share_cores()
def train(
    config: RunConfig,
    trust: bool = False,
    workers: int = 0,
    given: Collection[str] = (),
    watch: Callable[[int, float], None] | None = None,
    now: Callable[[], float] = time.monotonic,
    objective: type[Joint] = Joint,
) -> Path:
    """Train on molecules or pictures, or resume a run from the last checkpoint in its folder.

    config   the settings
    trust    allow the model that `init` names to use code outside molinv
    workers  processes that search conformers, if the data needs them; 0 searches in this process
    given    the settings that the user named explicitly; presets and `init` do not change them
    watch    called after each epoch with its number (from 1) and its validation error; may raise
             an exception to end the run
    now      the clock, in seconds, that `config.minutes` refers to
    objective   what is minimised, for comparisons with other methods

    The folder is locked during the run. Returns the folder, which holds config.yaml, metrics.csv,
    checkpoints/, split.csv (the parts), model.safetensors, model.json, rejected.csv (rows of a
    user's file that could not be used) and a TensorBoard log. `prediction.calibrate_run` adds
    intervals. Raises InputError for settings that do not fit the data or the folder, and if the
    loss diverges; KeyboardInterrupt or Terminated if a signal stops the run.
    """
    with locked(Path(config.out)):
        return _train(config, trust, workers, given, watch, now, objective)


def _train(
    config: RunConfig,
    trust: bool,
    workers: int,
    given: Collection[str],
    watch: Callable[[int, float], None] | None,
    now: Callable[[], float],
    objective: type[Joint],
) -> Path:
    folder = Path(config.out)
    if (folder / ENSEMBLE).is_file():
        raise InputError(f"{folder} holds an ensemble: give --ensemble N, or another --out.")
    last = folder / "checkpoints" / "last.ckpt"
    initial: Saved | None = None
    notes: list[str] = []
    if isinstance(config, PictureConfig):
        data: RunData = PictureData(config)
        check_same(folder, data.config, last)
    else:
        assert isinstance(config, TrainConfig)
        begun = as_begun(config, folder)
        config = presets.fitted(begun, given)
        notes += presets.notes(begun, config)
        config, initial = like_initial(config, trust, given)
        check_same(folder, config, last)
        data = MoleculeData(prepare(config, workers), config)
    config, task = data.config, data.task
    check_epochs(folder, config)
    if task.gradient:
        taken = config.taken if isinstance(config, TrainConfig) else ()
        check_gradient(str(config.model), config.compile, taken)
    network = data.network()
    if initial is not None and isinstance(data, MoleculeData):
        anew = start_from(network, initial, task)
        if not anew and isinstance(task, Numbers):  # keep the scale of the trained weights
            task.standardizer.keep(initial.standardizer, data.molecules, data.train)
    module = objective(network, task, config, data.examples, data.auxiliary is not None)
    own = {"molinv": __version__, "parameters": count_parameters(network)}
    if config.compile:
        network.model.compile()
    schedule = Schedule(config, now)
    history = History(folder, data, data.facts | own, schedule)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.utils.tensorboard")
        trainer = make_trainer(config, folder, schedule, history, task.gradient)
        if "bf16" in config.precision and not has_bf16(trainer.strategy.root_device):
            notes.append(
                f"{config.precision} is slow on this processor, which has no bf16 instructions: "
                "--precision 32-true is faster here."
            )
        measured = isinstance(data, MoleculeData) and not task.gradient  # losses without gradients
        if isinstance(network.distribution, Peaks) and measured:
            trainer.callbacks.append(Settling(schedule))  # pyright: ignore
        if watch is not None:
            trainer.callbacks.append(_Watch(watch))  # pyright: ignore[reportAttributeAccessIssue]
        if trainer.is_global_zero:
            write_config(folder, config)
            data.begin(folder)
            for note in (*notes, *data.notes):
                history.console.print(f"note: {note}", highlight=False, markup=False)
        fit(trainer, module, data, last)
        if trainer.is_global_zero and not history.printed:
            done = history.rows[-1]["epoch"]
            history.console.print(
                f"{folder} is already trained (epoch {done}), so nothing was done. A larger "
                "--epochs trains it further; another --out begins a new run.",
                highlight=False,
                markup=False,
            )
    if trainer.is_global_zero and not (folder / "model.json").is_file():
        raise InputError(
            "no model was saved, because the validation error was NaN in every epoch: look for "
            "values that are not finite, or try a lower --lr and --muon_lr."
        )
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a run folder; raises InputError if another process is training in it.

    The processes of one distributed run share the lock of the first.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {folder} cannot be a run folder ({error.strerror or error}): choose another."
        ) from error
    if int(os.environ.get("LOCAL_RANK", 0)) or int(os.environ.get("NODE_RANK", 0)):
        yield
        return
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise InputError(
            f"another process is training in {folder}: wait for it, or choose another --out."
        ) from None


def fit(trainer: pl.Trainer, module: Any, data: Any, last: Path) -> None:
    """Train, from the checkpoint `last` if it exists.

    SIGTERM and the first Ctrl-C stop the run after the current batch and save a checkpoint. Raises
    KeyboardInterrupt or Terminated if a signal stopped the run.
    """
    interrupted = False
    stopping = _Stop()
    trainer.callbacks.append(stopping)  # pyright: ignore[reportAttributeAccessIssue]

    def stop(number: int, *_: Any) -> None:
        nonlocal interrupted
        interrupted = interrupted or number == signal.SIGINT
        stopping.asked = True
        if trainer.world_size == 1:
            trainer._signal_connector.received_sigterm = True
        signal.signal(signal.SIGINT, before[signal.SIGINT])  # a second Ctrl-C stops it at once

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.signal(n, stop) for n in (signal.SIGINT, signal.SIGTERM)}
        # Lightning's handler sends a message between processes, which may be in the middle of one
        trainer._signal_connector._sigterm_notifier_fn = lambda *_: None  # pyright: ignore
    try:
        trainer.fit(
            module,
            datamodule=data,
            ckpt_path=last if last.is_file() else None,
            weights_only=True,
        )
    except SIGTERMException:
        raise (KeyboardInterrupt if interrupted else Terminated) from None
    except SystemExit:  # Lightning turns Ctrl-C into SystemExit
        if not trainer.interrupted:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if trainer.interrupted:
        raise KeyboardInterrupt


def check_same(folder: Path, config: Any, last: Path, free: tuple[str, ...] = FREE) -> None:
    """Raise InputError if a folder holds a run with other settings than `config`.

    Settings in `free` may differ. The folder holds a run if `last`, its checkpoint or its result,
    exists.
    """
    path = folder / "config.yaml"
    if not (last.is_file() and path.is_file()):
        return
    # a setting that is newer than the run had its default, or its value in BEFORE
    try:
        settings = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
        there = asdict(type(config)()) | BEFORE | settings
    except (yaml.YAMLError, ValueError, TypeError):
        raise InputError(f"{path} is damaged: restore it, or delete {folder}.") from None
    for name, value in asdict(config).items():
        if name not in (*free, "out") and there[name] != value:
            raise InputError(
                f"{folder} holds a run with {name}={there[name]!r}, not {value!r}: choose "
                "another --out, or delete that folder."
            )


def as_begun(config: TrainConfig, folder: Path) -> TrainConfig:
    """The settings, adapted to an older run in a folder.

    A setting that did not exist when that run began gets its value in BEFORE, unless the user
    changed it.
    """
    try:
        there = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        late = {name: value for name, value in BEFORE.items() if name not in there}
    except (OSError, yaml.YAMLError, ValueError, TypeError):
        return config
    usual = asdict(TrainConfig())
    return replace(config, **{n: v for n, v in late.items() if getattr(config, n) == usual[n]})


def check_epochs(folder: Path, config: RunConfig) -> None:
    """Raise InputError if a run has already trained more epochs than the settings ask for."""
    try:
        rows = (folder / "metrics.csv").read_text(encoding="utf-8").split()
        done = int(rows[-1].split(",")[0])
    except (OSError, ValueError, IndexError):
        return
    if config.epochs is not None and config.epochs < done:
        raise InputError(
            f"{folder} has already trained {done} epochs, more than the {config.epochs} asked "
            f"for: give --epochs {done} or more, or another --out."
        )


def write_config(folder: Path, config: Any) -> None:
    """Write a run's settings (a dataclass) to config.yaml in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "config.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(asdict(config), sort_keys=False), encoding="utf-8")


def make_trainer(
    config: RunConfig,
    folder: Path,
    schedule: Schedule,
    history: pl.Callback,
    gradients: bool = False,
) -> pl.Trainer:
    """Make the trainer of a run.

    `gradients` says whether validation needs gradients with respect to coordinates, as forces do.
    Raises InputError for devices, a strategy or a precision that are not available.
    """
    for part in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(part).setLevel(logging.WARNING)
    callbacks: list[pl.Callback] = [schedule, history]
    if config.ema:
        callbacks.append(averaging(config.ema))
    if config.patience is not None:
        callbacks.append(EarlyStopping("valid/error", patience=config.patience))
    if sys.stderr.isatty():
        callbacks.append(_Bar(leave=False))
    callbacks.append(
        ModelCheckpoint(
            folder / "checkpoints",
            filename="last",
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
    )
    board = importlib.util.find_spec("tensorboard") is not None
    try:
        return pl.Trainer(
            max_epochs=-1 if config.epochs is None else config.epochs,
            accelerator=config.accelerator,
            devices=config.devices,
            strategy=config.strategy,
            num_nodes=config.num_nodes,
            precision=config.precision,  # pyright: ignore[reportArgumentType]
            logger=TensorBoardLogger(folder, name="tensorboard", version="") if board else False,
            callbacks=callbacks,
            plugins=SafeCheckpoints(),
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            inference_mode=not gradients,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise InputError(
            f"no trainer for accelerator={config.accelerator}, devices={config.devices}, "
            f"strategy={config.strategy}, precision={config.precision}: {text}"
        ) from error


class _Watch(pl.Callback):
    """Calls a function with each epoch's validation error, after the checkpoint is written."""

    def __init__(self, watch: Callable[[int, float], None]):
        self.watch = watch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.watch(trainer.current_epoch + 1, float(trainer.callback_metrics["valid/error"]))


class _Stop(pl.Callback):
    """Stops all processes after the same batch once one of them was asked to stop."""

    asked = False

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.strategy.reduce_boolean_decision(self.asked, all=False):
            trainer._signal_connector.received_sigterm = True


class _Bar(RichProgressBar):
    """The progress bar of an epoch, without a total number of epochs if the run has none."""

    def _get_train_description(self, current_epoch: int) -> str:
        return super()._get_train_description(current_epoch).replace("/-2", "")
