"""Make a set of small molecules in a rare-gas crystal by GFN2-xTB."""

from __future__ import annotations

import os

from .parsing import parse

SUMMARY = "label small molecules in a rare-gas crystal with GFN2-xTB"

TEXT = """Label small molecules in a site of a rare-gas crystal with GFN2-xTB (tblite).

A molecule takes the place of an atom of neon, argon, krypton or xenon; the twelve nearest
neighbours are a rigid cage. The input are the molecule's atoms alone, in the cage's frame; the
target is the interaction energy (meV). Its symmetry is the cage's: D4h with a strain along z, with
the rotations D4; Oh without, with the rotations O. Writes OUT/matrix.extxyz, OUT/molecules (a data
set of the same molecules, which opens faster) and OUT/left_out.csv. The same command resumes an
interrupted run:

    molinv data matrix --gas Ar --molecules CO2,C2H2,H2CO --strain 0.06 --out data/matrix
    molinv train --data data/matrix/molecules --targets interaction --center false ..."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""

    def fill(parser):
        parser.add_argument("--out", required=True, help="output folder")
        parser.add_argument("--count", type=int, default=4500, help="number of molecules")
        parser.add_argument(
            "--molecules",
            default="CO2,C2H2,H2CO",
            help="their kinds, by their names in ASE's g2 set, separated by commas",
        )
        parser.add_argument("--gas", default="Ar", help="the crystal: Ne, Ar, Kr or Xe")
        parser.add_argument(
            "--strain",
            type=float,
            default=0.06,
            help="strain of the cage along z; 0 leaves it cubic",
        )
        parser.add_argument(
            "--reach",
            type=float,
            default=0.3,
            help="largest distance of the centre of mass from the site's, in angstrom",
        )
        parser.add_argument(
            "--sigma",
            type=float,
            default=0.02,
            help="standard deviation of the molecules' distortions, in angstrom",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=0,
            help="random seed of distortions, orientations and displacements",
        )
        parser.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="processes that compute"
        )

    args = parse("data matrix", SUMMARY, arguments, fill, TEXT)
    from pathlib import Path

    from ..datasets.labelled import LEFT_OUT
    from ..datasets.matrix import Settings, label

    settings = Settings(
        args.count,
        tuple(name.strip() for name in args.molecules.split(",") if name.strip()),
        args.gas,
        args.strain,
        args.reach,
        args.sigma,
        args.seed,
    )
    path, count, failed = label(settings, Path(args.out), args.workers)
    bad = f"; {failed:,} did not converge and are listed in {LEFT_OUT}" if failed else ""
    print(f"wrote {count:,} molecules in a crystal to {path}{bad}")
    return 0
