"""Planted tasks of pictures: the data agrees with the extents that the docstrings derive."""

import math

import pytest
import torch

from molinv import actions, groups
from molinv.actions.warping import places
from molinv.datasets import pictures
from molinv.datasets.pictures import up_down
from molinv.errors import InputError


def lean(images):
    """The slope of x on y of each digit's ink."""
    ink = images[:, 0].double() / images.double().sum((1, 2, 3))[:, None, None]
    p = places(*images.shape[2:])
    mean = torch.einsum("nhw,hwi->ni", ink, p)
    spread = torch.einsum("nhw,hwi,hwj->nij", ink, p, p) - mean[:, :, None] * mean[:, None]
    return spread[:, 0, 1] / spread[:, 1, 1]


def test_straight_digits_lean_to_neither_side_and_stay_where_they_were():
    plain = pictures.load("planted", k=1)["test"]
    straight = pictures.load("planted", k=1, straight=True)["test"]
    before, after = lean(plain.images), lean(straight.images)
    assert before.std() > 0.15  # 9 degrees and more
    assert after.abs().max() < 0.03
    lost = 1 - straight.images.double().sum((1, 2, 3)) / plain.images.double().sum((1, 2, 3))
    assert lost.abs().max() < 0.02
    turned = pictures.load("planted", k=2, straight=True)["test"]
    half = turned.images[turned.y == 1]
    assert lean(half).abs().max() < 0.03
    assert torch.equal(half.flip(2, 3), straight.images[turned.y == 1])


def test_up_and_down_are_within_45_degrees_and_the_truth_is_where_they_meet():
    parts = pictures.load("up_down", size=48)
    train = parts["train"]
    assert {k: len(v) for k, v in parts.items()} == {"train": 2000, "valid": 400, "test": 400}
    assert train.y.bincount().tolist() == [500] * 4
    assert torch.equal(train.images, pictures.load("up_down", size=48)["train"].images)
    so2, image = groups.SO2(), actions.Image()
    still = torch.stack([up_down._read(name, 48) for name in up_down.SQUARES]).float()
    grid = torch.arange(-180, 180, 3.0)
    made = torch.stack([image.act(so2, so2.exp(torch.full((2, 1), math.radians(a))), still)
                        for a in grid.tolist()])  # fmt: skip
    for label in range(4):
        some = train.images[train.y == label][:40].float()
        off = (made[:, label // 2][:, None] - some).abs().flatten(2).sum(-1)
        angle = grid[off.argmin(0)]
        away = (angle - 180 * (label % 2) + 180) % 360 - 180
        assert away.abs().max() <= 45 + 1.5
        assert away.abs().max() > 35
        other = (made[:, 1 - label // 2][:, None] - some).abs().flatten(2).sum(-1)
        assert (off.amin(0) < other.amin(0)).all()
    # 45 + w = 180 - (45 + w)
    assert math.degrees(math.pi / 2 - up_down.WITHIN) == pytest.approx(45)
    with pytest.raises(InputError, match="at least 8"):
        pictures.load("up_down", size=4)


@pytest.mark.parametrize("task", ["position", "scale", "shear"])
def test_a_planted_displacement_can_be_undone_by_its_label(task):
    made = pictures.load("planted", task=task, straight=True)["test"]
    upright = pictures.load("planted", k=1, straight=True)["test"]
    group = groups.Affine2()
    xi = torch.zeros(len(made), group.k)
    xi[:, [group.names.index(name) for name in made.classes]] = made.y
    back = actions.Image().act(group, group.inverse(group.exp(xi)), made.images.float())
    gap = (back - upright.images).abs().mean()
    assert gap < 0.5 * (made.images.float() - upright.images).abs().mean()
    assert 0.2 < made.y.abs().max() < 0.25
    lost = 1 - back.sum((1, 2, 3)) / upright.images.double().sum((1, 2, 3))
    assert lost.abs().max() < 0.1  # no digit left the picture
