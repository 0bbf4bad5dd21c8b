"""All parts of an analysis, one after the other; a part that cannot be made gives the reason."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError, unknown
from ..sharing import share_cores
from .orbits import Orbits
from .orbits.resolved import resolved
from .section import Section
from .settings import Settings
from .subject import Structures, Subject

# each a module here with a function section(orbits, settings)
PARTS = {
    "orbit": ("orbits.statistics", "How much the prediction changes with orientation"),
    "loss": ("loss_share", "What broken symmetry costs"),
    "spectrum": ("orbits.spectrum", "Which rotations it depends on, by degree"),
    "tolerance": ("learned.tolerance", "How far it may be turned"),
    "learned": ("learned.distribution", "The distribution that was learned"),
    "lie": ("lie.section", "Where in the network the symmetry is made or broken"),
    "maps": ("orbits.maps", "The prediction from every side"),
    "audit": ("audit.section", "How the stored molecules are oriented"),
}
STILL = ("orbit", "learned", "audit")  # of a function that no orientation changes


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
def analyse(
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
        module, title = PARTS[name]
        make = importlib.import_module(f".{module}", __package__).section
        try:
            sections.append(make(orbits, settings))
        except InputError as error:
            sections.append(Section(name, title, missing=str(error)))
    return Analysis(subject, structures, orbits, sections)
