"""A vector that turns with the molecule."""

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
    """The dipole vector sum_i q_i r_i of the Mulliken charges (D), as the molecule is posed.

    With `output` "vector" the outputs are turned back, and every rotation is free; with
    "scalar" they are taken as three numbers that do not turn, and none is. As a vector it is the
    target `dipole`; its components, the targets `dipole_x` and so on, are there in either case.
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
