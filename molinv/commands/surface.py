"""Make a set of metal clusters over a metal slab by EMT."""

from __future__ import annotations

import os

from .parsing import parse

SUMMARY = "label metal clusters over a metal slab with EMT"

TEXT = """Label small metal clusters over a metal slab with ASE's EMT (Cu, Ag, Au, Ni, Pd, Pt, Al).

The input are the cluster's atoms alone, in the slab's frame; the target is the interaction energy
(meV). Its symmetry is the slab's plane group: slides by lattice vectors, turns about the normal by
quarters (facet 100) or thirds (111). Height and tilt change it. Writes OUT/surface.extxyz and
OUT/molecules, a data set of the same clusters, which opens faster. The same command resumes an
interrupted run:

    molinv data surface --metal Cu --facet 100 --cluster Pt --out data/surface
    molinv train --data data/surface/molecules --targets interaction --center false ..."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""

    def fill(parser):
        parser.add_argument("--out", required=True, help="output folder")
        parser.add_argument("--count", type=int, default=5000, help="number of clusters")
        parser.add_argument("--metal", default="Cu", help="metal of the slab")
        parser.add_argument("--facet", default="100", help="its surface: 100 or 111")
        parser.add_argument("--cluster", default="Pt", help="metal of the clusters")
        parser.add_argument("--atoms", type=int, default=3, help="atoms of a cluster, up to 6")
        parser.add_argument("--cells", type=int, default=5, help="cells along each side")
        parser.add_argument("--layers", type=int, default=3, help="layers of the slab")
        parser.add_argument("--vacuum", type=float, default=12.0, help="above it, in angstrom")
        parser.add_argument("--seed", type=int, default=0, help="random seed of the clusters")
        parser.add_argument(
            "--workers", type=int, default=os.cpu_count() or 1, help="processes that compute"
        )

    args = parse("data surface", SUMMARY, arguments, fill, TEXT)
    from pathlib import Path

    from ..datasets.surface import Settings, label

    settings = Settings(
        args.count,
        args.metal,
        args.facet,
        args.cluster,
        args.atoms,
        args.cells,
        args.layers,
        args.vacuum,
        args.seed,
    )
    path, count = label(settings, Path(args.out), args.workers)
    print(f"wrote {count:,} clusters over a slab to {path}")
    return 0
