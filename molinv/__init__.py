"""molinv: learnable distributions over symmetry groups, trained jointly with the network.

from molinv import Augmented, groups, distributions, actions

mu    = distributions.UniformBox(groups.SO3())
model = Augmented(net, mu, input=actions.Points(), output=actions.Invariant())
loss  = l1(model(pos, z), y.expand(1, -1)) - 0.02 * mu.regularizer()
"""

from . import actions, distributions, groups, quadrature, testing
from .augment import Augmented, Orbit
from .errors import InputError

__version__ = "0.1.0"
__all__ = [
    "Augmented",
    "InputError",
    "Orbit",
    "actions",
    "distributions",
    "groups",
    "quadrature",
    "testing",
]
