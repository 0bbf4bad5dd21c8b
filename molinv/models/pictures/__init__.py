"""Networks on pictures: one architecture in each file, found by the file's name.

    cnn     convolutions and a maximum over the picture: one row of outputs for each picture
    unet    an encoder and decoder with skip connections: outputs for every pixel

"package.module:Name" is your own torch module (see `plain.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...names import deriving

if TYPE_CHECKING:
    from .base import PictureModel


def available() -> list[str]:
    """The names of the architectures in this folder."""
    # Plain wraps the user's torch module and cannot be used by itself
    return [name for name in deriving(__path__, "PictureModel") if name != "plain"]


def make(name: str, targets: int, settings: dict[str, Any], maps: bool = False) -> PictureModel:
    """Make the network called `name` with `targets` outputs, for every pixel if `maps`.

    A torch module that is not a PictureModel is wrapped in `Plain`. Raises InputError for an
    unknown name or setting, for a network on molecules, and for a network whose outputs are not
    of this kind.
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
