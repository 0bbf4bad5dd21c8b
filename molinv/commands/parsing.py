"""From a command's arguments to its settings."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    """The arguments that `fill` declares; `text`, where there is one, heads the help as it is."""
    from argparse import RawDescriptionHelpFormatter

    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, set_loader
    from yaml import YAMLError

    class AsItIs(RawDescriptionHelpFormatter, DefaultHelpFormatter):
        pass

    set_loader(_MODE, _settings, (YAMLError, ValueError))
    parser = ArgumentParser(
        parser_mode=_MODE,
        prog=f"molinv {command}",
        description=text or summary,
        formatter_class=AsItIs,
        exit_on_error=False,
        allow_abbrev=False,
    )
    fill(parser)
    try:
        return parser.parse_args(arguments)
    except (ArgumentError, ValueError, YAMLError) as error:
        text = _plain(" ".join(str(error).split()))
        if len(text) > LONGEST:  # jsonargparse repeats a whole file that is no config
            text = f"{text[:LONGEST]} ..."
        raise InputError(f"{text} (see `molinv {command} --help`)") from error


def _plain(text: str) -> str:
    """What was expected of which flag, in place of jsonargparse's account of Python's types."""
    key = re.match(r'Parser key "([^"]+)": ', text)
    kinds = re.findall(r"<class '(\w+)'>", text.split("Given value type")[0])
    value = re.search(r"(?:Given|Got) value: (.*)$", text)
    known = [KINDS[kind] for kind in dict.fromkeys(kinds) if kind in KINDS]
    if key is None or value is None or not known:
        return text
    return f"--{key[1]}: expected {' or '.join(known)}, got {value[1]}"


def _settings(text: str) -> Any:
    """A setting, or a whole config, as YAML reads it; ValueError where it asks for a class.

    jsonargparse imports the module of what a setting calls its class_path, whatever the setting.
    """
    from jsonargparse import get_loader

    value = get_loader("yaml")(text)
    if _names_a_class(value):
        raise ValueError("no setting of molinv has a class_path: take it out")
    return value


def _names_a_class(value: Any) -> bool:
    if isinstance(value, dict):
        return "class_path" in value or any(map(_names_a_class, value.values()))
    return isinstance(value, list | tuple) and any(map(_names_a_class, value))
