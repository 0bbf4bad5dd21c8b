"""The commands and the output that the README pages show, read out of them."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from molinv.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *ROOT.glob("molinv/**/README.md"), *ROOT.glob("tests/**/*.md")]
)


class Command(NamedTuple):
    """A line to run, the lines that have to come, and the exit code."""

    line: str
    shown: list[str]
    code: int


def read_page(path: Path) -> str:
    """The text of a page."""
    return path.read_text(encoding="utf-8")


def shown_commands(text: str) -> list[Command]:
    """The commands after `$ ` in a page's indented blocks, with their output and exit code."""
    commands: list[Command] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("    "):
            inside = inside and not line.strip()  # an empty line does not end a block
            continue
        line = line[4:]
        if line.startswith("$ "):
            commands.append(Command(line[2:], [], 0))
            inside = True
        elif inside and (match := re.fullmatch(r"exit code (\d)", line)):
            commands[-1] = commands[-1]._replace(code=int(match[1]))
        elif inside:
            commands[-1].shown.append(line)
    return commands


def other_commands(text: str) -> list[str]:
    """The commands of indented blocks without `$ `, whose output is not shown, in one line each."""
    joined = re.sub(r"\\\n +", "", text)
    found = re.findall(r"^ {4}(?! )(.*)$", joined, re.MULTILINE)
    names = ("molinv ", ".venv/", "OMP_NUM_THREADS", "python", "make ", "torchrun ")
    return [line.split("  #")[0].strip() for line in found if line.startswith(names)]


def python_blocks(text: str) -> list[str]:
    """The fenced blocks of Python."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def plain(line: str) -> str:
    """A line without its figures and without the spaces between cells."""
    if not line.startswith("± "):
        line = re.sub(r"-?\d[\d.]*(?= ±)|(?<=± )\d[\d.]*", "0", line)
    if line.startswith("test MAE"):
        line = re.sub(r"\d[\d.]*", "0", line)
    return " ".join(line.replace("─", "").split())


def expected(line: str) -> str:
    """A regular expression for `plain` lines; "..." stands for any text."""
    return ".*".join(re.escape(part) for part in plain(line).split("..."))


def run_line(line: str, capsys, monkeypatch) -> tuple[int, str]:
    """Run a command; its exit code and what it prints."""
    left, pipe, right = line.partition(" | ")
    if not (right or left).startswith("molinv "):
        return subprocess.run(["bash", "-c", line], check=True).returncode, ""
    if pipe:
        piped = subprocess.run(["bash", "-c", left], check=True, capture_output=True).stdout
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    code = main(shlex.split(right or left)[1:])
    said = capsys.readouterr()
    return code, said.out + said.err


def check_shown(commands: list[Command], folder: Path, capsys, monkeypatch) -> None:
    """Run commands in a folder of 80 columns: each has to print the lines that its page shows."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    for command in commands:
        code, said = run_line(command.line, capsys, monkeypatch)
        assert code == command.code, said
        lines = [plain(line) for line in said.splitlines()]
        for shown in command.shown:
            assert any(re.fullmatch(expected(shown), line) for line in lines), (shown, said)
        assert "Traceback" not in said
