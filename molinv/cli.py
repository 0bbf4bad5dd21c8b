"""The command line. Each command imports what it needs when it runs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from .errors import InputError, Terminated, unknown

# each command is a file in commands/ with a SUMMARY and a main
COMMANDS = ("data", "train", "crossvalidate", "compare", "tune", "evaluate", "analyse", "predict")
COMMANDS += ("models", "tasks", "groups", "distributions", "bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 on success, 1 if some molecules failed, 2 for bad input, 130 if interrupted, 141 if the reader
    of the output ended, 143 if terminated.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["help"]:  # molinv help COMMAND
        arguments = [*arguments[1:2], "--help"]
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
        return _command(arguments[0]).main(arguments[1:])
    except InputError as error:
        print(f"molinv: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        named = f": {error.filename}" if error.filename else ""
        print(f"molinv: error: {error.strerror or error}{named}", file=sys.stderr)
        return 2
    except Terminated:
        _say_once("terminated after saving a checkpoint; the same command resumes from it.")
        return 143
    except KeyboardInterrupt:
        _say_once("interrupted; the same command resumes from here.")
        return 130


def _say_once(text: str) -> None:
    """Print to the standard error, in the first process of a distributed run only."""
    if not int(os.environ.get("LOCAL_RANK", 0)):
        print(f"molinv: {text}", file=sys.stderr)


def _help() -> str:
    rows = "\n".join(f"  {name:<15}{_command(name).SUMMARY}" for name in COMMANDS)
    return (
        "usage: molinv COMMAND ...\n\nLearn which rotations your data is invariant to, jointly "
        f"with the network.\n\n{rows}\n\nexamples:\n"
        "  molinv train --data qm9 --targets homo,lumo --train_size 5000 --out runs/a\n"
        "  molinv evaluate runs/a\n"
        "  molinv predict CCO                        with a shipped model\n"
        "  molinv predict runs/a CCO c1ccccc1 mols.sdf -o out.csv\n\n"
        "molinv COMMAND --help explains a command."
    )


def _command(name: str):
    return importlib.import_module(f".commands.{name}", __package__)


def run() -> None:
    """The console script: run the command in this process and exit."""
    from .allocator import keep_memory
    from .sharing import share_cores

    keep_memory()
    with share_cores():
        code = main()
    sys.exit(code)
