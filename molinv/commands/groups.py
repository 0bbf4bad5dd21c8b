"""What groups there are."""

from __future__ import annotations

from .parsing import parse

SUMMARY = "the groups that exist, with their generators"


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    parse("groups", SUMMARY, arguments, lambda p: None)
    from inspect import getdoc

    from rich import print as show
    from rich.table import Table

    from .. import groups

    table = Table("group", "compact", "generators (unit, cap)", "what")
    for name, kind in groups.available().items():
        group = kind.examples()[-1]
        rows = zip(group.names, group.units, group.caps, strict=True)
        generators = ", ".join(f"{n} ({u}, {c:.3g})" for n, u, c in rows)
        what = (getdoc(kind) or "").splitlines()[0]
        table.add_row(name, "yes" if group.compact else "no", generators, what)
    show(table)
    return 0
