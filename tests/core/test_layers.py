"""What the core imports, and that all of it is documented: read from the source."""

import ast
from pathlib import Path

import pytest

import molinv

ROOT = Path(molinv.__file__).parent
# lowest first: each may import itself and what stands before it
ORDER = [
    ("errors",),
    ("names",),
    ("reading",),
    ("groups",),
    ("distributions", "actions"),
    ("quadrature",),
    ("augment",),
    ("guaranteed", "testing"),
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
OUTSIDE = {"torch", "scipy", "numpy", "jaxtyping"}
EXAMPLES = {"torch_geometric"}  # in the example of Graph alone: a batch to try its laws on


def sources(name):
    return sorted((ROOT / name).glob("*.py")) if (ROOT / name).is_dir() else [ROOT / f"{name}.py"]


def imports(path):
    """(level of the dots, module) of every import in a file, wherever it stands."""
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
            assert target in LEVEL, f"{path.name} imports {module}, which is not of the core"
            allowed = LEVEL[target] < LEVEL[name] or target == name
            assert allowed, f"{path.name} imports {module}, which stands above it"


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
def test_everything_public_has_types_and_says_what_it_is(name):
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
