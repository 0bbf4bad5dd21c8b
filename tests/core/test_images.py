"""Actions on pictures: directions, units, masks, gradients, and errors for wrong input."""

import math

import pytest
import torch

from molinv import Augmented, actions, distributions, groups, testing
from molinv.actions import warping
from molinv.actions.images import bumps
from molinv.errors import InputError

PLANAR = [g for kind in groups.available().values() for g in kind.examples() if g.dim == 2]
SPACE = [g for kind in groups.available().values() for g in kind.examples() if g.dim == 3]


def seed(n=0):
    return torch.Generator().manual_seed(n)


def noise(*shape, dtype=torch.float32):
    return torch.rand(*shape, generator=seed(sum(shape)), dtype=dtype)


def quarter(k, dtype=torch.float32):
    return groups.SO2().exp(torch.tensor([[k * math.pi / 2]], dtype=torch.float64)).to(dtype)


def wave(p):
    """A smooth pattern without any symmetry, at positions (..., 2)."""
    x, y = p.unbind(-1)
    return torch.sin(2 * x + 0.3) * torch.cos(1.5 * y) + 0.4 * y + 0.2 * x * y


@pytest.mark.parametrize("group", PLANAR, ids=str)
@pytest.mark.parametrize("shape", [(32, 32), (28, 45), (61, 24)], ids=str)
def test_the_identity_changes_pictures_by_rounding_only(group, shape):
    for dtype, limit in ((torch.float32, 2e-5), (torch.float64, 1e-13)):
        x = noise(3, 2, *shape, dtype=dtype)
        eye = group.identity(3).to(dtype)
        for padding in ("zeros", "border", "reflection"):
            assert (actions.Image(padding).act(group, eye, x) - x).abs().max() < limit
        back, weight = actions.Segmentation().pull_back(group, eye, x, None)
        assert (back - x).abs().max() < limit
        assert (weight == 1).all()
        labels = (9 * x[:, 0]).long()
        assert torch.equal(actions.Segmentation(99).act(group, eye, labels), labels)


def test_the_identity_is_exact_to_the_bit_where_sizes_are_powers_of_two():
    x, so2 = noise(2, 3, 32, 32), groups.SO2()
    assert torch.equal(actions.Image().act(so2, so2.identity(2), x), x)


@pytest.mark.parametrize("k", [1, 2, 3, -1])
def test_a_quarter_turn_of_a_square_is_rot90(k):
    x, so2 = noise(1, 3, 24, 24), groups.SO2()
    turned = torch.rot90(x, k, (-2, -1))
    assert torch.allclose(actions.Image().act(so2, quarter(k), x), turned, atol=1e-4)
    back, weight = actions.Segmentation().pull_back(so2, quarter(k), turned, x)
    assert torch.allclose(back, x, atol=1e-4)
    assert (weight == 1).all()
    labels = torch.randint(7, (1, 24, 24), generator=seed(), dtype=torch.uint8)
    moved = actions.Segmentation(void=255).act(so2, quarter(k), labels)
    assert torch.equal(moved, torch.rot90(labels, k, (-2, -1)))
    assert moved.dtype == torch.uint8


def test_a_mirror_and_a_half_turn_of_any_aspect_ratio():
    x, image = noise(2, 1, 18, 40), actions.Image()
    mirror = groups.Reflection(2)
    assert mirror.elements is not None
    down = mirror.elements[1:].expand(2, 2, 2)
    assert torch.allclose(image.act(mirror, down, x), x.flip(-2), atol=1e-5)
    half = quarter(2).expand(2, 2, 2)
    assert torch.allclose(image.act(groups.SO2(), half, x), x.flip(-1, -2), atol=1e-4)


