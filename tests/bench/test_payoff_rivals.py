"""The published methods beside `payoff`: their objectives, and a planted axis that each finds."""

import json
from math import log, pi
from pathlib import Path

import pytest
import torch

from molinv import Augmented, InputError, cli, groups
from molinv import distributions as D
from molinv.actions import Points
from molinv.bench import payoff
from molinv.bench.payoff import axis_sets, tasks
from molinv.bench.payoff.results import rival_cells, summarise
from molinv.bench.payoff.rivals import RIVALS, generators, lie_augmenter, liegan, lila
from molinv.bench.payoff.rivals.generators import FreeRotations
from molinv.datasets.batches import Batch
from molinv.datasets.targets import Target
from molinv.models.point import Point
from molinv.tasks.numbers import Numbers
from molinv.training.config import TrainConfig

SAMPLE = Path(__file__).parents[2] / "data" / "qm9_sample"
COUNT = 256


@pytest.fixture
def seed():
    return torch.Generator().manual_seed(0)


def planted(seed):
    """Pairs of atoms in random orientations; y is the height of the first, which turns keep."""
    v = torch.nn.functional.normalize(torch.randn(COUNT, 3, generator=seed), dim=1)
    pos = 1.5 * torch.stack([v, -v], 1)
    z = torch.tensor([[6, 8]]).expand(COUNT, 2)
    y = (v[:, 2:] / v[:, 2].std()).double()
    return Batch(pos, z, y, torch.arange(COUNT))


def batches(whole, steps, seed):
    for _ in range(steps):
        rows = torch.randint(COUNT, (32,), generator=seed)
        yield Batch(whole.pos[rows], whole.z[rows], whole.y[rows], rows)


def trained(objective, distribution, seed, steps, copies=1):
    """A small network and the distribution after `steps` of an objective."""
    torch.manual_seed(0)
    model = Point(1, width=16, layers=1, kernels=4, hidden=16)
    network = Augmented(model, distribution, Points(), copies=copies)
    config = TrainConfig(train_size=COUNT, lam=0.0, group_lr=0.05)
    module = objective(network, Numbers([Target("height", "")]), config, COUNT)
    module.noise = lambda: torch.stack([distribution.noise(COUNT, seed) for _ in range(copies)])
    optimizer = module.configure_optimizers()
    for step, batch in enumerate(batches(planted(seed), steps, seed)):
        module.opens = step >= 0.2 * steps
        loss = module.objective(batch)[1]
        optimizer.zero_grad()
        loss.backward()
        if not module.opens:
            for p in distribution.parameters():
                p.grad = None
        optimizer.step()
    return module


def test_the_evidence_of_a_linear_model_is_exact(seed):
    n, p = 7, 4
    features = torch.randn(n, p, generator=seed, dtype=torch.float64)
    y = torch.randn(n, generator=seed, dtype=torch.float64)
    noise, prior = 0.4, torch.tensor([2.0, 0.5], dtype=torch.float64)
    jacobian = [features[:, :1], features[:, 1:]]
    spread = torch.cat([prior[:1], prior[1:].expand(p - 1)])
    theta = torch.linalg.solve(
        features.mT @ features / noise**2 + torch.diag(spread), features.mT @ y / noise**2
    )
    squares = torch.stack([theta[:1].square().sum(), theta[1:].square().sum()])
    found = lila.negative_evidence(
        features @ theta, y, jacobian, torch.tensor(log(noise)).double(), prior.log(), squares, n
    )
    covariance = noise**2 * torch.eye(n).double() + features / spread @ features.mT
    normal = torch.distributions.MultivariateNormal(torch.zeros(n).double(), covariance)
    assert float(found) == pytest.approx(-float(normal.log_prob(y)) / n, rel=1e-6)


def test_jacobians_are_those_of_the_averaged_output(seed):
    read = Point(1, width=16, layers=1, kernels=4, hidden=16).read
    states = torch.randn(3, 2, 5, 16, generator=seed)
    inside = (torch.rand(3, 5, 1, generator=seed) > 0.3).float()
    found = lila.jacobians(read, states, inside)
    outputs = (read(states) * inside[:, None]).sum((2, 3)).mean(1) / 20
    for i in range(3):
        rows = torch.autograd.grad(outputs[i], list(read.parameters()), retain_graph=True)
        for row, each in zip(rows, found, strict=True):
            assert torch.allclose(each[i], row.flatten(), atol=1e-6)


def test_regularisers_have_their_known_values():
    pos = torch.tensor([[[1.0, 0, 0], [0, 0, 1], [0, 0, 0]]])
    z = torch.tensor([[6, 1, 0]])  # the last is padding
    quarter = groups.SO3().exp(torch.tensor([[0.0, 0, pi / 2]]))
    assert float(generators.likeness(pos, pos, z)) == pytest.approx(1)
    assert float(generators.likeness(pos, pos @ quarter.mT, z)) == pytest.approx(0.5, abs=1e-6)
    vectors = torch.tensor([[2.0, 0, 0], [0, 3, 0], [1, 1, 0]])
    assert float(generators.overlap(vectors)) == pytest.approx(2**0.5)
    short = generators.half_turn(torch.tensor([[4.0, 0, 0], [0, 1, 0]]))
    assert short.norm(dim=1).tolist() == pytest.approx([pi, 1])


