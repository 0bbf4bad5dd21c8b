"""From text to classes: found, suggested, or refused in one sentence."""

import pytest

from molinv import actions, distributions, groups
from molinv.errors import InputError
from molinv.names import find

MINE = """
from molinv.distributions import UniformBox
from molinv.groups import SO2, T

class Mine(SO2):
    pass

class Sized(T):
    pass

class Box(UniformBox):
    pass

class Other:
    pass

ready = Mine()
number = 3
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    package = tmp_path / "out_of_tree"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mine.py").write_text(MINE)
    (package / "broken.py").write_text("import a_module_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "out_of_tree.mine"


def test_everything_available_is_found_by_its_own_name():
    assert {"SO2", "SO3", "T", "SE2", "SE3", "Scaling", "Affine2", "Affine3"} < set(
        groups.available()
    )
    assert {"Cyclic", "Reflection", "O3", "Compose", "Product"} < set(groups.available())
    for name in set(groups.available()) - {"Compose", "Product", "MatrixGroup", "Finite"}:
        assert type(groups.find(name)) is groups.available()[name]
    for name, kind in distributions.available().items():
        assert distributions.find(name) is kind
    assert "Group" not in groups.available()
    assert "Action" not in actions.available()
    assert "Distribution" not in distributions.available()
    assert list(groups.available()) == sorted(groups.available())
    for package in (groups, distributions, actions):
        assert set(package.available()) <= set(package.__all__)
        assert all(kind.__doc__ for kind in package.available().values())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SO3", "SO3"),
        ("SO3()", "SO3"),
        (" T( 2 ) ", "T(2)"),
        ("T", "T(3)"),
        ("Cyclic(6)", "Cyclic(6)"),
        ("Cyclic(6, 3)", "Cyclic(6, 3)"),
        ("Cyclic(6,3)", "Cyclic(6, 3)"),
        ("Reflection(2)", "Reflection(2)"),
    ],
)
def test_a_group_from_text_prints_as_it_is_written(text, shown):
    assert str(groups.find(text)) == shown
    assert str(groups.find(str(groups.find(text)))) == shown


def test_out_of_tree(mine):
    assert type(groups.find(f"{mine}:Mine")).__name__ == "Mine"
    assert groups.find(f"{mine}:ready") is groups.find(f"{mine}:ready")
    assert str(groups.find(f"{mine}:Sized(2)")) == "Sized(2)"
    assert distributions.find(f"{mine}:Box").__name__ == "Box"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("S03", "did you mean 'SO3'"),
        ("so3", "did you mean 'SO3'"),
        ("se3", "did you mean 'SE3'"),
        ("cyclic(4)", "did you mean 'Cyclic'"),
        ("qqqq", "choose from"),
        ("", "cannot read the group"),
        ("SO3(", "cannot read the group"),
        ("Cyclic(4 4)", "cannot read the group"),
        ("Cyclic(-4)", "cannot read the group"),
        ("Cyclic(4.5)", "cannot read the group"),
        ("Cyclic(,)", "cannot read the group"),
        ("SO3; import os", "cannot read the group"),
        ("SO3(4)", "whole numbers in brackets"),
        ("Cyclic(1, 2, 3)", "whole numbers in brackets"),
        ("Compose", "whole numbers in brackets"),
        ("Cyclic(0)", "expected n >= 1"),
        ("Cyclic(4, 5)", "dim 2 or 3"),
        ("Reflection(4)", "dim 2 or 3"),
        ("T(0)", "at least one dimension"),
        ("Scaling(0)", "at least one dimension"),
        ("out_of_tree.mine:Absent", "expected 'package.module:Name'"),
        ("out_of_tree.broken:Name", "a_module_that_is_not_there"),
        ("not_there_at_all:Name", "expected 'package.module:Name'"),
        (".mine:Mine", "expected 'package.module:Name'"),
        ("out_of_tree..mine:Mine", "expected 'package.module:Name'"),
        ("out_of_tree.mine:Other", "is not a group"),
        ("out_of_tree.mine:Box", "is not a group"),
        ("out_of_tree.mine:number", "is not a group"),
    ],
)
def test_what_is_no_group_is_refused_in_one_sentence(mine, text, hint):
    with pytest.raises(InputError, match=hint) as caught:
        groups.find(text)
    assert "\n" not in str(caught.value)


def test_the_kind_is_named():
    with pytest.raises(
        InputError, match="unknown distribution 'haarball': did you mean 'HaarBall'"
    ):
        distributions.find("haarball")
    with pytest.raises(InputError, match="unknown action"):
        find("action", "Pints", actions, actions.Action)
