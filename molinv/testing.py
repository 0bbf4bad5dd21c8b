"""Checks of the mathematical laws, for your own group, action or network.

Each check returns a `Report` of the laws, with their largest and mean errors over the trials.
With raises=True, the default, the first law that fails raises LawBroken, an AssertionError that
gives the law's name, its error and its tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .actions import as_action
from .actions.base import Action, flatten, rebuild
from .actions.parts import Actions
from .errors import InputError
from .groups import Compose, Finite, Group
from .groups.base import bracket_residual
from .groups.exponential import matrix_exp

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
BATCHES = ((), (1,), (3, 1, 2))


class LawBroken(AssertionError):
    """A law does not hold."""


class Law(NamedTuple):
    """A law and its errors, relative to the scale that the check uses."""

    name: str
    largest: float
    mean: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the largest error is within the tolerance; NaN fails."""
        return self.largest <= self.tolerance

    def __str__(self) -> str:
        return f"{self.name}: off by {self.largest:.1e}, tolerance {self.tolerance:.0e}"


class Report(list[Law]):
    """The laws that were checked; their names begin with the object that was checked."""

    def __init__(self, about: Any = "", dtype: torch.dtype = torch.float64):
        super().__init__()
        about = str(about) if len(str(about)) <= 60 else f"{str(about)[:57]}..."
        self.about, self.dtype = f"{about}: " if about else "", dtype

    @property
    def passed(self) -> bool:
        """Whether every law holds."""
        return all(law.passed for law in self)

    def law(self, name: str) -> Law:
        """The worst of the laws whose name contains `name`; raises InputError if none does."""
        found = [law for law in self if name in law.name]
        if not found:
            raise InputError(f"no law's name contains {name!r}; got {[x.name for x in self]}.")
        return max(found, key=lambda law: (not law.passed, law.largest))

    def finish(self, raises: bool) -> Report:
        """Return the report itself; with `raises`, raises LawBroken for the first failed law."""
        for law in self:
            if raises and not law.passed:
                raise LawBroken(f"{law}.")
        return self

    def __str__(self) -> str:
        head = "passed" if self.passed else "failed"
        return "\n".join([head, *(f"  {'ok ' if x.passed else 'BAD'} {x}" for x in self)])

    def compare(self, name: str, got: Any, want: Any, tolerance: float | None = None) -> None:
        """Add a law that two objects are equal; errors are divided by max(1, largest value)."""
        limit = TOLERANCE[self.dtype] if tolerance is None else tolerance
        errors = [torch.zeros(1, dtype=torch.float64)]
        for a, b in zip(_tensors(got), _tensors(want), strict=True):
            if a.shape != b.shape:
                raise LawBroken(
                    f"{self.about}{name}: expected shape {tuple(b.shape)}, got {tuple(a.shape)}."
                )
            if a.numel():
                a, b = a.detach().double(), b.detach().double()
                errors.append(((a - b).abs() / b.abs().max().clamp_min(1)).flatten())
        self.add(name, torch.cat(errors), limit)

    def expect(self, name: str, holds: Tensor) -> None:
        """Add a law that must hold in every trial."""
        self.add(name, 1 - holds.double(), 0.0)

    def add(self, name: str, errors: Tensor, tolerance: float) -> None:
        """Add a law with the errors of its trials; under one name only the worst is kept."""
        errors = errors.detach().double()
        largest = float(errors.max()) if errors.isfinite().all() else torch.nan
        made = Law(self.about + name, largest, float(errors.mean()), tolerance)
        for i, law in enumerate(self):
            if law.name == made.name:
                self[i] = law if not law.passed or made.largest <= law.largest else made
                return
        self.append(made)


