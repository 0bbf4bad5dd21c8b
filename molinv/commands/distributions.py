"""List the distributions."""

from __future__ import annotations

from .listing import explain, one_line
from .parsing import parse

SUMMARY = "list distributions on a group with their settings"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument(
            "name", nargs="?", help="show the settings of this distribution, e.g. HaarBall"
        )

    args = parse("distributions", SUMMARY, arguments, fill)
    from .. import distributions

    known = distributions.available()
    if args.name is not None:
        explain(args.name, known, "distribution", "--distribution")
        given = "--distribution_args '{\"SETTING\": VALUE}'"
        print(f"\nas in: molinv train --distribution {args.name} {given}")
        return 0
    for name, kind in known.items():
        print(f"{name:<14}{one_line(kind)}")
    print("\nmolinv distributions NAME shows the settings of a distribution.")
    return 0
