"""Compare two cross-validations."""

from __future__ import annotations

from .parsing import parse

SUMMARY = "test whether two cross-validations differ by more than chance, paired by fold"

TEXT = """Compare two cross-validations of the same folds, target by target.

    molinv crossvalidate --data mine.csv --targets logS --seeds 3 --out runs/cv_a
    molinv crossvalidate --data mine.csv --targets logS --seeds 3 --model painn --out runs/cv_b
    molinv compare runs/cv_a runs/cv_b

Errors are paired by seed and fold. The t-test is corrected for overlapping training sets (Nadeau
and Bengio 2003); without the correction, small differences look significant too often. The table
also has the uncorrected t-test and Wilcoxon's signed-rank test. All tests are two-sided."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument("first", help="folder of a `molinv crossvalidate`")
        parser.add_argument("second", help="folder of another one with the same folds and seeds")

    args = parse("compare", SUMMARY, arguments, fill, TEXT)
    from rich import print as show

    from ..studies.compare import compare, sentence, table

    found = compare(args.first, args.second)
    show(table(found, args.first, args.second))
    for each in found:
        print(sentence(each, args.first, args.second))
    return 0