def check_group(
    group: Group, dtype: torch.dtype = torch.float64, seed: int = 0, raises: bool = True
) -> Report:
    """Check a group's exponential, logarithm, elements, Haar measure, density and quadrature.

    Laws of methods that the group does not define are left out. Wrong shapes raise LawBroken
    even with raises=False.
    """
    group = deepcopy(group).to(dtype)
    made, generator = Report(group, dtype), torch.Generator().manual_seed(seed)
    logs = _known(lambda: group.log(group.identity()))
    caps = torch.tensor(group.caps, dtype=dtype)
    made.expect(
        f"exp is finite at {caps.tolist()}, the caps (if not, use smaller caps, or an exp that "
        "does not overflow)",
        group.exp(torch.stack([caps, -caps])).isfinite(),
    )
    for batch in BATCHES:
        xi = coefficients(group, *batch, generator=generator).to(dtype)
        g = group.exp(xi)
        if g.shape != (*batch, group.d, group.d) or g.dtype != dtype:
            raise LawBroken(
                f"{group}: exp of coefficients {tuple(xi.shape)} should be "
                f"{(*batch, group.d, group.d)} of {dtype}, got {tuple(g.shape)} of {g.dtype}."
            )
        made.compare("exp(0) is the identity", group.exp(0 * xi), group.identity(*batch))
        if not isinstance(group, Compose) or group.commuting:
            reference = matrix_exp(group.algebra(xi).double())
            made.compare("exp is the matrix exponential", g, reference)
        for name, axis in zip(group.names, torch.eye(group.k, dtype=dtype), strict=True):
            reference = matrix_exp(group.algebra(xi * axis).double())
            made.compare(f"exp along {name}", group.exp(xi * axis), reference)
        if logs and not isinstance(group, Finite):
            made.compare("log undoes exp", group.log(g), xi)
    g = sample(group, 16, generator).to(dtype)
    law = "inverse(g) g is the identity on every component"
    made.compare(law, group.inverse(g) @ g, group.identity(16))
    if logs:
        inside = torch.stack([group.contains(g), group.contains(group.normalize(g))])
        made.expect("contains holds for elements", inside)
    if group.k:
        _check_algebra(made, group, g, generator)
    if group.elements is not None:
        _check_elements(made, group, group.elements)
    if group.compact and _known(lambda: group.haar(1, generator)):
        _check_haar(made, group, generator)
    if group.compact and _known(lambda: group.rule(1)):
        _check_rule(made, group, generator, logs)
    if group.compact and group.k and _known(lambda: group.haar_density(caps)):
        _check_density(made, deepcopy(group).double(), generator, logs)
    return made.finish(raises)


def check_action(
    action: Action,
    group: Group,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    raises: bool = True,
) -> Report:
    """Check that the identity does nothing, that (g h) x = g (h x), and that pull_back undoes act.

    The action must not change its input. An action that interpolates must obey the last two laws
    within its own `tolerance`. If the action's `check` refuses the group, `act` must refuse it
    as well.
    """
    group = deepcopy(group).to(dtype)
    made, generator = Report(f"{type(action).__name__}({group})", dtype), torch.Generator()
    x = _cast(action.example(generator.manual_seed(seed), group), dtype)
    n, before = action.size(x), deepcopy(x)
    if not _known(lambda: action.check(group)):
        refused = not _known(lambda: action.act(group, group.identity(n), x))
        made.expect("act refuses a group that check refuses", torch.tensor([refused]))
        return made.finish(raises)
    g, h = (sample(group, n, generator, action.reach).to(dtype) for _ in "gh")
    made.compare("the identity does nothing", action.act(group, group.identity(n), x), x)
    both = action.act(group, g, action.act(group, h, x))
    made.compare("(g h) x = g (h x)", action.act(group, g @ h, x), both, action.tolerance)
    back, _ = action.pull_back(group, g, action.act(group, g, x), x)
    made.compare("pull_back undoes act", back, x, action.tolerance)
    made.compare("its input stays as it was", x, before, tolerance=0.0)
    return made.finish(raises)


