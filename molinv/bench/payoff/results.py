"""The table and the figure of `payoff`: errors against the number of training examples."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from rich.table import Table

from ..report import diverged, over_seeds, save, table
from .rivals import RIVALS
from .tasks import FULL, GIVEN, LEARNED, METHODS, NONE, PAPER, USUAL

LEVEL = 0.95
CLOSE = 1.05  # times the error with the true group
TITLES = {
    "field": "molecules in an electric field",
    "surface": "platinum over copper (100)",
    "matrix": "molecules in solid argon",
    "planted": "molecules in a planted field",
}
COLOURS = {NONE: "0.55", FULL: "C3", PAPER: "C1", LEARNED: "C0", GIVEN: "C2"}
COLOURS |= dict(zip(RIVALS, ("C4", "C5", "C6"), strict=True))
STYLES = {NONE: "s--", FULL: "v--", PAPER: "D--", LEARNED: "o-", GIVEN: "^:"}
STYLES |= dict(zip(RIVALS, ("P-.", "X-.", "*-."), strict=True))


class Difference(NamedTuple):
    """Paired differences over n seeds: their mean and its interval, None for one seed."""

    mean: float
    half: float | None
    n: int

    @property
    def lower(self) -> bool:
        """Whether the whole interval is below 0."""
        return self.half is not None and self.mean + self.half < 0


def difference(mine: dict[int, float], theirs: dict[int, float]) -> Difference | None:
    """Errors less a rival's, paired by seed, with Student's 95 % interval; None without a pair."""
    from scipy.stats import t

    pairs = [mine[seed] - theirs[seed] for seed in mine if seed in theirs]
    if not pairs:
        return None
    n = len(pairs)
    if n == 1:
        return Difference(pairs[0], None, 1)
    half = float(t.ppf((1 + LEVEL) / 2, n - 1)) * stdev(pairs) / sqrt(n)
    return Difference(mean(pairs), half, n)


def summarise(results: list[dict[str, Any]], view: str = "error") -> list[dict[str, Any]]:
    """A row for each set and size: every method's errors by seed, and the learned one's verdict.

    `rivals` has what each further method found, and its differences to learned and to none.
    `view` is "error", of one pass, or "averaged". A diverged run is counted in `failed`.
    """
    rows = []
    for name, size in sorted({(r["set"], r["size"]) for r in results}):
        runs = [r for r in results if (r["set"], r["size"]) == (name, size)]
        errors = {
            method: {r["seed"]: r[view] for r in runs if r["method"] == method and view in r}
            for method in METHODS
        }
        learned = [r["learned"] for r in runs if r["method"] == LEARNED and "learned" in r]
        row: dict[str, Any] = {"set": name, "size": size, "errors": errors}
        row |= {"learned": learned, "right": sum(found["right"] for found in learned)}
        row["failed"] = sum("failed" in r for r in runs)
        row["tried"] = sum(r["method"] == LEARNED for r in runs)
        row["unit"] = next((r["unit"] for r in runs if "unit" in r), "")
        for rival in (NONE, FULL, PAPER, GIVEN):
            row[f"minus {rival}"] = _plain(errors[LEARNED], errors[rival])
        both = [seed for seed in errors[LEARNED] if seed in errors[GIVEN]]
        row["ratio"] = (
            mean(errors[LEARNED][seed] for seed in both)
            / mean(errors[GIVEN][seed] for seed in both)
            if both
            else None
        )
        row["verdict"] = verdict(row) + diverged(row["failed"])
        row["rivals"] = {
            method: {
                "found": [r["learned"] for r in runs if r["method"] == method and "learned" in r],
                **{f"minus {m}": _plain(errors[method], errors[m]) for m in (NONE, LEARNED)},
            }
            for method in RIVALS
            if errors[method]
        }
        rows.append(row)
    return rows


def verdict(row: dict[str, Any]) -> str:
    """Whether learning pays: against none, against full, and how near the true group it comes."""
    found = {rival: row[f"minus {rival}"] for rival in (NONE, FULL)}
    if any(d is None for d in found.values()):
        return "not measured"
    if any(d["half"] is None for d in found.values()):
        return "one seed: no interval"
    lost = [rival for rival, d in found.items() if not Difference(**d).lower]
    if lost:
        return f"does not pay: not below {' and '.join(lost)} beyond the interval"
    if row["ratio"] is not None and row["ratio"] > CLOSE:
        return f"pays; {row['ratio'] - 1:.0%} above the true group"
    return "pays"


COLUMNS = (
    *("set", "training size", *USUAL),
    *("learned - none", "learned - full", "learned / true", "found, by seed", "right", "verdict"),
)


def cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The rows as text."""
    made = []
    for row in rows:
        errors = [over_seeds([*row["errors"][method].values()]) for method in USUAL]
        minus = [as_text(row[f"minus {rival}"]) for rival in (NONE, FULL)]
        found = row["learned"]
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.3f}"
        right = f"{row['right']} of {row['tried']}" if row["tried"] else ""
        head = (f"{row['set']} ({row['unit']})", f"{row['size']:,}")
        said = "; ".join(f["found"] for f in found)
        made.append((*head, *errors, *minus, ratio, said, right, row["verdict"]))
    return made


