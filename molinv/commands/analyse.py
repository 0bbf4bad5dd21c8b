"""`molinv analyse`: report how invariant a run, a function or a calculator is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import pictures
from .parsing import parse

SUMMARY = "report which rotations a model is invariant to, with figures"

TEXT = """Report which rotations a model is invariant to, which layers break the symmetry, and the
cost of that in accuracy.

Writes report.html (one file that works offline) and analysis.json.

    molinv analyse runs/a                       a run, on its test molecules
    molinv analyse qm9 --structures mols.sdf    a shipped model, on your own molecules
    molinv analyse runs/a runs/b --shared       two runs side by side, and what they share
    molinv analyse runs/lam*                    several seeds or lambdas in one figure
    molinv analyse mine.nets:Net --structures mols.xyz --unit eV
    molinv analyse model.pt --structures mols.xyz --property forces     a metatomic model
    molinv analyse --calculator tblite.ase:TBLite --structures mols.xyz --property dipole
    molinv analyse --calculator mace.calculators:mace_mp --calculator_args '{"model": "small"}'
        --structures crystals.extxyz --property forces
    molinv analyse runs/digits --pictures 200   a run on pictures, moved along each generator

RUN is a run folder of `molinv train`, the name of a shipped model, or package.module:Name: a
function or torch module of pos (b, n, 3) in angstrom and z (b, n) that returns (b, outputs)."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    if pictures.learned(arguments):
        return pictures.analyse(arguments)

    def fill(parser):
        parser.usage = "molinv analyse [options] [RUN ...]"
        parser.add_argument(
            "runs", nargs="*", metavar="RUN", default=[], help="models to analyse, see above"
        )
        parser.add_argument("--calculator", help="ASE calculator, as package.module:Name")
        parser.add_argument(
            "--calculator_args",
            help='arguments of the calculator, as JSON: \'{"model": "small"}\'',
        )
        parser.add_argument(
            "--python",
            help="Python interpreter of another environment to run the calculator in, such as "
            "envs/mace/bin/python",
        )
        parser.add_argument(
            "--property",
            default="energy",
            help="property of the calculator: energy, energy_per_atom, forces, stress, dipole or "
            "charges",
        )
        parser.add_argument(
            "--structures", help="file of molecules that `molinv predict` can read, or a SMILES"
        )
        parser.add_argument("--unit", default="", help="unit of a function's outputs")
        parser.add_argument(
            "--kind",
            default="scalar",
            help="kind of a function's outputs: scalar, vector or tensor",
        )
        parser.add_argument(
            "--molecules", type=int, default=1000, help="largest number of molecules to analyse"
        )
        parser.add_argument(
            "--degree",
            type=int,
            default=None,
            help="degree of the quadrature over rotations: 9 has 380 orientations and resolves "
            "powers up to degree 4 (default: 9, and higher if the model needs it)",
        )
        parser.add_argument(
            "--threshold",
            type=float,
            default=None,
            help="largest change with orientation, in the quantity's unit, of a nearly invariant "
            "quantity (default: judged by the model's error)",
        )
        parser.add_argument(
            "--parts", help="parts of the report, such as orbit,spectrum (default: all)"
        )
        parser.add_argument(
            "--targets",
            help="targets of the run, such as gap,homo; maps show the first (default: all)",
        )
        parser.add_argument(
            "--device", default="auto", help="cpu, cuda, mps; auto: an accelerator if there is one"
        )
        parser.add_argument(
            "--shared",
            action="store_true",
            help="for two runs, also measure which invariances they share (STIR)",
        )
        parser.add_argument("--seed", type=int, default=0, help="random seed")
        parser.add_argument("-o", "--out", help="output folder (default: RUN/analysis)")
        parser.add_argument(
            "--trust", action="store_true", help="allow the model to import code outside molinv"
        )

    args = parse("analyse", SUMMARY, arguments, fill, TEXT)
    if bool(args.runs) == bool(args.calculator):
        raise InputError(
            "analyse: expected one or more runs, or --calculator (see `molinv analyse --help`)."
        )
    if not args.calculator and (args.calculator_args or args.python):
        raise InputError("--calculator_args and --python need --calculator: give one.")
    if args.shared and len(args.runs) != 2:
        raise InputError("--shared compares two runs: name two.")
    if args.molecules < 1:
        raise InputError(f"--molecules: expected at least 1, got {args.molecules}.")
    from ..analysis.produce import of_ase, of_names, produce, sweep_of_runs

    if len(args.runs) > 2:
        report = sweep_of_runs(args.runs, Path(args.out or "analysis"))
    else:
        if args.calculator:
            made = _arguments(args.calculator_args)
            where = args.property, args.structures, args.molecules, args.python
            sources = [of_ase(args.calculator, made, *where)]
        else:
            how = args.structures, args.molecules, args.unit, args.kind, args.trust, args.property
            sources = [of_names(run, *how) for run in args.runs]
        names = [
            None if t is None else [n.strip() for n in t.split(",")]
            for t in (args.parts, args.targets)
        ]
        out = sources[0].folder if args.out is None else Path(args.out)
        how = args.degree, names[0], args.seed, out, names[1], args.device, args.threshold
        report = produce(sources, *how, shared=args.shared)
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    print("\n".join(report.lines))
    print(f"wrote {report.page}")
    return 0


def _arguments(text: str | None) -> dict[str, Any] | None:
    """Parse a JSON object; raises InputError for anything else."""
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
