"""What a learned distribution is: closed forms, and Monte-Carlo errors that hold."""

import json
from math import log, pi

import pytest
import torch
import yaml
from lie_nets import invariant, molecules

from molinv import InputError, groups
from molinv import distributions as D
from molinv.analysis.learned.distribution import section
from molinv.analysis.learned.measures import (
    HAAR_DISTANCE,
    energy_distance,
    haar_angle_density,
    monte_carlo_entropy,
    rotations,
)
from molinv.analysis.learned.several import several
from molinv.analysis.orbits import sweep
from molinv.analysis.section import Chart
from molinv.analysis.settings import Settings
from molinv.analysis.subject import Quantity, Subject
from molinv.distributions.haar_ball import ball_measure
from molinv.groups.merging import distance
from molinv.training.config import TrainConfig

SO3 = groups.SO3()
STRUCTURES = molecules(3, 4)
HISTORY = [
    {"epoch": 0.0, "extent_radius": 0.05},
    {"epoch": 1.0, "extent_radius": 2.9, "coverage": 0.8},
    {"epoch": 2.0, "extent_radius": 3.0, "coverage": 0.9},
]


def made(mu, history=()):
    quantity = (Quantity("f", ""),)
    subject = Subject(
        "f", invariant, quantity, distribution=mu, history=history, dtype=torch.float64
    )
    return section(sweep(subject, STRUCTURES, 2), Settings())


def charts(found):
    return [figure for figure in found.figures if isinstance(figure, Chart)]


def test_the_angle_of_a_haar_rotation():
    found = (
        distance(SO3.double().haar(20_000, torch.Generator().manual_seed(0)), torch.eye(3))
        .sort()
        .values
    )
    known = (found - found.sin()) / pi  # the integral of the density
    uniform = torch.arange(1, 20_001) / 20_000
    assert (known - uniform).abs().max() < 0.012  # Kolmogorov's distance
    t = torch.linspace(0, pi, 2001, dtype=torch.float64)
    assert torch.trapezoid(haar_angle_density(t), t).item() == pytest.approx(1, abs=1e-6)


def test_the_distance_between_haar_rotations():
    g = groups.SO3().double().haar(4000, torch.Generator().manual_seed(1))
    away = (g[:2000] - g[2000:]).flatten(1).norm(dim=1)
    assert float(away.mean()) == pytest.approx(HAAR_DISTANCE, abs=4 * float(away.std()) / 2000**0.5)
    # and from any fixed rotation
    assert float((g - g[0]).flatten(1).norm(dim=1).mean()) == pytest.approx(HAAR_DISTANCE, abs=0.04)


def test_energy_distance_of_haar_a_point_and_a_circle():
    haar = rotations(D.Haar(SO3), 8000, 0)
    assert haar is not None
    value, error = energy_distance(haar.split(500))
    assert abs(value) < 4 * error
    assert error < 2e-3
    point, none = energy_distance(torch.eye(3).double().expand(20, 50, 3, 3).unbind())
    assert point == pytest.approx(HAAR_DISTANCE)
    assert none == 0
    angle = torch.rand(8000, 1, generator=torch.Generator().manual_seed(0)).double() * 2 * pi
    circle = groups.SO3().exp(angle * torch.tensor([0.0, 0.0, 1.0]))
    value, error = energy_distance(circle.split(200))
    # two turns about one axis differ by 2 sqrt 2 |sin(t / 2)|, whose mean is 4 sqrt 2 / pi
    assert value == pytest.approx(HAAR_DISTANCE - 4 * 2**0.5 / pi, abs=5 * error)


def test_peaks_are_named():
    mu = D.Peaks(SO3, count=3).double()
    with torch.no_grad():
        mu._places.copy_(torch.tensor([pi / 2, pi, -pi / 2]).double()[:, None] * torch.eye(3)[2])
    found = made(mu)
    assert found.numbers["named"] == {"symbol": "C4", "overlap": 1.0, "peaks": 4}
    assert any("Its 4 peaks are the group C4 about (" in text for text in found.findings)
    with torch.no_grad():
        mu._places.copy_(torch.tensor([0.5, 1.7, 2.9]).double()[:, None] * torch.eye(3)[2])
    assert any("no group of rotations" in text for text in made(mu).findings)


@pytest.mark.parametrize("radius", [0.3, 1.5, 3.1])
def test_a_ball_has_closed_forms(radius):
    found = made(D.HaarBall(SO3, init=radius)).numbers["measures"]
    share = float(ball_measure(SO3, torch.tensor(radius).double()))
    assert found["coverage (Haar measure of its support)"]["value"] == pytest.approx(
        share, rel=1e-4
    )
    assert found["KL to Haar (nats)"]["value"] == pytest.approx(-log(share), rel=1e-4, abs=1e-6)
    assert found["KL to Haar (nats)"]["standard_error"] == 0
    distance = found["energy distance of its rotations to Haar"]
    if radius == 3.1:  # nearly Haar: at most what separates 2 |mu - Haar| in total variation
        assert abs(distance["value"]) < 0.01
    else:
        assert distance["value"] > 20 * distance["standard_error"]


@pytest.mark.parametrize("init", [0.3, [0.1, 2.0, 3.0]])
@pytest.mark.parametrize("kind", [D.UniformBox, D.Gaussian])
def test_monte_carlo_agrees_with_the_distributions_own_numbers(kind, init):
    mu = kind(SO3, init=init, cap=pi)
    estimate = monte_carlo_entropy(mu, 0)
    assert estimate is not None
    value, error = estimate
    assert value == pytest.approx(mu.entropy().item(), abs=4 * error + 1e-3)
    assert error < 0.02


