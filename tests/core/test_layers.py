"""The order of all packages, and the core's imports, types and docstrings: read from the source."""

import ast
from pathlib import Path

import pytest

import molinv

ROOT = Path(molinv.__file__).parent
# lowest first: a module may import its own package and the packages before it
HOUSE = [
    ("errors",),
    ("names", "atomic", "sharing", "allocator", "screen"),
    ("reading",),
    ("groups",),
    ("distributions", "actions"),
    ("quadrature",),
    ("augment",),
    ("guaranteed", "testing"),
    ("chem",),
    ("datasets",),
    ("models", "tasks"),
    ("training",),
    ("prediction",),
    ("predict", "pretrained"),
    ("analysis",),
    ("studies",),
    ("bench",),
    ("commands",),
    ("cli",),
]
FLOOR = {name: level for level, names in enumerate(HOUSE) for name in names}
CORE = HOUSE[: HOUSE.index(("guaranteed", "testing")) + 1]
BESIDE = {"atomic", "sharing", "allocator", "screen"}  # equally low, but not part of the core
LEVEL = {name: FLOOR[name] for names in CORE for name in names if name not in BESIDE}
OUTSIDE = {"torch", "scipy", "numpy", "jaxtyping"}
EXAMPLES = {"torch_geometric"}  # only in Graph.example, which makes a batch for the law tests


def sources(name):
    return sorted((ROOT / name).glob("*.py")) if (ROOT / name).is_dir() else [ROOT / f"{name}.py"]


def imports(path):
    """(number of dots, module) of every import in a file, nested imports included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.module:
            yield from ((node.level, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module


@pytest.mark.parametrize("name", LEVEL)
def test_imports_of_the_core_point_one_way(name):
    import sys

    for path in sources(name):
        inside = path.parent != ROOT
        for dots, module in imports(path):
            top = module.split(".")[0]
            if dots == 0 and top != "molinv":
                known = OUTSIDE | (EXAMPLES if path.name == "graphs.py" else set())
                assert top in known | sys.stdlib_module_names, f"{path.name} imports {module}"
                continue
            if dots == 1 and inside:
                continue  # a sibling in the same folder
            target = module.split(".")[1] if dots == 0 else top
            assert target in LEVEL, f"{path.name} imports {module}, which is not in the core"
            allowed = LEVEL[target] < LEVEL[name] or target == name
            assert allowed, f"{path.name} imports {module}, which is not below it"


def modules():
    """The dotted name of every module, as a tuple, and its file."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield parts[:-1] if parts[-1] == "__init__" else parts, path


def imported(parts, path):
    """Tuples of names that a module imports from molinv, nested imports included."""
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple((node.module or "").split(".")) if node.module else ()
            names = [(*base, alias.name) for alias in node.names]
        else:
            continue
        yield from (name for name in names if name[0] == "molinv")


def upward(floor, found):
    """Imports (module, imported) that do not point downwards, or involve unknown packages."""
    for parts, path in found:
        own = parts[1] if len(parts) > 1 else None
        for name in imported(parts, path):
            there = name[1] if len(name) > 1 else "molinv"
            if own is None or there == own or there == "__version__" or own == "__main__":
                continue
            if typing_only(path, name):
                continue
            if not floor.get(there, 99) < floor.get(own, -1):
                yield ".".join(parts), ".".join(name)


def typing_only(path, name):
    """Whether an import is inside `if TYPE_CHECKING:`, so only the type checker runs it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            inside = [a.name for n in ast.walk(node) for a in getattr(n, "names", ())]
            return name[-1] in inside
    return False


def test_every_package_has_its_place_and_imports_point_one_way():
    known = {parts[1] for parts, _ in modules() if len(parts) > 1} - {"__main__"}
    assert known <= set(FLOOR)
    assert not list(upward(FLOOR, modules()))


def test_an_import_that_points_upwards_is_found(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def late():\n    from ..prediction.calibrate import calibrate\n")
    found = list(upward(FLOOR, [(("molinv", "training", "wrong"), wrong)]))
    assert found == [("molinv.training.wrong", "molinv.prediction.calibrate.calibrate")]
    wrong.write_text("from ..training.run import train\n")
    assert not list(upward(FLOOR, [(("molinv", "prediction", "wrong"), wrong)]))


def public(tree):
    """Public functions, and public methods of public classes, with their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


@pytest.mark.parametrize("name", LEVEL)
def test_everything_public_has_types_and_a_docstring(name):
    for path in sources(name):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        for what, node in public(tree):
            where = f"{path.name}: {what}"
            assert ast.get_docstring(node), f"{where} has no docstring"
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            named = [a for a in every if a.arg not in ("self", "cls")]
            assert all(a.annotation for a in named), f"{where} has arguments without a type"
            assert node.returns is not None or name == "names", f"{where} returns no type"
