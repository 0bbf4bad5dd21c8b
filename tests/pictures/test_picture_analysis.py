"""`molinv analyse` for runs on pictures, checked on networks whose errors are known."""

import json
import math

import pytest
import torch

from molinv import Augmented, actions, distributions, groups
from molinv.analysis.pictures.changes import change, changes, foreground, map_iou, orbit_std
from molinv.analysis.pictures.poses import poses
from molinv.analysis.section import Chart
from molinv.cli import main
from molinv.datasets import pictures
from molinv.datasets.pictures.collages import collages
from molinv.datasets.pictures.store import Pictures
from molinv.models.pictures.base import PictureModel
from molinv.tasks.base import Task
from molinv.tasks.maps import Maps
from molinv.tasks.numbers import Numbers
from molinv.training import picture_data as data
from molinv.training.picture_config import PictureConfig
from molinv.training.run import train
from molinv.training.saved import Saved, load

TINY = ["--model_args", '{"width": 8}', "--epochs", "1", "--accelerator", "cpu"]


class Bright(PictureModel):
    """Classifies each pixel by its brightness: equivariant by construction."""

    maps = True

    def forward(self, x):
        return torch.cat([0.5 - x, x - 0.5], 1) * 20


class Above(PictureModel):
    """Predicts one class for the upper half and another for the lower, for any picture."""

    maps = True

    def forward(self, x):
        rows = torch.linspace(1, -1, x.shape[2])[:, None].expand(x.shape[2:])
        return torch.stack([rows, -rows]).expand(len(x), -1, -1, -1)


class Slope(PictureModel):
    """Measures how much ink is above the middle; the sign changes when the picture is flipped."""

    def forward(self, x):
        rows = torch.linspace(1, -1, x.shape[2])[:, None]
        return torch.stack([(x[:, 0] * rows).mean((1, 2)), x[:, 0].mean((1, 2))], 1)


def saved(net: PictureModel, task: Task, init: float = 0.3) -> Saved:
    mu = distributions.UniformBox(groups.SO2(), init=init)
    network = Augmented(net, mu, input=actions.Image(), output=net.output, reduce=task.reduce)
    return Saved(network.eval(), task, {})


@pytest.fixture(scope="module")
def canvases():
    made = collages(pictures.load("mnist")["test"], 8, (64, 64), 2, scale=1)
    return Pictures(made.images, (made.y > 0).byte(), ("background", "ink"), made.void)


MAPS = Maps(("background", "ink"), void=255)


def test_label_maps_of_an_equivariant_network_turn_up_to_rounding(canvases):
    for copies in (0, 4):
        (found,) = poses(saved(Bright(), MAPS), canvases, 4, copies)
        assert found.name == "angle"
        assert found.rounded is not None
        assert found.at == pytest.approx(torch.linspace(-math.pi, math.pi, 9).tolist(), abs=1e-6)
        errors = [change(MAPS, found, j) for j in range(9)]
        assert errors[4] == 0
        assert max(errors) < 0.06
        assert max(errors) < 2 * float(found.rounded.max())
        for exact in (0, 2, 6, 8):  # quarter turns need no rounding
            assert float(found.rounded[exact]) < 1e-3
            assert errors[exact] < (0.03 if copies else 1e-3)
        assert map_iou(MAPS, found, 4) == pytest.approx(1)


def test_label_maps_that_never_turn_differ_by_the_expected_fraction(canvases):
    (found,) = poses(saved(Above(), MAPS), canvases, 4, 0)
    # after a rotation by t, the fraction 2 t / 2 pi of a disc has the other label. For the square
    # at 90 and 180 degrees this is exactly a half and all of it
    assert [change(MAPS, found, j) for j in (4, 6, 8)] == pytest.approx([0, 0.5, 1], abs=0.01)
    assert foreground(found, 8) == 0
    assert foreground(found, 6) == pytest.approx(1 / 3, abs=0.02)
    assert map_iou(MAPS, found, 8) < 0.01
    assert map_iou(MAPS, found, 6) == pytest.approx(1 / 3, abs=0.02)


