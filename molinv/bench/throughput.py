"""Speed of every model: rates, peak memory, cost against size, share of sampling.

Everything is timed in one run and in turn: a round measures each thing once, ratios are taken
within a round, and what is reported is their median with the lowest and the highest. Rates alone
say little on a machine that does other work; the ratios hold. Three parts:

    models    molecules/s of a training step and of a pass of inference, on batches of real
              molecules as the trainer makes them, and the peak memory of a training step
    cost      against atoms a molecule (10 to 500, 400 atoms a batch or one molecule, random
              points about as dense as QM9's molecules; beside it the peak memory of a pass on
              one molecule), against the batch and against copies
              (which share the optimizer's step, so that a copy costs less the more there are)
    sampling  the share of a training step that goes into sampling the group, acting on the
              coordinates and the backward pass through both; beside it the whole step over one
              that moves nothing, whose network need not go back to the coordinates either

A model without rotations built in trains with a learned UniformBox on SO(3), any other with none.
A training step is the trainer's without Lightning around it; inference is one pass, without
averaging over rotations. canonical-all and -one are point in its principal frames: all four or
one in training, always four in inference. faenet is the network alone. visnet takes about
5 GiB of memory at the default batch.

    molinv bench throughput                               all of it, some 25 minutes on one core
    molinv bench throughput --quick                       one short round, to see that it works
    molinv bench throughput --models point,schnet --rounds 9
    molinv bench throughput --precision bf16-mixed        every model in that precision
    OMP_NUM_THREADS=1 molinv bench throughput             on one core

Writes throughput.json, models.png and cost.png into the folder.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from .. import __version__
from ..errors import InputError, unknown
from ..models import too_large
from ..training.build import count_parameters
from ..training.saved import write_json
from . import throughput_pictures as pictures
from . import throughput_results as results
from . import throughput_tasks as tasks
from .batches import random_batch, real_batches
from .contenders import choose, reference
from .memory import peak_memory
from .steps import PRECISIONS
from .turns import in_turn, ticks


@dataclass(frozen=True)
class Plan:
    """How much is measured; `least` seconds a turn."""

    rounds: int = 5
    batches: int = 2
    least: float = 0.5
    atoms: tuple[int, ...] = (10, 25, 50, 100, 200, 500)
    large: tuple[int, ...] = (50, 200, 500)
    batch: tuple[int, ...] = (1, 8, 32, 128, 512)
    copies: tuple[int, ...] = (1, 2, 4, 8)


QUICK = Plan(1, 1, 0.0, (10, 50), (50,), (1, 32), (1, 2))


def main(
    out: str = "throughput",
    models: str | None = None,
    rounds: int | None = None,
    batch: int = 128,
    data: str = "qm9",
    device: str = "cpu",
    precision: str = PRECISIONS[0],
    quick: bool = False,
) -> None:
    """Measure speed and memory, print tables, write them and pictures of them.

    Args:
        out: the folder to write into.
        models: names separated by commas, package.module:Name among them; every model if not
            given. Ratios are to schnet, or to the first where schnet is left out.
        rounds: how often everything is measured; 5 if not given, 1 with quick.
        batch: molecules a batch.
        data: where the molecules come from: qm9, or a folder of a data set.
        device: where to run: cpu, cuda.
        precision: of every model, as in training: 32-true, or bf16-mixed, in which a processor
            without instructions for bfloat16 is slower.
        quick: one short round, which shows that it works and little more.
    """
    where, chosen = find_device(device), choose(models)
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    for name, value in (("batch", batch), ("rounds", 1 if rounds is None else rounds)):
        if value < 1:
            raise InputError(f"{name}: expected at least 1, got {value}.")
    plan = QUICK if quick else Plan()
    rounds = plan.rounds if rounds is None else rounds
    batches = real_batches(data, batch, plan.batches, where)
    folder, base = Path(out), reference(chosen)
    networks = {c.name: c.network(where) for c in chosen}
    atoms = max(b.pos.shape[1] for b in batches)
    for name, network in networks.items():
        limit: int = network.model.max_atoms  # pyright: ignore[reportAssignmentType]
        if atoms > limit:
            raise InputError(too_large(name, limit, atoms))
    folder.mkdir(parents=True, exist_ok=True)
    plain = [c for c in chosen if not c.settings]  # variants would only crowd the curves
    parts: dict[str, dict[Any, Any]] = {
        "models": tasks.of_models(networks, batches, precision),
        "atoms": tasks.of_atoms(
            {c.name: networks[c.name] for c in plain or chosen}, plan.atoms, where, precision
        ),
    }
    learned = next((c for c in chosen if list(networks[c.name].distribution.parameters())), None)
    if learned is not None:
        parts["batch"] = tasks.of_batch(networks[learned.name], plan.batch, where, precision)
        parts["copies"] = tasks.of_copies(learned, plan.copies, where, precision)
        parts["sampling"] = tasks.of_sampling(learned, batches, where, precision)
    console = Console()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        curves = plain or chosen
        total = len(chosen) + len(curves) * len(plan.large)
        total += sum(ticks(part, rounds) for part in parts.values())
        bar = progress.add_task("", total=total)

        def tick(text: str) -> None:
            progress.update(bar, description=text, advance=1)

        memory = {}
        for c in chosen:
            tick(f"memory: {c.name}")
            memory[c.name] = peak_memory(c, batches[-1], precision=precision)
        large: dict[str, dict[int, float | None]] = {c.name: {} for c in curves}
        for c in curves:
            for n in plan.large:
                tick(f"memory: {c.name}, {n} atoms")
                large[c.name][n] = peak_memory(c, random_batch(1, n, where), False, precision)
        seconds = {
            name: in_turn(part, rounds, plan.least, lambda text, name=name: tick(f"{name}: {text}"))
            for name, part in parts.items()
        }
    found: dict[str, Any] = {
        "machine": machine(where),
        "settings": {
            "batch": batch,
            "rounds": rounds,
            "data": data,
            "precision": precision,
            "quick": quick,
        },
        "reference": base,
        "learned": learned and learned.name,
        "models": results.models(
            seconds["models"], base, {n: count_parameters(f) for n, f in networks.items()}, memory
        ),
        "atoms": results.curve(seconds["atoms"]),
        "memory": results.memory(large),
    }
    if learned is not None:
        found["batch"] = results.curve(seconds["batch"])
        found["copies"] = results.copies(seconds["copies"])
        found["sampling"] = results.sampling(seconds["sampling"])
    report(found, folder, console)


def report(found: dict[str, Any], folder: Path, console: Console) -> None:
    """Tables on the screen, and the three files."""
    name, base = found["learned"], found["reference"]
    batch = found["settings"]["batch"]
    for mode in tasks.MODES:
        console.print(results.models_table(found["models"], base, batch, mode))
    if found["atoms"]:
        title = "ms a molecule against its atoms"
        console.print(results.curve_table(found["atoms"], title, "model"))
        title = "peak MiB of a pass on one molecule against its atoms"
        console.print(results.curve_table(found["memory"], title, "model"))
    if name is not None:
        title = f"{name}: ms a molecule against the batch"
        console.print(results.curve_table(found["batch"], title, "batch"))
        console.print(results.copies_table(found["copies"], name))
        console.print(results.sampling_table(found["sampling"], name))
    facts = found["machine"] | {"precision": found["settings"]["precision"]}
    console.print(", ".join(f"{k} {v}" for k, v in facts.items()), highlight=False)
    path = folder / "throughput.json"
    write_json(path, results.plain(found))
    drawn = pictures.draw_models(found["models"], base, folder / "models.png")
    cost = pictures.draw_cost(found, folder / "cost.png")
    console.print(f"wrote {path}, {drawn} and {cost}", highlight=False)


def find_device(name: str) -> torch.device:
    """The device of that name; raises InputError where there is none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} cannot be used here ({reason}); try cpu.") from error
    return device


def machine(device: torch.device) -> dict[str, str]:
    """What the numbers were made on."""
    name = platform.processor() or platform.machine()
    processors = Path("/proc/cpuinfo")
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    elif processors.exists():
        lines = processors.read_text().splitlines()
        name = next((row.split(":")[1].strip() for row in lines if "model name" in row), name)
    threads = "" if device.type == "cuda" else str(torch.get_num_threads())
    versions = {"torch": torch.__version__, "molinv": __version__}
    return {"device": name} | ({"threads": threads} if threads else {}) | versions
