"""Train and test a run for each fold."""

from __future__ import annotations

from .parsing import parse
from .training_flags import add_flags, check_names, check_targets, keep_config, typed

SUMMARY = "k-fold cross-validation: errors with their spread, predictions for all molecules"

TEXT = """Train one run for each of k folds, and test it on the molecules that the fold holds out.

    molinv crossvalidate --data mine.csv --targets "logS [log mol/L]" --out runs/cv
    molinv crossvalidate --data mine.csv --targets logS --folds 10 --seeds 3 --out runs/cv10
    molinv crossvalidate --data mine.csv --targets logS --split scaffold --out runs/scaffold
    molinv crossvalidate --data mine.csv --targets logS --split column:batch --out runs/batch
    molinv crossvalidate --config runs/a/config.yaml --ensemble 5 --out runs/ensembles
    molinv compare runs/cv runs/other           is the difference more than chance?

Each fold holds out 1/k of the molecules for testing. A tenth of all molecules is used for
validation, and the rest for training. Rows of the same molecule are always in the same fold. With
--split scaffold, so are molecules that share a ring system, and with --split column:NAME, rows
with the same value in that column. All other flags are those of `molinv train`. Each fold is a run,
such as runs/cv/seed_0/fold_1, which can be evaluated and used for predictions. The same command
resumes an interrupted cross-validation, and more --seeds extend it.

OUT/predictions.csv has the input's columns and, for each row, the prediction of the fold that held
it out. A fold that cannot be trained is listed with the reason, and the other folds are trained."""


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code, 1 if a fold was left out."""
    from ..training.config import TrainConfig

    def fill(parser):
        parser.add_argument("--folds", type=int, default=5, help="number of folds")
        parser.add_argument(
            "--seeds",
            type=int,
            default=1,
            help="number of repetitions of all folds, with the seeds seed, seed + 1, ... for "
            "folds, initial weights and group elements",
        )
        parser.add_argument("--ensemble", type=int, help="number of members to train in each fold")
        parser.add_argument(
            "--average",
            type=int,
            default=8,
            help="number of orientations to average test predictions over",
        )
        add_flags(parser, TrainConfig)
        parser.set_defaults(out="runs/cv")

    settings = parse("crossvalidate", SUMMARY, arguments, fill, TEXT).as_dict()
    settings.pop("config")
    keep_config(settings, arguments)
    trust, workers = settings.pop("trust"), settings.pop("workers")
    numbers = [settings.pop(name) for name in ("folds", "seeds", "ensemble", "average")]
    check_names(settings, arguments, trust)
    check_targets(settings, typed(arguments))
    config = TrainConfig(**settings)
    from rich import print as show

    from ..studies import crossvalidate as module

    plan = module.Plan(*numbers)
    found = module.crossvalidate(config, plan, trust, workers, typed(arguments))
    show(module.table(found))
    for note in (texts := module.notes(found)):
        print(note)
    print(f"wrote {config.out}/cv.json and {config.out}/predictions.csv")
    return 1 if texts else 0
