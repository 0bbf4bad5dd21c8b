"""Where learning a symmetry pays: test errors against training size, on physics and a formula.

Methods differ in the distribution on rotations alone: none, full (Haar on all rotations), the box
and the reward of Augerino, learned, and the true group given. The data are molecules in an electric
field (`molinv.datasets.electric_field`), atoms over a metal slab (`molinv.datasets.surface`),
molecules in a rare-gas crystal (`molinv.datasets.matrix`) and, for comparison, molecules in a
planted field (`molinv.datasets.planted`). `rivals` adds three published methods that learn
symmetries by other objectives.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from ...datasets import matrix, surface
from ...datasets.electric_field import Settings
from ...errors import InputError
from ...prediction.residuals import place, residuals
from ...training.config import TrainConfig, read_config
from ...training.members import load_model
from ...training.run import train
from ...training.source import prepare
from .. import flags
from ..flags import listed, positive
from ..grid import Run, finish, history
from ..report import facts, wide, write, write_markdown
from .axis_sets import FieldSet, PlantedSet
from .finite_sets import MatrixSet, SurfaceSet
from .results import (
    COLUMNS,
    RIVAL_COLUMNS,
    cells,
    draw,
    rival_cells,
    show,
    show_rivals,
    summarise,
)
from .rivals import RIVALS, SETS
from .tasks import FIXED, LEARNED, METHODS, SETTLED, USUAL, Set


def main(
    out: str = "payoff",
    sets: str = "field,surface,matrix,planted",
    sizes: str = "300,1000,3000",
    seeds: int = 3,
    steps: int = 2000,
    methods: str | None = None,
    molecules: int = 20,
    geometries: int = 225,
    strength: float = 0.01,
    atoms: int = 1,
    copies: int = 8,
    planted: int = 12_500,
    data: str = "qm9",
    workers: int = 0,
) -> None:
    """Train every method on every number of geometries with every seed, and compare test errors.

    The data sets are made first, by GFN2-xTB in OUT/field and OUT/matrix and by EMT in OUT/surface
    (a few minutes). All methods have the same network, examples, initial weights, steps and one
    group element an example and step. The epoch with the least validation error is tested. Finished
    runs are skipped and an interrupted one is resumed, so the same command finishes an interrupted
    benchmark. The table is printed after every run. Raises InputError where the folder holds runs
    with other settings.

    Args:
        out: output folder.
        sets: field, surface, matrix, planted, or several separated by commas.
        sizes: numbers of training examples, separated by commas.
        seeds: runs a method and size, which differ in split, initial weights and draws.
        steps: training steps of a run on the field and the planted field, rounded up to complete
            epochs, of which there are at least 40. Runs on the surface and the matrix have three
            times as many.
        methods: none, full, Augerino, learned, true group, separated by commas; these five if not
            given. LILA, LieAugmenter and LieGAN are for the field, and run only if they are named.
        molecules: number of molecules in the field.
        geometries: displaced geometries of each molecule, each in a random orientation. Of all
            together, a tenth is for validation and a tenth for the test. Times `molecules`, it is
            also the number of clusters over the slab, and of molecules in the crystal.
        strength: the field in atomic units; its axis is drawn from a seed.
        atoms: atoms of each cluster over the slab.
        copies: elements of the method's own distribution that a second test error is averaged
            over; 0 leaves it out.
        planted: molecules in a planted field, all different. A tenth is for validation and a tenth
            for the test.
        data: data set of the molecules in the field and the planted field.
        workers: processes that label molecules.
    """
    positive(seeds=seeds, steps=steps)
    if copies < 0:
        raise InputError(f"copies: expected 0 or more, got {copies}.")
    chosen = list(USUAL) if methods is None else listed(methods, "method", METHODS)
    counts = flags.sizes(sizes)
    folder, console = Path(out), wide(200)
    field = Settings(molecules, strength, geometries=geometries)
    clusters = surface.Settings(molecules * geometries, atoms=atoms)
    known = {
        FieldSet.name: FieldSet(folder / FieldSet.name, data, field),
        SurfaceSet.name: SurfaceSet(folder / SurfaceSet.name, clusters),
        MatrixSet.name: MatrixSet(folder / MatrixSet.name, matrix.Settings(molecules * geometries)),
        PlantedSet.name: PlantedSet(folder / PlantedSet.name, data, planted),
    }
    taken = [known[name] for name in listed(sets, "set", known)]
    for name in [each.name for each in taken if each.name not in SETS]:
        if rivals := [method for method in chosen if method in RIVALS]:
            raise InputError(
                f"{rivals[0]} learns rotations about an axis and is not for {name}: give --sets "
                f"{','.join(SETS)}."
            )
    for each in taken:
        each.make(workers)
    plan = [
        (each, method, size, seed)
        for seed in range(seeds)
        for each in taken
        for size in counts
        for method in chosen
    ]

    def run(data: Set, method: str, size: int, seed: int) -> Run:
        place = folder / "runs" / f"{data.name}-{method.replace(' ', '-')}-{size}-seed{seed}"
        config = data.config(method, size, seed, steps, place)
        about = {"set": data.name, "unit": data.unit}
        about |= {"method": method, "size": size, "seed": seed}
        work = partial(_measure, data, method, config, copies)
        test = {"copies": copies, "labels": data.labels}
        test |= RIVALS[method].weights if method in RIVALS else {}
        return Run(place.name, place / "result.json", config, work, test, about)

    results = []
    for result, due in finish((run(*each) for each in plan), len(plan), console):
        results.append(result)
        if due:
            report(console, folder, results, steps)


def _measure(data: Set, method: str, config: TrainConfig, copies: int) -> dict[str, Any]:
    """Train, then test in one pass, and averaged over the method's own distribution."""
    run = RIVALS[method].fit(config) if method in RIVALS else train(config)
    saved = load_model(run, trust=True)
    source = prepare(read_config(run / "config.yaml"))  # pyright: ignore[reportArgumentType]
    store, test = place(saved, source.molecules, config), source.parts.test
    last = history(run)[-1]
    found: dict[str, Any] = {
        "error": residuals(saved, store, test, 0).mae[0],
        "tested": len(test),
        "split": source.parts.hash,
        "steps": int(last["step"]),
        "seconds": float(last["train_seconds"]),
        "epoch": saved.card["epoch"],
    }
    if copies:
        found["averaged"] = residuals(saved, store, test, copies).mae[0]
    if method == LEARNED or method in RIVALS:
        examples = store.gather(source.parts.valid[:SETTLED])
        found["learned"] = data.judge(saved.network, saved.task, examples)
    return found


def report(console: Console, folder: Path, results: list[dict[str, Any]], steps: int) -> None:
    """Print the table so far; write it as table.json, table.md and payoff.png."""
    rows = summarise(results)
    console.print(show(rows, steps))
    if any(row["rivals"] for row in rows):
        console.print(show_rivals(rows))
    averaged = [r for r in results if "averaged" in r]
    content = {
        "facts": facts(
            steps=steps,
            learned={s.name: s.learned for s in (FieldSet, SurfaceSet, MatrixSet, PlantedSet)},
            fixed=FIXED,
        ),
        "rows": rows,
        "averaged": summarise(averaged, "averaged"),
    }
    write(folder / "table.json", content)
    further = rival_cells(rows)
    tables = [(COLUMNS, cells(rows)), *([(RIVAL_COLUMNS, further)] if further else [])]
    write_markdown(folder / "table.md", *tables)
    draw(folder / "payoff.png", rows)
