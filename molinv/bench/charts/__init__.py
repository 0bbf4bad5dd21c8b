"""Walk between geometries of a molecule at constant energy, in the chart of a learned level set.

A generalised input-convex network (`models.gicnn`) learns GFN2-xTB's energy of a molecule that is
displaced along its softest vibrations. Walks connect pairs of held-out geometries of equal energy.
xTB's energy along them is compared with straight lines and with walks on the level sets of the
harmonic approximation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from rich.console import Console

from ...chem.xtb import check_installed
from ...errors import InputError
from ...models.gicnn import GICNN
from ..flags import positive
from ..grid import Run, finish
from ..report import facts, wide, write, write_markdown
from .results import COLUMNS, cells, draw, show, summarise
from .surface import Surface

HELD = 300  # geometries that are not trained on
LOST = 0.05  # fraction of geometries for which xTB may fail
EQUAL = 3.0  # meV between the geometries of a pair, at most
MIDDLE = (0.2, 0.8)  # quantiles of the energies of pairs
BATCH, RATE = 128, 1e-2
DECAY = 0.1  # of weights; keeps the map well-conditioned


@dataclass(frozen=True)
class Settings:
    """The settings of a run."""

    molecule: str = ""
    seed: int = 0
    modes: int = 0
    top: float = 0.0
    geometries: int = 0
    steps: int = 0
    couplings: int = 4
    pairs: int = 0
    points: int = 0
    out: str = ""


def main(
    out: str = "charts",
    molecule: str = "OCC=O",
    seeds: int = 3,
    modes: int = 6,
    top: float = 0.3,
    geometries: int = 1500,
    steps: int = 1500,
    couplings: int = 4,
    pairs: int = 20,
    points: int = 11,
) -> None:
    """Fit the energy, walk between geometries of equal energy, and print a table.

    Finished runs are skipped, and an interrupted run, of ten seconds or more, is started again. Use
    OMP_NUM_THREADS=1: xTB is slower with several threads. Needs tblite.

    Args:
        out: output folder.
        molecule: SMILES of the molecule.
        seeds: number of runs, which differ in geometries, initial weights and batches.
        modes: number of softest vibrations, the dimension of the level sets' space.
        top: largest harmonic energy of a geometry, eV.
        geometries: training geometries per run; 300 more are held out.
        steps: training steps per run.
        couplings: coupling layers of the invertible map; 0 makes the network convex.
        pairs: walks per run, at most.
        points: geometries of a walk, with both ends.
    """
    positive(seeds=seeds, steps=steps, pairs=pairs)
    if geometries < 2 or modes < 2 or points < 3 or couplings < 0 or not top > 0:
        raise InputError(
            "expected geometries and modes of at least 2, points of at least 3, couplings of at "
            f"least 0 and a top above 0, got {geometries}, {modes}, {points}, {couplings} and "
            f"{top}."
        )
    check_installed()

    def run(seed: int) -> Run:
        path = Path(out) / "runs" / f"seed{seed}.json"
        settings = Settings(
            molecule, seed, modes, top, geometries, steps, couplings, pairs, points, out
        )
        return Run(path.stem, path, settings, partial(measure, settings), facts={"seed": seed})

    console, results = wide(), []
    for result, due in finish(map(run, range(seeds)), seeds, console):
        results.append(result)
        if due:
            report(console, Path(out), results)


def measure(settings: Settings) -> dict[str, Any]:
    """Label, fit, and measure xTB's energy along the walks of one seed."""
    start = time.process_time()
    surface = Surface.of(settings.molecule, settings.modes, settings.top)
    q = surface.draw(settings.geometries + HELD, settings.seed)
    y = surface.energies(q)
    if (lost := int(np.isnan(y).sum())) > LOST * len(y):
        raise InputError(
            f"xTB does not converge for {lost:,} of {len(y):,} geometries: choose a smaller top."
        )
    q, y = q[np.isfinite(y)], y[np.isfinite(y)]
    seen, held = (q[:-HELD], y[:-HELD]), (q[-HELD:], y[-HELD:])
    labelled = time.process_time()
    net = fitted(torch.from_numpy(seen[0]), torch.from_numpy(seen[1]), settings)
    trained = time.process_time()
    with torch.no_grad():
        error = np.abs(net(torch.from_numpy(held[0])).numpy() - held[1]).mean()
    profiles = {name: [] for name in ("learned", "harmonic", "straight")}
    for a, b in equal(held[1], settings.pairs):
        paths = walks(net, held[0][a], held[0][b], settings.points)
        t = np.linspace(0, 1, settings.points)[1:-1]
        level = held[1][a] + t * (held[1][b] - held[1][a])
        strays = {name: surface.energies(path[1:-1]) - level for name, path in paths.items()}
        if all(np.isfinite(stray).all() for stray in strays.values()):
            for name, stray in strays.items():
                profiles[name].append([round(float(s), 3) for s in stray])
    if not profiles["learned"]:
        raise InputError(
            f"no two of {HELD} held-out geometries have the same energy: choose a smaller top."
        )
    return {
        "error": float(error),
        "lost": lost,
        "harmonic_error": float(np.abs(surface.harmonic(held[0]) - held[1]).mean()),
        "spread": float(np.abs(held[1] - np.median(seen[1])).mean()),
        "energies": [float(v) for v in np.quantile(held[1], MIDDLE)],
        "profiles": profiles,
        "label_seconds": labelled - start,
        "fit_seconds": trained - labelled,
        "seconds": time.process_time() - start,
    }