@pytest.mark.parametrize("group", PLANAR, ids=str)
@pytest.mark.parametrize("shape", [(64, 64), (60, 96), (110, 70)], ids=str)
def test_a_pattern_moves_by_the_group_element(group, shape):
    """(g x)(p) = x(g^-1 p) at every pixel that comes from inside, for any aspect ratio."""
    group, action = group.double(), actions.Image()
    p = warping.places(*shape)
    g = testing.sample(group, 3, seed(), 0.2)
    back = group.inverse(g)
    source = torch.einsum("bij,hwj->bhwi", group.linear(back), p)
    if group.homogeneous:
        source = source + back[:, None, None, :-1, -1]
    x = wave(p).expand(3, 1, *shape)
    edge = torch.tensor([shape[1], shape[0]]) / min(shape) - 2 / min(shape)
    inside = (source.abs() <= edge).all(-1)
    assert inside.float().mean() > 0.3
    miss = (action.act(group, g, x)[:, 0] - wave(source)).abs()
    assert miss[inside].max() < 4e-3


@pytest.mark.parametrize("shape", [(20, 20), (20, 50), (50, 20)], ids=str)
def test_an_offset_of_one_is_half_the_shorter_side_and_up_is_up(shape):
    x, t2 = noise(1, 1, *shape), groups.T(2)
    pixels = 0.3 * min(shape) / 2  # 3
    assert pixels == 3
    moved = actions.Image().act(t2, t2.exp(torch.tensor([[0.3, 0.0]])), x)
    assert torch.allclose(moved[..., 3:], x[..., :-3], atol=1e-5)
    assert moved[..., :3].abs().max() < 1e-4
    moved = actions.Image("border").act(t2, t2.exp(torch.tensor([[0.0, 0.3]])), x)
    assert torch.allclose(moved[..., :-3, :], x[..., 3:, :], atol=1e-5)
    assert torch.allclose(moved[..., -3:, :], x[..., -1:, :].expand(-1, -1, 3, -1), atol=1e-5)


def test_places_are_square_and_end_at_the_edges():
    p = warping.places(10, 16)
    assert p.shape == (10, 16, 2)
    assert p[0, 0].tolist() == pytest.approx([-1.5, 0.9])
    assert p[-1, -1].tolist() == pytest.approx([1.5, -0.9])
    assert torch.allclose(p[:, 1:, 0] - p[:, :-1, 0], torch.full((10, 15), 0.2).double())


@pytest.mark.parametrize("group", PLANAR, ids=str)
def test_scores_are_pulled_back_with_a_mask_of_pixels_inside(group):
    """The weight is 0 exactly where g p is outside; padding never enters a value."""
    group = group.double()
    h, w = 30, 44
    g = testing.sample(group, 4, seed(1), 0.5)
    there = torch.einsum("bij,hwj->bhwi", group.linear(g), warping.places(h, w))
    if group.homogeneous:
        there = there + g[:, None, None, :-1, -1]
    within = (there.abs() <= torch.tensor([w, h]) / min(h, w)).all(-1)
    ones = torch.ones(4, 2, h, w, dtype=torch.float64)
    value, weight = actions.Segmentation().pull_back(group, g, 5 * ones, None)
    assert weight.shape == (4, 1, h, w)
    assert torch.equal(weight[:, 0].bool(), within)
    assert torch.allclose(value, 5 * ones)


def test_label_maps_keep_their_labels_and_take_void_from_outside():
    so2 = groups.SO2()
    labels = torch.tensor([3, 200])[torch.randint(2, (5, 25, 31), generator=seed())]
    g = so2.exp(torch.linspace(-2, 2, 5)[:, None])
    moved = actions.Segmentation(void=7).act(so2, g, labels)
    assert set(moved.unique().tolist()) == {3, 7, 200}
    assert moved.dtype == labels.dtype
    assert (moved[2] == labels[2]).all()
    with pytest.raises(InputError, match="void=255"):
        actions.Segmentation().act(so2, g, labels)


