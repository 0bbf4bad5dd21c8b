"""Tasks whose target is a vector, the dipole moment."""

from __future__ import annotations

from math import pi

from ...errors import unknown
from ...groups import SO3
from ..molecules import Molecules, Target
from ..targets import Field
from .bodies import dipoles, drawn, labelled
from .task import Planted, Variant
from .truths import width


def dipole(
    molecules: Molecules | None = None,
    count: int = 10_000,
    seed: int = 0,
    output: str = "vector",
) -> Planted:
    """The dipole vector sum_i q_i r_i of the Mulliken charges (D), in the molecule's pose.

    With `output` "vector" the outputs are turned back, and all rotations are symmetries. With
    "scalar" the outputs are three numbers that are not turned back, and no rotation is a symmetry.
    The targets are the components `dipole_x`, `dipole_y` and `dipole_z`, and with "vector" also
    `dipole`. Raises InputError for another `output`.
    """
    if output not in ("vector", "scalar"):
        raise unknown("output", output, ("vector", "scalar"))
    posed = drawn(molecules, count, seed)

    def formula(pos):
        return dipoles(posed, pos)

    free = pi if output == "vector" else 0.0
    about = "of the Mulliken charges, as posed"
    targets = [Target(f"dipole_{x}", "D", about) for x in "xyz"]
    y, vector = formula(posed.pos), Target("dipole", "D", about, kind="vector")
    fields = (Field(vector, y),) if output == "vector" else ()
    return Planted(
        "dipole" if output == "vector" else "dipole_as_scalars",
        labelled(posed, y, *targets, fields=fields),
        formula,
        (
            Variant(SO3(), "HaarBall", (width("radius", free),)),
            Variant(SO3(), "UniformBox", tuple(width(w, free) for w in ("wx", "wy", "wz"))),
        ),
        output=output,
    )


def dipole_as_scalars(
    molecules: Molecules | None = None, count: int = 10_000, seed: int = 0
) -> Planted:
    """`dipole` with outputs that are not turned back: no symmetry."""
    return dipole(molecules, count, seed, "scalar")
