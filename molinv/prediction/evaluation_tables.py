"""An evaluation as tables for the screen."""

from __future__ import annotations

from math import isnan, nan
from statistics import mean
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS
from .class_scores import HEADLINE, NAMES
from .conformal import CHOSEN_ON
from .coverage import JUDGED

WHOSE = {
    GIVEN: "the data's own geometries",
    EMBEDDED: "RDKit's geometries",
    HYDROGENS: "geometries with RDKit's hydrogens",
}
COLUMNS = ("stored", "rotated", "averaged")
SCORES = {"rmse": ("RMSE", ".4g"), "r2": ("R2", ".4f"), "spearman": ("Spearman", ".4f")}


def table(result: dict[str, Any]) -> Table:
    """The errors of an evaluation, as a table to print."""
    if "pictures" in result:
        return _of_pictures(result)
    units = {row["unit"] for row in result["targets"].values()}
    what = NAMES[HEADLINE] if units == {NAMES[HEADLINE]} else "Mean absolute error"
    made = Table(
        title=f"{what} on {result['molecules']:,} test molecules (split {result['split']})"
    )
    made.add_column("target")
    made.add_column("unit")
    columns = [c for c in COLUMNS if all(c in row for row in result["targets"].values())]
    for column in (*columns, "rotated - stored"):
        made.add_column(column, justify="right")
    unknown = False
    for name, row in result["targets"].items():
        parts = row.get("components")
        for label, found in ((name, row), (f"{name}, by component", parts)):
            if found is not None:
                stored = found["stored"]
                gap = 100 * (found["rotated"] - stored) / stored if stored else nan
                values = [_cell(found[c], ".4g") for c in columns]
                made.add_row(escape(label), escape(row["unit"]), *values, _cell(gap, "+.1f", " %"))
                unknown |= found is row and isnan(stored)
    if unknown and what == NAMES[HEADLINE]:
        made.caption = "-: a class of the target does not occur among the test molecules"
    return made


def metrics_table(result: dict[str, Any]) -> Table | None:
    """Further measures (see `scores` and `class_scores`) in each view; None without any."""
    if "pictures" in result:
        return None
    first = next(iter(next(iter(result["targets"].values())).get("metrics", {}).values()), {})
    shown = {k: (n, ".4f") for k, n in NAMES.items()} if HEADLINE in first else SCORES
    heads = ("target", "molecules") if HEADLINE in first else ("target", "unit", "molecules")
    made = Table(*heads)
    if HEADLINE in first:
        made.caption = "log loss in nats; ECE: expected calibration error"
    for column, _ in shown.values():
        made.add_column(column, justify="right")
    for name, row in result["targets"].items():
        for i, (view, found) in enumerate(row.get("metrics", {}).items()):
            cells = (
                "-" if found[k] is None else format(found[k], s) for k, (_, s) in shown.items()
            )
            lead = (escape(name), escape(row["unit"]))[: len(heads) - 1]
            made.add_row(*[""] * len(lead) if i else lead, view, *cells)
        made.add_section()
    return made if made.row_count else None


def interval_table(result: dict[str, Any], kind: str, groups: bool = True) -> Group:
    """The intervals of one kind of geometry, from the result of `evaluate`, and their caveats.

    With `groups`, also their coverage in groups of molecules.
    """
    held = result["intervals"][kind]
    what = WHOSE[kind]
    made = Table(
        title=f"{held['level']:.0%} prediction intervals on {what}: from "
        f"{held['calibrated_on']:,} held-out molecules, tested on {held['molecules']:,} others"
    )
    made.add_column("target")
    made.add_column("unit")
    own = all("width" in row for row in held["targets"].values())  # not in version 0.1.0
    heads = ("mean +-", "relative width", "coverage", "MAE") if own else ("+-", "coverage", "MAE")
    for column in heads:
        made.add_column(column, justify="right")
    for name, row in held["targets"].items():
        unit = result["targets"][name]["unit"]
        width = (f"{row['half']:.4g}",)
        if own:
            width = f"{row['width'] / 2:.4g}", f"{row['width'] / row['alike']:.0%}"
        made.add_row(
            escape(name), escape(unit), *width, f"{row['coverage']:.1%}", f"{row['mae']:.4g}"
        )
    if own:
        made.caption = "relative width: mean width / width of intervals that are equal for all"
    said = [Text(text) for text in held.get("caveats", [CHOSEN_ON])]
    tables = [made, *(group_tables(held) if groups else ())] if held["targets"] else []
    return Group(*tables, *said)


def group_tables(held: dict[str, Any]) -> list[Table]:
    """Coverage of one kind's intervals in groups of test molecules: a list of at most one table.

    Shows the mean, the lowest and the highest coverage of all targets. Groups of fewer than 100
    molecules are only counted.
    """
    if not held.get("groups"):
        return []
    made = Table("group", title="Coverage in groups of test molecules, over targets")
    for column in ("molecules", "mean", "lowest", "highest"):
        made.add_column(column, justify="right")
    before = None
    for row in held["groups"]:
        if before not in (None, row["of"]):
            made.add_section()
        shares, before = row["coverage"], row["of"]
        low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        cells = [f"{mean(shares.values()):.1%}"]
        cells += [f"{shares[name]:.1%} {escape(name)}" for name in (low, high)]
        few = row["molecules"] < JUDGED
        name = f"{row['of']}: {row['group']}"
        made.add_row(name, f"{row['molecules']:,}", *["-"] * 3 if few else cells)
    made.caption = f"-: fewer than {JUDGED} molecules"
    return [made]


def _cell(value: float, spec: str, end: str = "") -> str:
    return "-" if isnan(value) else f"{value:{spec}}{end}"


def _of_pictures(result: dict[str, Any]) -> Table:
    """The errors of a run on pictures, as a table with one row."""
    size, metric = f"{result['pictures']:,} test pictures", result["metric"]
    made = Table(title=f"{metric} of {size}, averaged over {result['copies']} copies")
    for column in result["errors"]:
        made.add_column(column.replace("_", ", "), justify="right")
    made.add_row(*(f"{value:.4g}" for value in result["errors"].values()))
    return made