@pytest.mark.parametrize("group", [g for g in PLANAR if g.k and not list(g.parameters())], ids=str)
def test_gradients_with_respect_to_the_extents_agree_with_finite_differences(group):
    mu = distributions.UniformBox(group.double(), init=[0.06 * c for c in group.caps]).double()
    x, image, u = bumps(seed(), 8), actions.Image(), mu.noise(8, seed(1)).double()
    target = bumps(seed(5), 8)

    def loss():
        return (image.act(group, mu.transform(u), x) * target).sum() / target.square().sum()

    (raw,) = mu.parameters()
    (gradient,) = torch.autograd.grad(loss(), raw)
    for i in range(group.k):
        ends = []
        for step in (1e-4, -1e-4):  # small, because bilinear interpolation has kinks
            with torch.no_grad():
                raw[i] += step
                ends.append(float(loss()))
                raw[i] -= step
        slope = (ends[0] - ends[1]) / 2e-4
        assert float(gradient[i]) == pytest.approx(slope, rel=1e-3, abs=1e-6)


def test_the_gradient_of_a_translation_matches_a_closed_form():
    """A Gaussian blob is moved by t: d/dt sum(blob(p - t) target(p)) is known.

    t is half a pixel, because the interpolated picture has kinks at the pixels themselves.
    """
    p, t2 = warping.places(96, 128), groups.T(2).double()
    x, y = p.unbind(-1)
    half = 0.5 * 2 / 96
    blob = torch.exp(-p.square().sum(-1) / (2 * 0.2**2))
    target = torch.exp(-((x - 0.2).square() + y.square()) / (2 * 0.2**2))
    xi = torch.full((1, 2), half, dtype=torch.float64, requires_grad=True)
    moved = actions.Image().act(t2, t2.exp(xi), blob[None, None])
    (gradient,) = torch.autograd.grad((moved[0, 0] * target).sum(), xi)
    u, v = x - half, y - half
    there = torch.exp(-(u.square() + v.square()) / (2 * 0.2**2))
    exact = torch.stack([(there * target * axis / 0.2**2).sum() for axis in (u, v)])
    assert torch.allclose(gradient[0], exact, rtol=0.01)


def test_groups_that_cannot_act_on_pictures_are_refused():
    for kind in groups.available().values():
        for group in kind.examples():
            for action, dim in ((actions.Image(), 2), (actions.Segmentation(), 2)):
                if group.dim == dim:
                    action.check(group)
                else:
                    with pytest.raises(InputError, match="expected a group of the plane"):
                        action.check(group)
    so3, x = groups.SO3(), noise(2, 3, 8, 8)
    with pytest.raises(InputError, match=r"Image\(SO3\).*Affine2.*SE2.*SO2.*Scaling\(2\).*T\(2\)"):
        actions.Image().act(so3, so3.identity(2), x)
    with pytest.raises(InputError, match=r"Colour\(SO2\).*use Hue or ColourJitter"):
        actions.Colour().act(groups.SO2(), groups.SO2().identity(2), x)


@pytest.mark.parametrize(
    ("shape", "dtype", "hint"),
    [
        ((2, 8, 8), torch.float32, r"\(b, c, h, w\), got \(2, 8, 8\)"),
        ((3, 1, 8, 8), torch.float32, "b = 2 group elements"),
        ((2, 1, 0, 8), torch.float32, r"got \(2, 1, 0, 8\)"),
        ((2, 1, 8, 8), torch.uint8, "divide bytes by 255"),
    ],
)
def test_tensors_that_are_not_pictures_are_refused(shape, dtype, hint):
    so2 = groups.SO2()
    for action in (actions.Image(), actions.Segmentation()):
        with pytest.raises(InputError, match=hint):
            action.act(so2, so2.identity(2), torch.zeros(shape, dtype=dtype))
    with pytest.raises(InputError, match=r"b, 3, h, w"):
        actions.Colour().act(groups.Hue(), groups.Hue().identity(2), torch.zeros(shape).to(dtype))
    with pytest.raises(InputError, match="did you mean 'zeros'"):
        actions.Image("zero")


