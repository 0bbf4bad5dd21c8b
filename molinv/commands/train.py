"""Train a network jointly with a distribution."""

from __future__ import annotations

import csv
import os

from ..errors import InputError
from ..names import outside
from . import pictures
from .parsing import parse

SUMMARY = "train a network jointly with a distribution on a group"


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    if pictures.meant(arguments):
        return pictures.train(arguments)
    from ..training.config import TrainConfig

    def fill(parser):
        parser.add_argument("--config", action="config", help="a config.yaml; flags override it")
        parser.add_class_arguments(TrainConfig)
        parser.add_argument(
            "--workers",
            type=int,
            default=os.cpu_count() or 1,
            help="processes that search conformers for a file without 3-D coordinates",
        )
        parser.add_argument("--trust", action="store_true", help="import code the config names")

    args = parse("train", SUMMARY, arguments, fill)
    settings = {k: v for k, v in args.as_dict().items() if k not in ("config", "trust", "workers")}
    for name in ("model", "model_args", "group", "distribution", "distribution_args"):
        # a name that stands on the command line was typed; any other came from the config
        foreign = [s for s in outside(settings[name]) if not any(s in a for a in arguments)]
        if foreign and not args.trust:
            raise InputError(
                f"the config's {name} needs code outside molinv ({', '.join(foreign)}); pass "
                "--trust if you know where it comes from."
            )
    config = TrainConfig(**settings)
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from ..analysis.curves import draw_curves
    from ..prediction.calibrate import calibrate_run
    from ..training.run import train

    typed = {a[2:].partition("=")[0].replace("-", "_") for a in arguments if a.startswith("--")}
    folder = train(config, args.trust, args.workers, typed)
    if getattr(rank_zero_only, "rank", None):
        return 0  # of several processes, the first draws and speaks for all
    calibrate_run(folder, trust=True)  # names that this very run was built from
    draw_curves(folder)
    if (rejected := folder / "rejected.csv").is_file():
        with rejected.open(newline="") as file:
            count = sum(1 for _ in csv.reader(file)) - 1
        print(f"left out {count:,} rows of {config.data}, see {rejected}")
    print(f"wrote {folder}; next: molinv evaluate {folder}")
    return 0
