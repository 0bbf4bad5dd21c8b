"""Make instances from text such as "About(1, -2, 2)", as printed or typed on a command line."""

from __future__ import annotations

import ast
import inspect
import re
from keyword import iskeyword
from types import ModuleType
from typing import Any

from .errors import InputError
from .names import classes, construct, find

_PLAIN = {"int": int, "float": int | float, "bool": bool, "str": str, "None": type(None)}


def make(kind: str, text: str, package: ModuleType, base: type) -> Any:
    """An instance from text such as "SO3", "About(1, -2, 2)" or "Compose(SO3, module:Name(3))".

    Arguments are numbers, text, True, False, None, lists, tuples and further instances. A word
    without quotes is an instance where the parameter's annotation says so, otherwise text.
    Raises InputError for text that cannot be read, an unknown name or a wrong argument.
    """
    try:
        if "@" in text:
            raise SyntaxError
        # "module:Name" is not Python, but "module@Name" is: a matrix product of two names
        tree = ast.parse(text.strip().replace(":", "@"), mode="eval").body
        return _Reader(kind, package, base).instance(tree)
    except InputError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(
            f"cannot read the {kind} {text!r}: expected a name such as SO3, T(3), "
            "Compose(SO3, Scaling(3)) or package.module:Name."
        ) from error


def printed(name: str, args: tuple, named: dict[str, Any]) -> str:
    """Write a name and its arguments as text that `make` can read back."""
    named = {n: a for n, a in named.items() if type(a).__name__ != "Generator"}
    words = [_word(a) for a in args] + [f"{n}={_word(a)}" for n, a in named.items()]
    return f"{name}({', '.join(words)})" if words else name


def _word(value: Any) -> str:
    value = value.tolist() if hasattr(value, "tolist") else value  # a tensor or an array
    plain = isinstance(value, str) and value.isidentifier() and not iskeyword(value)
    return value if plain and value not in ("inf", "nan") else repr(value)


class _Reader:
    """Makes instances from syntax trees; raises SyntaxError for any other expression."""

    def __init__(self, kind: str, package: ModuleType, base: type):
        self.kind, self.package, self.base = kind, package, base
        self.known = classes(package, base).keys()

    def instance(self, node: ast.expr) -> Any:
        """The instance for a name, or for a name with arguments in brackets."""
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
        return construct(found, what, first, settings)

    def argument(self, what: str, node: ast.expr, parameter: inspect.Parameter | None) -> Any:
        """An argument's value; raises InputError if it does not match the annotated type."""
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
        return value

    def value(self, node: ast.expr, noted: str) -> Any:
        """The value of an expression, for a parameter whose annotation is `noted`."""
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
        """Whether a word without brackets names an instance; if not, it is text."""
        if not noted:
            return word in self.known
        return self.base.__name__ in noted or bool(self.known & set(re.findall(r"\w+", noted)))


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
    """Split text at its commas, except at commas inside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
