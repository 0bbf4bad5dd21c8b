"""The device that networks run on."""

from __future__ import annotations

import torch

from ..errors import InputError
from ..sharing import choose_device
from .subject import Structures, Subject


def place(subject: Subject, structures: Structures, device: str) -> Subject:
    """The subject on the device of this name; "auto" moves networks only, as functions may not run.

    Raises InputError where the function fails there on the first molecule.
    """
    if device == "auto" and subject.module is None:
        return subject
    moved = subject.on(choose_device(device))
    if moved.device.type != "cpu":
        try:
            with torch.no_grad():
                moved(*structures.batch([0]))
        except (RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split()).split(". ")[0].rstrip(".")
            raise InputError(
                f"{subject.name} fails on {moved.device}: {reason}; use --device cpu."
            ) from error
    return moved
