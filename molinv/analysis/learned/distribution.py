"""The distribution that was learned: its extents over training, and how far from Haar it is.

Every number that comes from samples has its Monte-Carlo standard error. There is no p-value: the
number of samples is ours, and with enough of them every distribution differs from Haar.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ...distributions import Conditional, Distribution
from ...errors import InputError
from ..orbits import Orbits
from ..section import Chart, Grid, Section, Series
from ..settings import Settings
from ..subject import Structures, Subject
from .measures import (
    BATCHES,
    SIZE,
    angles,
    coverage_error,
    energy_distance,
    haar_angle_density,
    monte_carlo_entropy,
    rotations,
)

BINS = 36


def section(
    subject: Subject, structures: Structures, orbits: Orbits, settings: Settings
) -> Section:
    """Extents over training, rotation angles, coverage, entropy, KL and energy distance to Haar.

    Raises InputError for a subject that came without a distribution.
    """
    mu = subject.distribution
    if mu is None:
        raise InputError(
            f"{subject.name} came without a distribution: only a run of molinv train has learned "
            "one."
        )
    return distribution(mu, subject.history, settings)


def distribution(
    mu: Distribution, history: Sequence[dict[str, float]], settings: Settings
) -> Section:
    """The same of any trained distribution; `history` are the rows of its run's metrics.csv."""
    made = Section("learned", "The distribution that was learned")
    _extents(made, mu)
    if isinstance(mu, Conditional):
        made.findings.append(
            "Each input has half-widths of its own; what follows is of their mean."
        )
        mu = mu.boxes()[0]
    _history(made, history, mu)
    _measures(made, mu, settings)
    return made


def _extents(made: Section, mu: Distribution) -> None:
    rows = [(name, float(e.value.detach()), e.unit, e.cap) for name, e in mu.extent().items()]
    kind = type(mu).__name__
    made.tables.append(
        Grid(
            f"Extents of the {kind} on {mu.group}",
            ["extent", "value", "unit", "cap", "% of the cap"],
            [[name, v, unit, cap, 100 * v / cap] for name, v, unit, cap in rows],
        )
    )
    made.numbers["distribution"], made.numbers["group"] = kind, str(mu.group)
    made.numbers["extents"] = {n: {"value": v, "unit": u, "cap": c} for n, v, u, c in rows}
    text = ", ".join(f"{n} {v:.3g} {u} ({v / c:.0%} of its cap)" for n, v, u, c in rows)
    spread = {"UniformBox": "half-widths", "Gaussian": "standard deviations"}.get(kind, "extents")
    made.findings.append(f"The {kind} on {mu.group} ended at {spread} {text}.")


def _history(made: Section, history: Sequence[dict[str, float]], mu: Distribution) -> None:
    columns = [f"extent_{name}" for name in mu.extent()]
    rows = [r for r in history if "epoch" in r and any(c in r for c in columns)]
    if not rows:
        made.findings.append("How the extents came about is not known: there is no history.")
        return
    units = dict.fromkeys(e.unit for e in mu.extent().values())
    for unit in units:
        series, caps = [], []
        for name, e in mu.extent().items():
            known = [r for r in rows if f"extent_{name}" in r]
            if e.unit != unit or not known:
                continue
            epochs = [r["epoch"] for r in known]
            series.append(Series(name, epochs, [r[f"extent_{name}"] for r in known]))
            caps.append((e.cap, epochs))
        if not series:
            continue
        for cap, epochs in {cap: epochs for cap, epochs in caps}.items():
            ends = [min(epochs), max(epochs)]
            series.append(Series(f"cap, {cap:.3g}", ends, [cap, cap], style="dashed"))
        made.figures.append(
            Chart(
                f"extents_{unit.replace('-', '_')}",
                "What the model learned to be invariant to",
                "epoch",
                f"extent ({unit})",
                series,
            )
        )
    made.numbers["history"] = [
        {c: r[c] for c in ("epoch", *columns, "coverage") if c in r} for r in rows
    ]
    half = _halfway(rows, columns)
    if half:
        made.findings.append(half)


