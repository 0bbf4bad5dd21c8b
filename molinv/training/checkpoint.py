"""The checkpoint from which an interrupted run resumes: written atomically, read without pickle."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from ..atomic import atomic_write
from ..errors import InputError


class SafeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, written atomically and loaded without executing code.

    Lightning's own writer uses the folder for temporary files. If that is on another disk, a kill
    or a full disk replaces the last checkpoint by an incomplete one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write a checkpoint; if that fails, raises InputError and keeps the old checkpoint."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = io.BytesIO()  # torch.save to a file raises RuntimeError for a full disk
        torch.save(checkpoint, made)
        with atomic_write(path) as temporary:
            temporary.write_bytes(made.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Load tensors and plain values only; raises InputError if there is anything else."""
        try:
            with warnings.catch_warnings():  # torch warns of pickles that it did not write
                warnings.simplefilter("ignore")
                return torch.load(path, map_location or "cpu", weights_only=True)
        except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(
                f"cannot resume from {path}: it is damaged, or holds more than numbers; delete it "
                "to start again, or choose another --out."
            ) from error
