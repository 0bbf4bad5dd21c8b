"""Build a data set's cache and print its contents."""

from __future__ import annotations

import os

from . import field, matrix, surface, xtb
from .parsing import parse

SUMMARY = "build a data set's cache and print its contents"
# commands of their own that make a data set
MAKERS = {"xtb": xtb.main, "field": field.main, "surface": surface.main, "matrix": matrix.main}
SHOWN = 5  # most reasons of rejected rows to print


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    if arguments and arguments[0] in MAKERS:
        return MAKERS[arguments[0]](arguments[1:])

    def fill(parser):
        parser.add_argument(
            "name",
            help="qm9, the folder of a data set, or a .csv .tsv .sdf .xyz .extxyz .db .traj file; "
            "`molinv data xtb` makes a data set of energies, forces and dipoles, `molinv data "
            "field` of molecules in an electric field, `molinv data surface` of clusters over a "
            "slab, `molinv data matrix` of molecules in a rare-gas crystal (see `molinv data xtb "
            "--help`)",
        )
        parser.add_argument(
            "--targets", help='targets of a file, as for training: "logS [log mol/L]"'
        )
        parser.add_argument(
            "--smiles_column", help="column of a .csv file with SMILES (default: found by its name)"
        )
        parser.add_argument(
            "--conformers",
            type=int,
            default=0,
            help="number of conformers to embed from every molecule's SMILES with RDKit, for "
            "`molinv train --geometries embedded --conformers N`; cached conformers are reused",
        )
        parser.add_argument(
            "--xtb",
            action="store_true",
            help="compute the GFN2-xTB features of every molecule, for `molinv train --features "
            "xtb`; cached features are reused",
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=os.cpu_count() or 1,
            help="number of processes that embed or compute",
        )

    args = parse("data", SUMMARY, arguments, fill)
    import numpy as np
    from rich import print as show
    from rich.table import Table

    from ..datasets import load
    from ..datasets.kinds import SHAPES
    from ..datasets.moments import TARGETS, with_moments
    from ..datasets.own import is_own
    from ..datasets.repeats import random_split

    molecules, groups = _own(args) if is_own(args.name) else (load(args.name), None)
    sizes = molecules.sizes
    text = f"{sizes.sum():,} atoms (mean {sizes.mean():.1f}, most {sizes.max()})"
    if len(molecules) >= 10:
        parts, _ = random_split(np.arange(len(molecules)) if groups is None else groups)
        text += (
            f"; split {parts.hash} with seed 0: {len(parts.train):,} train, "
            f"{len(parts.valid):,} valid, {len(parts.test):,} test"
        )
    show(f"{len(molecules):,} molecules, {text}")
    table = Table("target", "unit", "what", "values", "missing", "mean", "std")
    molecules = with_moments(molecules, [t.name for t in TARGETS])
    for t in (*molecules.targets, *(each.target for each in molecules.fields)):
        y = molecules.values([t.name])[:, 0]
        y = np.linalg.norm(y.reshape(len(y), -1), axis=1) if SHAPES[t.kind] else y
        known = y[y == y]
        counts = f"{len(known):,}", f"{len(y) - len(known):,}"
        mean, std = (f"{known.mean():.5g}", f"{known.std():.5g}") if len(known) else ("", "")
        kind = (
            "" if t.kind == "scalar" else f"{t.kind}{', by its length' if SHAPES[t.kind] else ''}"
        )
        what = "; ".join(text for text in (kind, t.description) if text)
        table.add_row(t.name, t.unit or "not given", what, *counts, mean, std)
    show(table)
    plain = [t.name for t in molecules.targets if not t.unit and t.kind == "scalar"]
    if is_own(args.name) and plain:
        print(f'note: to give a unit, name the target with it: --targets "{plain[0]} [unit]"')
    if args.conformers:
        _embed(molecules, args.conformers, args.workers)
    if args.xtb:
        _compute(molecules, args.workers)
    return 0


def _compute(molecules, workers):
    """Fill the cache with the GFN2-xTB features of all molecules, and print the failures."""
    import numpy as np

    from ..chem.xtb import METHOD
    from ..datasets.electronic import electronics
    from ..training.source import states

    every = np.arange(len(molecules))
    _, wrong = electronics(molecules, every, states(molecules), workers)
    print(f"{METHOD}: {len(every) - len(wrong):,} molecules")
    for row, reason in [*wrong.items()][:SHOWN]:
        print(f"  failed: {molecules.ids[row]} ({reason})")
    if len(wrong) > SHOWN:
        print(f"  and {len(wrong) - SHOWN:,} others")


def _embed(molecules, conformers, workers):
    """Embed the conformers of all molecules, and print how many molecules have one."""
    import numpy as np

    from ..chem.conformers import check_conformers
    from ..datasets.geometries import bond_graphs, embedded_copies

    check_conformers(conformers)
    every = np.arange(len(molecules))
    for number in range(conformers):
        found = embedded_copies(molecules, every, workers, number)
        made = 0 if found is None else len(found[1])
        lost = len(molecules) - made
        failed = f"; RDKit cannot embed {lost:,}" if lost else ""
        print(f"conformer {number + 1} of {conformers}: {made:,} molecules{failed}")
    bond_graphs(molecules)


def _own(args):
    """The molecules of a user's file, and groups of rows that are the same molecule.

    Prints the number of rejected rows, the reasons, and notes on the accepted rows.
    """
    from collections import Counter

    from ..datasets.own import read_own
    from ..training.config import TrainConfig
    from ..training.source import wanted

    targets = None if args.targets is None else wanted(TrainConfig(targets=args.targets))
    own = read_own(args.name, targets, args.smiles_column, args.workers)
    searched = int(own.embedded.sum())
    print(
        f"{len(own.kind) + len(own.rejected):,} rows, {len(own.rejected):,} of them rejected; "
        f"RDKit made the geometries of {searched:,}"
    )
    reasons = Counter(r.reason for r in own.rejected)
    for reason, count in reasons.most_common(SHOWN):
        first = next(r for r in own.rejected if r.reason == reason)
        print(f"  {count:,} rejected: {reason} (first: {first.source}, {first.name})")
    if len(reasons) > SHOWN:
        print(f"  and {len(reasons) - SHOWN:,} other reasons")
    for note in own.notes:
        print(f"note: {note}")
    return own.molecules, own.groups
