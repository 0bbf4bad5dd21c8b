"""Make a set of molecules in a uniform electric field by GFN2-xTB."""

from __future__ import annotations

import os

from ..errors import InputError
from .parsing import parse

SUMMARY = "label molecules in a uniform electric field with GFN2-xTB"

TEXT = """Label molecules of a data set in a uniform electric field with GFN2-xTB (tblite).

Each geometry has a random orientation. The target "shift" is its energy in the field less its
energy without (meV); energy (eV), forces (eV/angstrom) and dipole (e angstrom) are those in the
field. The symmetry is rotation about the field's axis, stored in OUT/settings.json alone. Writes
OUT/field.extxyz, OUT/molecules (a data set with the shift alone, which opens faster) and
OUT/left_out.csv. The same command resumes an interrupted run:

    molinv data field --molecules 10000 --out data/field
    molinv data field --molecules 20 --geometries 225 --out data/few   # few molecules, many turns
    molinv train --data data/field/molecules --targets shift --regularizer share --lam 0.3 \\
        --wait 0.15 --group "LearnedBasis(3,3,compact=True)" --distribution UniformBox ..."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""

    def fill(parser):
        parser.add_argument("--out", required=True, help="output folder")
        parser.add_argument("--of", default="qm9", help="qm9, or a folder of a data set")
        parser.add_argument("--molecules", type=int, default=10_000, help="number of molecules")
        parser.add_argument(
            "--strength", type=float, default=0.01, help="the field, in atomic units"
        )
        parser.add_argument(
            "--axis", help="direction of the field, as x,y,z; drawn by the seed if not given"
        )
        parser.add_argument(
            "--geometries",
            type=int,
            default=1,
            help="geometries of each molecule: with 1 the stored one, with more displaced ones",
        )
        parser.add_argument(
            "--sigma",
            type=float,
            default=0.03,
            help="standard deviation of the displacements, in angstrom",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=0,
            help="random seed of molecules, orientations, displacements and axis",
        )
        parser.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="processes that compute"
        )

    args = parse("data field", SUMMARY, arguments, fill, TEXT)
    from pathlib import Path

    from ..datasets import load
    from ..datasets.electric_field import Settings, label
    from ..datasets.labelled import LEFT_OUT

    settings = Settings(
        args.molecules,
        args.strength,
        _axis(args.axis),
        args.geometries,
        args.sigma,
        args.seed,
    )
    path, count, failed = label(load(args.of), settings, Path(args.out), args.workers)
    bad = f"; {failed:,} did not converge and are listed in {LEFT_OUT}" if failed else ""
    print(f"wrote {count:,} molecules in a field to {path}{bad}")
    return 0


def _axis(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"axis: expected three numbers x,y,z, got {text!r}.") from None
    return x, y, z
