"""The annotated shapes hold, checked by jaxtyping in a separate process.

The checker must be installed before molinv is imported. It would replace molinv's own errors for
wrong shapes, so the other tests run without it.
"""

import subprocess
import sys

CHECK = """
from jaxtyping import TypeCheckError, install_import_hook

core = ["groups", "distributions", "actions", "quadrature", "augment", "guaranteed", "testing"]
core += ["names", "reading"]
with install_import_hook([f"molinv.{name}" for name in core], "beartype.beartype"):
    import molinv

import torch
from molinv import Augmented, InputError, actions, distributions, groups, quadrature, testing

torch.set_num_threads(1)
try:
    groups.SO3().exp(torch.zeros(5, 4))
except TypeCheckError:
    pass
else:
    raise SystemExit("the checker is not on")


class Net(torch.nn.Module):
    def forward(self, x):
        return x.square().sum((1, 2))


for kind in groups.available().values():
    for group in kind.examples():
        testing.check_group(group, torch.float32)
        for action in actions.available().values():
            testing.check_action(action(), group, torch.float32)
        if group.compact and not isinstance(group, groups.MatrixGroup):
            quadrature.rule(group, 1)
            group.haar_density(group.preimages(torch.zeros(2, group.k), 4.0))
for name, kind in distributions.available().items():
    for group in (groups.SO2(), groups.SO3(), groups.T(2), groups.Reflection(3), groups.O3()):
        try:
            mu = kind(group)
        except InputError:
            continue
        mu = mu.at(torch.randn(3, 4, 3))
        mu.rsample(3)
        mu.extent(), mu.coverage(), mu.regularizer(), mu.width_reward()
        if group.k == 1:
            mu.entropy()
    own = {"Categorical": groups.Reflection(3), "Composed": groups.O3()}
    model = Augmented(Net(), kind(own.get(name, groups.SO3())))
    model.risk(lambda y: y, torch.randn(2, 4, 3))
    model.eval()(torch.randn(2, 4, 3))
    model.orbit(torch.randn(2, 4, 3), orbit="haar", degree=1)
quadrature.super_fibonacci(3)
"""


def test_annotated_shapes_hold_at_run_time():
    run = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
