"""What a command says of arguments that it cannot read."""

import pytest

from molinv.commands.parsing import LONGEST
from molinv.commands.train import main
from molinv.errors import InputError


def test_a_table_given_as_config_is_not_repeated_at_length(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("smiles,y\n" + "CCO,1.5\n" * 2000, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        main(["--config", str(table)])
    assert len(str(raised.value)) < LONGEST + 60
    assert "molinv train --help" in str(raised.value)
