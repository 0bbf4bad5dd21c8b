"""How much of the loss is due to broken symmetry: what averaging over orientations would save.

For the squared loss the split is exact, E|f(gx) - y|^2 = E|mean_g f - y|^2 + E Var_g f. For the
absolute loss there is no split, but averaging never makes it worse (it is convex): the
difference is what it saves.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..training.orbit_share import MOLECULES, ROTATIONS
from .intervals import alone, median, short
from .orbits import Orbits, length_squared
from .section import Section, over_epochs, plain
from .settings import Settings
from .subject import Subject
from .wording import capital, measured_on, mentioned


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


def section(orbits: Orbits, settings: Settings) -> Section:
    """The split over Haar and, where the run kept it, over training.

    Raises InputError without true values.
    """
    subject, structures = orbits.subject, orbits.structures
    if structures.y is None:
        raise InputError(
            "the share of the loss needs true values, and these structures have none: give "
            "structures with the target, or a run, which has its test molecules."
        )
    average = length_squared(orbits.mean - structures.y.double(), orbits.entries)
    terms = torch.stack([orbits.square, average, orbits.variance], -1)
    sums = terms.mean(0)
    pooled = _share(sums[:, 2], sums[:, 0])
    share = median(_share(terms[..., 2], terms[..., 0]))
    lengths = torch.stack([orbits.error, average.sqrt()], -1)
    absolute = lengths.mean(0)
    saved, mean_saved = median(lengths[..., 0] - lengths[..., 1]), absolute[:, 0] - absolute[:, 1]
    made = Section("loss", "What broken symmetry costs")
    made.findings.append(measured_on(orbits))
    for q in mentioned(pooled):
        unit = subject.units[q]
        made.findings.append(
            f"{subject.names[q]}: {short(100 * float(pooled[q]))} % of the squared error on "
            "rotated molecules is variance over orientations, which averaging over all of them "
            f"would remove ({share.text(q, unit='%', scale=100)} of a molecule's, median); it "
            f"would lower the mean absolute error, {short(float(absolute[q, 0]))} {unit}, by "
            f"{short(float(mean_saved[q]))} {unit}."
        )
    made.chart(
        "loss_share",
        "Share of the squared error that is variance over orientations",
        "quantity",
        "share (%)",
        [
            alone(pooled).series("of all molecules' together", subject.names, "bar", 100),
            share.series("of a molecule's, median", subject.names, "bar", 100),
        ],
    )
    shares = [share.text(q, scale=100) for q in range(len(pooled))]
    rows = [
        [n.name, f"({n.unit})^2", *sums[q].tolist(), 100 * float(pooled[q]), shares[q]]
        for q, n in enumerate(subject.quantities)
    ]
    columns = ["quantity", "unit", "E|f(gx) - y|^2", "E|mean f - y|^2", "E Var f", "share, %"]
    columns += ["share of a molecule's, %, median"]
    made.table("The squared error, split; means over molecules", columns, rows)
    rows = [
        [n.name, n.unit, *absolute[q].tolist(), float(mean_saved[q]), saved.text(q)]
        for q, n in enumerate(subject.quantities)
    ]
    columns = ["quantity", "unit", "E|f(gx) - y|", "E|mean f - y|", "difference", "median"]
    title = "The absolute error, of one orientation and of the average over all"
    made.table(title, columns, rows)
    made.numbers = {
        "quantities": subject.names,
        "units": subject.units,
        "square_of_total_average_variance": plain(sums),
        "share": plain(pooled),
        "share_of_a_molecule": share.numbers(),
        "absolute_of_single_average": plain(absolute),
        "absolute_saved": plain(mean_saved),
        "absolute_saved_of_a_molecule": saved.numbers(),
    }
    _over_training(subject, made)
    return made


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, 0 where there is no loss at all."""
    return part / torch.where(whole == 0, 1.0, whole)


def _over_training(subject: Subject, made: Section) -> None:
    """Add the share at each validation, as far as the history has it."""
    history, lines = subject.history, []
    for name in subject.names:
        variance, square = f"{name}_orbit_variance", f"{name}_orbit_square"
        shares = [
            row | {"share": 100 * row[variance] / (row[square] or 1.0)}
            for row in history
            if variance in row and square in row
        ]
        if line := over_epochs(name, shares, "share"):
            lines.append(line)
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
    counted = f"at most {MOLECULES} validation molecules, at most {ROTATIONS} rotations each"
    made.chart(
        "loss_share_training",
        "Share of the squared error that is variance over orientations, over training",
        "epoch",
        "share (%)",
        lines,
        caption=f"{capital(counted)}.",
    )
    made.numbers["training"] = {s.label: {"epoch": s.x, "percent": s.y} for s in lines}
    for q in mentioned(torch.tensor([s.y[-1] for s in lines])):
        x, y = lines[q].x, lines[q].y
        made.findings.append(
            f"{lines[q].label} over training: {y[0]:.3g} % after epoch {x[0]:g}, {y[-1]:.3g} % "
            f"after epoch {x[-1]:g} ({counted})."
        )
    missing = sum(row.get("step", 0) > 0 for row in history) - len(lines[0].y)
    if missing:
        made.findings.append(
            f"{missing} of the run's epochs were trained before such figures were kept."
        )
