"""Errors of a saved model on its test molecules, and the coverage of its intervals there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..chem.structure import EMBEDDED, HYDROGENS
from ..datasets.batches import OnDevice
from ..datasets.kinds import SHAPES
from ..datasets.molecules import Molecules
from ..datasets.targets import Target
from ..errors import InputError
from ..screen import messages
from ..sharing import choose_device, share_cores
from ..tasks.classes import Classes
from ..training.config import TrainConfig, read_config
from ..training.members import load_model
from ..training.saved import Saved, evaluated, sealed, write_json
from ..training.shipped import holds_pictures, locate, shipped_name
from ..training.source import Source, prepare, write_split
from .calibrate import calibrate, check_embedded
from .calibration_sets import signs_of
from .class_scores import class_row, class_scores, draw_reliability
from .conformal import LEVEL, Calibration, calibrated
from .coverage import groups, held
from .evaluation_files import draw_parity, scores, write_predictions
from .evaluation_tables import COLUMNS, interval_table, metrics_table, table
from .other_geometries import others
from .picture_errors import evaluate_pictures
from .residuals import FORCES, Residuals, bar, place, residuals

__all__ = ["evaluate", "interval_table", "metrics_table", "table"]

PARTIAL = "partial-evaluation"  # folder of an evaluation that must not replace a fuller one


@share_cores()
def evaluate(
    run: str | Path,
    copies: int = 8,
    limit: int | None = None,
    trust: bool = False,
    embedded: int = 0,
    workers: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Evaluate a run or a shipped model on its untouched test molecules.

    Returns the content of evaluation.json. It has each target's mean absolute error in its unit, in
    up to three views:

    stored    molecules in the data set's orientation
    rotated   each molecule rotated by a Haar-random rotation
    averaged  the same rotated molecules, with outputs averaged over `copies` elements of the
              learned distribution; left out for `copies` 0

    Vectors and tensors have the mean norm of the error, values per atom the mean over all atoms;
    "components" has the mean over their components. Forces are listed beside their energy. Numbers
    also have "metrics", see `scores`, and classes those of `class_scores`. Molecules without a true
    value are ignored. For a run on pictures see `evaluate_pictures`.

    run       run folder, or name of a shipped model
    limit     use the first `limit` test molecules only
    trust     import custom classes that the model's files name
    embedded  also calibrate and test this many molecules in each other kind of geometry (embedded
              by RDKit, hydrogens added by RDKit)
    workers   processes that embed
    device    see `choose_device`

    If the averaged error is measured, so is the coverage of the 90 % intervals. A model without
    intervals is calibrated first.

    Writes evaluation.json, test_predictions.csv, split.csv and, for numbers, parity.png into the
    run folder; for a shipped model into ./NAME-evaluation. If a fuller evaluation is there already,
    they go into partial-evaluation in that folder. Raises InputError for a missing model, and for
    data that has changed since training.
    """
    if limit is not None and limit < 1:
        raise InputError(f"expected a limit of at least 1 test example, got {limit}.")
    if copies < 0:
        raise InputError(f"expected 0 or more copies, got {copies}.")
    if embedded < 0:
        raise InputError(f"expected 0 or more embedded molecules, got {embedded}.")
    folder = locate(str(run))
    if holds_pictures(folder):
        return evaluate_pictures(folder, copies, limit, trust, device)
    shipped = shipped_name(folder)
    out = folder if shipped is None else Path(f"{shipped.replace('/', '-')}-evaluation")
    saved = load_model(folder, trust).to(choose_device(device))
    config = read_config(folder / "config.yaml")
    source = prepare(config, workers)
    molecules, parts = source.molecules, source.parts
    if source.sha256 != saved.card.get("data_sha256"):
        before, now = saved.card.get("files_sha256") or {}, source.files or {}
        changed = [config.files[part] for part in now if now[part] != before.get(part)]
        raise InputError(
            f"{(changed or [config.data])[0]} is no longer the file that {folder} was trained on: "
            "restore it, or train again."
        )
    if parts.hash != saved.card["split"]:
        raise InputError(
            f"the split of {config.data} is {parts.hash}, but {folder} was trained on "
            f"{saved.card['split']}: the data has changed; train again."
        )
    if embedded:
        check_embedded(saved)
    test = parts.test[:limit]
    stores = {c: place(saved, molecules, config, c == "rotated") for c in COLUMNS[:2]}
    found = {c: residuals(saved, store, test, 0, c) for c, store in stores.items()}
    task, classes = saved.task, isinstance(saved.task, Classes)
    kind, targets = task.kind, task.predicted
    names = [t.name for t in targets]
    rows: dict[str, dict[str, Any]] = {t.name: {"unit": t.unit} for t in targets}
    result = {
        "split": parts.hash,
        "sha256": saved.card["sha256"],
        "molecules": len(test),
        "copies": copies,
        "kinds": list(source.kinds),
        "targets": rows,
        "extents": saved.card["extents"],
    }
    made = None
    if copies:
        stores["averaged"] = turned = stores["rotated"]
        made = _calibration(folder, out, saved, source, config, turned, embedded, workers)
        averaged = residuals(saved, turned, test, copies, f"{copies} copies")
        found["averaged"] = averaged
        kinds = {} if classes else {k: (averaged, molecules.take(test)) for k in source.kinds}
        if embedded:
            for each in others(saved, source, config, turned, parts.test, embedded, workers):
                found_of = residuals(saved, each.store, each.rows, copies, each.kind)
                kinds[each.kind] = found_of, each.molecules
        result["intervals"] = {
            kind: _held(made, kind, found, of, targets, copies)
            for kind, (found, of) in kinds.items()
        }
    for column, errors in found.items():
        if classes:
            continue
        _fill(rows, names, column, errors, kind)
        if kind == "scalar":
            pairs = np.stack(errors.truth).T, np.stack(errors.found).T
            for name, truth, value in zip(names, *pairs, strict=True):
                rows[name].setdefault("metrics", {})[column] = scores(truth, value)
    if classes:
        for j, target in enumerate(targets):
            views = {view: class_scores(*_classes(r, j, target)) for view, r in found.items()}
            rows[target.name] = class_row(views)
    if task.gradient:
        forces = task.targets[-1]
        rows[forces.name] = {"unit": forces.unit}
        for column, store in stores.items():
            many = copies if column == "averaged" else 0
            errors = residuals(saved, store, test, many, f"forces, {column}", forces=True)
            _fill(rows, [forces.name], column, errors, FORCES)
    if _outdone(evaluated(out, saved.card), result):
        messages().print(f"{out} has a fuller evaluation; this one is in {PARTIAL}/")
        out = out / PARTIAL
    out.mkdir(exist_ok=True)
    last = found[next(reversed(found))]
    ends = None
    if made is not None and not classes:
        ends = made.ends(names, source.kinds[0], copies, signs_of(last))
    write_predictions(out / "test_predictions.csv", molecules, test, targets, last, ends)
    write_split(out / "split.csv", molecules, parts)
    if classes:
        pairs = {t.name: _classes(last, j, t) for j, t in enumerate(targets)}
        draw_reliability(out / "reliability.png", targets, pairs)
    elif kind == "scalar":
        draw_parity(out / "parity.png", targets, last)
    write_json(out / "evaluation.json", sealed(result))
    return result


