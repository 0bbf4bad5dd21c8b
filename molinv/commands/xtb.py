"""Make a data set of energies, forces and dipoles with GFN2-xTB."""

from __future__ import annotations

import os

from .parsing import parse

SUMMARY = "label perturbed geometries of a data set with GFN2-xTB"

TEXT = """Label perturbed geometries of QM9, or of a data set's folder, with GFN2-xTB (tblite).

Writes OUT/xtb.extxyz with energies (eV), forces (eV/angstrom) and dipoles (e angstrom). The same
command resumes an interrupted run. The file's column split keeps all geometries of a molecule in
one part:

    molinv data xtb --molecules 300 --copies 4 --out data/xtb
    molinv train --data data/xtb/xtb.extxyz --targets energy,forces --split column:split ..."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument("--out", required=True, help="output folder")
        parser.add_argument("--of", default="qm9", help="qm9, or the folder of a data set")
        parser.add_argument(
            "--molecules", type=int, default=300, help="number of molecules, drawn at random"
        )
        parser.add_argument(
            "--copies",
            type=int,
            default=4,
            help="number of geometries per molecule; the first one is unperturbed",
        )
        parser.add_argument(
            "--sigma",
            type=float,
            default=0.08,
            help="largest standard deviation of the displacements (angstrom)",
        )
        parser.add_argument(
            "--seed", type=int, default=0, help="random seed of the draw and the displacements"
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=os.cpu_count() or 1,
            help="number of processes that compute",
        )

    args = parse("data xtb", SUMMARY, arguments, fill, TEXT)
    from pathlib import Path

    from ..datasets import load
    from ..datasets.xtb import Settings, label

    settings = Settings(args.molecules, args.copies, args.sigma, args.seed)
    path, count, failed = label(load(args.of), settings, Path(args.out), args.workers)
    bad = f"; {failed:,} did not converge and are left out" if failed else ""
    print(f"wrote {count:,} geometries of {settings.molecules:,} molecules to {path}{bad}")
    return 0
