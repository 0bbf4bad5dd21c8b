"""The checkers: each law is broken once, and the error must name it."""

import math

import pytest
import torch

from molinv import actions, groups, testing
from molinv.testing import LawBroken

SO3, O3, SE3 = groups.SO3, groups.O3, groups.SE3


class OffAtZero(SO3):
    def exp(self, xi):
        return super().exp(xi) * 1.001


class WrongType(SO3):
    def exp(self, xi):
        return super().exp(xi.double()).float() if xi.ndim else super().exp(xi)


class WrongShape(SO3):
    def exp(self, xi):
        return super().exp(xi)[None] if xi.ndim > 2 else super().exp(xi)


class Truncated(SO3):
    """One Runge-Kutta step, as published."""

    def exp(self, xi):
        a = self.algebra(xi)
        return torch.eye(3).to(xi) + a + a @ a / 2 + a @ a @ a / 6 + a @ a @ a @ a / 24

    def inverse(self, g):
        return torch.linalg.inv(g)


class Mirrored(SO3):
    """x @ R instead of R x."""

    def exp(self, xi):
        return super().exp(xi).mT


class NoJacobian(SE3):
    """The rotation from exp, but the translation without the left Jacobian."""

    def exp(self, xi):
        g = super().exp(xi).clone()
        g[..., :3, 3] = xi[..., :3]
        return g


class RotationFirst(SE3):
    def exp(self, xi):
        return super().exp(torch.cat([xi[..., 3:], xi[..., :3]], -1))


class NanAtZero(SO3):
    """Rodrigues' formula with a norm that is differentiated at 0."""

    def exp(self, xi):
        angle = xi.norm(dim=-1)[..., None, None]
        a = self.algebra(xi) / angle
        return torch.eye(3).to(xi) + angle.sin() * a + (1 - angle.cos()) * a @ a


class NanGradient(SO3):
    """The same inside torch.where: the value is right, the gradient is not."""

    def exp(self, xi):
        square = xi.square().sum(-1)[..., None, None]
        safe = torch.where(square == 0, 0.0, square.sqrt())
        sine = torch.where(square == 0, 1.0, safe.sin() / safe)
        versine = torch.where(square == 0, 0.5, (1 - safe.cos()) / square)
        a = self.algebra(xi)
        return torch.eye(3).to(xi) + sine * a + versine * a @ a


class NoGradient(SO3):
    def exp(self, xi):
        return super().exp(xi.detach()) + 0 * self.algebra(xi)


class NoInverse(SO3):
    def inverse(self, g):
        return g


class TransposedRigid(SE3):
    def inverse(self, g):
        return g.mT


class InverseOfRotationsOnly(O3):
    def inverse(self, g):
        return g.mT * torch.linalg.det(g).sign()[..., None, None]


class WrongLog(SO3):
    def log(self, g):
        return super().log(g.mT)


class SmallAngleLog(SO3):
    """Wrong beyond pi / 2."""

    def log(self, g):
        v = torch.stack([g[..., 2, 1] - g[..., 1, 2], g[..., 0, 2] - g[..., 2, 0]], -1)
        v = torch.cat([v, (g[..., 1, 0] - g[..., 0, 1])[..., None]], -1) / 2
        sine = v.norm(dim=-1, keepdim=True)
        return v * torch.where(sine == 0, 1.0, sine.asin() / sine)


class Swapped(groups.Compose):
    def exp(self, xi):
        return super().exp(xi * 1.01)


class BoxHaar(SO3):
    """Uniform in the algebra is not uniform on the group."""

    def haar(self, n, generator=None):
        return self.exp((torch.rand(n, 3, generator=generator) * 2 - 1).double() * math.pi)


class AngleHaar(SO3):
    """A uniform axis and a uniform angle."""

    def haar(self, n, generator=None):
        axis = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=-1)
        return self.exp(axis.double() * torch.rand(n, 1, generator=generator) * math.pi)


class ProperHaar(O3):
    def haar(self, n, generator=None):
        return self.a.haar(n, generator)


class NeverReflected(groups.Reflection):
    def haar(self, n, generator=None):
        return self.identity(n)


class HaarOfWrongShape(SO3):
    def haar(self, n, generator=None):
        return super().haar(n + 1, generator)


class IdentityLast(groups.Reflection):
    @property
    def elements(self):
        return super().elements.flip(0)


class NotInverted(groups.Finite):
    def inverse(self, g):
        return g


HEXAGON = groups.Cyclic(6).elements
SQUEEZE = groups.MatrixGroup(torch.diag(torch.tensor([1.0, -1, 0]))[None])

