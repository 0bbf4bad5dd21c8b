"""The page of ten inputs, run as it is printed.

The output has to contain every line that the page shows, except for the numbers, which depend on
the shipped model. "..." stands for any text.
"""

import re

import pytest
from readme_pages import ROOT, Command, check_shown, read_page, shown_commands

TITLE = "## Ten inputs, good and bad\n"


def examples() -> dict[str, list[Command]]:
    """The commands of each numbered example of the page."""
    page = read_page(ROOT / "molinv" / "chem" / "README.md")
    page = page.partition(TITLE)[2].partition("\n## ")[0]
    parts = re.split(r"\n(?=\*\*\d+\. )", page)[1:]
    numbers = [re.match(r"\*\*(\d+)\.", text) for text in parts]
    return {n[1]: shown_commands(text) for n, text in zip(numbers, parts, strict=True) if n}


EXAMPLES = examples()


def test_there_are_ten_and_both_kinds():
    assert list(EXAMPLES) == [str(i) for i in range(1, 11)]
    commands = [c for some in EXAMPLES.values() for c in some if "molinv predict" in c.line]
    assert {c.code for c in commands} == {0, 1, 2}
    assert all(c.shown for c in commands)


@pytest.mark.parametrize("number", [str(i) for i in range(1, 11)])
def test_the_output_is_that_of_the_page(number, tmp_path, monkeypatch, capsys):
    check_shown(EXAMPLES[number], tmp_path, capsys, monkeypatch)
