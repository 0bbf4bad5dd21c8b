"""Every network of pictures against the same suite, and code that pictures and molecules share."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

import molinv
from molinv import Augmented, actions, distributions, groups, models
from molinv.datasets import pictures
from molinv.datasets.pictures.batches import PicturesOnDevice
from molinv.datasets.pictures.collages import collages
from molinv.errors import InputError
from molinv.models.pictures.base import PictureModel

CASES = [(name, {}) for name in models.pictures.available()]
CASES += [("cnn", {"width": 8}), ("unet", {"width": 8, "levels": 2})]
CORE = Path(molinv.__file__).parent


def make(name, settings, targets=4, channels=3):
    maps = models.find(name).maps
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.pictures.make(name, targets, {"channels": channels} | settings, maps)


@pytest.fixture(params=CASES, ids=str)
def net(request):
    return make(*request.param)


@pytest.mark.parametrize("shape", [(32, 32), (27, 45), (16, 9)], ids=str)
def test_any_size_and_nothing_else_in_the_batch_matters(net, shape):
    x = torch.rand(3, 3, *shape, generator=torch.Generator().manual_seed(0))
    for mode in (net.train(), net.eval()):
        together = mode(x)
        assert together.shape == ((3, 4, *shape) if net.maps else (3, 4))
        alone = torch.cat([mode(x[i : i + 1]) for i in range(3)])
        assert torch.allclose(together, alone, atol=1e-5)
    assert together.detach().std() > 1e-3


def test_every_parameter_gets_a_gradient(net):
    net(torch.rand(2, 3, 24, 24)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_actions_follow_from_the_kind_of_output(net):
    assert isinstance(net, PictureModel)
    assert isinstance(net.action, actions.Image)
    assert isinstance(net.output, actions.Segmentation if net.maps else actions.Invariant)
    wrapped = Augmented(net, distributions.UniformBox(groups.SO2()), net.action, net.output)
    made = wrapped(torch.rand(2, 3, 20, 28))
    value = made[0] if net.maps else made
    assert value.shape[:3] == (1, 2, 4)


def test_unsuitable_arguments_are_refused(net):
    name = type(net).__name__.lower()
    for shape in [(2, 1, 32, 32), (2, 3, 2, 32), (3, 32, 32)]:
        with pytest.raises(InputError, match=f"{name}: expected pictures"):
            net(torch.zeros(shape))


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda: models.pictures.make("cnn", 1, {"width": 12}), "divisible by 8"),
        (lambda: models.pictures.make("cnn", 1, {"wdith": 8}), "did you mean 'width'"),
        (lambda: models.pictures.make("unet", 1, {"levels": 0}, True), "1 to 6 levels"),
        (lambda: models.pictures.make("cnn", 1, {}, True), "every pixel; use unet"),
        (lambda: models.pictures.make("unet", 1, {}), "every picture; use cnn"),
        (lambda: models.pictures.make("painn", 1, {}), "takes molecules; .* cnn or unet"),
        (lambda: models.make("cnn", 1, {}), "cnn takes pictures"),
        (lambda: models.find("unnet"), "did you mean 'unet'"),
        (
            lambda: models.pictures.make("picture_nets:Wrong", 1, {})(torch.zeros(2, 3, 4, 4)),
            r"expected an output \(2, 1\), got \(2,\)",
        ),
    ],
)
def test_wrong_names_settings_and_kinds(call, hint):
    with pytest.raises(InputError, match=hint):
        call()


def test_any_torch_module_is_a_network_on_pictures():
    row = models.pictures.make("picture_nets:Row", 2, {"scale": 2.0})
    assert row(torch.rand(3, 3, 5, 6)).shape == (3, 2)
    maps = models.pictures.make("picture_nets:PerPixel", 2, {}, maps=True)
    assert maps(torch.rand(3, 3, 5, 6)).shape == (3, 2, 5, 6)
    assert isinstance(maps.output, actions.Segmentation)


def test_molecules_and_pictures_are_listed_apart():
    assert not set(models.available()) & set(models.pictures.available())
    assert {"cnn", "unet"} <= set(models.pictures.available())


def test_coordinates_reach_the_first_layer():
    net = make("cnn", {"width": 8, "coordinates": True}, targets=2, channels=1)
    seen = []
    first = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = torch.rand(2, 1, 12, 20)
    assert net(x).shape == (2, 2)
    assert torch.equal(seen[0][:, :1], x)
    assert seen[0][1, 1:, 0, -1].tolist() == pytest.approx([19 / 12, 11 / 12])  # upper right


def test_a_few_steps_teach_digits():
    """The accuracy is far above chance (a tenth) after less than an epoch."""
    parts = pictures.load("mnist")
    store = PicturesOnDevice(parts["train"], "cpu")
    net = make("cnn", {"width": 8}, targets=10, channels=1)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    for i in range(50):
        batch = store.gather(np.arange(64 * i, 64 * i + 64))
        loss = torch.nn.functional.cross_entropy(net(*net.inputs(batch)), batch.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    test = PicturesOnDevice(parts["test"], "cpu").gather(np.arange(300))
    assert (net(test.x).argmax(1) == test.y).float().mean() > 0.4


def test_a_few_steps_teach_which_pixels_are_ink():
    digits = pictures.load("mnist")["train"]
    made = PicturesOnDevice(collages(digits, 64, (48, 48), each=1), "cpu")
    net = make("unet", {"width": 8, "levels": 2}, targets=2, channels=1)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for i in range(30):
        batch = made.gather(np.arange(8) + 8 * (i % 7))
        ink = (batch.y > 0).long()
        loss = torch.nn.functional.cross_entropy(net(*net.inputs(batch)), ink)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    unseen = made.gather(np.arange(56, 64))
    found, truth = net.eval()(unseen.x).argmax(1) == 1, unseen.y > 0
    assert (found & truth).sum() > 0.8 * (found | truth).sum()


def picture_files():
    found = [*(CORE / "datasets" / "pictures").glob("*.py"), CORE / "training" / "picture_data.py"]
    found += (CORE / "bench" / "warp").glob("*.py")
    found += (CORE / "models" / "pictures").glob("*.py")
    names = ("images", "colour", "warping")
    found += [CORE / "actions" / f"{name}.py" for name in names]
    return sorted(found)


def foreign(text):
    """Find what a picture module must not define: generators, exponentials, sines of angles."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            if node.name.strip("_") in ("exp", "log", "generators", "algebra", "matrix_exp"):
                found.append(node.name)
            if isinstance(node, ast.ClassDef):
                names = {getattr(b, "id", getattr(b, "attr", "")) for b in node.bases}
                found += names & {"Group", "Finite", "MatrixGroup", "Pair", *groups.available()}
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in ("sin", "cos", "tan", "sincos", "matrix_exp", "expm", "unit_matrix"):
                found.append(name)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [t.attr for t in targets if getattr(t, "attr", "") == "generators"]
    return found


@pytest.mark.parametrize("path", picture_files(), ids=lambda p: p.relative_to(CORE).as_posix())
def test_no_picture_module_defines_a_generator_or_an_exp(path):
    """Pictures use the same groups as molecules."""
    assert foreign(path.read_text()) == []


def test_that_check_can_fail():
    for name in ("so2", "affine", "colour"):
        assert foreign((CORE / "groups" / f"{name}.py").read_text())
    assert len(picture_files()) > 15
