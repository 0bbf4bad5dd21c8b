"""The parts of an analysis; a part that cannot be made gives the reason."""

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
        "Each molecule is predicted in many orientations. The standard deviation of these "
        "predictions is 0 for an invariant model, and small if it is far below the model's error.",
    ),
    "loss": (
        "loss_share",
        "What broken symmetry costs",
        "The squared error on rotated molecules has two parts: the error of the average over "
        "orientations, and the variance over them. Averaging removes the second.",
    ),
    "spectrum": (
        "orbits.spectrum",
        "Which rotations it depends on, by degree",
        "Degree 1 is a direction fixed in space, such as a field; degree 2 is an axis; higher "
        "degrees are finer. The tallest bar is the kind of orientation that matters most.",
    ),
    "tolerance": (
        "learned.tolerance",
        "How far it may be turned",
        "Where a curve is flat, a rotation by that angle costs nothing. The learned distribution "
        "should reach about as far as the curve is flat.",
    ),
    "learned": (
        "learned.distribution",
        "The distribution that was learned",
        "An extent of 0 means no augmentation. An extent at its cap covers the whole group.",
    ),
    "lie": (
        "lie.section",
        "Where in the network the symmetry is made or broken",
        "A Lie derivative is how fast an output changes as the input begins to rotate. The change "
        "of each layer's output is measured. Which layer breaks the symmetry depends on an "
        "assumption: how that output should rotate.",
    ),
    "maps": (
        "orbits.maps",
        "The prediction from every side",
        "An invariant prediction has one colour everywhere. Drag the sphere to turn it.",
    ),
    "symmetries": (
        "symmetries",
        "More than rotations",
        "No energy depends on these operations either. A model built for rotations only may change "
        "under reflection. Forces that are not a gradient do not conserve energy.",
    ),
    "algebra": (
        "algebra",
        "Which symmetries it has, found and not assumed",
        "Molecules are stretched, turned and shifted in every way, with inputs beside positions "
        "held fixed. The motions that change nothing are its symmetries, intended or not.",
    ),
    "walk": (
        "walk",
        "A walk through orientations",
        "ml-peg reports these differences. Each point is one step between two orientations of one "
        "of the first ten structures.",
    ),
    "audit": (
        "audit.section",
        "How the stored molecules are oriented",
        "If stored molecules have preferred directions, errors on them do not hold for molecules "
        "in other orientations.",
    ),
}
STILL = ("orbit", "learned", "symmetries", "audit")  # made for an invariant function


@dataclass(frozen=True, eq=False)
class Analysis:
    """A subject, its structures, their orbits, and the sections made from them."""

    subject: Subject
    structures: Structures
    orbits: Orbits
    sections: list[Section]

    def numbers(self, part: str) -> dict:
        """The numbers of a part; empty if it could not be made."""
        return next((s.numbers for s in self.sections if s.name == part), {})


@share_cores()
def analyse_all(
    subject: Subject,
    structures: Structures,
    settings: Settings | None = None,
    parts: Sequence[str] | None = None,
) -> Analysis:
    """Run the subject over molecules and orientations, and make the named parts.

    The default is all parts, or `STILL` if nothing changes beyond rounding. A part that cannot be
    made says why in `missing`. Raises InputError for an unknown part, and if the subject fails.
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