def test_a_narrow_box_has_the_volume_of_the_algebra():
    mu = D.UniformBox(SO3, init=0.01)
    found = made(mu).numbers["measures"]
    share = 0.02**3 / (8 * pi**2)  # Haar's density at the identity is 1 / 8 pi^2
    assert found["coverage (Haar measure of its support)"]["value"] == pytest.approx(
        share, rel=1e-3
    )
    assert found["KL to Haar (nats)"]["value"] == pytest.approx(-log(share), rel=1e-4)


def test_the_section_shows_history_angles_and_numbers():
    found = made(D.HaarBall(SO3, init=3.0), HISTORY)
    assert [c.name for c in charts(found)] == ["extents_rad", "rotation_angle"]
    chart, density = charts(found)
    assert chart.series[0].y == [0.05, 2.9, 3.0]
    learned, haar = density.series
    width = pi / len(learned.y)
    assert sum(learned.y) * width == pytest.approx(1)
    assert haar.y[-1] == pytest.approx(2 / pi)
    # inside of the ball it is Haar's, divided by the measure of the ball
    expected = haar_angle_density(torch.tensor(learned.x)) / ball_measure(SO3, torch.tensor(3.0))
    assert learned.low is not None
    assert learned.high is not None
    bounds = zip(learned.low, expected.tolist(), learned.high, strict=True)
    inside = [low <= value <= high for low, value, high in bounds]
    assert sum(inside[:-3]) > 0.85 * len(inside[:-3])
    assert learned.y[-1] == 0
    json.dumps(found.numbers, allow_nan=False)


@pytest.mark.parametrize(
    ("mu", "says"),
    [
        (D.UniformBox(groups.SE3(), init=0.5), "SE3 is not compact"),
        (D.UniformBox(groups.T(3), init=0.5), "not compact"),
        (D.UniformBox(groups.Affine3(), init=0.3), "are not rotations of space"),
        (D.Identity(SO3), "one point"),
        (D.Haar(SO3), "coverage (Haar measure of its support) 1"),
        (D.Composed(groups.O3(), init=0.4), "moved 0.4 probability"),
        (D.Categorical(groups.Cyclic(4, 3)), "moved 0.05 probability"),
        (D.Conditional(SO3), "half-widths of its own"),
        (D.Gaussian(SO3), "standard deviations wx 0.05 rad"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_every_distribution_has_a_section(mu, says):
    found = made(mu)
    assert any(says.lower() in text.lower() for text in found.findings), found.findings
    assert any("there is no history" in text for text in found.findings)
    assert found.missing is None
    json.dumps(found.numbers, allow_nan=False)


def test_a_function_without_a_distribution():
    with pytest.raises(InputError, match="came without a distribution"):
        made(None)


def run(folder, lam, seed, radius, error, targets=("homo",)):
    """A run folder as far as it is read here."""
    folder.mkdir(parents=True)
    config = TrainConfig(lam=lam, seed=seed, targets=",".join(targets), out=str(folder))
    (folder / "config.yaml").write_text(yaml.safe_dump(vars(config)))
    each = {"stored": error, "rotated": error + 1, "unit": "meV"}
    card = {
        "extents": {"radius": {"value": radius, "unit": "rad", "cap": pi}},
        "validation": {t: each for t in targets},
    }
    (folder / "model.json").write_text(json.dumps(card))
    (folder / "metrics.csv").write_text(f"epoch,extent_radius\n0,0.05\n1,{radius}\n")
    return folder


def test_seeds_and_a_sweep_of_lambda_in_one_figure(tmp_path):
    folders = [
        run(tmp_path / f"{lam}-{seed}", lam, seed, radius + 0.1 * seed, 10 - radius + seed)
        for lam, radius in ((0.002, 1.0), (0.05, 3.0))
        for seed in (0, 1)
    ]
    found = several(folders)
    assert [c.name for c in charts(found)] == ["sweep_extents_rad", "sweep_errors"]
    mean, points = charts(found)[0].series
    assert charts(found)[0].log_x
    assert mean.x == [0.002, 0.05]
    assert mean.y == pytest.approx([1.05, 3.05])
    assert mean.low == pytest.approx([1.0, 3.0])
    assert mean.high == pytest.approx([1.1, 3.1])
    assert points.x == [0.002, 0.002, 0.05, 0.05]
    assert charts(found)[1].series[0].y == pytest.approx([9.5, 7.5])
    assert "meV" in charts(found)[1].y
    assert [row[0] for row in found.tables[0].rows] == ["0.002-0", "0.002-1", "0.05-0", "0.05-1"]
    assert any("0.05-0" in text and "smallest" in text for text in found.findings)
    json.dumps(found.numbers, allow_nan=False)


def test_targets_have_equal_weight(tmp_path):
    a = run(tmp_path / "a", 0.0, 0, 1.0, 10.0, ("homo", "mu"))
    b = run(tmp_path / "b", 0.1, 0, 2.0, 30.0, ("homo", "mu"))
    found = several([a, b])
    assert charts(found)[1].series[0].y == pytest.approx([0.5, 1.5])
    assert not charts(found)[0].log_x  # lambda 0 has no logarithm


def test_bad_sweeps_are_refused(tmp_path):
    a, b = run(tmp_path / "a", 0.1, 0, 1, 1), run(tmp_path / "b", 0.1, 0, 1, 1, ("mu",))
    with pytest.raises(InputError, match="at least two"):
        several([a])
    with pytest.raises(InputError, match="same targets"):
        several([a, b])
    (b / "model.json").write_text("{}")
    with pytest.raises(InputError, match="of a finished run"):
        several([a, b])
    with pytest.raises(InputError, match="no settings"):
        several([a, tmp_path])
    c = run(tmp_path / "c", 0.1, 1, 1, 1)
    (c / "metrics.csv").unlink()
    with pytest.raises(InputError, match="no history"):
        several([a, c])
