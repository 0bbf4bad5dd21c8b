"""Build a data set's cache and print what is in it."""

from __future__ import annotations

from .parsing import parse

SUMMARY = "build a data set's cache and print what is in it"


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    args = parse(
        "data",
        SUMMARY,
        arguments,
        lambda p: p.add_argument("name", help="qm9, or a folder of a data set"),
    )
    from rich import print as show
    from rich.table import Table

    from ..datasets import load
    from ..datasets.split import split

    molecules = load(args.name)
    parts = split(len(molecules))
    sizes = molecules.sizes
    show(
        f"{len(molecules):,} molecules, {sizes.sum():,} atoms (mean {sizes.mean():.1f}, most "
        f"{sizes.max()}); split {parts.hash} with seed 0: {len(parts.train):,} train, "
        f"{len(parts.valid):,} valid, {len(parts.test):,} test"
    )
    table = Table("target", "unit", "what", "mean", "std")
    for t in molecules.targets:
        y = molecules.select([t.name])
        table.add_row(t.name, t.unit, t.description, f"{y.mean():.5g}", f"{y.std():.5g}")
    show(table)
    return 0
