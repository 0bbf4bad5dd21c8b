"""molinv: learnable distributions over symmetry groups, trained jointly with the network.

from molinv import Augmented, groups, distributions, actions

mu    = distributions.UniformBox(groups.SO3())
model = Augmented(net, mu, input=actions.Points(), output=actions.Invariant())
molinv.fit(model, (pos, z, y))  # or a loop of your own, with model.risk
mu.extent()                     # what was learned
model(pos, z)                   # the mean over it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import actions, distributions, groups, quadrature, testing
from .augment import Augmented, Orbit
from .errors import InputError

if TYPE_CHECKING:
    from .training.fit import fit

__version__ = "0.2.0"
__all__ = [
    "Augmented",
    "InputError",
    "Orbit",
    "actions",
    "distributions",
    "fit",
    "groups",
    "quadrature",
    "testing",
]


def __getattr__(name: str) -> Any:
    """`fit`, which loads Lightning, when it is first used."""
    if name != "fit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .training.fit import fit

    return fit
