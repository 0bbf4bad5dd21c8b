"""Reproduce a table or figure of molinv/bench/README.md."""

from __future__ import annotations

from ..errors import InputError
from .parsing import parse

SUMMARY = "reproduce a table or figure of molinv's documentation"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    from .. import bench

    if arguments[:1] in (["-h"], ["--help"]):
        rows = "\n".join(f"  {name:<16}{text}" for name, text in bench.summaries().items())
        print(
            "usage: molinv bench NAME ...\n\nReproduce a table or figure of molinv/bench/README.md."
            f"\n\n{rows}\n\n"
            "molinv bench NAME --help explains a benchmark and its flags."
        )
        return 0
    if not arguments or arguments[0].startswith("-"):
        names = ", ".join(bench.available())
        raise InputError(f"bench: expected the name of a benchmark first, one of {names}.")
    module = bench.find(arguments[0])

    def fill(parser):
        parser.add_function_arguments(module.main, as_positional=False)
        for action in parser._actions:
            if action.default is False:  # `--quick` without a value means true
                action.nargs, action.const = "?", True

    args = parse(f"bench {arguments[0]}", SUMMARY, arguments[1:], fill, module.__doc__)
    module.main(**args.as_dict())
    return 0
