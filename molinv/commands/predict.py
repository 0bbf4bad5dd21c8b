"""Predict molecules given as SMILES or files."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import chain, islice

from ..errors import InputError
from . import pictures
from .parsing import parse

SUMMARY = "predict molecules given as SMILES or files"

TEXT = """Predict molecules given as SMILES or files, with a shipped model or with your own.

Each cell of the table is a value and the half-width of its 90 % prediction interval. The last row
is the model's mean absolute error on test molecules (test MAE). --verbose adds both ends of each
interval and the standard deviations over rotations, an ensemble's members and conformers; files
always have these. QM9's U0, U, H and G are relative to atom energies fitted on the training
molecules; --total adds these.

    molinv predict CCO                          with a shipped model
    molinv predict CCO mols.sdf --targets homo,lumo -o out.csv
    molinv predict mols.sdf -o out.sdf          the same molecules, with further data fields
    molinv predict runs/a CCO                   with the model of a run folder
    molinv predict library.smi.gz -o out.parquet --workers 4    resumes if interrupted"""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    if pictures.learned(arguments):
        return pictures.predict(arguments)
    if any(a.partition("=")[0] == "--model" for a in arguments):
        raise InputError("the model is the first argument: molinv predict MODEL INPUT.")

    def fill(parser):
        parser.usage = "molinv predict [options] [MODEL] INPUT [INPUT ...]"
        parser.add_argument(
            "inputs",
            nargs="+",
            metavar="INPUT",
            help="SMILES, InChI, .smi .txt .csv .tsv .sdf .mol .mol2 .pdb .xyz .extxyz .db .traj "
            "files (or these with .gz), or - for lines of SMILES on standard input. The first may "
            "be MODEL, a run folder or the name of a shipped model (see `molinv models`). Without "
            "MODEL each molecule is predicted by the shipped model for its kind of geometry",
        )
        parser.add_argument(
            "-o",
            "--output",
            help="file to write in place of a table: .csv, .json, .sdf or .parquet, with the "
            "columns or data fields of the input, then the predictions",
        )
        parser.add_argument("--targets", help="targets to predict, e.g. homo,lumo (default: all)")
        parser.add_argument(
            "--copies",
            type=int,
            default=8,
            help="number of orientations to average over; 0 for the given one alone",
        )
        parser.add_argument(
            "--smiles_column", help="column of .csv files with SMILES (default: found by its name)"
        )
        parser.add_argument(
            "--conformers",
            type=int,
            default=1,
            help="number of conformers to average over, for molecules without 3-D coordinates",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=0,
            help="number of processes that search conformers; 0 searches in the main process",
        )
        parser.add_argument(
            "--engine",
            choices=("local", "ray"),
            default="local",
            help="where to predict a library: ray uses a Ray cluster (pip install 'molinv[ray]') "
            "and predicts --workers chunks at once (0: as many as the cluster has CPUs)",
        )
        parser.add_argument(
            "--seed", type=int, default=0, help="random seed of the conformer search"
        )
        parser.add_argument(
            "--verbose",
            action="store_true",
            help="print both ends of each interval, the standard deviations and test errors",
        )
        parser.add_argument(
            "--total", action="store_true", help="add the fitted atom energies to QM9's energies"
        )
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument(
            "--trust", action="store_true", help="allow the model to import code outside molinv"
        )

    args = parse("predict", SUMMARY, arguments, fill, TEXT)
    from rich.console import Console
    from rich.progress import track

    from ..chem import Rejected, read
    from ..chem.structure import EMBEDDED, KINDS, Structure
    from ..prediction import notes, output
    from ..prediction.details import details
    from ..prediction.predictor import GEOMETRY, Predictor, usual_descriptors
    from ..prediction.screen_table import table
    from ..prediction.sdf import write_sdf
    from ..pretrained.choose import choose

    if args.engine != "local" and not (args.output or "").endswith(".parquet"):
        raise InputError(
            f"the engine {args.engine} writes a .parquet file: give -o NAME.parquet, or leave out "
            "--engine."
        )
    targets = None if args.targets is None else [t.strip() for t in args.targets.split(",")]
    if args.output and args.output.endswith(".parquet"):
        return _library(args, *choose(args.inputs), targets)
    path = output.check_path(args.output) if args.output else None
    model, inputs = choose(args.inputs)
    how = args.copies, args.trust, targets, args.device, args.total
    predictor = None if model is None else Predictor(model, *how)
    structures: Iterable[Structure | Rejected] = read(
        inputs,
        smiles_column=args.smiles_column,
        seed=args.seed,
        conformers=args.conformers,
        workers=args.workers,
        descriptors=usual_descriptors() if predictor is None else predictor.descriptors,
    )
    if predictor is None:  # load only the shipped model that the first structure needs
        first = list(islice(structures, 1))
        kind = next((s.kind for s in first if isinstance(s, Structure)), EMBEDDED)
        predictor = Predictor(None, *how, kind=kind)
        structures = chain(first, structures)
    screen = Console(stderr=True, highlight=False)

    def watched(items: Iterable, what: str) -> list:
        quiet = not screen.is_terminal
        return list(track(items, what, console=screen, transient=True, disable=quiet))

    if path is not None and path.suffix == ".sdf":
        structures = watched(structures, "reading")
    results = watched(predictor.predict(structures), "predicting")
    rows = [r for r in results if not isinstance(r, Rejected)]
    bad = [r for r in results if isinstance(r, Rejected)]
    kinds = {GEOMETRY[kind]: kind for kind in KINDS}
    shown = {r["model"]: predictor.of_kind(kinds[r["geometry"]]) for r in rows}
    for name, each in shown.items():
        if each.shipped:
            card = name.split("/")[0]  # a member has none of its own
            text = f"model {name}, shipped with molinv; its card: molinv models {card}"
            screen.print(text, style="dim", soft_wrap=True)
    if path:
        made = output.rows_of(results, inputs, args.smiles_column)
        if path.suffix == ".sdf":
            write_sdf(path, [*structures], made, inputs)
        else:
            output.write(path, made)
        failed = f", {len(bad):,} of them with an error" if bad else ""
        count = "1 row" if len(results) == 1 else f"{len(results):,} rows"
        print(f"wrote {count}{failed} to {path}")
        for note in notes.file_notes(rows, predictor) if rows else ():
            print(note)
    elif rows:
        page = Console(highlight=False)
        sign = "+-" if page.options.ascii_only else "±"
        if args.verbose:
            page.print(details(rows, predictor))
            said = notes.long_notes(rows, predictor)
        else:
            page.print(table(rows, predictor, page.width, sign))
            said = notes.short_notes(rows, predictor, sign)
        for note in said:
            page.print(note, markup=False)
    for item in bad:
        print(f"molinv: {item.source}: {item.name}: {item.reason}", file=sys.stderr)
    return 0 if not bad else 1 if rows or len(bad) > 1 else 2


def _library(args, model, inputs, targets) -> int:
    """Predict files of any size into one table with a row for every molecule."""
    from ..prediction.library import predict_library

    done = predict_library(
        inputs,
        args.output,
        model,
        workers=args.workers,
        conformers=args.conformers,
        copies=args.copies,
        targets=targets,
        smiles_column=args.smiles_column,
        seed=args.seed,
        trust=args.trust,
        engine=args.engine,
        device=args.device,
        total=args.total,
    )
    bad = f", {done.failed:,} of them with an error" if done.failed else ""
    before = f", {done.resumed:,} from before" if done.resumed else ""
    print(f"wrote {done.rows:,} rows{bad}{before} to {done.output} in {done.seconds:,.0f} s")
    return 1 if done.failed else 0
