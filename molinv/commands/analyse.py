"""`molinv analyse`: how invariant a run, a function or a calculator is, as a report."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import pictures
from .parsing import parse

SUMMARY = "which rotations a model is invariant to, as a report with figures"

TEXT = """Which rotations a model is invariant to, which layers break the symmetry, what that costs.

Writes report.html (one file, works offline), analysis.json and a PNG of every figure.

    molinv analyse runs/a                       a run, on its test molecules
    molinv analyse qm9 --structures mols.sdf    the shipped model, on molecules of yours
    molinv analyse runs/a runs/b                two runs side by side
    molinv analyse runs/lam*                    several seeds or lambdas in one figure
    molinv analyse mine.nets:Net --structures mols.xyz --unit eV
    molinv analyse --calculator tblite.ase:TBLite --structures mols.xyz --property dipole
    molinv analyse --calculator mace.calculators:mace_mp --calculator_args '{"model": "small"}'
        --structures crystals.extxyz --property forces
    molinv analyse runs/digits --pictures 200   a run on pictures, moved along each generator

A run is a folder that `molinv train` made or the name of a shipped model; package.module:Name
names a function or torch module from pos (b, n, 3) in angstrom and z (b, n) to (b, outputs)."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    if pictures.learned(arguments):
        return pictures.analyse(arguments)

    def fill(parser):
        parser.usage = "molinv analyse [options] [RUN ...]"
        parser.add_argument("runs", nargs="*", metavar="RUN", help="what to analyse, see above")
        parser.add_argument("--calculator", help="an ASE calculator, as package.module:Name")
        parser.add_argument(
            "--calculator_args", help='what it is made with, as JSON: \'{"model": "small"}\''
        )
        parser.add_argument(
            "--python",
            help="the interpreter of another environment to run the calculator in, such as "
            "envs/mace/bin/python",
        )
        parser.add_argument(
            "--property",
            default="energy",
            help="energy, energy_per_atom, forces, stress, dipole or charges",
        )
        parser.add_argument(
            "--structures", help="a file of molecules, of those that predict reads, or a SMILES"
        )
        parser.add_argument("--unit", default="", help="the unit of a function's outputs")
        parser.add_argument("--kind", default="scalar", help="its outputs: scalar, vector, tensor")
        parser.add_argument(
            "--molecules", type=int, default=1000, help="largest number of molecules"
        )
        parser.add_argument(
            "--degree",
            type=int,
            default=None,
            help="of the quadrature: 9 takes 380 orientations and knows powers up to degree 4; "
            "by default it rises from there as far as the model needs",
        )
        parser.add_argument(
            "--threshold",
            type=float,
            default=None,
            help="a change with orientation, in the quantity's unit, up to which it counts as "
            "nearly invariant; by default judged by the model's error",
        )
        parser.add_argument("--parts", help="parts to make, such as orbit,spectrum (all)")
        parser.add_argument(
            "--targets", help="targets of the run, such as gap,homo; maps show the first (all)"
        )
        parser.add_argument(
            "--device", default="auto", help="cpu, cuda, mps; auto: an accelerator if there is one"
        )
        parser.add_argument("--seed", type=int, default=0, help="random seed")
        parser.add_argument("-o", "--out", help="folder to write to (RUN/analysis)")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse("analyse", SUMMARY, arguments, fill, TEXT)
    if bool(args.runs) == bool(args.calculator):
        raise InputError(
            "analyse: expected one or more runs, or --calculator (see `molinv analyse --help`)."
        )
    if not args.calculator and (args.calculator_args or args.python):
        raise InputError("--calculator_args and --python are of --calculator: name one.")
    if args.molecules < 1:
        raise InputError(f"--molecules: expected at least 1, got {args.molecules}.")
    from ..analysis.produce import of_ase, of_names, produce, sweep_of_runs

    out = None if args.out is None else Path(args.out)
    if len(args.runs) > 2:
        report = sweep_of_runs(args.runs, out)
    else:
        if args.calculator:
            made = _arguments(args.calculator_args)
            where = args.property, args.structures, args.molecules, args.python
            sources = [of_ase(args.calculator, made, *where)]
        else:
            how = args.structures, args.molecules, args.unit, args.kind, args.trust
            sources = [of_names(run, *how) for run in args.runs]
        names = [
            None if t is None else [n.strip() for n in t.split(",")]
            for t in (args.parts, args.targets)
        ]
        how = args.degree, names[0], args.seed, out, names[1], args.device, args.threshold
        report = produce(sources, *how)
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    print("\n".join(report.lines))
    print(f"wrote {report.page}")
    return 0


def _arguments(text: str | None) -> dict[str, Any] | None:
    """JSON's object; raises InputError for anything else."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(
            f"""--calculator_args: expected JSON such as '{{"model": "small"}}', got {text[:80]}."""
        )
    return found