def check_equivariant(
    model: Callable[..., Any],
    group: Group,
    input: Actions,
    output: Actions,
    x: Any,
    *extra: Any,
    tolerance: float | None = None,
    seed: int = 0,
    trials: int = 4,
    permute: bool = False,
    raises: bool = True,
) -> Report:
    """Check that model(g x) = g model(x), for every kind of element of the group.

    Rotations, translations, other continuous elements and reflections are reported separately,
    then all together, over `trials` random elements for each example. `input` and `output` are
    actions, as in `Augmented`.

    With `permute`, the points of x (b, n, ...) are permuted as well, together with every extra
    (b, n, ...); outputs (b, n, ...) must be permuted in the same way. Errors are fractions of the
    output's standard deviation over all examples, moved and unmoved. Elements have the precision
    of x. The default tolerance is 1e-5 in float32 and 1e-9 in float64. Raises InputError for
    trials below 1, and for `permute` if x is not a tensor.
    """
    generator, made = torch.Generator().manual_seed(seed), Report()
    input, output = as_action(input), as_action(output)
    if trials < 1 or (permute and not isinstance(x, Tensor)):
        raise InputError(
            f"check_equivariant: expected at least one trial, got {trials}, and to permute points "
            f"x as a tensor (b, n, ...), got {type(x).__name__}."
        )
    dtype = next((t.dtype for t in _tensors(x) if t.is_floating_point()), torch.float32)
    group = deepcopy(group).to(dtype)
    limit = {torch.float64: 1e-9}.get(dtype, 1e-5) if tolerance is None else tolerance
    n = input.size(x)
    with torch.no_grad():
        here = flatten(model(x, *extra))
        pairs: dict[str, list] = {}
        for _ in range(trials):
            for kind, g in _kinds(group, n, generator).items():
                there = model(input.act(group, g, x), *extra)
                pairs.setdefault(kind, []).append(flatten(output.pull_back(group, g, there, x)[0]))
            if permute:
                order = torch.randperm(x.shape[1], generator=generator)
                moved = [_reordered(t, order, x.shape[:2]) for t in (x, *extra)]
                back = [_reordered(y, order.argsort(), x.shape[:2]) for y in flatten(model(*moved))]
                pairs.setdefault("permutations", []).append(back)
    for kind, runs in pairs.items():
        errors = []
        for i, want in enumerate(here):
            got = torch.stack([run[i] for run in runs])
            errors.append(((got - want).abs() / _spread(want, got)).flatten())
        law = f"the model is equivariant under {kind if kind == 'permutations' else group}"
        name = law if kind in ("elements", "permutations") else f"{law}, {kind}"
        made.add(name, torch.cat(errors), limit)
    return made.finish(raises)


def coefficients(
    group: Group, *batch: int, generator: torch.Generator | None = None
) -> Float[Tensor, "*b k"]:
    """Random coefficients of at most half the caps, so that angles stay below pi."""
    unit = 2 * torch.rand(*batch, group.k, generator=generator, dtype=torch.float64) - 1
    return (0.5 * unit * torch.tensor(group.caps, dtype=torch.float64)).to(group.generators)


def sample(
    group: Group, n: int, generator: torch.Generator | None = None, reach: float = 1.0
) -> Float[Tensor, "n d d"]:
    """n random elements from all components of the group; `reach` scales their coefficients."""
    g = group.exp(reach * coefficients(group, n, generator=generator))
    if group.elements is None:
        return g
    pick = torch.randint(len(group.elements), (n,), generator=generator)
    return g @ group.elements.to(g)[pick]


