"""Networks on pictures: one file an architecture, found by the file's name.

    cnn     convolutions and a maximum over the picture: one row of outputs for each picture
    unet    down and up again with skips: outputs for every pixel

Any torch module from out of tree is one too, as "package.module:Name" (see `plain.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...names import deriving

if TYPE_CHECKING:
    from .base import PictureModel


def available() -> list[str]:
    """The names of the architectures in this folder."""
    # Plain wraps a torch module from out of tree and has no name of its own
    return [name for name in deriving(__path__, "PictureModel") if name != "plain"]


def make(name: str, targets: int, settings: dict[str, Any], maps: bool = False) -> PictureModel:
    """The network called `name` with `targets` outputs, for each pixel if `maps`.

    A torch module that is no PictureModel is wrapped as one. Raises InputError for a name or a
    setting that does not exist, for a network on molecules, and for one of the other kind of
    output.
    """
    from ...names import construct
    from .. import find
    from ..base import Model
    from .base import PictureModel
    from .plain import Plain

    kind = find(name)
    if issubclass(kind, Model):
        raise InputError(
            f"model {name} takes molecules; for pictures use {' or '.join(available())}, or a "
            "torch module of your own."
        )
    if not issubclass(kind, PictureModel):
        return Plain(targets, kind, name, settings, maps)
    if kind.maps != maps:
        able = [n for n in available() if find(n).maps == maps]  # pyright: ignore
        what = "every pixel" if maps else "every picture"
        raise InputError(
            f"model {name} has no outputs for {what}; use {' or '.join(able)}, or a torch module "
            "of your own."
        )
    return construct(kind, f"model {name}", (targets,), settings)
