"""Parse the arguments of a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ..errors import InputError

_MODE = "settings"
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "settings as in '{\"width\": 32}'",
    "str": "a text",
}
LONGEST = 400


def parse(
    command: str,
    summary: str,
    arguments: list[str],
    fill: Callable[[Any], None],
    text: str | None = None,
) -> Any:
    """Parse the arguments that `fill` declares on a parser.

    `text` is printed at the head of the help, unchanged; by default `summary`. Raises InputError
    for arguments that cannot be parsed.
    """
    from argparse import RawDescriptionHelpFormatter

    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, set_loader
    from yaml import YAMLError

    class AsItIs(RawDescriptionHelpFormatter, DefaultHelpFormatter):
        def _expand_help(self, action) -> str:
            return _without_empty_default(super()._expand_help(action))

    set_loader(_MODE, _settings, (YAMLError, ValueError))
    parser = ArgumentParser(
        parser_mode=_MODE,
        prog=f"molinv {command}",
        description=text or f"{summary[:1].upper()}{summary[1:]}.",
        formatter_class=AsItIs,
        exit_on_error=False,
        allow_abbrev=False,
    )
    fill(parser)
    try:
        return parser.parse_args(arguments)
    except (ArgumentError, ValueError, YAMLError) as error:
        text = _plain(" ".join(str(error).split()))
        if text.startswith("unrecognized arguments: "):
            raise _unknown_flag(command, arguments, parser, text) from error
        if len(text) > LONGEST:  # jsonargparse quotes the whole of a file that is not a config
            text = f"{text[:LONGEST]} ..."
        raise InputError(f"{text} (see `molinv {command} --help`)") from error


def _unknown_flag(command: str, arguments: list[str], parser: Any, text: str) -> InputError:
    """The error for arguments that the parser does not know; suggests the most similar flag."""
    known = [flag for action in parser._actions for flag in action.option_strings]
    given = [a.partition("=")[0] for a in arguments if a.startswith("-")]
    foreign = next((flag for flag in given if flag not in known), None)
    near = get_close_matches(foreign, known, n=1, cutoff=0.7) if foreign else []
    hint = f"did you mean {near[0]}?" if near else f"see `molinv {command} --help`."
    return InputError(f"unknown flag {foreign}: {hint}" if foreign else f"{text}: {hint}")


def _without_empty_default(text: str) -> str:
    """The help of a flag without a default such as null, which its text explains."""
    text = re.sub(r" \(default: (?:null|\[\])?\)$", "", text)
    return re.sub(r"(?: \| null)?, default: (?:null|\[\])?\)$", ")", text)


def _plain(text: str) -> str:
    """A message with the flag and its expected kind, in place of jsonargparse's Python types."""
    key = re.match(r'Parser key "([^"]+)": ', text)
    kinds = re.findall(r"<class '(\w+)'>", text.split("Given value type")[0])
    value = re.search(r"(?:Given|Got) value: (.*)$", text)
    known = [KINDS[kind] for kind in dict.fromkeys(kinds) if kind in KINDS]
    if key is None or value is None or not known:
        return text
    return f"--{key[1]}: expected {' or '.join(known)}, got {value[1]}"


def _settings(text: str) -> Any:
    """Parse a setting or a whole config as YAML; raises ValueError if it names a class.

    jsonargparse imports the module of any `class_path`, so configs must not contain one.
    """
    from jsonargparse import get_loader

    value = get_loader("yaml")(text)
    if _names_a_class(value):
        raise ValueError("molinv has no setting with a class_path: remove it")
    return value


def _names_a_class(value: Any) -> bool:
    if isinstance(value, dict):
        return "class_path" in value or any(map(_names_a_class, value.values()))
    return isinstance(value, list | tuple) and any(map(_names_a_class, value))
