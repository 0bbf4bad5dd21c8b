"""Fixed rotations and colours, planted tasks, collages and batches of pictures."""

import math

import numpy as np
import pytest
import torch

from molinv import actions, groups
from molinv.datasets import pictures
from molinv.datasets.batches import Loader
from molinv.datasets.pictures import moved, planted
from molinv.datasets.pictures.batches import PicturesOnDevice
from molinv.datasets.pictures.collages import VOID, collages
from molinv.datasets.pictures.store import Pictures
from molinv.errors import InputError


@pytest.fixture(scope="module")
def digits():
    return pictures.load("mnist")


@pytest.fixture(scope="module")
def scenes():
    draw = np.random.default_rng(0)
    images = torch.from_numpy(draw.integers(0, 256, (6, 3, 20, 30), dtype=np.uint8))
    maps = torch.from_numpy(draw.integers(0, 4, (6, 20, 30), dtype=np.uint8))
    return Pictures(images, maps, tuple("abcd"), void=9)


def test_random_numbers_depend_only_on_the_key_and_the_index():
    few, many = moved.uniform(5, 3, (1, 2)), moved.uniform(500, 3, (1, 2))
    assert torch.equal(few, many[:5])
    assert not torch.equal(few, moved.uniform(5, 3, (2, 1)))
    assert many.abs().max() <= 1
    assert many.mean(0).abs().max() < 0.15
    assert ((3 * many.square()).mean(0) - 1).abs().max() < 0.15
    streams = [moved.uniform(400, 1, (s, 0, 0))[:, 0] for s in (1, 2, 3, 4)]
    assert (torch.corrcoef(torch.stack(streams)) - torch.eye(4)).abs().max() < 0.2


def test_turned_once_within_the_angle_and_the_same_again(digits):
    some = digits["test"].take(np.arange(40))
    turned = moved.turned(some, 0.5, (7,))
    assert torch.equal(turned.images, moved.turned(some, 0.5, (7,)).images)
    assert torch.equal(turned.images[:9], moved.turned(some.take(np.arange(9)), 0.5, (7,)).images)
    assert not torch.equal(turned.images, moved.turned(some, 0.5, (8,)).images)
    assert torch.equal(turned.y, some.y)
    grid = torch.linspace(-1, 1, 41)[:, None]
    so2, x = groups.SO2(), some.images.float()
    tried = torch.stack([actions.Image().act(so2, so2.exp(a.expand(40, 1)), x) for a in grid])
    best = grid[(tried - turned.images).abs().flatten(2).sum(-1).argmin(0), 0]
    assert best.abs().max() <= 0.5 + 0.05
    assert best.std() > 0.2  # 0.29 for a uniform one


def test_label_maps_turn_with_their_pictures_and_outside_is_void(scenes):
    turned = moved.turned(scenes, math.pi, (0,))
    assert set(turned.y.unique().tolist()) == {0, 1, 2, 3, 9}
    # brightness follows the label, so that picture and map must agree after the rotation
    painted = (60 * scenes.y[:, None]).expand(-1, 3, -1, -1).contiguous()
    blocks = Pictures(
        painted[:, :, ::10, ::10].repeat_interleave(10, 2).repeat_interleave(10, 3),
        scenes.y[:, ::10, ::10].repeat_interleave(10, 1).repeat_interleave(10, 2),
        scenes.classes,
        9,
    )
    turned = moved.turned(blocks, math.pi, (0,))
    inside = turned.y != 9
    fit = (turned.images[:, 0].float() / 60 - turned.y.float()).abs() < 0.5
    assert fit[inside].float().mean() > 0.9
    assert (turned.images[:, 0][~inside] == 0).float().mean() > 0.8
    half = moved.turned_by(scenes, groups.SO2().exp(torch.full((6, 1), math.pi)))
    assert torch.equal(half.y, scenes.y.flip(1, 2))
    no_void = Pictures(scenes.images, scenes.y, scenes.classes)
    with pytest.raises(InputError, match="void"):
        moved.turned(no_void, 1.0)


