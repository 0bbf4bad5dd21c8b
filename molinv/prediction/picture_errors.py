"""Errors of a run on its test pictures: as stored, rotated, and averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.progress import track

from ..augment import Orbit
from ..datasets.batches import Loader
from ..datasets.pictures.batches import PictureBatch, PicturesOnDevice
from ..datasets.pictures.store import Pictures
from ..errors import InputError
from ..screen import messages
from ..sharing import choose_device
from ..tasks.base import Task
from ..training.picture_config import read_config
from ..training.picture_data import fingerprint, load_parts, moved_once
from ..training.saved import Saved, load_pictures, write_json
from .batches import device_of

COLUMNS = ("stored", "rotated", "averaged", "rotated_averaged")
_SIZE = 128  # pictures per batch


def evaluate_pictures(
    folder: Path, copies: int, limit: int | None, trust: bool, device: str
) -> dict[str, Any]:
    """Measure the metric of a run on its untouched test pictures (see `evaluate`).

    The result has the "errors" in these views:

    stored            pictures in the data set's orientation
    rotated           each picture rotated by a random angle, or hue for a group of colours
    averaged          stored pictures, averaged over `copies` elements of the learned distribution
    rotated_averaged  rotated pictures, averaged likewise

    The last two are left out for `copies` 0. In label maps, void pixels and pixels that no copy saw
    are ignored. Writes evaluation.json into the run folder. Raises InputError for a missing model,
    and for data that has changed since training.
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
    """The metric, averaged over `copies` copies; 0 runs the network once on the given pictures."""
    store, metric = PicturesOnDevice(pictures, device_of(saved.network)), saved.task.metric()
    batches = Loader(store, store.indices, _SIZE, shuffle=False)
    screen = messages()
    hidden = not (what and screen.is_terminal)
    for batch in track(batches, what, console=screen, transient=True, disable=hidden):
        found = outputs(saved, batch, copies)
        saved.task.update(metric, found.mean, batch.to("cpu"), found.weight)
    return float(saved.task.read(metric)[0].mean())


def metric_name(task: Task) -> str:
    """Name and unit of the metric of `measure`."""
    return {"numbers": "L1", "circle": "error, degrees"}.get(task.called(), task.units[0])


def outputs(saved: Saved, batch: PictureBatch, copies: int) -> Orbit:
    """Averaged outputs, on the CPU; every call with the same `copies` draws the same elements.

    With 0 copies the network runs once, on the given pictures.
    """
    network = saved.network
    inputs = network.model.inputs(batch.to(device_of(network)))  # pyright: ignore
    orbit = "learned" if copies else "identity"
    found = network.orbit(*inputs, orbit=orbit, copies=copies or None)
    weight = None if found.weight is None else found.weight.cpu()
    return Orbit(found.mean.cpu(), found.std.cpu(), found.count, weight)
