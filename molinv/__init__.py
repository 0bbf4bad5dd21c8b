"""molinv: learnable distributions over symmetry groups, trained jointly with the network.

from molinv import Augmented, groups, distributions, actions

mu    = distributions.UniformBox(groups.SO3())
model = Augmented(net, mu, input=actions.Points(), output=actions.Invariant())
for pos, z, y in batches:
    risk = model.risk(lambda out: (out - y).abs(), pos, z)
    optimizer.zero_grad()
    (risk.loss - 0.02 * risk.reward).backward()
    optimizer.step()
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
