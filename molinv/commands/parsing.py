"""From a command's arguments to its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputError


def parse(
    command: str,
    summary: str,
    arguments: list[str],
    fill: Callable[[Any], None],
    text: str | None = None,
) -> Any:
    """The arguments that `fill` declares; `text`, where there is one, heads the help as it is."""
    from argparse import RawDescriptionHelpFormatter

    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter
    from yaml import YAMLError

    class AsItIs(RawDescriptionHelpFormatter, DefaultHelpFormatter):
        pass

    parser = ArgumentParser(
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
        text = " ".join(str(error).split())
        raise InputError(f"{text} (see `molinv {command} --help`)") from error
