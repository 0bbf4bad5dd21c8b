"""SMILES files and CSV tables."""

import gzip

import pytest

from molinv.chem import Rejected, Structure, read
from molinv.errors import InputError


def summary(items):
    return [
        (item.name, item.source.rsplit(":", 1)[-1], isinstance(item, Structure)) for item in items
    ]


SMI = (
    "\ufeffSMILES Name\r\n"
    "CCO ethanol\r\n"
    "\r\n"
    "# a comment\r\n"
    "C(C broken\r\n"
    "[Na+].[Cl-]\ttable salt\r\n"
    "[13CH4]\r\n"
    "*C star\r\n"
    "CC |$;$| ethane\r\n"
    "CCO ethanol"
)
EXPECTED = [
    ("ethanol", "2", True),
    ("broken", "5", False),
    ("table salt", "6", True),
    ("[13CH4]", "7", True),
    ("star", "8", False),
    ("ethane", "9", True),
    ("ethanol", "10", True),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_windows_smi_file(write, encoding):
    text = SMI if encoding == "utf-8" else SMI.removeprefix("\ufeff")
    items = list(read([write("a.SMI", text.encode(encoding))]))
    assert summary(items) == EXPECTED
    assert [i.embedded for i in items if isinstance(i, Structure)] == [True] * 5
    assert items[0].smiles == "CCO"


def test_a_gzipped_smi_file(write):
    assert summary(read([write("a.smi.gz", gzip.compress(SMI.encode()))])) == EXPECTED


def test_only_the_first_line_can_be_a_header(write):
    items = list(read([write("a.smi", "C\nSMILES x\nO\n")]))
    assert [isinstance(item, Rejected) for item in items] == [False, True, False]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("column", ["smiles", "SMILES", "Canonical_SMILES", "rdkit smiles"])
def test_a_csv_finds_its_columns(write, delimiter, column):
    rows = [
        ["id", "y", column],
        ["a", "1,5" if delimiter != "," else "1.5", "CCO"],
        ["", "", ""],
        ["a", "2", "C(C"],
        ["b", "3", ""],
        ["", "4", '"O"'],
        ["short"],
    ]
    text = "\r\n".join(delimiter.join(row) for row in rows) + "\r\n\r\n"
    items = list(read([write("a.csv", "\ufeff" + text)]))
    assert summary(items) == [
        ("a", "2", True),
        ("a", "4", False),
        ("b", "5", False),
        ("O", "6", True),
        ("short", "7", False),
    ]
    assert "empty cell" in items[2].reason


def test_a_column_can_be_named(write):
    path = write("a.csv", "smiles,Product\nC,CC\n")
    assert next(read([path], smiles_column="product")).smiles == "CC"
    with pytest.raises(InputError, match=r"'educt'.*'smiles', 'Product'"):
        list(read([path], smiles_column="educt"))


@pytest.mark.parametrize("header", ["id,structure", "smiles_a,smiles_b"])
def test_a_missing_or_ambiguous_column_lists_the_columns(write, header):
    first, second = header.split(",")
    with pytest.raises(InputError, match=f"'{first}', '{second}'"):
        list(read([write("a.csv", f"{header}\n1,C\n")]))


@pytest.mark.parametrize("text", [",,,\n", '""\n', '"\n', " ;\n\n;\n"])
def test_a_table_of_empty_cells_is_refused(write, text):
    with pytest.raises(InputError, match="got empty cells only"):
        list(read([write("a.csv", text)]))


def test_quoted_cells_with_line_breaks_keep_the_line_numbers(write):
    text = 'note,smiles\n"two\nlines",C\n\nx,"C\nC"\ny,O\n'
    items = list(read([write("a.csv", text)]))
    assert [item.source.rsplit(":", 1)[1] for item in items] == ["2", "5", "7"]
    assert "several lines" in items[1].reason
    assert isinstance(items[2], Structure)


def test_a_cell_beyond_the_csv_limit_is_an_input_error(write):
    with pytest.raises(InputError, match="open quote"):
        list(read([write("a.csv", 'smiles\nC\n"' + "C" * 200_000)]))


def test_a_header_of_one_endless_cell_is_refused(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("x" * 140_000 + "\nCCO\n", encoding="utf-8")
    with pytest.raises(InputError, match="is not CSV"):
        list(read(str(path)))
