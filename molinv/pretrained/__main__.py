"""python -m molinv.pretrained RUN [NAME]: ship a finished run's model with the package."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from rich import print as show

from ..errors import InputError
from . import DEFAULT


def main(arguments: Sequence[str] | None = None) -> int:
    """Ship a run and print its card; for bad input print one sentence and return 2."""
    parser = ArgumentParser(prog="python -m molinv.pretrained", description=__doc__)
    parser.add_argument("run", help="a run folder")
    parser.add_argument("name", nargs="?", default=DEFAULT, help=f"model name (default {DEFAULT})")
    args = parser.parse_args(arguments)
    from .card import card
    from .ship import ship

    try:
        folder = ship(args.run, args.name)
    except (InputError, OSError) as error:
        print(f"molinv: error: {error}", file=sys.stderr)
        return 2
    show(card(args.name))
    print(f"wrote {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