def test_pixels_from_outside_count_for_nothing(canvases):
    (found,) = poses(saved(Bright(), MAPS), canvases, 4, 0)
    assert found.own is not None
    at_45 = found.own[5]
    assert (at_45[:, 0, 0] == -1).all()
    assert (found.own[4] >= 0).all()


def test_orbit_std_is_the_standard_deviation_over_the_orbit():
    digits = pictures.load("mnist")["test"].take(torch.arange(12))
    numbers = Pictures(digits.images, torch.zeros(12, 2), ("up", "ink"))
    task = Numbers([{"name": "up", "unit": ""}, {"name": "ink", "unit": ""}], "laplace")
    task.standardizer.scale.copy_(torch.tensor([0.01, 0.1]))
    (found,) = poses(saved(Slope(), task), numbers, 6, 0)
    flip = [found.values[0, :, 0], found.values[6, :, 0]]
    assert torch.allclose(flip[0], -flip[1], atol=1e-5)
    want = found.values.double().std(0, correction=0) / torch.tensor([0.01, 0.1])
    assert orbit_std(task, found) == pytest.approx(float(want.mean()), rel=1e-5)
    gap = (found.values[12] - found.values[6]).abs() / torch.tensor([0.01, 0.1])
    assert change(task, found, 12) == pytest.approx(float(gap.mean()), rel=1e-5)
    section = changes(task, {"network alone": [found]}, {"angle": 0.3})
    (chart,) = section.figures
    assert isinstance(chart, Chart)
    assert chart.vertical[1][0] == pytest.approx(math.degrees(0.3))


@pytest.mark.parametrize("kind", ["classes", "maps", "hue"])
def test_a_run_makes_a_report(kind, tmp_path, capsys):
    flags = ["--data", "mnist", "--group", "Affine2"]
    if kind == "hue":
        flags = ["--data", "planted", "--data_args", '{"task": "hue"}', "--group", "Hue"]
    if kind == "maps":
        from test_picture_training import write_streets

        flags = ["--data", "camvid", "--root", str(write_streets(tmp_path / "s"))]
        flags += ["--batch_size", "4"]
    out = str(tmp_path / "run")
    small = [] if kind == "maps" else ["--train_size", "48", "--valid_size", "8"]
    assert main(["train", *flags, *small, *TINY, "--out", out]) == 0
    capsys.readouterr()
    assert main(["analyse", out, "--pictures", "3", "--places", "1", "--copies", "2"]) == 0
    shown = capsys.readouterr().out
    assert "Averaged over 2 copies" in shown
    found = json.loads((tmp_path / "run" / "analysis" / "analysis.json").read_text())
    names = {"classes": "shear", "maps": "angle", "hue": "hue"}
    numbers = found["sections"]["equivariance"]["numbers"][names[kind]]
    assert set(numbers) == {"network alone", "averaged over 2 copies"}
    assert (tmp_path / "run" / "analysis" / "report.html").stat().st_size > 1e5
    assert main(["analyse", out, "--places", "0"]) == 2
    assert "--places" in capsys.readouterr().err


@pytest.mark.slow
def test_averaged_label_maps_rotate_with_their_collages(tmp_path):
    """For a trained network, averaged over the circle, at rotations by 60 and 120 degrees."""
    settings = {"data": "collages", "data_args": {"digits": [0, 1, 4]}, "distribution": "Haar"}
    settings |= {"model_args": {"width": 8}, "batch_size": 8, "valid_size": 20, "lr": 5e-3}
    config = PictureConfig(**settings, epochs=4, accelerator="cpu", out=str(tmp_path))
    trained = load(train(config))
    test = data.load_parts(config)["test"].take(torch.arange(12))
    (found,) = poses(trained, test, 3, 8)
    shares = [foreground(found, j) for j in (1, 2, 4, 5)]  # 60 and 120 degrees, both ways
    assert min(shares) >= 0.9
    assert max(shares) < 1