def _halfway(rows: list[dict[str, float]], columns: list[str]) -> str:
    """When each extent first came within 5 % of where it ended."""
    last = {c: rows[-1][c] for c in columns if c in rows[-1]}
    parts = []
    for column, end in last.items():
        near = [r["epoch"] for r in rows if abs(r.get(column, 0) - end) <= 0.05 * abs(end)]
        if near:
            parts.append(f"{column.removeprefix('extent_')} by epoch {near[0]:g}")
    total = rows[-1]["epoch"]
    return f"Within 5 % of where they ended: {', '.join(parts)} of {total:g}." if parts else ""


def _measures(made: Section, mu: Distribution, settings: Settings) -> None:
    """Angles, coverage, entropy, KL and energy distance, as far as they apply."""
    group, rows = mu.group, []
    coverage, reference = mu.coverage(), "relative to Haar" if group.compact else "of coefficients"
    try:
        with torch.no_grad():
            entropy = float(mu.entropy())
        estimate = monte_carlo_entropy(mu, settings.seed)
    except InputError as problem:
        made.findings.append(f"No entropy and no KL: {problem}")
        entropy, estimate = torch.nan, None
    error = 0.0 if estimate is None else estimate[1]
    if coverage is not None:
        rows.append(
            ["coverage (Haar measure of its support)", coverage, coverage_error(mu, coverage)]
        )
    if entropy > -torch.inf:
        rows.append([f"entropy, {reference} (nats)", entropy, error])
        if group.compact:
            rows.append(["KL to Haar (nats)", -entropy, error])
    elif entropy == -torch.inf:
        made.findings.append(f"All of it is one point: its entropy {reference} is minus infinity.")
    drawn = rotations(mu, BATCHES * SIZE, settings.seed)
    if drawn is None:
        made.findings.append(
            f"Its elements are no rotations of space ({group}): no rotation angle and no distance "
            "to Haar on rotations applies."
        )
    else:
        distance, error = energy_distance(drawn.split(SIZE))
        rows.append(["energy distance of its rotations to Haar", distance, error])
        made.figures.append(_angle_chart(angles(drawn)))
    made.numbers["measures"] = {
        name: {"value": value, "standard_error": error} for name, value, error in rows
    }
    title = "How much of the group it covers (standard errors of the Monte-Carlo estimates)"
    made.tables.append(Grid(title, ["", "value", "standard error"], rows))
    if not group.compact:
        made.findings.append(
            f"{group} is not compact: there is no Haar probability, so that coverage and KL do not "
            "apply; the entropy is that of its coefficients in their units, and what is said of "
            "rotations is of their part alone."
        )
    if rows:
        said = ", ".join(
            f"{name} {value:.3g}" + (f" +- {error:.1g}" if error else "")
            for name, value, error in rows
        )
        made.findings.append(f"{said[0].upper()}{said[1:]} ({BATCHES * SIZE:,} samples).")


def _angle_chart(found: Float[Tensor, " n"]) -> Chart:
    edges = torch.linspace(0, pi, BINS + 1, dtype=torch.float64)
    counts = torch.histc(found, BINS, 0, pi)
    width, n = pi / BINS, len(found)
    density = counts / (n * width)
    error = 1.96 * (counts * (1 - counts / n)).sqrt() / (n * width)
    middle = (edges[:-1] + edges[1:]) / 2
    low, high = (density - error).clamp_min(0), density + error
    return Chart(
        "rotation_angle",
        "Angles of the rotations that were learned",
        "rotation angle (rad)",
        "density (1 / rad)",
        [
            Series("learned", middle.tolist(), density.tolist(), low.tolist(), high.tolist()),
            Series("Haar", edges.tolist(), haar_angle_density(edges).tolist(), style="dashed"),
        ],
        f"{n:,} samples in {BINS} bins, with 95 % intervals; Haar's is (1 - cos t) / pi.",
    )
