"""Compare two cross-validations."""

from __future__ import annotations

from .parsing import parse

SUMMARY = "two cross-validations, paired by fold: is the difference more than chance?"

TEXT = """Compare two cross-validations of the same folds, target by target.

    molinv crossvalidate --data mine.csv --targets logS --seeds 3 --out runs/cv_a
    molinv crossvalidate --data mine.csv --targets logS --seeds 3 --model painn --out runs/cv_b
    molinv compare runs/cv_a runs/cv_b

Errors are paired by seed and fold. The t-test is corrected for training sets that overlap (Nadeau
and Bengio 2003), without which small differences look certain; the plain t-test and Wilcoxon's
signed-rank test, which are not corrected, stand beside it. All are two-sided."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""

    def fill(parser):
        parser.add_argument("first", help="a folder of `molinv crossvalidate`")
        parser.add_argument("second", help="another, with the same folds and seeds")

    args = parse("compare", SUMMARY, arguments, fill, TEXT)
    from rich import print as show

    from ..studies.compare import compare, sentence, table

    found = compare(args.first, args.second)
    show(table(found, args.first, args.second))
    for each in found:
        print(sentence(each, args.first, args.second))
    return 0