def test_wrong_actions_on_pictures_are_caught():
    class Backwards(actions.Image):
        def act(self, group, g, x):
            return super().act(group, group.inverse(g), x)

    class Stretched(actions.Image):
        """Rotates in [-1, 1] x [-1, 1], as affine_grid alone would: ignores the aspect ratio."""

        def act(self, group, g, x):
            square = torch.nn.functional.interpolate(x, (96, 96), mode="bilinear")
            moved = super().act(group, g, square)
            return torch.nn.functional.interpolate(moved, x.shape[-2:], mode="bilinear")

    class Careless(actions.Image):
        def act(self, group, g, x):
            return x

    with pytest.raises(testing.LawBroken, match="g h"):
        testing.check_action(Backwards(), groups.SE2())
    with pytest.raises(testing.LawBroken):
        testing.check_action(Stretched(), groups.SO2())
    with pytest.raises(testing.LawBroken, match="act refuses a group that check refuses"):
        testing.check_action(Careless(), groups.SO3())


@pytest.mark.parametrize("group", SPACE, ids=str)
def test_colours_move_as_columns(group):
    group = group.double()
    g, x = testing.sample(group, 3, seed()).detach(), noise(3, 3, 4, 5, dtype=torch.float64)
    moved = actions.Colour().act(group, g, x)
    points = x.flatten(2).mT
    assert torch.allclose(moved.flatten(2).mT, actions.Points().act(group, g, points))


def test_hue_permutes_the_channels_and_keeps_grey():
    hue = groups.Hue().double()
    third = hue.exp(torch.tensor([2 * math.pi / 3], dtype=torch.float64))
    x = noise(1, 3, 4, 5, dtype=torch.float64)
    assert torch.allclose(actions.Colour().act(hue, third[None], x), x[:, [2, 0, 1]])
    red = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    assert torch.allclose(third @ red, red[[2, 0, 1]])  # towards green
    grey = torch.full((3,), 0.3, dtype=torch.float64)
    assert torch.allclose(hue.haar(20, seed()) @ grey, grey)


def test_each_colour_generator_has_its_effect():
    jitter = groups.ColourJitter().double()
    rgb = torch.tensor([0.6, 0.3, 0.2, 1.0], dtype=torch.float64)
    mean = rgb[:3].mean()

    def moved(**xi):
        row = [xi.get(name, 0.0) for name in jitter.names]
        return (jitter.exp(torch.tensor(row, dtype=torch.float64)) @ rgb)[:3]

    hue = groups.Hue().double().exp(torch.tensor([0.7], dtype=torch.float64))
    assert torch.allclose(moved(hue=0.7), hue @ rgb[:3])
    assert torch.allclose(moved(saturation=math.log(0.5)), mean + 0.5 * (rgb[:3] - mean))
    assert torch.allclose(moved(brightness=0.1), rgb[:3] + 0.1)
    assert torch.allclose(moved(contrast=math.log(2)), 0.5 + 2 * (rgb[:3] - 0.5))
    jittered = groups.ColourJitter(middle=0.45)
    testing.check_group(jittered)
    assert distributions.HaarBall(groups.Hue()).rsample(3).shape == (3, 3, 3)


def test_padding_never_enters_an_augmented_segmentation():
    """The network marks padding; pixels of weight 1 must not be marked after pull_back."""

    class Where(torch.nn.Module):
        def forward(self, x):
            seen = (x[:, :1] == 0).to(x)  # the padding
            return torch.cat([seen, 1 - seen], 1)

    so2 = groups.SO2()
    model = Augmented(
        Where(),
        distributions.UniformBox(so2, init=1.0),
        input=actions.Image(),
        output=actions.Segmentation(),
        copies=3,
    )
    x = 0.5 + noise(4, 3, 20, 28)
    value, weight = model(x, generator=seed())
    assert value.shape == (3, 4, 2, 20, 28)
    assert weight.shape == (3, 4, 1, 20, 28)
    assert 0.05 < (weight == 0).float().mean() < 0.6
    # only pixels at the very edge may be interpolated with padding
    leaked = (value[:, :, :1] * weight).flatten(2).mean()
    assert leaked < 0.05
    orbit = model.eval().orbit(x, orbit="identity")
    assert (orbit.mean[:, 1] == 1).all()
    colour = Augmented(
        torch.nn.Identity(), distributions.UniformBox(groups.Hue()), actions.Colour()
    )
    assert colour(x).shape == (1, 4, 3, 20, 28)