def test_colours_move_once_and_grey_is_tinted(digits, scenes):
    some = digits["test"].take(np.arange(60))
    red = moved.coloured(some, {})
    assert red.images.shape == (60, 3, 28, 28)
    assert torch.equal(red.images[:, 0], some.images[:, 0])
    painted = moved.coloured(some, {"hue": math.pi}, (3,)).images.double()
    g = groups.Hue().exp(math.pi * moved.uniform(60, 4, (2, 3))[:, :1])  # hue is the first of four
    want = torch.einsum("bij,bjhw->bihw", g, red.images.double())
    assert (painted - want).abs().max() < 1.5
    assert want.min() > -0.5
    assert want.max() < 256  # no hue of the tint is clipped
    bright = moved.coloured(scenes, {"brightness": 0.2}, (0,))
    assert torch.equal(bright.y, scenes.y)
    shift = bright.images.float() - scenes.images.float()
    unclipped = (bright.images > 0) & (bright.images < 255)
    for i in range(6):
        found = shift[i][unclipped[i]]
        assert found.max() - found.min() <= 1
        assert found.abs().max() <= 51.5
    with pytest.raises(InputError, match="unknown colour"):
        moved.coloured(scenes, {"tone": 0.1})


@pytest.mark.parametrize("k", [1, 2, 3, 4, 6])
def test_planted_turns(digits, k):
    parts = pictures.load("planted", k=k)
    train = parts["train"]
    assert len(train.classes) == k
    assert train.y.bincount().max() - train.y.bincount().min() <= 1
    chosen = torch.isin(digits["train"].y, torch.tensor(planted.DIGITS))
    upright = digits["train"].images[chosen]
    assert len(upright) == len(train)
    assert torch.equal(train.images[train.y == 0], upright[train.y == 0])
    if k == 4:
        for i in range(4):
            want = torch.rot90(upright[train.y == i], i, (-2, -1))
            assert (train.images[train.y == i].int() - want.int()).abs().max() <= 1


def test_planted_angles_and_hues():
    turned, upright = pictures.load("planted", task="angle")["test"], pictures.load("mnist")["test"]
    upright = upright.take(torch.isin(upright.y, torch.tensor(planted.DIGITS)).nonzero()[:, 0])
    assert turned.y.norm(dim=1).allclose(torch.ones(len(turned)))
    angle = torch.atan2(turned.y[:, 1], turned.y[:, 0])
    assert angle.min() < -2.8
    assert angle.max() > 2.8
    back = groups.SO2().exp(-angle[:, None])
    found = actions.Image().act(groups.SO2(), back, turned.images.float())
    miss = (found - upright.images).abs().mean()
    assert miss < 0.25 * (turned.images.float() - upright.images).abs().mean()
    painted = pictures.load("planted", task="hue")["test"]
    ink = painted.images.double().sum((2, 3))
    chroma = ink - ink.mean(1, keepdim=True)
    hue = groups.Hue().double()
    red = hue.exp(torch.atan2(painted.y[:, 1], painted.y[:, 0]).double()[:, None])[:, :, 0] - 1 / 3
    assert torch.cosine_similarity(chroma, red, dim=1).min() > 0.999
    free = pictures.load("planted", task="any-hue")["test"]
    assert set(free.y.unique().tolist()) == set(planted.DIGITS)
    assert torch.equal(free.images, painted.images)
    for bad, hint in [({"task": "turn"}, "did you mean 'turns'"), ({"k": 0}, "from 1 to 36")]:
        with pytest.raises(InputError, match=hint):
            pictures.load("planted", **bad)


