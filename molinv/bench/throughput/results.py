"""Results of `throughput`: from seconds to numbers and tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from ..report import interval, table
from ..turns import Spread, rates, ratios, spread
from .tasks import MODES, STAGES

Seconds = dict[Any, list[float]]


def models(
    seconds: Seconds, base: str, parameters: dict[str, int], memory: dict[str, float | None]
) -> dict[str, Any]:
    """By model: parameters, peak MiB, and for each mode molecules/s and the ratio of rates."""
    made: dict[str, Any] = {}
    for name in parameters:
        made[name] = {"parameters": parameters[name], "peak_memory_MiB": memory[name]}
        for mode in MODES:
            own = seconds[name, mode]
            made[name][mode] = {
                "molecules_per_s": rates(own),
                f"rate_over_{base}": ratios(seconds[base, mode], own),
            }
    return made


def curve(seconds: Seconds) -> dict[Any, Spread]:
    """Milliseconds per molecule, by the same keys."""
    return {key: spread([1e3 * s for s in values]) for key, values in seconds.items()}


def copies(seconds: Seconds) -> dict[str, Any]:
    """By number of copies: ms per molecule and copy, and its ratio to that of the fewest copies."""
    one = seconds[min(seconds)]
    return {
        str(count): {
            "ms_per_molecule_and_copy": spread([1e3 * s / count for s in values]),
            "over_fewest": ratios([s / count for s in values], [s / min(seconds) for s in one]),
        }
        for count, values in seconds.items()
    }


def sampling(seconds: Seconds) -> dict[str, Any]:
    """Fractions of the training step, and its ratio to a step with an Identity distribution."""
    step, shares, before = seconds["step"], {}, [0.0] * len(seconds["step"])
    for stage in STAGES:  # each stage was timed with those before it
        own = [a - b for a, b in zip(seconds[stage], before, strict=True)]
        shares[stage], before = ratios(own, step), seconds[stage]
    shares["all"] = ratios(seconds[STAGES[-1]], step)
    return {"share_of_step": shares, "step_over_unmoved_step": ratios(step, seconds["unmoved"])}


def tables(found: dict[str, Any]) -> Iterator[Table]:
    """Every table of the report."""
    for mode in MODES:
        yield _models(found["models"], found["reference"], found["settings"]["batch"], mode)
    if found["atoms"]:
        yield _curve(found["atoms"], "ms per molecule against atoms", "model")
        title = "peak MiB of a pass on one molecule against atoms"
        yield _curve(found["memory"], title, "model")
    if (name := found["learned"]) is None:
        return
    yield _curve(found["batch"], f"{name}: ms per molecule against batch size", "batch")
    rows = [
        (count, f"{row['ms_per_molecule_and_copy'].median:.3g}", interval(row["over_fewest"]))
        for count, row in found["copies"].items()
    ]
    columns = ("copies", "ms per molecule and copy", "over fewest copies (lowest to highest)")
    yield table(columns, rows, f"{name}, training: cost against copies", left=())
    what = ("sampling the group", "acting on coordinates", "backward through both", "all three")
    shares, over = found["sampling"].values()
    pairs = zip(what, shares.values(), strict=True)
    rows = [(label, interval(Spread(*(100 * v for v in s)), unit=" %")) for label, s in pairs]
    rows.append(("step / step that moves nothing", interval(over)))
    title = f"{name}: share of the training step (lowest to highest)"
    yield table(("what", "share"), rows, title)


def _models(results: dict[str, Any], base: str, batch: int, mode: str) -> Table:
    """One row per model, fastest first; training has the peak memory too."""
    key, training = f"rate_over_{base}", mode == "training"
    made = []
    for name, row in sorted(results.items(), key=lambda item: -item[1][mode][key].median):
        rate, peak = row[mode]["molecules_per_s"].median, row["peak_memory_MiB"]
        cells = (name, f"{row['parameters']:,}", f"{rate:,.4g}", interval(row[mode][key]))
        made.append((*cells, *["not measured" if peak is None else f"{peak:,.0f}"] * training))
    columns = ("model", "parameters", "molecules/s", f"over {base} (lowest to highest)")
    return table((*columns, *["peak MiB"] * training), made, f"{mode}, batch {batch}")


def _curve(found: dict[Any, Spread], title: str, first: str) -> Table:
    """A table of medians: rows (name, mode), (name,) or (mode,), and one column per size."""
    sizes = list(dict.fromkeys(size for *_, size in found))
    rows = []
    for path in dict.fromkeys(tuple(path) for *path, _ in found):
        values = [found.get((*path, size)) for size in sizes]
        rows.append((", ".join(path), *("-" if v is None else f"{v.median:.3g}" for v in values)))
    return table((first, *map(str, sizes)), rows, title)
