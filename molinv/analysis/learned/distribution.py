"""Report section: the learned distribution, its extents over training and distance from Haar.

Every number from random samples has its standard error. There are no p-values: with enough
samples, every distribution differs from Haar.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ...distributions import Conditional, Distribution, Peaks
from ...errors import InputError
from ...groups.merging import distance
from ..intervals import Estimate
from ..orbits import Orbits
from ..section import Section, Series, over_epochs
from ..settings import Settings
from ..wording import capital
from .measures import (
    BATCHES,
    SIZE,
    energy_distance,
    haar_angle_density,
    monte_carlo_entropy,
    rotations,
)

BINS = 36


def section(orbits: Orbits, settings: Settings) -> Section:
    """Extents over training, rotation angles, coverage, entropy, KL and energy distance to Haar.

    Raises InputError for a subject without a distribution.
    """
    subject = orbits.subject
    if subject.distribution is None:
        raise InputError(
            f"{subject.name} came without a distribution: only runs of molinv train learn one."
        )
    return distribution(subject.distribution, subject.history, settings)


def distribution(
    mu: Distribution, history: Sequence[dict[str, float]], settings: Settings
) -> Section:
    """The same for any trained distribution; `history` holds the rows of its metrics.csv."""
    made = Section("learned", "The distribution that was learned")
    _extents(made, mu)
    if isinstance(mu, Conditional):
        made.findings.append(
            "Each input has half-widths of its own; the numbers below use their mean."
        )
        mu = mu.boxes()[0]
    if isinstance(mu, Peaks):
        _group(made, mu)
    _history(made, history, mu)
    _measures(made, mu, settings)
    return made


def _extents(made: Section, mu: Distribution) -> None:
    rows = [(name, float(e.value.detach()), e.unit, e.cap) for name, e in mu.extent().items()]
    kind = type(mu).__name__
    made.numbers["distribution"], made.numbers["group"] = kind, str(mu.group)
    made.numbers["extents"] = {n: {"value": v, "unit": u, "cap": c} for n, v, u, c in rows}
    text = ", ".join(f"{n} {v:.3g} {u} ({v / c:.0%} of its cap)" for n, v, u, c in rows)
    spread = {"UniformBox": "half-widths", "Gaussian": "standard deviations"}.get(kind, "extents")
    made.findings.append(f"The {kind} on {mu.group} ended at {spread} {text}.")


def _group(made: Section, mu: Peaks) -> None:
    found, count = mu.named(), len(mu.peaks()[0])
    made.numbers["named"] = {"symbol": found.symbol, "overlap": found.overlap, "peaks": count}
    made.findings.append(
        f"Its {count} peaks belong to no group of rotations that is known here."
        if found.symbol is None
        else f"Its {count} peaks are the group {found} (overlap {found.overlap:.0%})."
    )


def _history(made: Section, history: Sequence[dict[str, float]], mu: Distribution) -> None:
    columns = [f"extent_{name}" for name in mu.extent()]
    rows = [r for r in history if "epoch" in r and any(c in r for c in columns)]
    if not rows:
        made.findings.append("The extents over training are not known: there is no history.")
        return
    ends = [rows[0]["epoch"], rows[-1]["epoch"]]
    for unit in dict.fromkeys(e.unit for e in mu.extent().values()):
        extents = {name: e.cap for name, e in mu.extent().items() if e.unit == unit}
        lines = [over_epochs(name, rows, f"extent_{name}") for name in extents]
        caps = [
            Series(f"cap, {cap:.3g}", ends, [cap, cap], style="dashed")
            for cap in dict.fromkeys(extents.values())
        ]
        made.chart(
            f"extents_{unit.replace('-', '_')}",
            "The learned extents over training",
            "epoch",
            f"extent ({unit})",
            [*(line for line in lines if line), *caps],
        )
    made.numbers["history"] = [
        {c: r[c] for c in ("epoch", *columns, "coverage") if c in r} for r in rows
    ]


def _measures(made: Section, mu: Distribution, settings: Settings) -> None:
    """Angles, coverage, entropy, KL and energy distance, if they apply."""
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
        rows.append(["coverage (Haar measure of its support)", coverage, 0.0])
    if entropy > -torch.inf:
        rows.append([f"entropy, {reference} (nats)", entropy, error])
        if group.compact:
            rows.append(["KL to Haar (nats)", -entropy, error])
    elif entropy == -torch.inf:
        made.findings.append(f"It is one point: its entropy {reference} is minus infinity.")
    drawn = rotations(mu, BATCHES * SIZE, settings.seed)
    if drawn is None:
        made.findings.append(
            f"Its elements are not rotations of space ({group}), so they have no rotation angle "
            "and no distance to Haar."
        )
    else:
        rows.append(
            ["energy distance of its rotations to Haar", *energy_distance(drawn.split(SIZE))]
        )
        _angle_chart(made, distance(drawn, torch.eye(3).to(drawn)))
    made.numbers["measures"] = {
        name: {"value": value, "standard_error": error} for name, value, error in rows
    }
    if not group.compact:
        made.findings.append(
            f"{group} is not compact and has no Haar probability, so coverage and KL do not "
            "apply. The entropy is that of the coefficients in their units. Statements about "
            "rotations concern the rotation part only."
        )
    if rows:
        text = ", ".join(
            f"{name} {value:.3g}" + (f" +- {error:.1g}" if error else "")
            for name, value, error in rows
        )
        made.findings.append(f"{capital(text)} ({BATCHES * SIZE:,} samples).")


def _angle_chart(made: Section, found: Float[Tensor, " n"]) -> None:
    edges = torch.linspace(0, pi, BINS + 1, dtype=torch.float64)
    counts = torch.histc(found, BINS, 0, pi)
    width, n = pi / BINS, len(found)
    density = counts / (n * width)
    error = 1.96 * (counts * (1 - counts / n)).sqrt() / (n * width)
    learned = Estimate(density, (density - error).clamp_min(0), density + error)
    made.chart(
        "rotation_angle",
        "Angles of the learned rotations",
        "rotation angle (rad)",
        "density (1 / rad)",
        [
            learned.series("learned", ((edges[:-1] + edges[1:]) / 2).tolist()),
            Series("Haar", edges.tolist(), haar_angle_density(edges).tolist(), style="dashed"),
        ],
        caption=f"{n:,} samples in {BINS} bins, with 95 % intervals; Haar's is (1 - cos t) / pi.",
    )
