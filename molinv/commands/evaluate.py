"""Errors of a run on its test molecules."""

from __future__ import annotations

from .parsing import parse

SUMMARY = "errors of a run on its test molecules: stored, rotated, averaged"


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""

    def fill(parser):
        parser.add_argument("run", help="a run folder")
        parser.add_argument("--copies", type=int, default=8, help="copies that are averaged")
        parser.add_argument("--limit", type=int, help="use the first so many test molecules")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse("evaluate", SUMMARY, arguments, fill)
    from rich import print as show

    from ..analysis.accuracy import evaluate, table

    show(table(evaluate(args.run, args.copies, args.limit, args.trust)))
    return 0
