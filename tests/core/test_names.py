"""Finding classes by name: found, suggested, or refused in one sentence."""

import json
import math

import pytest
import torch
import yaml

from molinv import actions, distributions, groups
from molinv.commands.parsing import parse
from molinv.errors import InputError
from molinv.names import external, find, outside
from molinv.reading import split

EXAMPLES = [
    example
    for name, kind in groups.available().items()
    if name != "LearnedBasis"  # its random start cannot be written down
    for example in kind.examples()
]

MINE = """
from molinv.distributions import UniformBox
from molinv.groups import SE3, SO2, T, Compose, Group

class Mine(SO2):
    pass

class Sized(T):
    pass

class Several(T):
    def __init__(self, *parts: Group, size: int = 3):
        super().__init__(size)
        self.parts = parts

class Around(SO2):
    def __init__(self, inner: SO2 | T, letter, count=None):
        super().__init__()
        self.inner, self.letter, self.count = inner, letter, count

class Failing(SO2):
    def __init__(self):
        raise ValueError("no\\nluck")

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
    assert {"Cyclic", "Reflection", "O3", "Compose"} < set(groups.available())
    for name in set(groups.available()) - {"Compose", "MatrixGroup", "Finite"}:
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
        ("T", "T"),
        ("T(3, angstrom, 2.5)", "T(3, angstrom, 2.5)"),
        ("T(n=2, unit='log mol/L: x')", "T(n=2, unit='log mol/L: x')"),
        ("T(2, angstrom, inf)", "T(2, angstrom, inf)"),
        ("T(2, cap=1e-3,)", "T(2, cap=0.001)"),
        ("About(1, -2, 2)", "About(1, -2, 2)"),
        ("About(x=1,y=-0.5)", "About(x=1, y=-0.5)"),
        ("Cyclic(6)", "Cyclic(6)"),
        ("Cyclic(n=6, dim=3)", "Cyclic(n=6, dim=3)"),
        ("Cyclic(6, 3)", "Cyclic(6, 3)"),
        ("Cyclic(6,3)", "Cyclic(6, 3)"),
        ("Reflection(2)", "Reflection(2)"),
        ("Reflection(3, True)", "Reflection(3, True)"),
        ("PointGroup(D4h)", "PointGroup(D4h)"),
        ("PointGroup('D4h')", "PointGroup(D4h)"),
        ("PointGroup(symbol=T)", "PointGroup(symbol=T)"),
        ("Compose(SO3, Scaling)", "Compose(SO3, Scaling)"),
        ("Compose(b=Reflection(3), a=SO3())", "Compose(b=Reflection(3), a=SO3)"),
        ("Compose(O3, Compose(Scaling(3), PointGroup(O)))",) * 2,
        ("Compose(About(1, 0, 0), Reflection(3))",) * 2,
        (
            "MatrixGroup([[[0, 1], [1, 0]]], [boost], ['c'], (3.0,), closed=True)",
            "MatrixGroup([[[0, 1], [1, 0]]], ['boost'], ['c'], (3.0,), closed=True)",
        ),
        ("MatrixGroup([[[0, 1], [1, 0]]], None, compact=False)",) * 2,
        ("Finite([[[1, 0], [0, 1]], [[-1, 0], [0, -1]]])",) * 2,
    ],
)
def test_a_group_from_text_prints_as_it_is_written(text, shown):
    assert str(groups.find(text)) == shown
    assert str(groups.find(str(groups.find(text)))) == shown


@pytest.mark.parametrize("group", EXAMPLES, ids=lambda group: str(group)[:60])
def test_every_group_can_be_made_from_its_text(group):
    again = groups.find(str(group))
    assert type(again) is type(group)
    assert str(again) == str(group)
    assert again.same(group)
    assert again.identity().dtype == torch.get_default_dtype()
    assert str(groups.find(str(group.double()))) == str(group)


@pytest.mark.parametrize("group", EXAMPLES, ids=lambda group: str(group)[:60])
def test_a_printed_group_survives_the_command_line_a_config_and_json(group, tmp_path):
    text, config = str(group), tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"group": text}))

    def fill(parser):
        parser.add_argument("--config", action="config")
        parser.add_argument("--group", type=str)

    for arguments in (["--group", text], [f"--group={text}"], ["--config", str(config)]):
        assert parse("train", "", arguments, fill).group == text
    assert json.loads(json.dumps({"group": text}))["group"] == text


def test_annotations_decide_whether_words_are_groups_or_text(mine):
    tetrahedral = groups.find("PointGroup(T)")
    assert len(tetrahedral.elements) == 12
    both = groups.find("Compose(PointGroup(T), SO3)")
    assert isinstance(both.a, groups.PointGroup)
    around = groups.find(f"{mine}:Around(T, T, nowhere)")
    assert isinstance(around.inner, groups.T)
    assert isinstance(around.letter, groups.T)  # without an annotation a group's name is a group
    assert around.count == "nowhere"
    assert groups.find(f"{mine}:Around(SO2, 'T', [T, x, None])").letter == "T"
    quoted = groups.find("T(2, 'SO3')")
    assert quoted.units == ("SO3", "SO3")


def test_numbers_keep_their_digits_and_their_types():
    third = math.cos(2 * math.pi / 3)
    rotations = groups.Cyclic(3).double().elements
    group = groups.find(str(groups.Finite(rotations)))
    assert group.elements.dtype == torch.get_default_dtype()
    assert float(group.double().elements[1, 0, 0]) == pytest.approx(third, abs=1e-15)
    assert repr(third) in str(group)
    assert type(groups.find("About(1, -2, 2)")._given[0][1]) is int
    assert type(groups.find("About(1, -2.0, 2)")._given[0][1]) is float


def test_groups_from_out_of_tree_nest(mine):
    group = groups.find(f"Compose({mine}:Sized(3), SE3)")
    assert type(group.a).__name__ == "Sized"
    assert isinstance(group.b, groups.SE3)
    ready = groups.find(f"{mine}:ready")
    assert groups.find(f"Compose({mine}:ready, b={mine}:ready)").b is ready
    several = groups.find(f"{mine}:Several(SO3, {mine}:Mine, T(2), size=2)")
    assert [str(part) for part in several.parts] == ["SO3", "Mine", "T(2)"]
    assert several.d == 3


def test_external_code_is_detected_at_any_depth(mine):
    nested = f"Compose(SO3, Compose({mine}:Sized(3), SE3))"
    assert outside({"a": [{"group": nested}, "SO3"], "b": 3}) == [nested]
    assert outside(["Compose(SO3, Scaling(3))", "PointGroup(D4h)"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "out_of_tree.mine\uff1aMine",
        "out_of_tree.mine\uff20Mine",
        "out_of_tree.mine@Mine",
        "out_of_tree.mine\\x3aMine",
    ],
)
def test_only_a_colon_names_external_code(mine, text):
    """Text in which `outside` finds no external code cannot import any."""
    for written in (text, f"'{text}'", f"Compose({text}, SO3)", f"Compose('{text}', SO3)"):
        assert outside(written) == []
        with pytest.raises(InputError):
            groups.find(written)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("SO2", ["SO2"]),
        (" SO2, T(2) ,,", ["SO2", "T(2)"]),
        ("Cyclic(6, 3),SO3", ["Cyclic(6, 3)", "SO3"]),
        ("Compose(SO3, Reflection(3)), SO2", ["Compose(SO3, Reflection(3))", "SO2"]),
        ("Compose(T(2), SE2), SO2", ["Compose(T(2), SE2)", "SO2"]),
        ("MatrixGroup([[[0, 1], [1, 0]]]), SO2", ["MatrixGroup([[[0, 1], [1, 0]]])", "SO2"]),
        ("", []),
    ],
)
def test_lists_are_split_between_brackets_only(text, parts):
    assert split(text) == parts


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
        ("Cyclic(-4)", "expected n >= 1"),
        ("Cyclic(4.5)", "Cyclic: expected int for n, got 4.5"),
        ("Cyclic(dim=three)", "expected int for dim, got 'three'"),
        ("Cyclic(SO3)", "expected int for n, got 'SO3'"),
        ("Cyclic(10000000000000000000000)", "cannot make the group Cyclic"),
        ("PointGroup(4)", "expected str for symbol, got 4"),
        ("Reflection(3, 1)", "expected bool for homogeneous, got 1"),
        ("Compose('SO3', SO3)", "expected Group for a, got 'SO3'"),
        ("Compose(SO3, [SO3])", r"expected Group for b, got \[SO3\]"),
        ("Finite(3)", "Finite: expected elements"),
        ("Finite([[1, 0], [1]])", "cannot make the group Finite: expected sequence"),
        ("Cyclic(,)", "cannot read the group"),
        ("Cyclic(n=4, 2)", "cannot read the group"),
        ("Cyclic(n=4, n=4)", "cannot read the group"),
        ("Cyclic(*[4])", "cannot read the group"),
        ("Cyclic(**{})", "cannot read the group"),
        ("Cyclic(2 + 2)", "cannot read the group"),
        ("Cyclic(-'4')", "cannot read the group"),
        ("Cyclic(b'4')", "cannot read the group"),
        ("Cyclic(4)(4)", "cannot read the group"),
        ("Cyclic(lambda: 4)", "cannot read the group"),
        ("Compose(SO3, SO3", "Compose\\(SO3, Scaling\\(3\\)\\) or package.module:Name"),
        ("[SO3]", "cannot read the group"),
        ("'SO3'", "cannot read the group"),
        ("SO3, SO3", "cannot read the group"),
        ("a:b:c", "cannot read the group"),
        ("SO3\0", "cannot read the group"),
        ("(" * 1000 + "SO3", "cannot read the group"),
        ("Cyclic(" + "-" * 2000 + "4)", "cannot read the group"),
        ("LearnedBasis(1, 3, generator=<torch._C.Generator object at 0x7f>)", "cannot read the"),
        ("SO3; import os", "cannot read the group"),
        ("SO3(4)", "cannot make the group SO3: .* positional argument"),
        ("Cyclic(1, 2, 3)", "cannot make the group Cyclic: .* positional arguments"),
        ("Cyclic(dm=3)", "did you mean 'dim'"),
        ("Compose", "missing 2 required positional arguments: 'a' and 'b'"),
        ("Compose(SO3)", "missing 1 required positional argument: 'b'"),
        ("Compose(SO3, S03)", "unknown group 'S03': did you mean 'SO3'"),
        ("Compose(SO3, T(3))", "expected two groups on the same space"),
        ("Compose(SO3, out_of_tree.mine:Other)", "is not a group"),
        ("out_of_tree.mine:ready(3)", "leave out its arguments"),
        ("out_of_tree.mine:Failing", "cannot make the group out_of_tree.mine:Failing: no luck"),
        ("out_of_tree.mine:Several(SO3, sice=3)", "did you mean 'size'"),
        ("Cyclic(0)", "expected n >= 1"),
        ("Cyclic(4, 5)", "dim 2 or 3"),
        ("Reflection(4)", "dim 2 or 3"),
        ("T(0)", "at least one dimension"),
        ("Scaling(0)", "at least one dimension"),
        ("out_of_tree.mine:Absent", "expected 'package.module:Name'"),
        ("out_of_tree.broken:Name", "a_module_that_is_not_there"),
        ("not_there_at_all:Name", "expected 'package.module:Name'"),
        (".mine:Mine", "cannot read the group"),
        ("out_of_tree..mine:Mine", "cannot read the group"),
        ("out_of_tree.mine:Other", "is not a group"),
        ("out_of_tree.mine:Box", "is not a group"),
        ("out_of_tree.mine:number", "is not a group"),
    ],
)
def test_text_that_is_not_a_group_is_refused_in_one_sentence(mine, text, hint):
    with pytest.raises(InputError, match=hint) as caught:
        groups.find(text)
    assert "\n" not in str(caught.value)


def test_errors_name_the_kind_of_object():
    with pytest.raises(
        InputError, match="unknown distribution 'haarball': did you mean 'HaarBall'"
    ):
        distributions.find("haarball")
    with pytest.raises(InputError, match="unknown action"):
        find("action", "Pints", actions, actions.Action)


def test_a_file_of_the_current_folder_is_found(tmp_path, monkeypatch):
    import sys

    (tmp_path / "beside_the_data.py").write_text("class Net:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    # the path of the console script has neither the current folder nor ""
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    assert external("beside_the_data:Net").__name__ == "Net"
    with pytest.raises(InputError, match="in this folder or on the Python path"):
        external("nowhere_at_all:Net")
