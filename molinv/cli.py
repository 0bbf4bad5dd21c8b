"""The command line: thin, each command loads what it needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from .errors import InputError, unknown
from .names import outside

COMMANDS = {
    "data": "build a data set's cache and print what is in it",
    "train": "train a network jointly with a distribution on a group",
    "evaluate": "errors of a run on its test molecules: stored, rotated, averaged",
    "predict": "predict molecules given as SMILES or files",
    "models": "the architectures that exist, and the cards of the shipped models",
    "groups": "the groups that exist, with their generators",
    "bench": "make one of the README's tables again",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; exit code 0, 1 where some molecules failed, 2 for bad input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        from . import __version__

        print(f"molinv {__version__}")
        return 0
    try:
        if arguments[0] not in COMMANDS:
            raise unknown("command", arguments[0], COMMANDS)
        return globals()[f"_{arguments[0]}"](arguments[1:])
    except InputError as error:
        print(f"molinv: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        named = f": {error.filename}" if error.filename else ""
        print(f"molinv: error: {error.strerror or error}{named}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("molinv: interrupted; the same command goes on from here.", file=sys.stderr)
        return 130


def _help() -> str:
    rows = "\n".join(f"  {name:<10}{text}" for name, text in COMMANDS.items())
    return (
        "usage: molinv COMMAND ...\n\nLearn which rotations your data is invariant to, jointly "
        f"with the network.\n\n{rows}\n\nexamples:\n"
        "  molinv train --data qm9 --targets homo,lumo --train_size 5000 --out runs/a\n"
        "  molinv evaluate runs/a\n"
        "  molinv predict CCO                        by the model that is shipped\n"
        "  molinv predict runs/a CCO c1ccccc1 mols.sdf -o out.csv\n\n"
        "molinv COMMAND --help explains a command."
    )


def _parse(
    command: str, arguments: list[str], fill: Callable[[Any], None], text: str | None = None
) -> Any:
    """The arguments that `fill` declares; `text`, where there is one, heads the help as it is."""
    from argparse import RawDescriptionHelpFormatter

    from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter
    from yaml import YAMLError

    class AsItIs(RawDescriptionHelpFormatter, DefaultHelpFormatter):
        pass

    parser = ArgumentParser(
        prog=f"molinv {command}",
        description=text or COMMANDS[command],
        formatter_class=AsItIs,
        exit_on_error=False,
        allow_abbrev=False,
    )
    fill(parser)
    try:
        return parser.parse_args(arguments)
    except (ArgumentError, ValueError, YAMLError) as error:
        text = " ".join(str(error).split())
        raise InputError(f"{text} (see `molinv {command} --help`)") from error


def _data(arguments: list[str]) -> int:
    args = _parse(
        "data",
        arguments,
        lambda p: p.add_argument("name", help="qm9, or a folder of a data set"),
    )
    from rich import print as show
    from rich.table import Table

    from .datasets import load
    from .datasets.split import split

    molecules = load(args.name)
    parts = split(len(molecules))
    sizes = molecules.sizes
    show(
        f"{len(molecules):,} molecules, {sizes.sum():,} atoms (mean {sizes.mean():.1f}, most "
        f"{sizes.max()}); split {parts.hash} with seed 0: {len(parts.train):,} train, "
        f"{len(parts.valid):,} valid, {len(parts.test):,} test"
    )
    table = Table("target", "unit", "what", "mean", "std")
    for t in molecules.targets:
        y = molecules.select([t.name])
        table.add_row(t.name, t.unit, t.description, f"{y.mean():.5g}", f"{y.std():.5g}")
    show(table)
    return 0


def _train(arguments: list[str]) -> int:
    from .training.config import TrainConfig

    def fill(parser):
        parser.add_argument("--config", action="config", help="a config.yaml; flags override it")
        parser.add_class_arguments(TrainConfig)
        parser.add_argument("--trust", action="store_true", help="import code the config names")

    args = _parse("train", arguments, fill)
    settings = {k: v for k, v in args.as_dict().items() if k not in ("config", "trust")}
    for name in ("model", "model_args", "group", "distribution"):
        # a name that stands on the command line was typed; any other came from the config
        foreign = [s for s in outside(settings[name]) if not any(s in a for a in arguments)]
        if foreign and not args.trust:
            raise InputError(
                f"the config's {name} needs code outside molinv ({', '.join(foreign)}); pass "
                "--trust if you know where it comes from."
            )
    config = TrainConfig(**settings)
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from .analysis.curves import draw_curves
    from .training.run import train

    folder = train(config)
    if getattr(rank_zero_only, "rank", None):
        return 0  # of several processes, the first draws and speaks for all
    draw_curves(folder)
    print(f"wrote {folder}; next: molinv evaluate {folder}")
    return 0


def _evaluate(arguments: list[str]) -> int:
    def fill(parser):
        parser.add_argument("run", help="a run folder")
        parser.add_argument("--copies", type=int, default=8, help="copies that are averaged")
        parser.add_argument("--limit", type=int, help="use the first so many test molecules")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = _parse("evaluate", arguments, fill)
    from rich import print as show

    from .analysis.accuracy import evaluate, table

    show(table(evaluate(args.run, args.copies, args.limit, args.trust)))
    return 0


def _predict(arguments: list[str]) -> int:
    def fill(parser):
        parser.usage = "molinv predict [options] [MODEL] INPUT [INPUT ...]"
        parser.add_argument(
            "inputs",
            nargs="+",
            metavar="INPUT",
            help="SMILES, or .smi .csv .sdf .mol .xyz .extxyz files; before them, MODEL is a run "
            "folder or a shipped model's name (see `molinv models`), left out the shipped qm9",
        )
        parser.add_argument("-o", "--output", help="write .csv or .json instead of a table")
        parser.add_argument("--targets", help="of those the model has: homo,lumo (all)")
        parser.add_argument("--copies", type=int, default=8, help="orientations to average")
        parser.add_argument("--smiles_column", help="the column of SMILES in .csv files")
        parser.add_argument("--seed", type=int, default=0, help="of the conformer search")
        parser.add_argument("--trust", action="store_true", help="import code the model names")

    args = _parse("predict", arguments, fill, _PREDICT)
    from rich import print as show
    from rich.console import Console
    from rich.progress import track

    from . import output
    from .chem import Rejected, read
    from .predict import Predictor
    from .pretrained.choose import choose

    path = output.check_path(args.output) if args.output else None
    model, inputs = choose(args.inputs)
    structures = read(inputs, smiles_column=args.smiles_column, seed=args.seed)
    targets = None if args.targets is None else [t.strip() for t in args.targets.split(",")]
    predictor = Predictor(model, args.copies, args.trust, targets)
    screen = Console(stderr=True, highlight=False)
    if predictor.shipped:
        trained = predictor.saved.card["molecules"]["train"]
        text = f"{predictor.name}, shipped with molinv, trained on {trained:,} molecules"
        screen.print(f"{text}; its card: molinv models", style="dim", soft_wrap=True)
    stream = track(predictor.predict(structures), "predicting", console=screen, transient=True)
    results = list(stream)
    rows = [r for r in results if not isinstance(r, Rejected)]
    bad = [r for r in results if isinstance(r, Rejected)]
    if path:
        output.write(path, rows)
        print(f"wrote {len(rows)} molecules to {path}")
    elif rows:
        show(output.table(rows, predictor))
    for note in output.notes(rows, predictor) if rows else ():
        print(note)
    for item in bad:
        print(f"molinv: {item.source}: {item.name}: {item.reason}", file=sys.stderr)
    return 0 if not bad else 1 if rows or len(bad) > 1 else 2


_PREDICT = """Predict molecules given as SMILES or files, by a shipped model or one of your own.

