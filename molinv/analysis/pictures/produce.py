"""Analyses a run on pictures and writes its report."""

from __future__ import annotations

from pathlib import Path

import torch

from ...errors import InputError
from ...sharing import choose_device, share_cores
from ...training.picture_config import read_config
from ...training.picture_data import fingerprint, load_parts
from ...training.saved import load_pictures
from ..learned.distribution import distribution
from ..runs import read_history
from ..settings import Settings, bars
from .changes import accuracy, changes, kind_of
from .poses import poses


@share_cores()
def produce(
    run: str | Path,
    pictures: int = 100,
    places: int = 9,
    copies: int = 8,
    out: Path | None = None,
    trust: bool = False,
    device: str = "cpu",
) -> tuple[Path, list[str]]:
    """Analyse a run on its first test pictures; returns the report's path and the verdict.

    Pictures are moved along each generator to `places` on either side, up to the caps. Outputs are
    those of the network alone and averages over `copies` elements of the learned distribution.
    Raises InputError without a model, for changed data, and for a group without generators.
    """
    for name, value, least in (("pictures", pictures, 1), ("places", places, 1),
                               ("copies", copies, 0)):  # fmt: skip
        if value < least:
            raise InputError(f"--{name}: expected at least {least}, got {value}.")
    folder = Path(run)
    saved = load_pictures(folder, trust)
    config = read_config(folder / "config.yaml")
    mu = saved.network.distribution
    kind_of(saved.task)  # refuses other tasks early
    if mu.group.k == 0:
        raise InputError(f"analyse: {mu.group} has no generators to move pictures along.")
    parts = load_parts(config)
    if fingerprint(parts["train"]) != saved.card["split"]:
        raise InputError(f"the training pictures of {config.data} have changed since {folder}.")
    test = parts["test"].take(torch.arange(min(pictures, len(parts["test"]))))
    counts = {"network alone": 0} | ({f"averaged over {copies} copies": copies} if copies else {})
    saved.network.to(choose_device(device))
    with bars() as progress:
        tick = progress("poses", len(counts) * mu.group.k * (2 * places + 1))
        ways = {way: list(poses(saved, test, places, count, tick)) for way, count in counts.items()}
    saved.network.to("cpu")
    reach = {name: float(e.value.detach()) for name, e in mu.extent().items()}
    history = read_history(folder / "metrics.csv")
    sections = [
        changes(saved.task, ways, reach),
        accuracy(saved.task, ways, reach),
        distribution(mu, history, Settings(seed=config.seed)),
    ]
    facts = {
        "model": f"{config.model}, {saved.card['parameters']:,} parameters",
        "data": f"{config.data}, {saved.card['pictures']['train']:,} training pictures, "
        f"seed {config.seed}",
        "distribution": f"{config.distribution} on {config.group}, {config.regularizer} reward "
        f"with lambda {config.lam:g}",
        "pictures": f"{len(test):,} test pictures at {2 * places + 1} poses along each generator",
    }
    verdict = [line for section in sections[:2] for line in section.findings]
    from ..report import write

    where = folder / "analysis" if out is None else out
    write(where, f"Symmetry of {folder.name}", verdict, facts, sections)
    return where / "report.html", verdict
