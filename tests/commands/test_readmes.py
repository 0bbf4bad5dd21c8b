"""Every README runs as written: quick commands are run, the others are parsed with their flags."""

import re
import shlex
import tomllib

import pytest
import yaml
from readme_pages import (
    PAGES,
    ROOT,
    check_shown,
    other_commands,
    python_blocks,
    read_page,
    shown_commands,
)

from molinv import __version__, cli
from molinv.commands import parsing

NAMES = [str(path.parent.relative_to(ROOT)) for path in PAGES]
LINES = sorted({line for path in PAGES for line in other_commands(read_page(path))})
QUICK = ("molinv models", "molinv tasks", "molinv groups", "molinv distributions")


class Parsed(Exception):
    """Arguments were accepted: the command stops before it does anything."""


def test_there_are_pages_and_commands():
    assert len(PAGES) >= 9
    assert len(LINES) > 50
    first = read_page(ROOT / "README.md")
    assert len(first.splitlines()) < 150
    assert re.search(r"^## When not to use it", first, re.MULTILINE)


def arguments_of(line: str) -> list[str] | None:
    """The arguments of the molinv command in a line; None if it runs something else."""
    words = shlex.split(line)
    while words and "=" in words[0] and not words[0].startswith("-"):
        words = words[1:]  # environment variables
    if "-m" in words and words[words.index("-m") + 1] == "molinv":
        return words[words.index("-m") + 2 :]
    return words[1:] if words[0].endswith("molinv") else None


@pytest.mark.parametrize("line", LINES)
def test_a_command_is_accepted_with_all_its_flags(line, tmp_path, monkeypatch, capsys):
    arguments = arguments_of(line)
    if arguments is None:
        check_other(line)
        return
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a/config.yaml", "runs/tune/best.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump({"targets": "homo"}))
    parse = parsing.parse

    def stop(*given, **named):
        raise Parsed(parse(*given, **named))

    command = cli._command(arguments[0])
    quick = line.startswith(QUICK) and not line.endswith("NAME")
    if not quick:
        monkeypatch.setattr(command, "parse", stop, raising=False)
        for name in ("pictures", "xtb"):
            monkeypatch.setattr(f"molinv.commands.{name}.parse", stop)
        monkeypatch.setattr(
            "molinv.commands.pictures.learned", lambda given: "runs/digits" in given
        )
        try:
            command.main(arguments[1:])
        except Parsed:
            return
    assert cli.main(arguments) == 0, capsys.readouterr().err


def check_other(line: str) -> None:
    """Programs beside molinv: their files and targets exist."""
    words = shlex.split(line)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", read_page(ROOT / "Makefile"), re.MULTILINE)
        return
    if words[1:3] == ["-m", "venv"] or words[1] == "-c":
        return
    module = words[words.index("-m") + 1] if "-m" in words else ""
    if module.startswith("molinv"):
        assert (ROOT / module.replace(".", "/")).exists()
    paths = [word for word in words if word.startswith("tests/")]
    assert paths or module
    assert all((ROOT / path).exists() for path in paths)


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_links_lead_to_files_and_headings(path):
    text = read_page(path)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        assert place.exists(), f"{path}: {target}"
        if heading:
            found = re.findall(r"^#+ (.*)$", read_page(place), re.MULTILINE)
            made = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in found}
            assert heading in made, f"{path}: {target}"


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_python_is_python(path):
    for text in python_blocks(read_page(path)):
        compile(text, str(path), "exec")


def test_examples_of_the_readme_print_its_outputs(tmp_path, monkeypatch, capsys):
    text = read_page(ROOT / "README.md")
    assert shown_commands(text)
    check_shown(shown_commands(text), tmp_path, capsys, monkeypatch)


def test_the_six_lines_of_the_readme_learn_its_extents(capsys):
    text = read_page(ROOT / "README.md")
    (code,) = python_blocks(text)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    printed = eval(capsys.readouterr().out.strip().splitlines()[-1])
    said = eval(re.search(r"^    (\{'wx'.*\})$", text, re.MULTILINE)[1])  # pyright: ignore
    assert printed.keys() == said.keys()
    assert all(abs(printed[name] - said[name]) < 0.4 for name in said)
    assert printed["wz"] > 2.5 > 0.3 > max(printed["wx"], printed["wy"])


@pytest.mark.slow
def test_the_networks_page_runs_from_top_to_bottom():
    names = {"__name__": "readme"}
    blocks = python_blocks(read_page(ROOT / "molinv" / "models" / "README.md"))
    for code in blocks[:2]:
        exec(compile(code, "README.md", "exec"), names)


def test_the_version_is_the_same_everywhere(capsys):
    stated = tomllib.loads(read_page(ROOT / "pyproject.toml"))["project"]["version"]
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"molinv {stated}\n"
    assert __version__ == stated
    assert f"version = {{{stated}}}" in read_page(ROOT / "README.md")
    assert f"## {stated}" in read_page(ROOT / "CHANGELOG.md")


def test_pages_are_shipped_beside_their_code():
    made = tomllib.loads(read_page(ROOT / "pyproject.toml"))["tool"]["hatch"]["build"]
    assert made["targets"]["wheel"]["packages"] == ["molinv"]
    assert {name.split("/")[0] for name in NAMES} <= {".", "molinv", "tests"}
