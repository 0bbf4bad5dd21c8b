"""The commands train, evaluate, analyse and predict for data and models of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from .parsing import parse

WORD = "pictures"


def without_word(arguments: list[str]) -> list[str]:
    """The arguments without the leading word "pictures"."""
    return arguments[1:] if arguments[:1] == [WORD] else arguments


def meant(arguments: list[str]) -> bool:
    """Whether a command is about pictures: by that word, a data set's name, or a root folder."""
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
            return False  # reported when the config is read
        named = settings.get("data") if isinstance(settings, dict) else None
    if not isinstance(named, str):
        return False
    from ..datasets.pictures import available

    return named in available()


def learned(arguments: list[str]) -> bool:
    """Whether the first argument is "pictures", or any is a run folder with a model of pictures."""
    from ..training.shipped import holds_pictures

    named = (a for a in arguments if not a.startswith("-"))
    return arguments[:1] == [WORD] or any(map(holds_pictures, named))


def analyse(arguments: list[str]) -> int:
    """`molinv analyse` for a model of pictures; returns the exit code."""
    arguments = without_word(arguments)

    def fill(parser):
        parser.add_argument("run", help="run folder")
        parser.add_argument(
            "--pictures", type=int, default=100, help="largest number of test pictures"
        )
        parser.add_argument(
            "--places",
            type=int,
            default=9,
            help="number of positions along each generator, on either side of the original",
        )
        parser.add_argument(
            "--copies",
            type=int,
            default=8,
            help="number of group elements to average over; 0 runs the network alone",
        )
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument("-o", "--out", help="output folder (default: RUN/analysis)")
        parser.add_argument(
            "--trust", action="store_true", help="allow the model to import code outside molinv"
        )

    text = "Report how the outputs of a run change when its test pictures are moved."
    args = parse("analyse", text, arguments, fill)
    from ..analysis.pictures.produce import produce

    out = None if args.out is None else Path(args.out)
    page, verdict = produce(
        args.run, args.pictures, args.places, args.copies, out, args.trust, args.device
    )
    print("\n".join(verdict))
    print(f"wrote {page}")
    return 0


def predict(arguments: list[str]) -> int:
    """`molinv predict RUN picture.png -o folder`; returns the exit code."""
    arguments = without_word(arguments)

    def fill(parser):
        parser.add_argument("model", help="run folder")
        parser.add_argument("pictures", nargs="+", help="picture files (png, jpg, ...)")
        parser.add_argument(
            "-o", "--output", help="output folder for masks and overlays, or for predictions.json"
        )
        parser.add_argument(
            "--copies", type=int, default=8, help="number of group elements to average over"
        )
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        parser.add_argument(
            "--trust", action="store_true", help="allow the model to import code outside molinv"
        )

    args = parse("predict", "Predict picture files with the model of a run.", arguments, fill)
    from ..prediction.pictures import PicturePredictor, predict_files

    predictor = PicturePredictor(args.model, args.copies, args.trust, args.device)
    return predict_files(predictor, args.pictures, args.output)


def _few(*flags: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for flag in flags:
        parser.add_argument(flag, nargs="?")
    return parser