def _outdone(there: dict[str, Any] | None, made: dict[str, Any]) -> bool:
    """Whether an earlier evaluation of the same weights is fuller than the new one."""
    if there is None:
        return False
    return there["molecules"] > made["molecules"] or (there["copies"] > 0 and not made["copies"])


def _classes(found: Residuals, j: int, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (m, c) of one target's classes, and the true classes (m,), NaN if missing."""
    n = len(target.classes)
    p, truth = (np.stack(x)[:, j, :n] for x in (found.found, found.truth))
    return p, np.where(np.isnan(truth[:, 0]), np.nan, truth.argmax(1))


def _fill(
    rows: dict[str, dict[str, Any]], names: list[str], column: str, found: Residuals, kind: str
) -> None:
    """Enter one view's errors into the rows of these targets."""
    for name, value, part in zip(names, found.mae, found.components(kind), strict=True):
        rows[name][column] = value
        if SHAPES[kind]:
            rows[name].setdefault("components", {})[column] = part


def _calibration(
    folder: Path,
    out: Path,
    saved: Saved,
    source: Source,
    config: TrainConfig,
    store: OnDevice,
    embedded: int,
    workers: int,
) -> Calibration:
    """The existing calibration, or a new one if it is missing or lacks a kind of geometry."""
    there = calibrated(folder, saved.card)
    lacking = [k for k in (EMBEDDED, HYDROGENS) if k not in source.kinds]
    if there is None or (embedded and not any(there.molecules(k) for k in lacking)):
        out.mkdir(exist_ok=True)
        calibrate(out, saved, source, config, store, embedded, workers)
        there = calibrated(out, saved.card)
    assert there is not None
    return there


def _held(
    made: Calibration,
    kind: str,
    found: Residuals,
    molecules: Molecules,
    targets: Sequence[Target],
    copies: int,
) -> dict[str, Any]:
    """Coverage and width of one kind of geometry's intervals on these test molecules."""
    names, signs = [t.name for t in targets], signs_of(found)
    ends, half = made.ends(names, kind, copies, signs), made.half_widths(names, kind, copies)
    values = np.stack(found.found) if targets[0].kind == "scalar" else None
    far = signs.distance(made.space)
    smiles = bar((molecules.smiles[i] for i in range(len(molecules))), "classes", len(molecules))
    members = groups(signs.heavy, far, smiles)
    rows, by_group = held(found.values, values, ends, half, targets, members)
    errors = dict(zip(names, found.mae, strict=True))
    result: dict[str, Any] = {
        "level": LEVEL,
        "calibrated_on": made.molecules(kind),
        "molecules": len(found.values),
        "targets": {name: row | {"mae": errors[name]} for name, row in rows.items()},
        "groups": by_group,
        "caveats": made.caveats(kind),
    }
    if not np.isnan(far).any():
        limit = [made.limit(kind, copies, int(n)) for n in signs.heavy]
        result["outside"] = float((far > limit).mean())
    return result
