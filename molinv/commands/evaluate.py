"""Errors of a run on its test molecules."""

from __future__ import annotations

import os

from .parsing import parse

SUMMARY = "errors of a run on its test molecules or pictures: stored, rotated, averaged"


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""

    def fill(parser):
        parser.add_argument("run", help="a run folder, or a shipped model's name")
        parser.add_argument("--copies", type=int, default=8, help="copies that are averaged")
        parser.add_argument(
            "--embedded",
            type=int,
            default=0,
            help="calibrate intervals for RDKit's geometries too, on so many validation molecules "
            "(500 are enough), and try them on as many test ones",
        )
        parser.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="processes that embed"
        )
        parser.add_argument("--limit", type=int, help="use the first so many test examples")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse("evaluate", SUMMARY, arguments, fill)
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
