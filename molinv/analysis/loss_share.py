"""The cost of broken symmetry: how far averaging over orientations would lower the error.

The squared error splits exactly, E|f(gx) - y|^2 = E|mean_g f - y|^2 + E Var_g f. The absolute
error does not, but averaging never raises it, because it is convex.
"""

from __future__ import annotations

import torch

from ..errors import InputError
from ..training.orbit_share import MOLECULES, ROTATIONS
from .intervals import median, short
from .orbits import Orbits, length_squared
from .section import Section, over_epochs, plain
from .settings import Settings
from .subject import Subject
from .wording import capital, measured_on, mentioned


def section(orbits: Orbits, settings: Settings) -> Section:
    """The split over Haar and, if the run recorded it, over training.

    Raises InputError without true values.
    """
    subject, structures = orbits.subject, orbits.structures
    if structures.y is None:
        raise InputError(
            "the share of the loss needs true values, which these structures lack: give "
            "structures with the target, or a run, which has its test molecules."
        )
    average = length_squared(orbits.mean - structures.y.double(), orbits.entries)
    terms = torch.stack([orbits.square, average, orbits.variance], -1)
    sums = terms.mean(0)
    pooled = sums[:, 2] / torch.where(sums[:, 0] == 0, 1.0, sums[:, 0])
    share = median(terms[..., 2] / torch.where(terms[..., 0] == 0, 1.0, terms[..., 0]))
    lengths = torch.stack([orbits.error, average.sqrt()], -1)
    absolute = lengths.mean(0)
    saved, mean_saved = median(lengths[..., 0] - lengths[..., 1]), absolute[:, 0] - absolute[:, 1]
    made = Section("loss", "What broken symmetry costs")
    made.findings.append(measured_on(orbits))
    for q in mentioned(pooled):
        error, less = float(absolute[q, 0]), float(mean_saved[q])
        made.findings.append(
            f"{subject.names[q]}: {short(100 * float(pooled[q]))} % of the squared error on "
            "rotated molecules is variance over orientations (median for a molecule: "
            f"{share.text(q, unit='%', scale=100)}). Averaging over orientations removes it, and "
            f"lowers the mean absolute error by {short(less)} of {short(error)} "
            f"{subject.quantities[q].unit}".rstrip()
            + "."
        )
    rows = []
    for q, n in enumerate(subject.quantities):
        percent = 100 * float(pooled[q]), share.text(q, scale=100)
        less = float(mean_saved[q]), saved.text(q)
        rows.append([n.name, n.unit, *absolute[q].tolist(), *less, *percent])
    columns = ["quantity", "unit", "E|f(gx) - y|", "E|mean f - y|", "difference", "median"]
    columns += ["variance / squared error, %", "median"]
    made.table("Errors at one orientation and of the average over orientations", columns, rows)
    made.numbers = {
        "quantities": subject.names,
        "units": [n.unit for n in subject.quantities],
        "square_of_total_average_variance": plain(sums),
        "share": plain(pooled),
        "share_of_a_molecule": share.numbers(),
        "absolute_of_single_average": plain(absolute),
        "absolute_saved": plain(mean_saved),
        "absolute_saved_of_a_molecule": saved.numbers(),
    }
    _over_training(subject, made)
    return made


def _over_training(subject: Subject, made: Section) -> None:
    """Add the share at each validation, from the run's history."""
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
