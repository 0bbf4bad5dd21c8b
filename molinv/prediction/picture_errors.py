"""Errors of a run on its test pictures: as stored, turned, and averaged over what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from ..augment import Orbit
from ..datasets.batches import Loader
from ..datasets.pictures.batches import PictureBatch, PicturesOnDevice
from ..datasets.pictures.store import Pictures
from ..errors import InputError
from ..sharing import choose_device
from ..tasks.base import Task
from ..training.picture_config import read_config
from ..training.picture_data import fingerprint, load_parts, moved_once
from ..training.saved import Saved, load_pictures, write_json
from .batches import device_of

COLUMNS = ("stored", "rotated", "averaged", "rotated_averaged")
_SIZE = 128  # pictures a batch


def evaluate_pictures(
    folder: Path, copies: int, limit: int | None, trust: bool, device: str
) -> dict[str, Any]:
    """The metric of a run on its untouched test pictures (see `evaluate`).

    "stored" as the data set has them, "rotated" each turned once by any angle (or, under a group
    of colours, hue), "averaged" and "rotated_averaged" the same over `copies` elements of the
    learned distribution, left out where `copies` is 0. Of label maps, no pixel counts that is
    void, or that no copy saw. Writes evaluation.json into the run folder. Raises InputError
    without a model, or where the data is no longer the same.
    """
    saved = load_pictures(folder, trust)
    saved.network.to(choose_device(device))
    config = read_config(folder / "config.yaml")
    parts = load_parts(config)
    if (found := fingerprint(parts["train"])) != saved.card["split"]:
        raise InputError(
            f"the training pictures of {config.data} are {found}, but {folder} was trained on "
            f"{saved.card['split']}: the data has changed; train again."
        )
    test = parts["test"]
    test = test.take(range(len(test))[:limit])  # pyright: ignore[reportArgumentType]
    views = {"stored": test, "rotated": moved_once(test, saved.network.input, config.seed)}
    errors = {view: measure(saved, pictures, 0, view) for view, pictures in views.items()}
    if copies:
        errors["averaged"] = measure(saved, test, copies, f"{copies} copies")
        errors["rotated_averaged"] = measure(saved, views["rotated"], copies, "turned, averaged")
    result = {
        "split": found,
        "sha256": saved.card["sha256"],
        "pictures": len(test),
        "copies": copies,
        "metric": metric_name(saved.task),
        "errors": errors,
        "extents": saved.card["extents"],
    }
    write_json(folder / "evaluation.json", result)
    return result


def measure(saved: Saved, pictures: Pictures, copies: int, what: str = "") -> float:
    """The metric, averaged over so many copies; 0 runs the network once, on what it is given."""
    store, metric = PicturesOnDevice(pictures, device_of(saved.network)), saved.task.metric()
    batches = Loader(store, store.indices, _SIZE, shuffle=False)
    screen = Console(stderr=True)
    for batch in track(batches, what, console=screen, transient=True, disable=not what):
        found = outputs(saved, batch, copies)
        saved.task.update(metric, found.mean, batch.to("cpu"), found.weight)
    return float(saved.task.read(metric)[0].mean())


def metric_name(task: Task) -> str:
    """What `measure` gives, and its unit."""
    return {"numbers": "L1", "circle": "error, degrees"}.get(task.called(), task.units[0])


def outputs(saved: Saved, batch: PictureBatch, copies: int) -> Orbit:
    """Averaged outputs, on the CPU; equal copies for every method, drawn with the same seed.

    0 copies run the network once.
    """
    network = saved.network
    inputs = network.model.inputs(batch.to(device_of(network)))  # pyright: ignore
    orbit = "learned" if copies else "identity"
    found = network.orbit(*inputs, orbit=orbit, copies=copies or None)
    weight = None if found.weight is None else found.weight.cpu()
    return Orbit(found.mean.cpu(), found.std.cpu(), found.count, weight)
