"""Errors of a run on its test molecules."""

from __future__ import annotations

import os

from .parsing import parse

SUMMARY = "measure errors on test molecules or pictures: stored, rotated, averaged"

TEXT = """Measure the errors of a run or a shipped model on its untouched test set.

Errors are measured on molecules (or pictures) as stored, rotated at random, and rotated with
outputs averaged over the learned distribution. For molecules, the coverage of the 90 % intervals is
measured too.

    molinv evaluate runs/a
    molinv evaluate runs/a --embedded 500       test RDKit's geometries too"""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument("run", help="run folder, or name of a shipped model")
        parser.add_argument(
            "--copies",
            type=int,
            default=8,
            help="number of group elements to average over; 0 skips the averaged errors",
        )
        parser.add_argument(
            "--embedded",
            type=int,
            default=0,
            help="number of validation molecules on which intervals for RDKit's geometries are "
            "calibrated (500 are enough); they are tested on as many test molecules",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=os.cpu_count() or 1,
            help="number of processes that search conformers",
        )
        parser.add_argument("--limit", type=int, help="use only the first LIMIT test examples")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument(
            "--trust", action="store_true", help="allow the model to import code outside molinv"
        )

    args = parse("evaluate", SUMMARY, arguments, fill, TEXT)
    from rich import print as show

    from ..prediction.evaluate import evaluate, interval_table, metrics_table, table

    how = args.copies, args.limit, args.trust, args.embedded, args.workers, args.device
    result = evaluate(args.run, *how)
    show(table(result))
    if (more := metrics_table(result)) is not None:
        show(more)
    for kind in result.get("intervals", ()):
        show(interval_table(result, kind))
    if "pictures" in result:
        reach = (f"{n} {e['value']:.3g} {e['unit']}" for n, e in result["extents"].items())
        print(f"learned half-widths: {', '.join(reach)}")
    return 0
