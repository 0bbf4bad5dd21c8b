"""Train and test a run for each fold."""

from __future__ import annotations

from .parsing import parse
from .training_flags import add_flags, check_names, keep_config, typed

SUMMARY = "k-fold cross-validation: errors with their spread, a prediction for every molecule"

TEXT = """Train a run for each of k folds, and test it on the molecules that the fold holds out.

    molinv crossvalidate --data mine.csv --targets "logS [log mol/L]" --out runs/cv
    molinv crossvalidate --data mine.csv --targets logS --folds 10 --seeds 3 --out runs/cv10
    molinv crossvalidate --data mine.csv --targets logS --split scaffold --out runs/scaffold
    molinv crossvalidate --data mine.csv --targets logS --split column:batch --out runs/batch
    molinv crossvalidate --config runs/a/config.yaml --ensemble 5 --out runs/ensembles
    molinv compare runs/cv runs/other           is the difference more than chance?

A fold holds out a k-th of the molecules; a tenth of all validates, the rest trains. Rows of one
molecule are never divided, with --split scaffold neither are ring systems, with --split column:NAME
neither are rows that have the same value of the column. All other flags are those of `molinv
train`. Every fold is a run, such as runs/cv/seed_0/fold_1, which predicts, evaluates and resumes
as others do; the same command resumes where it was interrupted, more --seeds extend it.

OUT/predictions.csv has the input's columns and, for each row, the prediction of the fold that held
it out. A fold that cannot be trained is listed with its reason, and the others go on."""


def main(arguments: list[str]) -> int:
    """Run the command; its exit code: 1 where a fold was left out."""
    from ..training.config import TrainConfig

    def fill(parser):
        parser.add_argument("--folds", type=int, default=5, help="number of folds")
        parser.add_argument(
            "--seeds",
            type=int,
            default=1,
            help="how many times all folds are trained, with the seeds seed, seed + 1, ... for "
            "folds, initial weights and group elements",
        )
        parser.add_argument("--ensemble", type=int, help="train so many members in every fold")
        parser.add_argument(
            "--average", type=int, default=8, help="orientations that test predictions average over"
        )
        add_flags(parser, TrainConfig)
        parser.set_defaults(out="runs/cv")

    settings = parse("crossvalidate", SUMMARY, arguments, fill, TEXT).as_dict()
    settings.pop("config")
    keep_config(settings, arguments)
    trust, workers = settings.pop("trust"), settings.pop("workers")
    numbers = [settings.pop(name) for name in ("folds", "seeds", "ensemble", "average")]
    check_names(settings, arguments, trust)
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
