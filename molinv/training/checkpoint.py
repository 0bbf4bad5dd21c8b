"""The checkpoint from which an interrupted run goes on: written whole, and read without pickle."""

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
    """Lightning's checkpoints, beside which nothing else can be written or run.

    Lightning's own writer goes by the folder for temporary files: where that is another disk, a
    kill or a full disk leaves half a checkpoint in the place of the last whole one.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write it; raises InputError where that fails, and the old one is then still there."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = io.BytesIO()  # torch's own writer turns a full disk into a RuntimeError
        torch.save(checkpoint, made)
        with atomic_write(path) as temporary:
            temporary.write_bytes(made.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Tensors and plain values, whatever is asked for; InputError where there is more."""
        try:
            with warnings.catch_warnings():  # of pickles that were never torch's
                warnings.simplefilter("ignore")
                return torch.load(path, map_location or "cpu", weights_only=True)
        except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(
                f"cannot go on from {path}: it is damaged, or holds more than numbers; delete it "
                "to begin anew, or name another --out."
            ) from error
