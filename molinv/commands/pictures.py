"""What train, evaluate, analyse and predict do where the data, or the model, is of pictures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import InputError
from ..names import outside
from .parsing import parse


def meant(arguments: list[str]) -> bool:
    """Whether a training run is of pictures: by its data set's name, or a root folder."""
    found, _ = _few("--data", "--root", "--config").parse_known_args(arguments)
    if found.root is not None:
        return True
    named = found.data
    if named is None and found.config is not None and Path(found.config).is_file():
        import yaml

        try:
            settings = yaml.safe_load(Path(found.config).read_text())
        except (yaml.YAMLError, ValueError):
            return False  # whoever reads it says so
        named = settings.get("data") if isinstance(settings, dict) else None
    if not isinstance(named, str):
        return False
    from ..datasets.pictures import available

    return named in available()


def learned(arguments: list[str]) -> bool:
    """Whether an argument is a run folder with a model of pictures."""
    return any(_of_pictures(Path(a)) for a in arguments if not a.startswith("-"))


def _of_pictures(folder: Path) -> bool:
    try:
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return "pictures" in card
    except (OSError, ValueError, TypeError):
        return False


def train(arguments: list[str]) -> int:
    """`molinv train` on pictures; its exit code."""
    from ..training.picture_config import PictureConfig

    def fill(parser):
        parser.add_argument("--config", action="config", help="a config.yaml; flags override it")
        parser.add_class_arguments(PictureConfig)
        parser.add_argument("--trust", action="store_true", help="import code the config names")

    args = parse("train", "train a network on pictures with a distribution", arguments, fill)
    settings = {k: v for k, v in args.as_dict().items() if k not in ("config", "trust")}
    for name in ("model", "model_args", "group", "distribution", "distribution_args"):
        foreign = [s for s in outside(settings[name]) if not any(s in a for a in arguments)]
        if foreign and not args.trust:
            raise InputError(
                f"the config's {name} needs code outside molinv ({', '.join(foreign)}); pass "
                "--trust if you know where it comes from."
            )
    config = PictureConfig(**settings)
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from ..training.run import train

    folder = train(config)
    if not getattr(rank_zero_only, "rank", None):  # of several processes, the first speaks
        print(f"wrote {folder}; next: molinv evaluate {folder}")
    return 0


def evaluate(arguments: list[str]) -> int:
    """`molinv evaluate` of a model of pictures; its exit code."""

    def fill(parser):
        parser.add_argument("run", help="a run folder")
        parser.add_argument("--copies", type=int, default=8, help="copies that are averaged")
        parser.add_argument("--limit", type=int, help="use the first so many test pictures")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse("evaluate", "errors of a run on its test pictures", arguments, fill)
    from rich import print as show

    from ..prediction.picture_errors import evaluate, table

    result = evaluate(args.run, args.copies, args.limit, args.trust)
    show(table(result))
    reach = (f"{n} {e['value']:.3g} {e['unit']}" for n, e in result["extents"].items())
    print(f"learned half-widths: {', '.join(reach)}")
    return 0


def analyse(arguments: list[str]) -> int:
    """`molinv analyse` of a model of pictures; its exit code."""

    def fill(parser):
        parser.add_argument("run", help="a run folder")
        parser.add_argument("--pictures", type=int, default=100, help="at most so many of the test")
        parser.add_argument("--places", type=int, default=9, help="poses on either side of none")
        parser.add_argument("--copies", type=int, default=8, help="averaged over; 0: network alone")
        parser.add_argument("-o", "--out", help="folder to write to (RUN/analysis)")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse("analyse", "how what a run says moves with its test pictures", arguments, fill)
    from ..analysis.pictures.produce import produce

    out = None if args.out is None else Path(args.out)
    page, verdict = produce(args.run, args.pictures, args.places, args.copies, out, args.trust)
    print("\n".join(verdict))
    print(f"wrote {page}")
    return 0


def predict(arguments: list[str]) -> int:
    """`molinv predict RUN picture.png -o folder`; its exit code."""

    def fill(parser):
        parser.add_argument("model", help="a run folder")
        parser.add_argument("pictures", nargs="+", help="picture files (png, jpg, ...)")
        parser.add_argument(
            "-o", "--output", help="a folder: masks and overlays, or predictions.json"
        )
        parser.add_argument("--copies", type=int, default=8, help="group elements to average over")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse("predict", "predict picture files by the model of a run", arguments, fill)
    from ..prediction.pictures import PicturePredictor, predict_files

    predictor = PicturePredictor(args.model, args.copies, args.trust)
    return predict_files(predictor, args.pictures, args.output)


def _few(*flags: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in flags:
        parser.add_argument(flag, nargs="?")
    return parser
