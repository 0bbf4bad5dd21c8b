"""Messages for arguments that cannot be parsed."""

import pytest

from molinv.cli import main as command
from molinv.commands.parsing import LONGEST
from molinv.commands.train import main
from molinv.errors import InputError


def test_a_table_given_as_config_is_not_quoted_at_length(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("smiles,y\n" + "CCO,1.5\n" * 2000, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        main(["--config", str(table)])
    assert len(str(raised.value)) < LONGEST + 60
    assert "molinv train --help" in str(raised.value)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--epochs", "many"], "--epochs: expected a whole number, got many"),
        (["--lam", "x"], "--lam: expected a number, got x"),
        (["--task_args", "3"], """--task_args: expected settings as in '{"width": 32}', got 3"""),
        (["--center", "maybe"], "--center: expected true or false, got maybe"),
    ],
)
def test_a_value_of_the_wrong_kind_is_explained_in_plain_words(flags, said):
    with pytest.raises(InputError) as error:
        main(flags)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("name", ["analyse", "train"])
def test_help_shows_only_defaults_that_say_something(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        command([name, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "null" not in text
    assert "default: )" not in text
    assert "default: 0)" in text
    assert "(required)" not in text