def test_generators_are_written_and_read_by_name():
    vectors = torch.tensor([[0.0, 0, 3.0], [0.1, 0, 0], [0, 0.2, 0]])
    group = groups.find(generators.held(vectors))
    assert torch.equal(group.vectors, vectors)
    assert not group.vectors.requires_grad
    xi = torch.tensor([[0.5, -1.0, 0.3]])
    assert torch.allclose(group.exp(xi), torch.matrix_exp(group.algebra(xi)), atol=1e-5)
    found = axis_sets.spread(D.UniformBox(group, init=1.0, learn=False))
    assert found.axis.abs().tolist() == pytest.approx([0, 0, 1])
    assert (found.about, found.across) == pytest.approx((3, 0.2), abs=1e-4)
    assert groups.find(generators.free(2, 0.5)).vectors.norm(dim=1).tolist() == pytest.approx(
        [0.5, 0.5]
    )
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        FreeRotations(3, start=[[1.0, 0, 0]])


def upright(distribution):
    found = axis_sets.spread(distribution)
    return float(found.axis[2].abs()), found.about, found.across


def test_lie_augmenter_finds_a_planted_axis(seed):
    torch.manual_seed(0)
    box = D.UniformBox(FreeRotations(3), init=1.0, learn=False)
    module = trained(lie_augmenter.LieAugmenter, box, seed, 500)
    cosine, about, across = upright(module.network.distribution)
    assert cosine > 0.98
    assert about > 3 * across


def test_lila_opens_a_box_about_the_planted_axis_only(seed):
    box = D.UniformBox(groups.SO3(), init=0.5)
    trained(lila.Lila, box, seed, 200, copies=2)
    x, y, z = (float(extent.value.detach()) for extent in box.extent().values())
    assert z > 1.5
    assert max(x, y) < 0.3


def test_the_evidence_does_not_train_the_network(seed):
    box = D.UniformBox(groups.LearnedBasis(3, 3, compact=True, generator=seed))
    module = trained(lila.Lila, box, seed, 0, copies=2)
    whole = planted(seed)
    zero = module._hyperparameters(whole, module.truth(whole))
    assert float(zero.detach()) == 0
    zero.backward()
    assert all(p.grad is None for p in module.network.model.parameters())
    assert module.log_noise.grad.abs() > 0
    assert all(p.grad.abs().sum() > 0 for p in box.parameters())


def test_liegan_finds_a_planted_axis(seed):
    whole = planted(seed)
    pairs = ((batch, batch.y.float()) for batch in batches(whole, 600, seed))
    vectors = liegan.discover(pairs, 0)
    box = D.UniformBox(groups.find(generators.held(vectors)), init=1.0, learn=False)
    cosine, about, across = upright(box)
    assert cosine > 0.95
    assert about > 2 * across


def test_rivals_run_on_the_field_and_are_refused_elsewhere(tmp_path, monkeypatch):
    pytest.importorskip("tblite")
    monkeypatch.setattr(tasks, "PASSES", 1)
    arguments = ["bench", "payoff", "--data", str(SAMPLE), "--out", str(tmp_path), "--copies", "2"]
    arguments += ["--sets", "field", "--molecules", "20", "--geometries", "2", "--sizes", "16"]
    arguments += ["--steps", "2", "--seeds", "1", "--methods", ",".join(["none", *RIVALS])]
    assert cli.main(arguments) == 0
    found = {
        method: json.loads((tmp_path / f"runs/field-{method}-16-seed0/result.json").read_text())
        for method in ("none", *RIVALS)
    }
    assert len({each["split"] for each in found.values()}) == 1
    assert len({each["steps"] for each in found.values()}) == 1
    assert all("degrees" in found[method]["learned"] for method in RIVALS)
    table = json.loads((tmp_path / "table.json").read_text())
    assert set(table["rows"][0]["rivals"]) == set(RIVALS)
    assert "| field (meV) | 16 | LILA |" in (tmp_path / "table.md").read_text()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*")}
    assert cli.main(arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*")}
    with pytest.raises(InputError, match=r"LILA .* not for surface"):
        payoff.main(str(tmp_path), "field,surface", methods="learned,LILA")
    monkeypatch.setitem(RIVALS["LILA"].weights, "every", 3)
    with pytest.raises(InputError, match="every=8, not 3"):
        payoff.main(
            *(str(tmp_path), "field", "16", 1, 2, "LILA", 20, 2), copies=2, data=str(SAMPLE)
        )


def test_the_table_of_rivals_has_paired_differences():
    made = []
    errors = {"none": [10, 12], "learned": [8, 9], "LieGAN": [11, 12]}
    for method, values in errors.items():
        for seed, error in enumerate(values):
            about = {"set": "field", "unit": "meV", "method": method, "size": 300, "seed": seed}
            own = {"found": "2.0 degrees off", "right": seed == 0}
            made.append(about | {"error": error} | ({} if method == "none" else {"learned": own}))
    (row,) = rival_cells(summarise(made))
    assert row[:4] == ("field (meV)", "300", "LieGAN", "11.5 ± 0.7")
    assert row[4].startswith("+0.5 ± ")
    assert row[5].startswith("+3.0 ± ")
    assert row[-1] == "1 of 2"
