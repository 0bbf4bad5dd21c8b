"""What a model depends on: `molinv analyse`.

produce.py    from what a user names to the folder with its report
parts.py      all parts, one after the other; verdict.py sums them up
subject.py    what is analysed: a function of coordinates, and its molecules; runs.py, callables.py
              and calculators.py make one of a run, of any function or module, of an ASE calculator
device.py     where its network runs

The parts, each with a function section(orbits, settings):

orbits/       the one pass over orientations; standard deviations, power by degree, maps
loss_share.py what broken symmetry costs
learned/      the learned distribution, and the angles that the network tolerates; several runs
lie/          Lie derivatives, layer by layer
symmetries.py more than rotations; algebra.py symmetries that are found and not assumed
walk.py       the numbers by which ml-peg compares potentials
audit/        the stored orientations of the data
pictures/     the same for models of pictures

settings.py, section.py, intervals.py, wording.py   what the parts share
report/       sections as one page, and JSON
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from torch import nn

    from .produce import Report
    from .subject import Structures

__all__ = ["analyse"]


def analyse(
    what: str | Path | nn.Module | Callable[..., Any] | Calculator,
    structures: str | Path | Sequence[str] | Sequence[Atoms] | Structures | None = None,
    *,
    beside: Any = None,
    out: str | Path | None = None,
    unit: str = "",
    kind: str = "scalar",
    property: str = "energy",
    molecules: int = 1000,
    targets: Sequence[str] | None = None,
    threshold: float | None = None,
    degree: int | None = None,
    parts: Sequence[str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    trust: bool = False,
) -> Report:
    """Which rotations a model is invariant to: `molinv analyse` in Python.

        analyse("runs/a").answer                                  # "yes", "almost" or "no"
        analyse(network, "mols.xyz", unit="eV", out="report")     # pos (b, n, 3), z (b, n)
        analyse(EMT(), [bulk("Cu", cubic=True)], property="forces")

    Args:
        what: a run folder or a shipped model's name; a torch module or function from coordinates
            (b, n, 3) in angstrom and atomic numbers (b, n), 0 where padded, to (b, t), (b, t, 3) or
            (b, t, 3, 3); or an ASE calculator.
        structures: a file or a SMILES, a list of SMILES or of ase.Atoms, or `Structures`. A run has
            its own test molecules.
        beside: a second one, on the same structures, to stand beside the first.
        out: the folder that report.html and analysis.json are written to; None writes nothing.
        unit: of a function's outputs; `kind` how they turn: scalar, vector or tensor.
        property: of a calculator: energy, energy_per_atom, forces, stress, dipole, charges.
        molecules: the largest number of structures.
        targets: the quantities that are looked at, all by default.
        threshold: a change with orientation, in the quantity's unit, that counts as none.
        degree: of the quadrature, as high as is needed by default.
        parts: of the report, as `molinv analyse --parts`.

    Raises InputError for what cannot be analysed.
    """
    from .produce import of_objects, produce

    both = [what] if beside is None else [what, beside]
    sources = [
        of_objects(each, structures, molecules, unit, kind, property, trust) for each in both
    ]
    folder = None if out is None else Path(out)
    return produce(
        sources, degree, parts, seed, folder, targets, device, threshold, written=out is not None
    )
