"""From a name to a class: a file in the right folder is found, nothing is registered."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from .errors import InputError, unknown

_PLAIN = {"int": int, "float": int | float, "bool": bool, "str": str, "None": type(None)}


def classes(package: ModuleType, base: type) -> dict[str, type]:
    """The concrete subclasses of `base` defined in the modules of `package`, by class name."""
    found = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        found |= defined(importlib.import_module(f"{package.__name__}.{info.name}"), base)
    return dict(sorted(found.items()))


def defined(module: ModuleType, base: type) -> dict[str, type]:
    """The concrete subclasses of `base` that a module itself defines, by class name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
        and value is not base
        and not name.startswith("_")
    }


def deriving(path: Iterable[str], base: str) -> list[str]:
    """The modules in the folders whose source has a public class derived from one named `base`.

    Nothing is imported, so listing names does not load the libraries that the modules need.
    Base classes are followed by name through all the modules; classes derived from ABC directly
    do not count.
    """
    bases: dict[tuple[str, str], set[str]] = {}
    for finder, module, _ in pkgutil.iter_modules(path):
        try:
            loader = finder.find_spec(module, None).loader  # pyright: ignore
            body = ast.parse(loader.get_source(module) or "").body  # pyright: ignore
        except (SyntaxError, ImportError):
            bases[module, module] = {base}  # listed: importing it says what is wrong
            continue
        imports = [alias for s in body if isinstance(s, ast.ImportFrom) for alias in s.names]
        renamed = {alias.asname: alias.name for alias in imports}
        for kind in body:
            if isinstance(kind, ast.ClassDef):
                names = [ast.unparse(b).rpartition(".")[2] for b in kind.bases]
                bases[module, kind.name] = {renamed.get(name, name) for name in names}
    family = {base}
    while more := {kind for (_, kind), of in bases.items() if of & family} - family:
        family |= more
    return sorted(
        {
            module
            for (module, kind), of in bases.items()
            if of & family and "ABC" not in of and not kind.startswith("_")
        }
    )


def external(spec: str):
    """The object that "package.module:Name" names; raises InputError if it cannot be imported."""
    module, _, name = spec.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InputError(
            f"cannot import {spec!r} ({error}): expected 'package.module:Name' of something "
            "on the Python path."
        ) from error


def find(kind: str, name: str, package: ModuleType, base: type) -> type:
    """The class called `name` in `package`, or the one that "package.module:Name" names."""
    if ":" in name:
        found = external(name)
        if isinstance(found, base) or (isinstance(found, type) and issubclass(found, base)):
            return found  # pyright: ignore[reportReturnType]
        raise InputError(f"{name!r} is not a {kind}: expected a {base.__name__}.")
    known = classes(package, base)
    if name not in known:
        raise unknown(kind, name, known)
    return known[name]


def make(kind: str, text: str, package: ModuleType, base: type) -> Any:
    """An instance from text such as "SO3", "About(1, -2, 2)" or "Compose(SO3, module:Name(3))".

    Arguments are numbers, text, True, False, None, lists, tuples and further instances. A word
    without quotes is an instance where the parameter's annotation says so, otherwise text.
    Raises InputError for text that cannot be read, an unknown name or a wrong argument.
    """
    try:
        if "@" in text:
            raise SyntaxError
        # Python has no "module:Name"; read as "module@Name" it is a product of two names
        tree = ast.parse(text.strip().replace(":", "@"), mode="eval").body
        return _Reader(kind, package, base).instance(tree)
    except InputError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"cannot read the {kind} {text!r}: expected a name such as SO3, T(3), "
            "Compose(SO3, Scaling(3)) or package.module:Name."
        ) from error