def test_collages_label_the_ink(digits):
    made = collages(digits["train"], 30, (64, 90), each=2, seed=1)
    assert made.images.shape == (30, 1, 64, 90)
    assert (made.kind, made.void, len(made.classes)) == ("maps", VOID, 11)
    ink = made.images[:, 0] >= 96
    assert torch.equal(ink, made.y > 0)
    held = [set(y.unique().tolist()) - {0} for y in made.y]
    assert all(1 <= len(h) <= 2 for h in held)
    assert len(set().union(*held)) == 10
    turned = moved.turned(made, math.pi, (1,))  # a turn loses none of the ink
    lost = 1 - turned.images.float().sum((1, 2, 3)) / made.images.float().sum((1, 2, 3))
    assert lost.abs().max() < 0.01
    assert torch.equal(made.images, collages(digits["train"], 30, (64, 90), 2, seed=1).images)
    with pytest.raises(InputError, match="fit a circle"):
        collages(digits["train"], 3, (30, 90))


def test_collages_of_some_digits_have_no_other_class():
    parts = pictures.load("collages", digits=(7, 1), size=(96, 96), each=1)
    assert {k: len(v) for k, v in parts.items()} == {"train": 1600, "valid": 100, "test": 100}
    assert parts["valid"].classes == ("background", "1", "7")
    assert set(parts["valid"].y.unique().tolist()) == {0, 1, 2}
    assert not torch.equal(parts["valid"].images, parts["test"].images)
    for bad in ((), (3, 10)):
        with pytest.raises(InputError, match="digits from 0 to 9"):
            pictures.load("collages", digits=bad)


@pytest.mark.parametrize(("scale", "least", "most"), [(1, 0.8, 0.9), (2, 0.9, 1.0)])
def test_rotated_labels_match_rotated_strokes_that_are_wide(digits, scale, least, most):
    made = collages(digits["test"], 12, (120, 120), each=2, seed=2, scale=scale)
    turned = moved.turned(made, math.pi, (1,))
    ink = turned.images[:, 0] >= 96
    inside = turned.y != VOID
    labelled = (turned.y > 0) & inside
    overlap = (ink & labelled).sum() / ((ink & inside) | labelled).sum()
    assert least < overlap < most


def test_batches_hold_the_pictures_asked_for(digits, scenes):
    store = PicturesOnDevice(digits["test"], "cpu")
    batch = store.gather(np.array([3, 499, 3]))
    assert batch.x.dtype == torch.float32
    assert torch.equal((255 * batch.x).round().byte(), digits["test"].images[[3, 499, 3]])
    assert batch.y.tolist() == digits["test"].y[[3, 499, 3]].tolist()
    assert batch.to("cpu").index.tolist() == [3, 499, 3]
    maps = PicturesOnDevice(scenes, "cpu").gather(np.array([1]))
    assert maps.y.dtype == torch.int64
    assert torch.equal(maps.y[0], scenes.y[1].long())
    numbers = PicturesOnDevice(pictures.load("planted", task="angle")["test"], "cpu")
    assert numbers.gather(np.array([0])).y.dtype == torch.float32
    for asked in ([], [-1], [500]):
        with pytest.raises(InputError, match="indices from 0 to 499"):
            store.gather(np.array(asked, np.int64))


@pytest.mark.parametrize("world", [1, 2])
def test_an_epoch_has_every_picture_once_in_an_order_of_its_own(digits, world):
    store = PicturesOnDevice(digits["test"], "cpu")

    def epoch(seed, number, shuffle=True):
        loaders = [
            Loader(store, store.indices, 64, seed, number, shuffle, rank, world)
            for rank in range(world)
        ]
        return [i for loader in loaders for batch in loader for i in batch.index.tolist()]

    first = epoch(1, 0)
    assert sorted(first) == list(range(500))
    assert first == epoch(1, 0)
    assert first != epoch(1, 1)
    assert first != epoch(2, 0)
    if world == 1:
        assert epoch(1, 0, shuffle=False) == list(range(500))
