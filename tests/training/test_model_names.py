"""Architectures are listed from the source of the files in models/, and found by name."""

import importlib
import pkgutil
import subprocess
import sys

import pytest
from torch import nn

from molinv import models
from molinv.errors import InputError
from molinv.models import pictures
from molinv.models.base import Model
from molinv.models.pictures.base import PictureModel
from molinv.names import defined, deriving

FILES = {
    "a_helper": "from torch import nn\n\nclass Layer(nn.Module):\n    pass\n",
    "an_import": "from molinv.models.base import Model\nfrom molinv.models.point import Point\n",
    "a_text": '"""\nclass Fake(Model):\n"""\n',
    "only_private": "from molinv.models.point import Point\n\nclass _Mine(Point):\n    pass\n",
    "only_abstract": (
        "from abc import ABC\nfrom molinv.models.base import Model\n\nclass Base(Model, ABC):\n"
        "    pass\n"
    ),
    "mine": "from molinv.models.point import Point as Old\n\nclass Mine(Old):\n    pass\n",
    "further": (
        "import molinv.models.mine\nfrom molinv.models.base import Model\n\nclass _Part(Model):\n"
        "    pass\n\nclass Further(molinv.models.mine.Mine):\n    outputs = ('tensor',)\n"
    ),
}


@pytest.fixture
def more(tmp_path, monkeypatch):
    """Pretend that there are further files in models/, and unload them at the end."""
    before = set(sys.modules)
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    for package in (models, pictures):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    yield tmp_path
    for name in set(sys.modules) - before:
        package, _, module = name.rpartition(".")
        if module in {*FILES, "broken", "unfinished"}:
            del sys.modules[name]
            vars(sys.modules[package]).pop(module, None)


@pytest.mark.parametrize("name", [*models.available(), *pictures.available()])
def test_every_available_model_is_found(name):
    kind = models.find(name)
    assert issubclass(kind, Model if name in models.available() else PictureModel)
    assert kind.__module__.endswith(f".{name}")


@pytest.mark.parametrize(("package", "base"), [(models, Model), (pictures, PictureModel)])
def test_the_source_says_what_an_import_finds(package, base):
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    having = [n for n in names if defined(importlib.import_module(f"{package.__name__}.{n}"), base)]
    assert deriving(package.__path__, base.__name__) == sorted(having)
    assert package.available() == sorted(set(having) - {"plain"})
    assert len(package.available()) > 1


def test_a_file_without_a_model_is_not_an_architecture(more):
    names = set(models.available())
    assert names & set(FILES) == {"mine", "further"}
    assert not names & {"base", "plain", "pictures", "cnn"}
    for name in sorted({*FILES, "base", "plain"} - names):
        with pytest.raises(InputError, match=f"unknown model '{name}'"):
            models.find(name)
    assert models.find("mine").__name__ == "Mine"
    assert models.find("further").__name__ == "Further"
    assert isinstance(models.make("mine", 1, {"width": 32}), models.find("point"))
    for name in names:
        assert issubclass(models.find(name), nn.Module)


def test_errors_suggest_among_architectures_only(more):
    with pytest.raises(InputError, match=r"use (\w+ or )*further or ") as caught:
        models.make("schnet", 1, {}, "tensor")
    assert "a_helper" not in str(caught.value)
    with pytest.raises(InputError, match="every pixel; use unet,"):
        pictures.make("cnn", 1, {}, maps=True)
    with pytest.raises(InputError, match="for pictures use cnn or unet,"):
        pictures.make("mine", 1, {})


def test_an_unfinished_model_is_refused_and_a_broken_file_says_so(more):
    (more / "unfinished.py").write_text(
        "from molinv.models.base import Model\n\nclass Unfinished(Model):\n    pass\n"
    )
    (more / "broken.py").write_text("class Broken(Model\n")
    with pytest.raises(InputError, match=r"unfinished\.py does not define a Model"):
        models.find("unfinished")
    assert models.find("point").__name__ == "Point"
    with pytest.raises(SyntaxError, match="was never closed"):
        models.find("broken")


def test_names_are_listed_without_the_libraries_of_the_models():
    code = (
        "import sys\nfrom molinv import models\nassert models.available()\n"
        "assert models.pictures.available()\n"
        "print([n for n in ('molinv.models.point', 'molinv.models.equivariant',"
        " 'molinv.models.pictures.cnn', 'torch_geometric.nn.models') if n in sys.modules])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
