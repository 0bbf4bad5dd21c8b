"""From seconds in turn to what `throughput` reports: numbers for a file, tables for a reader."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from .throughput_tasks import MODES, STAGES
from .turns import Spread, ratios, spread

Seconds = dict[Any, list[float]]


def models(
    seconds: Seconds,
    reference: str,
    parameters: dict[str, int],
    memory: dict[str, float | None],
) -> dict[str, Any]:
    """By model: parameters, peak MiB, and for each mode molecules/s and the ratio of rates."""
    made: dict[str, Any] = {}
    for name in parameters:
        made[name] = {"parameters": parameters[name], "peak_memory_MiB": memory[name]}
        for mode in MODES:
            own = seconds[name, mode]
            made[name][mode] = {
                "molecules_per_s": spread([1 / s for s in own]),
                f"rate_over_{reference}": ratios(seconds[reference, mode], own),
            }
    return made


def curve(seconds: Seconds, unit: float = 1e3) -> dict[str, Any]:
    """Nested by the parts of each key; at its end ms a molecule."""
    made: dict[str, Any] = {}
    for key, values in seconds.items():
        *path, last = key if isinstance(key, tuple) else (key,)
        at = made
        for part in path:
            at = at.setdefault(part, {})
        at[last] = spread([unit * s for s in values])
    return made


def memory(found: dict[str, dict[int, float | None]]) -> dict[str, Any]:
    """By model and atoms of a molecule: MiB; sizes at which it was not measured are left out."""
    return {
        name: {n: spread([value]) for n, value in sizes.items() if value is not None}
        for name, sizes in found.items()
    }


def copies(seconds: Seconds) -> dict[str, Any]:
    """By number of copies: ms a molecule and copy, and the ratio of that to one copy's."""
    one = seconds[min(seconds)]
    return {
        str(count): {
            "ms_per_molecule_and_copy": spread([1e3 * s / count for s in values]),
            "over_fewest": ratios([s / count for s in values], [s / min(seconds) for s in one]),
        }
        for count, values in seconds.items()
    }


def sampling(seconds: Seconds) -> dict[str, Any]:
    """Shares of the training step, and the step over the one that moves nothing."""
    step, shares, before = seconds["step"], {}, [0.0] * len(seconds["step"])
    for stage in STAGES:  # each stage was timed with those before it
        own = [a - b for a, b in zip(seconds[stage], before, strict=True)]
        shares[stage], before = ratios(own, step), seconds[stage]
    shares["all"] = ratios(seconds[STAGES[-1]], step)
    return {"share_of_step": shares, "step_over_unmoved_step": ratios(step, seconds["unmoved"])}


def models_table(results: dict[str, Any], reference: str, batch: int, mode: str) -> Table:
    """One row a model, the fastest first; with the training also its peak memory."""
    made = Table(title=f"{mode}, batch {batch}")
    made.add_column("model")
    columns = ("parameters", "molecules/s", f"over {reference} (lowest to highest)")
    for column in columns + ("peak MiB",) * (mode == "training"):
        made.add_column(column, justify="right")
    key = f"rate_over_{reference}"
    rows = sorted(results.items(), key=lambda item: item[1][mode][key].median, reverse=True)
    for name, row in rows:
        rate = f"{row[mode]['molecules_per_s'].median:,.4g}"
        cells = [name, f"{row['parameters']:,}", rate, _interval(row[mode][key])]
        if mode == "training":
            peak = row["peak_memory_MiB"]
            cells.append("not measured" if peak is None else f"{peak:,.0f}")
        made.add_row(*cells)
    return made


def curve_table(results: dict[str, Any], title: str, first: str) -> Table:
    """Rows of (name, mode) or (mode,), columns of sizes; medians."""
    rows = _flat(results)
    sizes = list(dict.fromkeys(size for _, sizes in rows for size in sizes))
    made = Table(title=title)
    made.add_column(first)
    for size in sizes:
        made.add_column(str(size), justify="right")
    for path, found in rows:
        cells = [f"{found[size].median:.3g}" if size in found else "-" for size in sizes]
        made.add_row(", ".join(path), *cells)
    return made


def copies_table(results: dict[str, Any], name: str) -> Table:
    """One row a number of copies."""
    made = Table(title=f"{name}, training: cost against copies")
    for column in ("copies", "ms a molecule and copy", "over fewest copies (lowest to highest)"):
        made.add_column(column, justify="right")
    for count, row in results.items():
        cost = row["ms_per_molecule_and_copy"]
        made.add_row(count, f"{cost.median:.3g}", _interval(row["over_fewest"]))
    return made


def sampling_table(results: dict[str, Any], name: str) -> Table:
    """One row a stage."""
    made = Table(title=f"{name}: share of the training step (lowest to highest)")
    made.add_column("what")
    made.add_column("share", justify="right")
    what = ("sampling the group", "acting on coordinates", "backward through both", "all three")
    for label, share in zip(what, results["share_of_step"].values(), strict=True):
        made.add_row(label, _interval(Spread(*(100 * v for v in share)), " %"))
    made.add_row("step / step that moves nothing", _interval(results["step_over_unmoved_step"]))
    return made


def plain(found: Any) -> Any:
    """The same for a file: a spread as median, low and high by name."""
    if isinstance(found, Spread):
        return found._asdict()
    if isinstance(found, dict):
        return {str(key): plain(value) for key, value in found.items()}
    return found


def _interval(value: Spread, unit: str = "") -> str:
    """The range is left out where there was one round."""
    between = "" if value.low == value.high else f" ({value.low:.2f} to {value.high:.2f})"
    return f"{value.median:.2f}{unit}{between}"


def _flat(results: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[Any, Any]]:
    """(path, {size: spread}) for every curve in nested results."""
    if all(isinstance(value, Spread) for value in results.values()):
        return [(path, results)]
    return [row for key, value in results.items() for row in _flat(value, (*path, key))]
