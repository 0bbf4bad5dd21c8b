"""Augmented.risk: a loss that is correct for every distribution, mask and number of copies."""

import pytest
import torch

from molinv import Augmented, InputError, actions, groups
from molinv import distributions as D
from molinv.actions import Invariant, Points, Segmentation, Vector

REFLECTION = groups.Reflection(3)
EUCLID = groups.E3()
MADE = {
    "Categorical": lambda: D.Categorical(REFLECTION, init=0.3),
    "Composed": lambda: D.Composed(groups.O3(), init=0.3),
    "Conditional": lambda: D.Conditional(groups.SO3(), init=0.3),
    "Gaussian": lambda: D.Gaussian(groups.SO3(), init=0.3),
    "HaarBall": lambda: D.HaarBall(groups.SO3(), init=0.3),
    "Peaks": lambda: D.Peaks(groups.SO3(), init=0.3, count=9),
    "UniformBox": lambda: D.UniformBox(groups.SE3(), init=0.3),
    "Identity": lambda: D.Identity(groups.SO3()),
    "Haar": lambda: D.Haar(REFLECTION),
}


def seed(n=0):
    return torch.Generator().manual_seed(n)


def normal(*shape, n=0):
    return torch.randn(*shape, generator=seed(n))


class Odd(torch.nn.Module):
    """An odd function of the points: inversion changes its sign."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(normal(3, n=5))

    def forward(self, x):
        return (x - x.mean(1, keepdim=True))[:, 0] @ self.weight


def test_every_distribution_is_tried():
    assert set(MADE) == set(D.available())


def train(mu, target, steps=600, copies=1, lam=0.02, exact=4, lr=3e-2):
    """The README's training loop, with other data."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Augmented(Odd(), mu, copies=copies).train()
    widths = {"params": mu.parameters(), "lr": lr}
    optimizer = torch.optim.Adam([{"params": model.model.parameters(), "lr": 1e-2}, widths])
    generator = seed(1)
    for _ in range(steps):
        pos = torch.randn(64, 4, 3, generator=generator)
        y = target(pos)
        risk = model.risk(lambda out: (out - y).abs(), pos, generator=generator, exact=exact)  # noqa: B023
        loss = risk.loss - lam * risk.reward
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def first(pos):
    return (pos - pos.mean(1, keepdim=True))[:, 0, 0]


@pytest.mark.parametrize("exact", [1, 4])
@pytest.mark.parametrize(
    "mu",
    [
        D.Categorical(REFLECTION),
        D.Categorical(REFLECTION, init=0.4),
        D.Composed(groups.O3(), init=0.2),
        D.Composed(EUCLID, init=0.2),
    ],
    ids=lambda mu: f"{type(mu).__name__}-{mu.group}",
)
def test_an_odd_target_closes_the_inversion(mu, exact):
    """Its probability is below 0.01 after 600 steps. A plain mean of losses would not close it."""
    from copy import deepcopy

    model = train(deepcopy(mu), first, exact=exact)
    moved = model.distribution.extent()["moved"]
    assert float(moved.value.detach()) < 0.01
    if str(mu.group) == "E3":  # the target is invariant under translations: the reward opens them
        extent = {n: float(e.value.detach()) for n, e in model.distribution.extent().items()}
        assert min(extent[t] for t in ("tx", "ty", "tz")) > 1.0
        assert extent["wx"] > 2.0  # it is also invariant under rotations about x
        assert max(extent["wy"], extent["wz"]) < 0.3


def test_an_even_target_opens_the_inversion():
    class Even(Odd):
        def forward(self, x):
            return super().forward(x).square()

    mu = D.Composed(groups.O3(), init=0.1)
    model = Augmented(Even(), mu).train()
    optimizer = torch.optim.Adam(mu.parameters(), 3e-2)
    for step in range(300):
        pos = normal(64, 4, 3, n=step)
        y = model.model(pos).detach()
        risk = model.risk(lambda out: (out - y).abs(), pos, generator=seed(step))  # noqa: B023
        optimizer.zero_grad()
        (risk.loss - 0.1 * risk.reward).backward()
        optimizer.step()
    assert float(mu.extent()["moved"].value.detach()) > 0.4


