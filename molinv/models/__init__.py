"""Models: one file an architecture, found by the file's name.

    point      a transformer over atoms: absolute, displacement or distance geometry
    graph      a PyG message-passing network with vector edge attributes
    painn      scalars and vectors on all pairs: equivariant, made to be quick on a processor
    equivariant  irreps up to degree 2 with e3nn's harmonics and Clebsch-Gordan coefficients
    canonical  any of them, averaged over the frames of a molecule's principal axes
    schnet     continuous-filter convolutions over distances, PyG's
    visnet     equivariant scalar-vector message passing, PyG's
    pictures/  networks on pictures, found by name as well

A file in this folder that defines one Model is found by its name, and tested; files without one
are not listed. An architecture loads its libraries only when it is asked for. Out of tree,
"package.module:Name" is a Model or any torch module (see `plain.py`).
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
    """The names of the architectures on molecules; `pictures.available()` has the others."""
    # Plain wraps a torch module from out of tree and has no name of its own
    return [name for name in deriving(__path__, "Model") if name != "plain"]


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
    """The model called `name` with `targets` outputs of a kind and its settings; see `find`.

    Where the settings have an `output` too, that of a scalar gives way. `readout` is "sum", "mean"
    or a scale for each output, `form` (classes, targets) where they are scores (see `Readout`). A
    torch module that is no Model is wrapped as one, and has a readout of its own. Raises InputError
    for a name or a setting that does not exist, for a kind of output that the model cannot be made
    for, and for a network on pictures, which `pictures.make` makes.
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
