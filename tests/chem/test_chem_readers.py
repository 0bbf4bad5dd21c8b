"""read: telling files from SMILES, and errors that stop reading."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from molinv.chem import Rejected, Structure, read
from molinv.chem.readers import READERS
from molinv.errors import InputError

TEXTS = [extension for extension in READERS if extension not in (".db", ".traj")]
WATER = "3\nwater\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n"


@pytest.mark.parametrize("smiles", ["CCO", "F/C=C/F", "F/C=C\\F", "O.O", "C/C=C/C.[Na+]", "[H]"])
def test_smiles_are_told_from_paths(smiles):
    (item,) = read([smiles])
    assert isinstance(item, Structure), item
    assert (item.name, item.smiles, item.source) == (smiles, smiles, "argument")
    assert item.embedded


def test_an_argument_may_carry_a_name():
    (item,) = read(["CCO ethyl alcohol"])
    assert (item.name, item.smiles) == ("ethyl alcohol", "CCO")


@pytest.mark.parametrize("text", ["C(C", "data/molecules.cif", "", " ", "*C", "C\0C", "C" * 9999])
def test_a_bad_argument_is_rejected_not_raised(text):
    (item,) = read([text])
    assert isinstance(item, Rejected)
    assert item.source == "argument"
    assert "\n" not in item.reason


def test_order_is_kept_across_inputs(write):
    items = list(read(["C", write("w.xyz", WATER), "C(C", write("a.smi", "O\nCC\n")]))
    assert [item.name for item in items] == ["C", "water", "C(C", "O", "CC"]


def test_paths_and_a_single_string_are_accepted(write):
    path = write("w.xyz", WATER)
    assert next(read(path)).name == "water"
    assert next(read([Path(path)])).source == f"{path}:1"


@pytest.mark.parametrize("name", ["gone.smi", "x/gone.XYZ", "gone.sdf.gz", "C/C=C.mol"])
def test_a_missing_file_is_known_at_once(name):
    with pytest.raises(InputError, match="file not found"):
        read(["CCO", name])


def test_folders_unknown_extensions_and_nothing_are_refused_at_once(write, tmp_path):
    with pytest.raises(InputError, match="got a folder"):
        read([str(tmp_path)])
    with pytest.raises(InputError, match=r"\.smi .*\.csv .*'\.abc'; convert or rename it"):
        read([write("a.abc", "C")])
    with pytest.raises(InputError, match=r"Open Babel, as in: obabel .*a\.cif -O .*a\.sdf"):
        read([write("a.cif", "C")])
    with pytest.raises(InputError, match=r"save the table as \.csv"):
        read([write("a.xlsx", "C")])
    with pytest.raises(InputError, match="got none"):
        read([])
    with pytest.raises(InputError, match="seed"):
        read(["C"], seed=-1)


def test_an_empty_database_is_an_error_and_stays_empty(write):
    path = write("void.db", "")
    with pytest.raises(InputError, match=r"void.*at least one molecule"):
        list(read([path]))
    assert Path(path).read_bytes() == b""


@pytest.mark.parametrize("extension", TEXTS)
@pytest.mark.parametrize("content", ["", "\n \r\n", "\ufeff"])
def test_files_without_molecules_are_an_error_that_names_them(write, extension, content):
    path = write("void" + extension, content)
    with pytest.raises(InputError, match=r"void.*at least one molecule"):
        list(read([path]))


@pytest.mark.parametrize("extension", TEXTS)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (bytes(range(256)) * 40, "binary"),
        (b"smiles\n" * 900 + b"\0\n", "binary"),
        (b"C caf\xe9\n", "UTF-8"),
        (b"\xff\xfeC\0\n", "UTF-8"),
    ],
)
def test_files_that_are_not_text(write, extension, content, said):
    with pytest.raises(InputError, match=said):
        list(read([write("odd" + extension, content)]))


@pytest.mark.parametrize("cut", [slice(5), slice(-9), slice(0, 0)])
def test_damaged_gzip_files(write, cut):
    path = write("w.xyz.gz", gzip.compress(WATER.encode())[cut])
    with pytest.raises(InputError, match=r"w\.xyz\.gz"):
        list(read([path]))
    with pytest.raises(InputError, match="damaged gzip"):
        list(read([write("plain.xyz.gz", WATER)]))


def test_files_are_streamed(write, monkeypatch):
    taken = []

    def counted(path) -> Iterator[tuple[int, str]]:
        for number in range(1, 10**9):
            taken.append(number)
            yield number, "O"

    monkeypatch.setattr("molinv.chem.smiles.numbered_lines", counted)
    items = read([write("long.smi", "O\n")])
    assert next(items).source.endswith(":1")
    assert next(items).source.endswith(":2")
    assert len(taken) == 2


def test_coordinates_depend_on_the_seed_and_not_on_other_molecules(write):
    alone = next(read(["CCCO"], seed=5))
    among = list(read([write("a.smi", "CCCCC\nCCCO\n")], seed=5))[1]
    other = next(read(["CCCO"], seed=6))
    np.testing.assert_array_equal(alone.pos, among.pos)
    assert not np.array_equal(alone.pos, other.pos)