def _kinds(group: Group, n: int, generator: torch.Generator) -> dict[str, Tensor]:
    """n random elements of each kind in the group, and of all kinds together."""
    xi, made = coefficients(group, n, generator=generator), {}
    if group.k:
        linear = group.linear(group.generators)
        still = ~linear.flatten(1).any(1)
        turns = ~still & ((linear + linear.mT).abs().amax((-1, -2)) < 1e-6)
        kinds = {"rotations": turns, "translations": still, "other maps": ~(still | turns)}
        for kind, own in kinds.items():
            if own.any():
                made[kind] = group.exp(torch.where(own, xi, 0.0))
    elements = group.elements
    if elements is not None and len(elements) > 1:
        det = torch.linalg.det(group.linear(elements))
        for kind, chosen in (("reflections", det < 0), ("finite rotations", det > 0)):
            found = elements[chosen & (elements != elements[0]).any(-1).any(-1)]
            if len(found):
                made[kind] = found[torch.randint(len(found), (n,), generator=generator)]
    return made | {"elements": sample(group, n, generator)}


def _spread(want: Tensor, got: Tensor) -> Tensor:
    """The standard deviation of outputs over examples; their largest value if they are constant."""
    every = torch.cat([want[None], got]).double()
    away = (every - every.mean((0, 1), keepdim=True)).square().mean().sqrt()
    rounding = 8 * torch.finfo(want.dtype).eps * every.abs().max()
    return away if away > rounding else every.abs().max().clamp_min(1e-300)


def _reordered(x: Any, order: Tensor, shape: tuple[int, ...]) -> Any:
    points = isinstance(x, Tensor) and x.shape[:2] == shape
    return x[:, order] if points else x


def _check_algebra(made: Report, group: Group, g: Tensor, generator: torch.Generator) -> None:
    """Check brackets, the derivative of exp at 0, and Ad_g against conjugation."""
    miss = bracket_residual(group.generators)
    made.add("brackets of generators stay in their span", miss, 1e-5)
    jacobian = torch.autograd.functional.jacobian(group.exp, torch.zeros(group.k).to(g))
    law = "the derivative of exp at 0 is the generators"
    made.compare(law, torch.as_tensor(jacobian).movedim(-1, 0), group.generators)
    if made.law("brackets").passed:
        a = coefficients(group, len(g), generator=generator)
        turned = g @ group.algebra(a) @ group.inverse(g)
        ad = group.algebra((group.adjoint(g) @ a[..., None])[..., 0])
        made.compare("adjoint is conjugation", ad, turned, 1e2 * TOLERANCE[g.dtype])


def _check_elements(made: Report, group: Group, elements: Tensor) -> None:
    flat = elements.flatten(1).double()
    made.compare("the first element is the identity", elements[0], group.identity())
    gap = (flat[:, None] - flat).abs().amax(-1) + torch.eye(len(flat))
    made.expect("no two elements are the same", gap >= 1e-4)
    if group.k == 0:
        products = (elements[:, None] @ elements[None]).flatten(0, 1).flatten(1).double()
        miss = (products[:, None] - flat).abs().amax(-1).amin(1)
        law = "products of elements are among the elements"
        made.add(law, miss, 1e3 * TOLERANCE[made.dtype])


def _check_haar(made: Report, group: Group, generator: torch.Generator, n: int = 4096) -> None:
    """Check E f(h g) = E f(g) within six standard errors, for entries, squares and determinant."""
    g, limit = group.haar(n, generator).double(), TOLERANCE[made.dtype]
    if g.shape != (n, group.d, group.d):
        raise LawBroken(f"{group}: haar({n}) should be {(n, group.d, group.d)}, got {g.shape}.")
    det = torch.linalg.det(g)
    for h in sample(group, 8, generator).double():  # from several components
        moved = h @ g
        moments = {
            "mean": (g, moved),
            "square": (g**2, moved**2),
            "determinant": (det, torch.linalg.det(h) * det),
        }
        for name, (here, there) in moments.items():
            error = 6 * ((here.var(0) + there.var(0)) / n).sqrt() + limit
            miss = (here.mean(0) - there.mean(0)).abs() / error
            made.add(f"haar is invariant: its {name} does not change under a shift", miss, 1.0)