def test_a_conditional_distribution_trains_in_the_same_loop():
    """Widths close where the target is not invariant. The encoder reads every batch once."""
    calls = []
    mu = D.Conditional(groups.SO3(), init=0.5)
    mu.encoder.register_forward_hook(lambda *_: calls.append(1))
    train(mu, first, steps=400, lr=1e-3)
    assert len(calls) == 400
    with torch.no_grad():
        wx, wy, wz = mu.eval().at(normal(16, 4, 3)).widths.mean(0)
    assert max(wy, wz) < 0.2
    assert wx > 0.5  # the target is invariant under rotations about x


@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("name", MADE)
def test_it_is_the_mean_over_copies_examples_and_entries(name, copies):
    mu = MADE[name]()
    model = Augmented(Odd(), mu, copies=copies).train()
    pos, y = normal(6, 4, 3), normal(6, n=3)
    noise = torch.stack([mu.noise(6, seed(c)) for c in range(copies)])
    risk = model.risk(lambda out: (out - y).abs(), pos, noise=noise, exact=1)
    with torch.no_grad():
        bound = mu.at(pos)
        drawn = [bound.weighted(u, 1) for u in noise]  # one element a row, or several with weights
        losses = [
            sum(w * (model.run(g, pos)[0] - y).abs() for g, w in zip(*pair, strict=True))
            for pair in drawn[: -(-copies // len(drawn[0][0]))]
        ]
        want = torch.stack(losses).mean()
        reward = bound.regularizer()
    assert torch.allclose(risk.loss.detach(), want, atol=1e-6)
    assert torch.allclose(risk.reward.detach(), reward)
    assert float(risk.terms[0].count) == pytest.approx(6)
    if mu.plain and name not in ("Conditional",):
        values = model(pos, noise=noise)
        assert torch.allclose((values - y).abs().mean(), want, atol=1e-6)


def test_a_plain_mean_is_refused_where_it_would_be_wrong():
    for mu in (D.Categorical(REFLECTION), D.Composed(groups.O3())):
        model = Augmented(Odd(), mu).train()
        with pytest.raises(InputError, match=r"train with model\.risk"):
            model(normal(2, 4, 3))
        assert model.eval()(normal(2, 4, 3)).shape == (2,)
        fixed = type(mu)(mu.group, learn=False)
        assert Augmented(Odd(), fixed).train()(normal(2, 4, 3)).shape == (1, 2)


def test_finite_parts_are_summed_exactly():
    calls = []

    class Counted(Odd):
        def forward(self, x):
            calls.append(1)
            return super().forward(x)

    pos, y = normal(6, 4, 3), normal(6, n=3)
    mu = D.Categorical(groups.PointGroup("D2"), init=0.6)
    model = Augmented(Counted(), mu, copies=3).train()
    risk = model.risk(lambda out: (out - y).square(), pos)
    assert len(calls) == 4  # once for each element, whatever the number of copies
    elements, p = mu.support()
    each = [(model.run(g.expand(6, 3, 3), pos)[0] - y).square().mean() for g in elements]
    want = (p * torch.stack(each)).sum()
    assert torch.allclose(risk.loss, want)
    grads = [torch.autograd.grad(v, list(mu.parameters())) for v in (risk.loss, want)]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*grads, strict=True))
    calls.clear()
    both = D.Composed(groups.O3(), init=0.5)
    model = Augmented(Counted(), both, copies=4).train()
    risk = model.risk(lambda out: (out - y).square(), pos, generator=seed())
    assert len(calls) == 4  # two rotations, each with and without inversion
    generator, total = seed(), 0
    for _ in range(2):
        g = both.a.transform(both.noise(6, generator)[:, :-1])
        p = both.b.probabilities()
        parts = [(model.run(s * g, pos)[0] - y).square().mean() for s in (1, -1)]
        total = total + p[0] * parts[0] + p[1] * parts[1]
    assert torch.allclose(risk.loss, total / 2)
    calls.clear()
    model.risk(lambda out: (out - y).square(), pos, exact=1)
    assert len(calls) == 4