def show(rows: list[dict[str, Any]], steps: int) -> Table:
    """The rows as a table to print."""
    title = f"Mean absolute test error (--steps {steps:,}); differences paired by seed, 95 %"
    return table(COLUMNS, cells(rows), title, left=(0, len(COLUMNS) - 1))


RIVAL_COLUMNS = (
    *("set", "training size", "method", "test error", "minus none", "minus learned"),
    *("found, by seed", "right"),
)


def rival_cells(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each set, size and further method, as text."""
    made = []
    for row in rows:
        for method, own in row["rivals"].items():
            minus = [as_text(own[f"minus {m}"]) for m in (NONE, LEARNED)]
            said = "; ".join(f["found"] for f in own["found"])
            right = f"{sum(f['right'] for f in own['found'])} of {len(own['found'])}"
            head = (f"{row['set']} ({row['unit']})", f"{row['size']:,}", method)
            made.append((*head, over_seeds([*row["errors"][method].values()]), *minus, said, right))
    return made


def show_rivals(rows: list[dict[str, Any]]) -> Table:
    """The further methods as a table to print."""
    title = "Published methods, re-implemented; differences paired by seed, 95 %"
    return table(RIVAL_COLUMNS, rival_cells(rows), title, left=(0, 2, 6))


def draw(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Error against training size, a panel a set and a line a method; bars are over seeds."""
    names = list(dict.fromkeys(row["set"] for row in rows))
    figure = Figure(figsize=(0.9 + 5.4 * len(names), 4.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        own = [row for row in rows if row["set"] == name]
        for method in METHODS:
            points = [(row["size"], list(row["errors"][method].values())) for row in own]
            points = [(size, values) for size, values in points if values]
            if not points:
                continue
            sizes, errors = [p[0] for p in points], [mean(p[1]) for p in points]
            bars = [stdev(p[1]) if len(p[1]) > 1 else 0.0 for p in points]
            text = method + _said(own, method)
            form = {"color": COLOURS[method], "fmt": STYLES[method], "ms": 5, "capsize": 2}
            axes.errorbar(sizes, errors, yerr=bars, label=text, **form)
        axes.set(xscale="log", yscale="log", xlabel="training examples", title=TITLES[name])
        axes.set_ylabel(f"mean absolute test error ({own[0]['unit']})")
        axes.set_xticks([row["size"] for row in own], [f"{row['size']:,}" for row in own])
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter("{x:g}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.2, which="both")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 3}
        axes.legend(frameon=False, fontsize=8, **below)
    return save(figure, path)


def _said(rows: list[dict[str, Any]], method: str) -> str:
    """How often the symmetry was found over all sizes and seeds, for the legend.

    With an example for the learned distribution; there is no room for those of other methods.
    """
    each = [row["learned"] if method == LEARNED else _of(row, method) for row in rows]
    found = [one for several in each for one in several]
    if not found:
        return ""
    example = f": {found[-1]['found']}" if method == LEARNED else ""
    return f"\n(right in {sum(f['right'] for f in found)} of {len(found)}{example})"


def _of(row: dict[str, Any], method: str) -> list[dict[str, Any]]:
    """What a further method found."""
    return row["rivals"].get(method, {}).get("found", [])


def _plain(mine: dict[int, float], theirs: dict[int, float]) -> dict[str, Any] | None:
    found = difference(mine, theirs)
    return None if found is None else found._asdict()


def as_text(found: dict[str, Any] | None) -> str:
    """A difference with its interval; empty for None."""
    if found is None:
        return ""
    return f"{found['mean']:+.1f}" + ("" if found["half"] is None else f" ± {found['half']:.1f}")
