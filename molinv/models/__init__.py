"""Models: one file an architecture, found by the file's name.

    point      a transformer over atoms: absolute, displacement or distance geometry
    graph      a PyG message-passing network with vector edge attributes
    painn      scalars and vectors on all pairs: equivariant, made to be quick on a processor
    equivariant  irreps up to degree 2 with e3nn's harmonics and Clebsch-Gordan coefficients
    canonical  any of them, averaged over the frames of a molecule's principal axes
    schnet     continuous-filter convolutions over distances, PyG's
    visnet     equivariant scalar-vector message passing, PyG's
    pictures/  networks on pictures, found by name as well

A file in this folder that defines one Model is found by its name, and tested. An architecture
loads its libraries only when it is asked for. Out of tree, "package.module:Name" is a Model or
any torch module (see `plain.py`).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

from ..actions.kinds import SHAPES, family
from ..errors import InputError, unknown
from ..names import construct, external
from . import pictures

if TYPE_CHECKING:
    from torch import nn

    from .base import Model

_SHARED = ("base", "convolution", "edges", "features", "pairs", "pictures", "plain")


def available() -> list[str]:
    """The names of the architectures on molecules; `pictures.available()` has the others."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name for name in names if name not in _SHARED)


def find(name: str) -> type[nn.Module]:
    """The class of the model called `name`, on molecules or pictures, or of "package.module:Name".

    Raises InputError for a name that does not exist, suggesting the nearest, and for one from
    out of tree that is no torch module.
    """
    from torch import nn

    if ":" in name:
        kind = external(name)
        if inspect.isclass(kind) and issubclass(kind, nn.Module):
            return kind
        raise InputError(
            f"{name!r} is not a model: expected a class derived from molinv.models.base.Model or "
            f"torch.nn.Module, got {kind!r}."
        )
    from .base import Model
    from .pictures.base import PictureModel

    if name not in (names := [*available(), *pictures.available()]):
        raise unknown("model", name, names)
    folder = __name__ if name in available() else pictures.__name__
    module = importlib.import_module(f"{folder}.{name}")
    return next(
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Model | PictureModel)
        and value.__module__ == module.__name__
    )


def make(name: str, targets: int, settings: dict[str, Any], output: str = "scalar") -> Model:
    """The model called `name` with `targets` outputs of a kind and its settings; see `find`.

    Where the settings have an `output` too, that of a scalar gives way. A torch module that is no
    Model is wrapped as one. Raises InputError for a name or a setting that does not exist, for a
    kind of output that the model cannot be made for, and for a network on pictures, which
    `pictures.make` makes.
    """
    from .base import Model
    from .pictures.base import PictureModel
    from .plain import Plain

    kind = find(name)
    if issubclass(kind, PictureModel):
        raise InputError(
            f"model {name} takes pictures; for molecules use another (see `molinv models`)."
        )
    if not issubclass(kind, Model):
        return Plain(targets, kind, name, settings, output)
    if output != "scalar":
        settings = settings | {"output": output}
    output = str(settings.get("output", "scalar"))
    if output not in SHAPES or family(output) not in kind.outputs:
        raise _other_output(name, kind, output)
    return construct(kind, f"model {name}", (targets,), settings)


def too_large(name: str, limit: int, atoms: int) -> str:
    """Why the model called `name` cannot take a molecule of so many atoms."""
    return (
        f"a molecule of {atoms} atoms is too large for model {name}, which takes at most {limit}; "
        "leave it out or use another model (see `molinv models`)."
    )


def _other_output(name: str, kind: type[Model], output: Any) -> InputError:
    """What the model predicts, and which architectures predict what was asked for."""
    if output not in SHAPES:
        return unknown(f"output of model {name}:", str(output), SHAPES)
    what = family(output)
    able = [other for other in available() if what in find(other).outputs]  # pyright: ignore
    use = " or ".join(able) if able else "a model of your own"
    has = " and ".join(o if o.endswith("s") else f"{o}s" for o in kind.outputs)
    return InputError(f"model {name} predicts {has} only; for {output} outputs use {use}.")