def test_entries_of_weight_0_are_ignored():
    mu = D.UniformBox(groups.SO2(), init=0.5)
    model = Augmented(torch.nn.Identity(), mu, actions.Image(), Segmentation(), copies=2).train()
    x, y = normal(3, 2, 9, 9), torch.randint(0, 2, (3, 9, 9), generator=seed())
    cross = torch.nn.functional.cross_entropy
    known = torch.rand(3, 9, 9, generator=seed(1)) > 0.3

    def loss(out):
        return cross(out, y, reduction="none"), known

    noise = torch.stack([mu.noise(3, seed(c)) for c in range(2)])
    risk = model.risk(loss, x, noise=noise)
    values, inside = model(x, noise=noise)
    weight = inside[:, :, 0] * known
    every = torch.stack([cross(v, y, reduction="none") for v in values])
    assert torch.allclose(risk.loss, (weight * every).sum() / weight.sum())
    assert float(risk.terms[0].count) == pytest.approx(float(weight.sum()) / 2)
    plain = model.risk(lambda out: (out - x).square(), x, noise=noise)  # (b, c, h, w) each
    wide = inside.expand_as(values)
    assert torch.allclose(plain.loss, (wide * (values - x).square()).sum() / wide.sum())
    none = model.risk(lambda out: (out - x, torch.zeros(3, 1, 1, 1)), x, noise=noise)
    assert float(none.loss.detach()) == 0


class Fields(torch.nn.Module):
    """Energies, and forces, of points in a field."""

    def forward(self, x, z, *, scale=1.0):
        pos, field = (x["pos"], x["field"]) if isinstance(x, dict) else x
        along = (pos * field[:, None]).sum(-1)
        energy, force = scale * (z * along).sum(1), scale * z[..., None] * field[:, None]
        return {"energy": energy, "forces": force} if isinstance(x, dict) else (energy, force)


@pytest.mark.parametrize("form", [tuple, dict])
def test_inputs_and_outputs_of_several_parts(form):
    pos, field, z = normal(5, 4, 3), normal(5, 3, n=1), normal(5, 4, n=2)
    names = ("pos", "field"), ("energy", "forces")
    x = (pos, field) if form is tuple else dict(zip(names[0], (pos, field), strict=True))
    moves = (Points(), Vector()), (Invariant(), Vector())
    if form is dict:
        moves = tuple(dict(zip(n, m, strict=True)) for n, m in zip(names, moves, strict=True))
    model = Augmented(Fields(), D.HaarBall(groups.SO3(), init=1.0), *moves, copies=3)
    want = model.model(x, z, scale=2.0)
    values = (lambda y: list(y.values())) if form is dict else list

    def losses(out):
        return [(a - b).square() for a, b in zip(values(out), values(want), strict=True)]

    risk = model.train().risk(losses, x, z, generator=seed(), scale=2.0)
    assert float(risk.loss.detach()) < 1e-9  # the model is equivariant
    assert len(risk.terms) == 2
    trained = model(x, z, scale=2.0)
    assert values(trained)[1].shape == (3, 5, 4, 3)
    found = model.eval().orbit(x, z, scale=2.0)
    for mean, std, y in zip(*map(values, (found.mean, found.std, want)), strict=True):
        assert torch.allclose(mean, y, atol=1e-5)
        assert std.max() < 1e-5
    assert type(found.mean) is form
    assert torch.allclose(values(model(x, z))[0] * 2, values(want)[0], atol=1e-5)
    with pytest.raises(InputError, match=r"dict with the parts|tuple of 2 parts"):
        model((pos,) if form is tuple else {"pos": pos, "spin": field}, z)


def test_the_output_of_a_loss_is_checked():
    model = Augmented(Odd(), D.UniformBox(groups.SO3())).train()
    pos, y = normal(6, 4, 3), normal(6)
    with pytest.raises(InputError, match=r'leave out its reduction, .*reduction="none"'):
        model.risk(lambda out: torch.nn.functional.l1_loss(out, y), pos)
    with pytest.raises(InputError, match=r"losses \(6, ...\) for 6 examples, got \(3,\)"):
        model.risk(lambda out: out[:3], pos)
    with pytest.raises(InputError, match=r"expected noise \(1, 6, m\)"):
        model.risk(lambda out: out, pos, noise=torch.zeros(2, 6, 3))


