"""Train a network jointly with a distribution."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import pictures
from .parsing import parse
from .training_flags import add_flags, check_names, check_targets, keep_config, typed

SUMMARY = "train a network jointly with a distribution on a group"

TEXT = """Train a network on molecules jointly with a distribution on a group.

    molinv train --data qm9 --targets homo,lumo --train_size 5000 --out runs/a
    molinv train --data mine.csv --targets "logS [log mol/L]" --out runs/b
    molinv train --data mine.csv --targets active --out runs/c      classes, by name or as 0/1
    molinv train --data train.csv --valid valid.csv --test test.csv --targets logS --out runs/f
    molinv train --config runs/a/config.yaml --seed 1 --out runs/d  flags override the config
    molinv train --data mine.csv --targets logS --ensemble 5 --out runs/e   ensemble of 5 members

For pictures see: molinv train pictures --help. Settings of a model, task, group or distribution
are listed by: molinv models NAME, molinv tasks NAME, molinv groups NAME, molinv distributions
NAME."""

PICTURES = """Train a network on pictures jointly with a distribution on a group.

    molinv train pictures --data mnist --group Affine2 --out runs/digits
    molinv train pictures --data camvid --root CamVid --out runs/streets"""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    named = typed(arguments)
    if pictures.meant(arguments):
        from ..training.picture_config import PictureConfig as Config

        arguments, text = pictures.without_word(arguments), PICTURES
        if "ensemble" in named:
            raise InputError(
                "--ensemble is for molecules only: train pictures several times, each with another "
                "--seed and --out."
            )
    else:
        from ..training.config import TrainConfig as Config

        text = TEXT

    def fill(parser):
        add_flags(parser, Config, workers=text is TEXT)
        if text is TEXT:
            parser.add_argument(
                "--ensemble",
                type=int,
                help="number of members to train, with the seeds seed, seed + 1, ... and the same "
                "split, in OUT/member_0, OUT/member_1, ...; OUT is then a model that predicts "
                "their mean. An interrupted ensemble is resumed; a larger number extends it",
            )

    settings = parse("train", SUMMARY, arguments, fill, text).as_dict()
    settings.pop("config")
    if text is TEXT:
        keep_config(settings, arguments)
    trust, workers = settings.pop("trust"), settings.pop("workers", 0)
    members = settings.pop("ensemble", None)
    check_names(settings, arguments, trust)
    if text is TEXT:
        check_targets(settings, named)
    config = Config(**settings)
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from ..training.run import train

    if members is None:
        folder = train(config, trust, workers, named)
    else:
        from ..training.config import TrainConfig
        from ..training.ensemble import train_ensemble

        assert isinstance(config, TrainConfig)

        def finish(folder: Path, config: TrainConfig) -> None:
            _finish(folder, config, workers)

        folder = train_ensemble(config, members, trust, workers, named, finish)
        _calibrate(folder, workers)
        print(f"wrote {folder}, {members} members; next: molinv evaluate {folder}")
        return 0
    if getattr(rank_zero_only, "rank", None):
        return 0  # only the first of several processes draws and prints
    if text is TEXT:
        _finish(folder, config, workers)
    print(f"wrote {folder}; next: molinv evaluate {folder}")
    return 0


def _finish(folder: Path, config: Any, workers: int) -> None:
    """Calibrate intervals, draw training curves, and report rejected rows."""
    from ..training.curves import draw_curves

    _calibrate(folder, workers)
    draw_curves(folder)
    if (rejected := folder / "rejected.csv").is_file():
        with rejected.open(newline="", encoding="utf-8") as file:
            count = sum(1 for _ in csv.reader(file)) - 1
        print(f"rows of {', '.join(config.files.values())} left out: {count:,}, see {rejected}")


def _calibrate(folder: Path, workers: int) -> None:
    from ..prediction.calibrate import calibrate_run

    calibrate_run(folder, trust=True, workers=workers)  # this run was built from the same names
