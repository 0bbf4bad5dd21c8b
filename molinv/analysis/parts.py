"""All parts of an analysis, one after the other; a part that cannot be made gives the reason."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import InputError, unknown
from ..sharing import share_cores
from .orbits import Orbits
from .orbits.resolved import resolved
from .section import Section
from .settings import Settings
from .subject import Structures, Subject

# each a module here with a function section(orbits, settings), its title, and how to read it
PARTS = {
    "orbit": (
        "orbits.statistics",
        "How much the prediction changes with orientation",
        "A molecule is turned every way and predicted again. The standard deviation of these "
        "predictions is 0 for an invariant model; small is what lies far below its error.",
    ),
    "loss": (
        "loss_share",
        "What broken symmetry costs",
        "The squared error of a turned molecule has two parts: the error of the average over all "
        "orientations, and the variance over them. Only the second goes away by averaging.",
    ),
    "spectrum": (
        "orbits.spectrum",
        "Which rotations it depends on, by degree",
        "Degree 1 is a direction fixed in space, such as a field; degree 2 an axis; higher degrees "
        "are finer. A tall bar says what kind of orientation the model has learned to notice.",
    ),
    "tolerance": (
        "learned.tolerance",
        "How far it may be turned",
        "Where a curve stays flat, turning a molecule by that angle costs nothing. What was "
        "learned should reach about as far as that.",
    ),
    "learned": (
        "learned.distribution",
        "The distribution that was learned",
        "An extent of 0 is no augmentation; one at its cap is the whole group, as Haar is.",
    ),
    "lie": (
        "lie.section",
        "Where in the network the symmetry is made or broken",
        "A Lie derivative is how fast an output changes as the input begins to turn. What each "
        "layer's output does is measured; which layer breaks the symmetry follows only if its "
        "output should move as assumed.",
    ),
    "maps": (
        "orbits.maps",
        "The prediction from every side",
        "One colour all over is an invariant prediction. Drag the sphere to turn it.",
    ),
    "symmetries": (
        "symmetries",
        "More than rotations",
        "The same question of other operations that no energy depends on. Reflection may change a "
        "model that is meant for rotations alone; forces that are no gradient do not conserve "
        "energy.",
    ),
    "algebra": (
        "algebra",
        "Which symmetries it has, found and not assumed",
        "Every way to stretch, turn and shift a molecule is tried; those that change nothing are "
        "the model's own symmetries, whether anybody meant them or not.",
    ),
    "walk": (
        "walk",
        "A walk through orientations",
        "The differences that ml-peg reports, here of the first ten structures: each point is one "
        "step between two orientations.",
    ),
    "audit": (
        "audit.section",
        "How the stored molecules are oriented",
        "If stored molecules point in preferred directions, errors on them say nothing about "
        "molecules in other orientations.",
    ),
}
STILL = ("orbit", "learned", "symmetries", "audit")  # of a function that no orientation changes


@dataclass(frozen=True, eq=False)
class Analysis:
    """The subject, its structures, the one pass over their orbits, and all parts made from it."""

    subject: Subject
    structures: Structures
    orbits: Orbits
    sections: list[Section]

    def numbers(self, part: str) -> dict:
        """The numbers of a part, empty where it could not be made."""
        return next((s.numbers for s in self.sections if s.name == part), {})


@share_cores()
def analyse_all(
    subject: Subject,
    structures: Structures,
    settings: Settings | None = None,
    parts: Sequence[str] | None = None,
) -> Analysis:
    """Run the subject over molecules and orientations, and make the named parts (all).

    Where nothing changes beyond rounding, rounding is not drawn: by default only `STILL` are made.
    Raises InputError for a part that does not exist, and where the subject cannot be run at
    all; a single part that cannot be made is there with a sentence in `missing`.
    """
    settings = Settings() if settings is None else settings
    for name in parts or ():
        if name not in PARTS:
            raise unknown("part of an analysis:", name, PARTS)
    orbits = resolved(subject, structures, settings)
    usual = STILL if bool(orbits.still.all()) else PARTS
    sections = []
    for name in usual if parts is None else parts:
        module, title, reading = PARTS[name]
        make = importlib.import_module(f".{module}", __package__).section
        try:
            sections.append(replace(make(orbits, settings), reading=reading))
        except InputError as error:
            sections.append(Section(name, title, missing=str(error)))
    return Analysis(subject, structures, orbits, sections)
