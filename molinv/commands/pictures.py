"""What train, evaluate, analyse and predict do where the data, or the model, is of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from .parsing import parse

WORD = "pictures"


def without_word(arguments: list[str]) -> list[str]:
    """The arguments after the word "pictures", where it stands first."""
    return arguments[1:] if arguments[:1] == [WORD] else arguments


def meant(arguments: list[str]) -> bool:
    """Whether a command is of pictures: by that word, a data set's name, or a root folder."""
    if arguments[:1] == [WORD]:
        return True
    found, _ = _few("--data", "--root", "--config").parse_known_args(arguments)
    if found.root is not None:
        return True
    named = found.data
    if named is None and found.config is not None and Path(found.config).is_file():
        import yaml

        try:
            settings = yaml.safe_load(Path(found.config).read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError):
            return False  # whoever reads it says so
        named = settings.get("data") if isinstance(settings, dict) else None
    if not isinstance(named, str):
        return False
    from ..datasets.pictures import available

    return named in available()


def learned(arguments: list[str]) -> bool:
    """Whether an argument is a run folder with a model of pictures, or the first one says so."""
    from ..training.shipped import holds_pictures

    named = (a for a in arguments if not a.startswith("-"))
    return arguments[:1] == [WORD] or any(map(holds_pictures, named))


def analyse(arguments: list[str]) -> int:
    """`molinv analyse` of a model of pictures; its exit code."""
    arguments = without_word(arguments)

    def fill(parser):
        parser.add_argument("run", help="a run folder")
        parser.add_argument("--pictures", type=int, default=100, help="at most so many of the test")
        parser.add_argument("--places", type=int, default=9, help="poses on either side of none")
        parser.add_argument("--copies", type=int, default=8, help="averaged over; 0: network alone")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument("-o", "--out", help="folder to write to (RUN/analysis)")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse(
        "analyse", "how what a run says moves with its test pictures", without_word(arguments), fill
    )
    from ..analysis.pictures.produce import produce

    out = None if args.out is None else Path(args.out)
    page, verdict = produce(
        args.run, args.pictures, args.places, args.copies, out, args.trust, args.device
    )
    print("\n".join(verdict))
    print(f"wrote {page}")
    return 0


def predict(arguments: list[str]) -> int:
    """`molinv predict RUN picture.png -o folder`; its exit code."""
    arguments = without_word(arguments)

    def fill(parser):
        parser.add_argument("model", help="a run folder")
        parser.add_argument("pictures", nargs="+", help="picture files (png, jpg, ...)")
        parser.add_argument(
            "-o", "--output", help="a folder: masks and overlays, or predictions.json"
        )
        parser.add_argument("--copies", type=int, default=8, help="group elements to average over")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = parse(
        "predict", "predict picture files by the model of a run", without_word(arguments), fill
    )
    from ..prediction.pictures import PicturePredictor, predict_files

    predictor = PicturePredictor(args.model, args.copies, args.trust, args.device)
    return predict_files(predictor, args.pictures, args.output)


def _few(*flags: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in flags:
        parser.add_argument(flag, nargs="?")
    return parser
