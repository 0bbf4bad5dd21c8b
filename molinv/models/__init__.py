"""Network architectures: one architecture in each file, found by the file's name.

    point      convolutions over atoms, with absolute, displacement or distance geometry
    graph      a PyG message-passing network with vector edge attributes
    painn      scalars and vectors on all pairs: equivariant, and fast on a CPU
    equivariant  irreps up to degree 2 with e3nn's harmonics and Clebsch-Gordan coefficients
    canonical  any of these, averaged over the frames of a molecule's principal axes
    schnet     continuous-filter convolutions over distances, from PyG
    visnet     equivariant scalar-vector message passing, from PyG
    pictures/  networks on pictures, also found by name

A file in this folder that defines one Model is found by its name, and the tests check it; other
files are not listed. An architecture's libraries are loaded only when it is used. Elsewhere,
"package.module:Name" is your own Model or any torch module (see `plain.py`).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..datasets.kinds import SHAPES, family
from ..errors import InputError, unknown
from ..names import construct, defined, deriving, external
from . import pictures

if TYPE_CHECKING:
    from torch import nn

    from .base import Model


def available() -> list[str]:
    """The names of the architectures on molecules; for pictures see `pictures.available()`."""
    # Plain wraps the user's torch module and cannot be used by itself
    return [name for name in deriving(__path__, "Model") if name != "plain"]


def find(name: str) -> type[nn.Module]:
    """Find a model's class, on molecules or pictures, by its name or "package.module:Name".

    Raises InputError for an unknown name, suggesting the nearest, and for a "package.module:Name"
    that is not a torch module.
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

    found = dict.fromkeys(available(), (__name__, Model))
    found |= dict.fromkeys(pictures.available(), (pictures.__name__, PictureModel))
    if name not in found:
        raise unknown("model", name, found)
    folder, base = found[name]
    module = importlib.import_module(f"{folder}.{name}")
    kinds = list(defined(module, base).values())
    if not kinds:
        raise InputError(
            f"model {name}: {module.__file__} does not define a {base.__name__} with all of its "
            "abstract methods."
        )
    return kinds[0]


def make(
    name: str,
    targets: int,
    settings: dict[str, Any],
    output: str = "scalar",
    readout: Sequence[Any] | None = None,
    form: tuple[int, int] | None = None,
) -> Model:
    """Make a model on molecules.

    name      as in `find`; a torch module that is not a Model is wrapped in `Plain`
    targets   number of outputs
    settings  arguments of the model's constructor
    output    kind of outputs; "scalar" is overridden by an `output` in `settings`
    readout   "sum", "mean" or a scale for each output (see `Readout`); not for wrapped modules
    form      (classes, targets) if the outputs are scores of classes

    Raises InputError for an unknown name or setting, for a kind of output that the model cannot
    predict, and for a network on pictures, which `pictures.make` makes.
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
        return _read(Plain(targets, kind, name, settings, output), None, form)
    if output != "scalar":
        settings = settings | {"output": output}
    output = str(settings.get("output", "scalar"))
    if output not in SHAPES or family(output) not in kind.outputs:
        raise _other_output(name, kind, output)
    return _read(construct(kind, f"model {name}", (targets,), settings), readout, form)


def _read(model: Model, scales: Sequence[Any] | None, form: tuple[int, int] | None) -> Model:
    from .readout import Readout

    if scales is not None or form is not None:
        model.set_readout(Readout(scales, form))
    return model


def too_large(name: str, limit: int, atoms: int) -> str:
    """The message for a molecule with more atoms than the `limit` of the model called `name`."""
    return (
        f"a molecule of {atoms} atoms is too large for model {name}, which takes at most {limit}; "
        "leave it out or use another model (see `molinv models`)."
    )


def _other_output(name: str, kind: type[Model], output: Any) -> InputError:
    """The error for an output that the model cannot predict; names the models that can."""
    if output not in SHAPES:
        return unknown(f"output of model {name}:", str(output), SHAPES)
    what = family(output)
    able = [other for other in available() if what in find(other).outputs]  # pyright: ignore
    use = " or ".join(able) if able else "a model of your own"
    has = " and ".join(o if o.endswith("s") else f"{o}s" for o in kind.outputs)
    return InputError(f"model {name} predicts {has} only; for {output} outputs use {use}.")
