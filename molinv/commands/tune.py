"""Search settings of training."""

from __future__ import annotations

from ..errors import InputError
from .parsing import parse
from .training_flags import add_flags, check_names, check_targets, keep_config, typed

SUMMARY = "search training settings by validation error, and write the best ones as a config"

TEXT = """Search training settings by validation error, and write the best ones as a config.

    molinv tune --data mine.csv --targets "logS [log mol/L]" --trials 20 --out runs/tune
    molinv tune --data mine.csv --targets logS --minutes 30 --epochs 40 --out runs/tune
    molinv tune --data mine.csv --targets logS --search lr,muon_lr,width --out runs/rates
    molinv train --config runs/tune/best.yaml

By default the search covers lr, muon_lr, weight_decay, batch_size, ema, width, layers, readout,
distribution and features, except those that are given as flags; --search chooses others. The first
trial has the settings as given, and bad trials end early. Each trial is a run (OUT/trial_0, ...).
Test molecules are never used. The same command resumes an interrupted search, and a larger
--trials extends it. All other flags are those of `molinv train`. Needs optuna: pip install
'molinv[tune]'."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""
    from ..training.config import TrainConfig

    def fill(parser):
        parser.add_argument(
            "--trials", type=int, default=20, help="number of runs, including the first trial"
        )
        parser.add_argument(
            "--search", help="settings to search, separated by commas, e.g. lr,width"
        )
        parser.add_argument(
            "--minutes",
            type=float,
            help="minutes after which the search stops; the same command resumes its last trial",
        )
        add_flags(parser, TrainConfig, skip=["minutes"])
        parser.set_defaults(out="runs/tune")

    settings = parse("tune", SUMMARY, arguments, fill, TEXT).as_dict()
    settings.pop("config")
    keep_config(settings, arguments)
    trust, workers = settings.pop("trust"), settings.pop("workers")
    trials, search, minutes = (settings.pop(name) for name in ("trials", "search", "minutes"))
    check_names(settings, arguments, trust)
    check_targets(settings, typed(arguments))
    names = None if search is None else [s.strip() for s in search.split(",") if s.strip()]
    if names == []:
        raise InputError("--search: expected names such as lr,width, got none.")
    config = TrainConfig(**settings)
    from rich import print as show

    from ..studies import tune as module

    found = module.tune(config, trials, minutes, names, trust, workers, typed(arguments))
    show(module.table(found))
    print(found.sentence)
    print(f"wrote {config.out}/best.yaml; next: molinv train --config {config.out}/best.yaml")
    return 0
