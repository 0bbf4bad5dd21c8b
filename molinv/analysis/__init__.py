"""What a model depends on: `molinv analyse`.

produce.py    runs an analysis and writes its report
parts.py      makes all parts; verdict.py sums them up
subject.py    a function of coordinates and its molecules, made from a run (runs.py), a function or
              module (callables.py) or an ASE calculator (calculators.py)

The parts, each with a function section(orbits, settings):

orbits/       the sweep over orientations: standard deviations, power by degree, maps
loss_share.py the cost of broken symmetry
learned/      the learned distribution, the tolerated angles, sweeps of several runs
lie/          Lie derivatives, layer by layer
symmetries.py reflection, translation, permutation; algebra.py finds symmetries without assuming any
walk.py       ml-peg's measures of rotational symmetry
shared.py     invariances that two models share
audit/        the stored orientations of the data
pictures/     the same for models of pictures

settings.py, section.py, intervals.py, wording.py   used by all parts
report/       writes sections as one page and as JSON
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from torch import Tensor, nn

    from .produce import Report
    from .subject import Structures

__all__ = ["analyse"]


def analyse(
    what: str | Path | nn.Module | Callable[..., Any] | Calculator,
    structures: str | Path | Sequence[str] | Sequence[Atoms] | Structures | Tensor | None = None,
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
    shared: bool = False,
) -> Report:
    """Which rotations a model is invariant to: `molinv analyse` in Python.

        analyse("runs/a").answer                                  # "yes", "almost" or "no"
        analyse(network, "mols.xyz", unit="eV", out="report")     # pos (b, n, 3), z (b, n)
        analyse(points_network, torch.randn(100, 4, 3))           # pos (b, n, 3) only
        analyse(EMT(), [bulk("Cu", cubic=True)], property="forces")

    Args:
        what: a run folder, a shipped model's name or a metatomic model file (.pt); an ASE
            calculator; or a torch module or function from coordinates (b, n, 3) in angstrom and
            atomic numbers (b, n), 0 for padding, to (b,), (b, t), (b, t, 3) or (b, t, 3, 3).
        structures: a file or a SMILES, a list of SMILES or of ase.Atoms, or `Structures`. A tensor
            of coordinates (b, n, 3) is for a function of coordinates only; they rotate about the
            origin. The default for a run is its test molecules.
        beside: a second model, compared with the first on the same structures.
        out: folder for report.html and analysis.json; None writes nothing.
        unit: unit of a function's outputs.
        kind: how a function's outputs rotate: scalar, vector or tensor.
        property: a calculator's energy, energy_per_atom, forces, stress, dipole or charges.
        molecules: largest number of structures.
        targets: names of the quantities to analyse; default all.
        threshold: largest change with orientation, in the quantity's unit, that counts as nearly
            invariant.
        degree: degree of the quadrature; default as high as needed.
        parts: names of the parts to make, see `molinv analyse --parts`.
        shared: with `beside`, also measure which invariances the two share (STIR).

    Raises InputError if the model cannot be analysed.
    """
    from .produce import of_objects, produce

    both = [what] if beside is None else [what, beside]
    sources = [
        of_objects(each, structures, molecules, unit, kind, property, trust) for each in both
    ]
    folder = None if out is None else Path(out)
    return produce(sources, degree, parts, seed, folder, targets, device, threshold, shared)
