"""How much of the loss is due to broken symmetry: what averaging over orientations would save.

For the squared loss the split is exact, E|f(gx) - y|^2 = E|mean_g f - y|^2 + E Var_g f. For the
absolute loss there is no split, but averaging never makes it worse (it is convex): the
difference is what it saves.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..training.orbit_share import MOLECULES, ROTATIONS
from .bootstrap import Estimate, of_means
from .orbits import Orbits, length_squared
from .section import Chart, Grid, Section, Series
from .settings import Settings
from .subject import Structures, Subject
from .wording import measured_on, told


class Split(NamedTuple):
    """The squared loss of each molecule and quantity, in unit^2: `average` + `variance`."""

    average: Float[Tensor, "m t"]
    variance: Float[Tensor, "m t"]

    @property
    def total(self) -> Float[Tensor, "m t"]:
        """The mean of |f(g x) - y|^2."""
        return self.average + self.variance


def split_squared(values: Float[Tensor, "k m t *e"], y: Float[Tensor, "m t *e"]) -> Split:
    """Unbiased terms of the split, from outputs at k orientations drawn from Haar, turned back.

    The variance is divided by k - 1, and what it leaves in the mean of k draws, its k-th part,
    is taken from |mean - y|^2, which can so come out below 0; their sum is the mean of
    |f(g x) - y|^2 to the last digit. Raises InputError for fewer than two draws, or shapes that
    do not belong together.
    """
    if values.ndim < 3 or len(values) < 2 or values.shape[1:] != y.shape:
        raise InputError(
            f"split_squared: expected values (k, m, t, ...) of k >= 2 draws and y (m, t, ...), got "
            f"{tuple(values.shape)} and {tuple(y.shape)}."
        )
    e = y.ndim - 2
    mean = values.mean(0)
    variance = length_squared(values - mean, e).sum(0) / (len(values) - 1)
    return Split(length_squared(mean - y, e) - variance / len(values), variance)


def section(
    subject: Subject, structures: Structures, orbits: Orbits, settings: Settings
) -> Section:
    """The split over Haar and, where the run kept it, over training.

    Raises InputError without true values.
    """
    if structures.y is None:
        raise InputError(
            "the share of the loss needs true values, and these structures have none: give "
            "structures with the target, or a run, which has its test molecules."
        )
    y, e = structures.y.double(), orbits.mean.ndim - 2
    average = length_squared(orbits.mean - y, e)
    terms = torch.stack([orbits.square, average, orbits.variance], -1)
    sums = of_means(lambda v: v, terms, settings)
    share = of_means(lambda v: _share(v[..., 2], v[..., 0]), terms, settings)
    lengths = torch.stack([orbits.error, average.sqrt()], -1)
    absolute = of_means(lambda v: v, lengths, settings)
    saved = of_means(lambda v: v[..., 0] - v[..., 1], lengths, settings)
    made = Section("loss", "What broken symmetry costs")
    made.findings.append(measured_on(orbits, settings))
    for q in told(share.value):
        made.findings.append(_sentence(subject, q, share, absolute, saved))
    made.figures.append(_bars(subject, share))
    made.tables += [_squares(subject, sums, share), _lengths(subject, absolute, saved)]
    made.numbers = {
        "quantities": [quantity.name for quantity in subject.quantities],
        "units": [quantity.unit for quantity in subject.quantities],
        "square_of_total_average_variance": sums.numbers(),
        "share": share.numbers(),
        "absolute_of_single_average": absolute.numbers(),
        "absolute_saved": saved.numbers(),
    }
    _over_training(subject, made)
    return made


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where there is no loss at all."""
    return part / torch.where(whole == 0, 1.0, whole)


def _sentence(
    subject: Subject, q: int, share: Estimate, absolute: Estimate, saved: Estimate
) -> str:
    quantity = subject.quantities[q]
    return (
        f"{quantity.name}: {share.text(q, unit='%', scale=100)} of the squared error on rotated "
        "molecules is variance over orientations, which averaging over all of them would take "
        f"away; of the mean absolute error {absolute.text(q, 0, unit=quantity.unit)} it would "
        f"take away {saved.text(q, unit=quantity.unit)}."
    )


def _bars(subject: Subject, share: Estimate) -> Chart:
    names = [quantity.name for quantity in subject.quantities]
    return Chart(
        "loss_share",
        "Share of the squared error that is variance over orientations",
        "quantity",
        "share (%)",
        [Series("share", names, style="bar", **share.series(scale=100))],
    )


def _squares(subject: Subject, sums: Estimate, share: Estimate) -> Grid:
    rows = [
        [n.name, f"({n.unit})^2", *(sums.text(q, i) for i in range(3)), share.text(q, scale=100)]
        for q, n in enumerate(subject.quantities)
    ]
    columns = ["quantity", "unit", "E|f(gx) - y|^2", "E|mean f - y|^2", "E Var f", "share, %"]
    return Grid("The squared error, split", columns, rows)


def _lengths(subject: Subject, absolute: Estimate, saved: Estimate) -> Grid:
    rows = [
        [n.name, n.unit, absolute.text(q, 0), absolute.text(q, 1), saved.text(q)]
        for q, n in enumerate(subject.quantities)
    ]
    columns = ["quantity", "unit", "E|f(gx) - y|", "E|mean f - y|", "difference"]
    return Grid("The absolute error, of one orientation and of the average over all", columns, rows)


def _over_training(subject: Subject, made: Section) -> None:
    """Add the share at each validation, as far as the history has it."""
    history, lines = subject.history, []
    for quantity in subject.quantities:
        names = f"{quantity.name}_orbit_variance", f"{quantity.name}_orbit_square"
        rows = [row for row in history if all(isfinite(_number(row, n)) for n in names)]
        if rows:
            percents = [100 * _number(r, names[0]) / (_number(r, names[1]) or 1.0) for r in rows]
            lines.append(Series(quantity.name, [_number(r, "epoch") for r in rows], percents))
    if not lines:
        made.findings.append(
            "The share over training is not known: "
            + (
                "this run kept no variance over orientations while it trained."
                if history
                else "there is no history of a training."
            )
        )
        return
    made.figures.append(
        Chart(
            "loss_share_training",
            "Share of the squared error that is variance over orientations, over training",
            "epoch",
            "share (%)",
            lines,
            caption=f"At most {MOLECULES} validation molecules, {ROTATIONS} rotations each.",
        )
    )
    made.numbers["training"] = {s.label: {"epoch": s.x, "percent": s.y} for s in lines}
    for q in told(torch.tensor([s.y[-1] for s in lines])):
        x, y = lines[q].x, lines[q].y
        made.findings.append(
            f"{lines[q].label} over training: {y[0]:.3g} % after epoch {x[0]:g}, {y[-1]:.3g} % "
            f"after epoch {x[-1]:g} (at most {MOLECULES} validation molecules, {ROTATIONS} "
            "rotations each)."
        )
    missing = sum(_number(row, "step") > 0 for row in history) - len(lines[0].y)
    if missing:
        made.findings.append(
            f"{missing} of the run's epochs were trained before such figures were kept."
        )


def _number(row: dict[str, float], name: str) -> float:
    """NaN where the row has no such number."""
    value = row.get(name)
    return float("nan") if value is None or value == "" else float(value)
