"""The README's page of ten inputs, run as it stands there.

Every line of output on the page must be printed, except that predicted numbers may differ, because
another release may ship another model. "..." matches any text.
"""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from molinv.cli import main

README = Path(__file__).parents[2] / "README.md"
TITLE = "## Ten inputs, good and bad\n"


class Command(NamedTuple):
    """A line to run, the lines that it must print, and its exit code."""

    line: str
    shown: list[str]
    code: int


def examples() -> dict[str, list[Command]]:
    """The commands of each numbered example of the page."""
    page = README.read_text(encoding="utf-8").partition(TITLE)[2].partition("\n## ")[0]
    found = {}
    for text in re.split(r"\n(?=\*\*\d+\. )", page)[1:]:
        commands: list[Command] = []
        for line in re.findall(r"^    (.*)$", text, re.MULTILINE):
            if line.startswith("$ "):
                commands.append(Command(line[2:], [], 0))
            elif match := re.fullmatch(r"exit code (\d)", line):
                commands[-1] = commands[-1]._replace(code=int(match[1]))
            else:
                commands[-1].shown.append(line)
        found[re.match(r"\*\*(\d+)\.", text)[1]] = commands
    return found


EXAMPLES = examples()


def plain(line: str) -> str:
    """A line without predicted numbers and without the spaces between cells."""
    if not line.startswith("± "):
        line = re.sub(r"-?\d[\d.]*(?= ±)|(?<=± )\d[\d.]*", "0", line)
    if line.startswith("test MAE"):
        line = re.sub(r"\d[\d.]*", "0", line)
    return " ".join(line.replace("─", "").split())


def expected(line: str) -> str:
    """A regular expression for a line of the page."""
    return ".*".join(re.escape(part) for part in plain(line).split("..."))


def run(line, capsys, monkeypatch) -> tuple[int, str]:
    """Run a line; returns the exit code and the printed text."""
    left, pipe, right = line.partition(" | ")
    if not (right or left).startswith("molinv "):
        return subprocess.run(["bash", "-c", line], check=True).returncode, ""
    if pipe:
        piped = subprocess.run(["bash", "-c", left], check=True, capture_output=True).stdout
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    code = main(shlex.split(right or left)[1:])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_there_are_ten_and_both_kinds():
    assert list(EXAMPLES) == [str(i) for i in range(1, 11)]
    commands = [c for some in EXAMPLES.values() for c in some if "molinv predict" in c.line]
    assert {c.code for c in commands} == {0, 1, 2}
    assert all(c.shown for c in commands)


@pytest.mark.parametrize("number", [str(i) for i in range(1, 11)])
def test_the_output_is_that_of_the_page(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for command in EXAMPLES[number]:
        code, said = run(command.line, capsys, monkeypatch)
        assert code == command.code, said
        lines = [plain(line) for line in said.splitlines()]
        for shown in command.shown:
            assert any(re.fullmatch(expected(shown), line) for line in lines), (shown, said)
        assert "Traceback" not in said
