"""Messages for arguments that cannot be parsed."""

from textwrap import dedent

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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "CCO", "--target", "homo"], "unknown flag --target: did you mean --targets?"),
        (["train", "--epoch=3"], "unknown flag --epoch: did you mean --epochs?"),
        (["predict", "-z", "CCO"], "unknown flag -z: see `molinv predict --help`"),
        (["predict", "CCO", "--model", "qm9"], "the model is the first argument"),
        (["models", "qm8"], "did you mean 'qm9'?"),
    ],
)
def test_a_wrong_flag_or_name_is_answered_with_the_right_one(arguments, said, capsys):
    assert command(arguments) == 2
    assert said in capsys.readouterr().err


def test_help_is_a_word_too(capsys):
    assert command(["help"]) == 0
    assert "usage: molinv COMMAND" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        command(["help", "groups"])
    assert "list groups" in capsys.readouterr().out.lower()


@pytest.mark.parametrize("name", ["train", "crossvalidate", "tune"])
def test_a_table_without_targets_is_answered_with_its_columns(name, tmp_path, capsys):
    table = tmp_path / "mine.csv"
    table.write_text("name,smiles,logS,active\nethanol,CCO,1.5,yes\n")
    assert command([name, "--data", str(table), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert '--targets "logS"' in said
    assert "the file has logS, active." in said
    assert not (tmp_path / "run").exists()


def test_a_class_without_a_docstring_is_not_described_by_its_base(tmp_path, capsys, monkeypatch):
    text = "from torch import nn\n\n\nclass Silent(nn.Module):\n    pass\n"
    (tmp_path / "silent_net.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert command(["models", "silent_net:Silent"]) == 0
    assert capsys.readouterr().out.startswith("silent_net:Silent: (it has no docstring)\n")


def test_the_laws_of_a_users_group_are_checked(tmp_path, capsys, monkeypatch):
    text = (
        """
        import math

        import torch

        from molinv import groups


        class Turn(groups.Group):
            """
        + '"""Turns of the plane."""'
        + """

            def __init__(self):
                generators = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
                super().__init__(generators, ["angle"], ["rad"], [math.pi], compact=False)


        class Linear(Turn):
            """
        + '"""An exponential that is wrong beyond first order."""'
        + """

            def exp(self, xi):
                return torch.eye(2).to(xi) + xi[..., None] * self.generators[0]
    """
    )
    (tmp_path / "own_groups.py").write_text(dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert command(["groups", "own_groups:Turn"]) == 0
    assert "laws of Turn: passed" in capsys.readouterr().out
    assert command(["groups", "own_groups:Linear"]) == 1
    assert "BAD Linear: exp is the matrix exponential" in capsys.readouterr().out
    assert command(["groups", "own_groups:math"]) == 2
    assert "own_groups:math is not a group" in capsys.readouterr().err