class _Reader:
    """Makes instances from the syntax trees of their text; SyntaxError for another expression."""

    def __init__(self, kind: str, package: ModuleType, base: type):
        self.kind, self.package, self.base = kind, package, base
        self.known = classes(package, base).keys()

    def instance(self, node: ast.expr) -> Any:
        """What a name stands for, or a name with arguments in brackets."""
        import torch

        name, args, named = _parts(node)
        found = find(self.kind, name, self.package, self.base)
        if isinstance(found, self.base):
            if args or named:
                raise InputError(f"{name!r} is an instance already: leave out its arguments.")
            return found
        what, parameters = f"{self.kind} {name}", inspect.signature(found).parameters
        places = [p for p in parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
        several = [p for p in parameters.values() if p.kind is p.VAR_POSITIONAL] or [None]
        pairs = zip(args, places + several * len(args), strict=False)
        first = tuple(self.argument(what, *pair) for pair in pairs)
        settings = {n: self.argument(what, a, parameters.get(n)) for n, a in named.items()}
        made = construct(found, what, first, settings)
        arrays = any(isinstance(v, torch.Tensor) for v in (*first, *settings.values()))
        return made.to(torch.get_default_dtype()) if arrays else made

    def argument(self, what: str, node: ast.expr, parameter: inspect.Parameter | None) -> Any:
        """An argument's value; raises InputError where its annotation says another type."""
        if parameter is None or parameter.annotation is parameter.empty:
            return self.value(node, "")
        noted = parameter.annotation
        noted = noted if isinstance(noted, str) else inspect.formatannotation(noted)
        value, types = self.value(node, noted), _PLAIN | {self.base.__name__: self.base}
        kinds = [types.get(part.rpartition(".")[2]) for part in noted.split(" | ")]
        if None not in kinds and not any(isinstance(value, k) for k in kinds if k):
            raise InputError(
                f"cannot make the {what}: expected {noted} for {parameter.name}, got {value!r}."
            )
        if "Tensor" in noted and "Sequence" not in noted and isinstance(value, list | tuple):
            return _array(what, value)
        return value

    def value(self, node: ast.expr, noted: str) -> Any:
        """What an expression stands for as an argument whose annotation is `noted`."""
        match node:
            case ast.Constant(str(text)):
                return text.replace("@", ":")
            case ast.Constant(int() | float() | None as constant):
                return constant
            case ast.UnaryOp(ast.USub(), operand):
                number = self.value(operand, noted)
                if isinstance(number, int | float):
                    return -number
            case ast.List(items):
                return [self.value(item, noted) for item in items]
            case ast.Tuple(items):
                return tuple(self.value(item, noted) for item in items)
            case ast.Name(word) if not self.names_instance(word, noted):
                return float(word) if word in ("inf", "nan") else word
        return self.instance(node)

    def names_instance(self, word: str, noted: str) -> bool:
        """Whether a word without brackets is an instance rather than text."""
        if not noted:
            return word in self.known
        return self.base.__name__ in noted or bool(self.known & set(re.findall(r"\w+", noted)))


def _array(what: str, values: list | tuple) -> Any:
    """Nested lists as a tensor with all the digits that they were written with."""
    import torch

    try:
        array = torch.tensor(values)
        return torch.tensor(values, dtype=torch.float64) if array.is_floating_point() else array
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"cannot make the {what}: expected an array, but {error}.") from error


def _parts(node: ast.expr) -> tuple[str, list[ast.expr], dict[str, ast.expr]]:
    """The name, the arguments and the named arguments of an instance's expression."""
    module, args, named = "", [], []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        module, node = ast.unparse(node.left) + ":", node.right
    if isinstance(node, ast.Call):
        node, args, named = node.func, node.args, node.keywords
    name, settings = module + ast.unparse(node), {n.arg: n.value for n in named if n.arg}
    if not re.fullmatch(r"[\w.]+(:\w+)?", name) or len(settings) < len(named):
        raise SyntaxError
    return name, args, settings


def split(text: str) -> list[str]:
    """The parts of a list with commas; a comma in brackets does not end a part."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def construct(kind: type, what: str, first: tuple, settings: dict[str, Any]) -> Any:
    """kind(*first, **settings); raises InputError that names a setting that it does not know."""
    parameters = list(inspect.signature(kind).parameters.values())
    known = [
        p.name for i, p in enumerate(parameters) if i >= len(first) or p.kind is p.KEYWORD_ONLY
    ]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in settings:
            if name not in known:
                raise unknown(f"setting of {what}:", name, known)
    try:
        return kind(*first, **settings)
    except InputError:
        raise
    except (
        TypeError,
        ValueError,
        RuntimeError,
        AttributeError,
        LookupError,
        ArithmeticError,
    ) as error:
        given, why = f" with {settings}" if settings else "", " ".join(str(error).split())
        raise InputError(f"cannot make the {what}{given}: {why}") from error


def outside(settings: Any) -> list[str]:
    """Every "package.module:Name" in settings, however deep: code that is not molinv's."""
    if isinstance(settings, dict):
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        return [name for value in settings for name in outside(value)]
    return [settings] if isinstance(settings, str) and ":" in settings else []
