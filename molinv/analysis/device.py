"""The device that networks run on."""

from __future__ import annotations

import torch

from ..errors import InputError
from .subject import Structures, Subject


def choose(device: str) -> torch.device:
    """The device of this name; "auto" is an accelerator where torch has one, else the CPU.

    Raises InputError for a name that torch does not know and for a device that is not there.
    """
    if device == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if found is None else found
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split()).split(". ")[0].rstrip(".")
        raise InputError(
            f"--device: expected auto, cpu or an accelerator of this machine such as cuda or mps, "
            f"got {device!r} ({reason})."
        ) from error
    return chosen


def place(subject: Subject, structures: Structures, device: str) -> Subject:
    """The subject on the device of this name; "auto" moves networks only, as functions may not run.

    Raises InputError where the function fails there on the first molecule.
    """
    if device == "auto" and subject.module is None:
        return subject
    moved = subject.on(choose(device))
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