BROKEN = [
    (OffAtZero(), r"exp\(0\)"),
    (WrongType(), "should be"),
    (WrongShape(), "should be"),
    (Truncated(), "matrix exponential"),
    (Mirrored(), "matrix exponential"),
    (NoJacobian(), "matrix exponential"),
    (RotationFirst(), "matrix exponential"),
    (Swapped(SO3(), SQUEEZE), "exp along"),
    (NanAtZero(), r"exp\(0\)"),
    (NanGradient(), "derivative"),
    (NoGradient(), "derivative"),
    (NoInverse(), "inverse"),
    (TransposedRigid(), "inverse"),
    (InverseOfRotationsOnly(), "every component"),
    (NotInverted(HEXAGON), "every component"),
    (WrongLog(), "log undoes exp"),
    (SmallAngleLog(), "log undoes exp"),
    (groups.MatrixGroup(SO3().generators[1:]), "brackets"),
    (IdentityLast(2), "first element"),
    (groups.Finite(HEXAGON[:4], check=False), "products of elements"),
    (groups.Finite(HEXAGON[[0, 1]], check=False), "products of elements"),
    (BoxHaar(), "haar is invariant"),
    (AngleHaar(), "haar is invariant"),
    (ProperHaar(), "determinant"),
    (NeverReflected(2), "haar is invariant"),
    (NeverReflected(3), "haar is invariant"),
    (HaarOfWrongShape(), r"haar\(4096\) should be"),
]


@pytest.mark.parametrize(("group", "law"), BROKEN, ids=lambda v: type(v).__name__)
def test_a_broken_group_is_caught(group, law):
    with pytest.raises(LawBroken, match=law):
        testing.check_group(group)


def test_the_published_step_is_not_a_rotation_at_large_angles():
    for angle, det in ((3.0, 2.27), (math.pi, 4.12)):
        g = Truncated().exp(torch.tensor([0.0, 0, angle], dtype=torch.float64))
        assert float(torch.linalg.det(g)) == pytest.approx(det, abs=0.01)


class Reversed(actions.Points):
    """Multiplies by g from the wrong side."""

    def act(self, group, g, x):
        return x @ group.linear(g).to(x.dtype)


class Stretching(actions.Points):
    def act(self, group, g, x):
        return 1.01 * super().act(group, g, x)


class InPlace(actions.Points):
    def act(self, group, g, x):
        return x.copy_(super().act(group, g, x))


class NotPulledBack(actions.Points):
    def pull_back(self, group, g, y, context):
        return y, None


class NoOffset(actions.Points):
    """Forgets the offset on the way back."""

    def pull_back(self, group, g, y, context):
        return y @ group.linear(group.inverse(g)).mT, None


class FirstOnly(actions.Points):
    def pull_back(self, group, g, y, context):
        return super().pull_back(group, g, y, context)[0][:1], None


class Undefined(actions.Points):
    def act(self, group, g, x):
        return super().act(group, g, x) * torch.nan


class InPlaceGraph(actions.Graph):
    def act(self, group, g, x):
        x.pos = super().act(group, g, x).pos
        return x


@pytest.mark.parametrize(
    ("action", "group", "law"),
    [
        (Reversed(), SO3(), r"\(g h\) x"),
        (Stretching(), SO3(), "the identity"),
        (InPlace(), SO3(), "stays as it was"),
        (InPlaceGraph(), SO3(), "stays as it was"),
        (NotPulledBack(), SO3(), "pull_back"),
        (NoOffset(), SE3(), "pull_back"),
        (FirstOnly(), SO3(), "expected shape"),
        (Undefined(), SO3(), "the identity"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_broken_action_is_caught(action, group, law):
    with pytest.raises(LawBroken, match=law):
        testing.check_action(action, group)


def test_vector_outputs_are_checked():
    x = torch.randn(4, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    so3, points, vector = SO3().double(), actions.Points(), actions.Vector()
    testing.check_equivariant(lambda p: p.sum(1), so3, points, vector, x)
    testing.check_equivariant(
        lambda p: torch.linalg.cross(p[:, 0], p[:, 1]), so3, points, vector, x
    )
    o3 = O3().double()
    with pytest.raises(LawBroken, match="equivariant under O3"):  # an axial vector
        testing.check_equivariant(
            lambda p: torch.linalg.cross(p[:, 0], p[:, 1]), o3, points, vector, x
        )
    with pytest.raises(LawBroken):
        testing.check_equivariant(lambda p: p.sum(1) + 1e-6, so3, points, vector, x)
    testing.check_equivariant(lambda p: p.sum(1) + 1e-6, so3, points, vector, x, tolerance=1e-4)
    with pytest.raises(LawBroken):
        testing.check_equivariant(lambda p: p.sum(1) * torch.nan, so3, points, vector, x)