Every value has its unit, its standard deviation over rotations and, where it is known, the
model's mean absolute error on test molecules (test MAE). QM9's U0, U, H and G are relative to atom
energies fitted on the training molecules, not total energies.

    molinv predict CCO                          by the shipped model
    molinv predict CCO mols.sdf --targets homo,lumo -o out.csv
    molinv predict runs/a CCO                   by the model of a run folder"""


def _models(arguments: list[str]) -> int:
    _parse("models", arguments, lambda p: None)
    from inspect import getdoc

    from rich import print as show

    from . import models, pretrained
    from .pretrained.card import card

    names = models.available()
    width = max(map(len, names)) + 2
    for name in names:
        net = models.make(name, 1, {})
        built_in = ", ".join(net.symmetries) or "none"
        print(f"{name:<{width}}{(getdoc(type(net)) or '').splitlines()[0]}")
        print(f"{'':<{width}}outputs: {', '.join(net.outputs)}; symmetries by default: {built_in}")
    shipped = pretrained.available()
    print(f"\nShipped: {', '.join(shipped) or 'none'}")
    for name in shipped:
        show(card(name))
    return 0


def _groups(arguments: list[str]) -> int:
    _parse("groups", arguments, lambda p: None)
    from inspect import getdoc

    from rich import print as show
    from rich.table import Table

    from . import groups

    table = Table("group", "compact", "generators (unit, cap)", "what")
    for name, kind in groups.available().items():
        group = kind.examples()[-1]
        rows = zip(group.names, group.units, group.caps, strict=True)
        generators = ", ".join(f"{n} ({u}, {c:.3g})" for n, u, c in rows)
        what = (getdoc(kind) or "").splitlines()[0]
        table.add_row(name, "yes" if group.compact else "no", generators, what)
    show(table)
    return 0


def _bench(arguments: list[str]) -> int:
    from . import bench

    if arguments[:1] in (["-h"], ["--help"]):
        rows = "\n".join(f"  {name:<16}{text}" for name, text in bench.summaries().items())
        print(
            f"usage: molinv bench NAME ...\n\nMake one of the README's tables again.\n\n{rows}\n\n"
            "molinv bench NAME --help explains a benchmark and its flags."
        )
        return 0
    if not arguments or arguments[0].startswith("-"):
        names = ", ".join(bench.available())
        raise InputError(f"bench: expected the name of a benchmark first, one of {names}.")
    module = bench.find(arguments[0])

    def fill(parser):
        parser.add_function_arguments(module.main, as_positional=False)
        for action in parser._actions:
            if action.default is False:  # `--quick` alone turns it on
                action.nargs, action.const = "?", True

    args = _parse(f"bench {arguments[0]}", arguments[1:], fill, module.__doc__)
    module.main(**args.as_dict())
    return 0


def run() -> None:
    """The console script, a process of its own."""
    from .allocator import keep_memory

    keep_memory()
    sys.exit(main())