def test_only_the_model_is_under_autocast():
    mu = D.Conditional(groups.SO3(), init=1.0)
    model = Augmented(torch.nn.Linear(3, 1), mu, output=Invariant()).train()
    pos, noise = normal(4, 5, 3), mu.noise(4, seed())[None]
    with torch.autocast("cpu", torch.bfloat16):
        low = model.risk(lambda out: out.sum(1), pos, noise=noise)
    full = model.risk(lambda out: out.sum(1), pos, noise=noise)
    assert torch.equal(low.reward, full.reward)
    assert low.loss.dtype == torch.float32
    assert low.loss.detach() == pytest.approx(float(full.loss.detach()), abs=0.05)


# evaluation


def test_finite_distributions_are_averaged_exactly():
    for init in (0.5, 0.3):
        model = Augmented(Odd(), D.Categorical(REFLECTION, init=init)).eval()
        pos = normal(6, 4, 3)
        found, plain = model.orbit(pos), model.model(pos).detach()
        assert torch.allclose(found.mean, (1 - 2 * init) * plain, atol=1e-5)
        assert found.count == 2
        spread = 2 * (init * (1 - init)) ** 0.5 * plain.abs()
        assert torch.allclose(found.std, spread, atol=1e-5)
    fair = Augmented(Odd(), D.Haar(REFLECTION)).eval()
    assert fair(pos).abs().max() < 1e-5
    large = Augmented(Odd(), D.Categorical(groups.PointGroup("O"))).eval()
    assert large.orbit(pos).count == 24
    assert large.orbit(pos, copies=5).count == 5  # drawn: no more calls than asked for
    both = Augmented(Odd(), D.Composed(groups.O3(), "HaarBall", D.Haar(REFLECTION))).eval()
    assert both(pos).abs().max() < 1e-5  # each rotation with and without inversion


def test_gradients_pass_through_averages_with_flat_memory():
    mu = D.HaarBall(groups.SO3(), init=2.0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Tanh())
    model = Augmented(net, mu).eval()
    pos = normal(3, 4, 3).requires_grad_()
    assert not model.orbit(pos).mean.requires_grad
    found = model.orbit(pos, copies=6, gradients=True).mean
    (slope,) = torch.autograd.grad(found.square().sum(), pos)
    nodes = list(model.elements(pos, copies=6))
    stacked = torch.stack([model.run(g.detach(), pos)[0] for g, _ in nodes]).mean(0)
    (want,) = torch.autograd.grad(stacked.square().sum(), pos)
    assert torch.allclose(found, stacked, atol=1e-6)
    assert torch.allclose(slope, want, atol=1e-5)
    haar = model.orbit(pos, orbit="haar", degree=2, gradients=True)
    assert haar.count == 12
    haar.mean.sum().backward()
    assert pos.grad.abs().max() > 0
    with torch.no_grad():
        assert not model.orbit(pos, gradients=True).mean.requires_grad


def test_with_log_prob_the_deviation_is_that_of_the_logarithm():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    pos = normal(5, 4, 3)
    mu = D.UniformBox(groups.SO3(), init=0.02)  # small, where a logarithm is linear
    model = Augmented(net, mu, reduce="log_prob").eval()
    found = model.orbit(pos, copies=50)
    every = torch.stack([model.run(g, pos)[0] for g, _ in model.elements(pos, copies=50)])
    assert torch.allclose(found.std, every.log_softmax(-1).std(0), rtol=0.05)
    assert torch.allclose(found.mean, every.softmax(-1).mean(0).log(), atol=1e-5)


@pytest.mark.parametrize(("size", "copies"), [(1, 1), (1, 3), (2, 1), (5, 2)])
def test_the_score_is_unbiased_for_any_batch(size, copies):
    """The gradient's expectation, over all possible draws, is the gradient of the exact sum."""
    mu = D.Categorical(REFLECTION, init=0.3).double()
    net = Augmented(Odd(), mu, copies=copies).double().train()
    pos = normal(size, 4, 3).double()

    def loss(out):
        return (out - 0.7).square() + 3.0

    (exact,) = torch.autograd.grad(net.risk(loss, pos).loss, mu._moved.raw)
    p = mu.probabilities().detach()
    total = torch.zeros(1).double()
    for pick in torch.cartesian_prod(*[torch.tensor([0, 1])] * (size * copies)).view(
        -1, copies, size
    ):
        noise = torch.where(pick == 0, p[0] / 2, p[0] + p[1] / 2)[..., None]
        risk = net.risk(loss, pos, noise=noise, exact=1)
        (slope,) = torch.autograd.grad(risk.loss, mu._moved.raw)
        total += p[pick].prod() * slope
    assert torch.allclose(total, exact, rtol=1e-9)