def _check_rule(made: Report, group: Group, generator: torch.Generator, logs: bool) -> None:
    """Check that weights sum to 1, nodes are elements, and averages do not change under shifts."""
    for degree in (1, 2, 3, 5):
        if not _known(lambda d=degree: group.rule(d)):
            continue
        g, w = group.rule(degree)
        made.add("the weights of rule sum to 1", (w.sum() - 1).abs(), 1e-12)
        if logs:
            made.expect("the nodes of rule are elements", group.contains(g.to(group.generators)))
        forms = torch.randn(degree, *g.shape[1:], generator=generator, dtype=torch.float64)

        def mean(g: Tensor, w: Tensor = w, forms: Tensor = forms) -> Tensor:
            return (w * torch.einsum("fij,nij->fn", forms, g).prod(0)).sum()

        size = mean(g.abs(), w, forms.abs())
        shifts = sample(group, 4, generator).double()
        miss = torch.stack([(mean(h @ g) - mean(g)).abs() / size for h in shifts])
        tolerance = 1e-10 if made.dtype == torch.float64 else 1e-5
        made.add(f"rule({degree}) ignores shifts", miss, tolerance)


def _check_density(made: Report, group: Group, generator: torch.Generator, logs: bool) -> None:
    """Check the Haar density against the Jacobian of exp and against Haar draws, with preimages.

    The density is its value at 0 times |det sum_n (-ad)^n / (n + 1)!| (Helgason 1978, II.1.7).
    """
    caps, n = torch.tensor(group.caps, dtype=torch.float64), 4096
    xi = 2 * coefficients(group, 16, generator=generator)
    eye = torch.eye(group.k, dtype=torch.float64)
    ad = group.bracket(xi[:, None].expand(-1, group.k, -1), eye.expand(16, -1, -1)).mT
    series = torch.zeros_like(ad)
    for m in range(60, 0, -1):  # sum_n (-ad)^n / (n + 1)!
        series = eye + series @ (-ad) / (m + 1)
    density, at_zero = group.haar_density(xi), group.haar_density(0 * xi[0])
    ratio = density / (at_zero * torch.linalg.det(series).abs()) - 1
    made.add("haar_density is the Jacobian of exp", ratio.abs(), 1e-9)
    same = group.exp(group.preimages(xi, float(3 * caps.norm())))
    law = "preimages are the same element"
    made.compare(law, same, group.exp(xi).expand_as(same), 1e-9)
    if not logs or not _known(lambda: group.haar(1, generator)):
        return
    drawn = group.haar(n, generator).double()
    drawn = drawn[(group.component(drawn) - group.identity()).abs().amax((-1, -2)) < 1e-6]
    for reach in (0.5, 1.0, 1.7, 3.0):
        box = reach * caps
        found = (group.preimages(group.log(drawn), float(box.norm())).abs() <= box).all(-1)
        there = found.sum(0).double()  # number of preimages in the box, for each draw
        points = box * (2 * torch.rand(n, group.k, generator=generator, dtype=torch.float64) - 1)
        volume = (2 * box).prod() * group.haar_density(points)
        share = there.sum() / n  # draws on other components count as 0
        error = 6 * ((volume.var() + (there.square().sum() / n - share**2)) / n).sqrt() + 1e-9
        miss = (volume.mean() - share).abs() / error
        made.add("haar_density is Haar's, with all preimages (6 standard errors)", miss, 1.0)


def _known(formula: Callable[[], Any]) -> bool:
    """Whether the call succeeds, rather than raising InputError because it is not defined."""
    try:
        formula()
    except InputError:
        return False
    return True


def _tensors(x: Any) -> Iterator[Tensor]:
    for part in flatten(x):
        if isinstance(part, Tensor):
            yield part
        else:
            yield from (v for v in part.to_dict().values() if isinstance(v, Tensor))


def _cast(x: Any, dtype: torch.dtype) -> Any:
    def cast(t: Tensor) -> Tensor:
        return t.to(dtype) if t.is_floating_point() else t

    return rebuild(x, [cast(p) if isinstance(p, Tensor) else p.apply(cast) for p in flatten(x)])