def fitted(q: torch.Tensor, y: torch.Tensor, settings: Settings) -> GICNN:
    """A network trained on energies y (n,) of displacements q (n, d); float64."""
    draws = torch.Generator().manual_seed(settings.seed)
    net = GICNN(q.shape[1], couplings=settings.couplings, generator=draws)
    q, y = q.float(), y.float()
    net.standardize(q, y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = settings.steps
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(q), (BATCH,), generator=draws)
        loss = (net(q[chosen]) - y[chosen]).abs().mean() / net.unit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.double()


def equal(y: Float64[np.ndarray, " n"], pairs: int) -> list[tuple[int, int]]:
    """Disjoint pairs of neighbours in energy, within EQUAL, spread over the middle energies."""
    order = np.argsort(y)
    order = order[int(MIDDLE[0] * len(y)) : int(MIDDLE[1] * len(y))].tolist()
    near = [(a, b) for a, b in list(pairwise(order))[::2] if y[b] - y[a] <= EQUAL]
    chosen = np.linspace(0, len(near) - 1, min(pairs, len(near))).round().astype(int)
    return [near[k] for k in chosen]


def walks(
    net: GICNN, a: Float64[np.ndarray, " d"], b: Float64[np.ndarray, " d"], points: int
) -> dict[str, Float64[np.ndarray, "n d"]]:
    """Three paths from a to b.

    "harmonic" walks on the level sets of |q|^2: the direction follows a great circle, and |q|^2
    changes linearly.
    """
    t = np.linspace(0, 1, points)[:, None]
    ends = (torch.from_numpy(a), torch.from_numpy(b))
    with torch.no_grad():
        learned = net.walk(*ends, points, tolerance=float("inf")).numpy()
    (r, u), (s, v) = ((np.linalg.norm(x), x / np.linalg.norm(x)) for x in (a, b))
    angle = np.arccos(np.clip(u @ v, -1, 1))
    circle = (np.sin((1 - t) * angle) * u + np.sin(t * angle) * v) / np.sin(angle)
    harmonic = ((1 - t) * r**2 + t * s**2) ** 0.5 * circle
    return {"learned": learned, "harmonic": harmonic, "straight": (1 - t) * a + t * b}


def report(console: Console, folder: Path, results: list[dict[str, Any]]) -> None:
    """Print the table so far; write charts.md, charts.json and charts.png."""
    rows = summarise(results)
    console.print(show(rows))
    write(folder / "charts.json", {"facts": facts(), "rows": rows, "runs": results})
    write_markdown(folder / "charts.md", (COLUMNS, cells(rows)))
    draw(folder / "charts.png", results)