def test_errors_for_wrong_arguments_are_one_sentence():
    mu, pos, y = D.UniformBox(groups.SO3()), normal(6, 4, 3), normal(6)
    model = Augmented(Odd(), mu).train()
    wrong = [
        (
            lambda: model.risk(lambda out: (out - y, out.abs()), pos),
            "several losses, return a list",
        ),
        (lambda: model.risk(lambda out: (out, torch.ones(5)), pos), "that fit losses"),
        (lambda: model.risk(lambda out: [], pos), "got list"),
        (lambda: model.risk(lambda out: (out, out, out), pos), "got tuple"),
        (lambda: model.risk(pos, lambda out: out), r"expected risk\(loss, x"),
        (lambda: model.risk(lambda out: out, {"pos": pos}), "need an action for each"),
        (lambda: model.risk(lambda out: out, pos.numpy()), "expected a tensor, got"),
        (lambda: Augmented(Odd(), groups.SO3()), "expected a distribution"),
        (lambda: Augmented(Odd(), mu, copies=2.5), "at least one copy, got 2.5"),
        (lambda: Augmented(Odd(), mu, input=Points), "expected an action such as"),
        (lambda: Augmented(Odd(), mu, input="Points"), "expected an action such as"),
        (lambda: Augmented(Odd(), mu, input=(Points(), None)), "expected an action such as"),
        (lambda: model.orbit(pos, orbit="haar", degree=2.5), "got 2.5"),
    ]
    for call, words in wrong:
        with pytest.raises(InputError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)

    class Named(torch.nn.Module):
        def forward(self, x):
            return {"energy": x.sum((1, 2))}

    with pytest.raises(InputError, match="need an action for each"):
        Augmented(Named(), mu, output=Vector()).eval()(pos)
    conditional = Augmented(Fields(), D.Conditional(groups.SO3()), {"pos": Points()}).train()
    with pytest.raises(InputError, match="encoder of its own"):
        conditional.risk(lambda out: out, {"pos": pos})


def test_recomputed_gradients_are_the_same():
    model = Augmented(Odd(), D.HaarBall(groups.SO3(), init=2.0)).eval()
    pos, slopes = normal(3, 4, 3).requires_grad_(), []
    for again in (False, True):
        mean = model.orbit(pos, copies=4, gradients=True, recompute=again).mean
        slopes.append(torch.autograd.grad(mean.square().sum(), pos)[0])
    assert torch.allclose(*slopes, atol=1e-6)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0), (1.0, 0.2)])
@pytest.mark.parametrize("exact", [1, 3, 8])
def test_the_score_is_unbiased_with_exact_sums_and_masks(weights, exact):
    """Three rotations and a reflection: both drawn, only the rotations summed, or both summed."""
    group = groups.Compose(groups.Cyclic(3), groups.Reflection(2))
    mu = D.Composed(group, init=0.3).double()
    net = Augmented(Corner(), mu).double().train()
    pos, w = normal(2, 3, 2).double(), torch.tensor(weights).double()
    wanted = list(mu.parameters())

    def slopes(**settings):
        risk = net.risk(lambda out: (out + 2.0, w), pos, **settings)
        found = torch.autograd.grad(risk.loss, wanted, allow_unused=True)
        return torch.cat(
            [torch.zeros_like(p) if g is None else g for p, g in zip(wanted, found, strict=True)]
        )

    p, q = mu.a.probabilities().detach(), mu.b.probabilities().detach()
    middles = [(shares.cumsum(0) - shares / 2)[:, None] for shares in (p, q)]
    kinds = [(a, b) for a in range(3) for b in range(2)]
    total = 0
    for one in kinds:
        for two in kinds:
            rows = [torch.cat([middles[0][a], middles[1][b]]) for a, b in (one, two)]
            share = p[one[0]] * q[one[1]] * p[two[0]] * q[two[1]]
            total = total + share * slopes(noise=torch.stack(rows)[None], exact=exact)
    assert torch.allclose(total, slopes(exact=8), rtol=1e-9, atol=1e-12)


class Corner(torch.nn.Module):
    def forward(self, x):
        return (x[:, 0, 0] + 2 * x[:, 1, 1]).sin() * x[:, 2, 0].exp()
