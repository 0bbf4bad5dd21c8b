"""QM9: the shipped sample, the full set if its cache is built, and the build."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest

from molinv.datasets import Molecules
from molinv.datasets import qm9 as module
from molinv.datasets.qm9 import (
    COUNT,
    FILES,
    FOLDER,
    HARTREE,
    TARGETS,
    cache_root,
    make_cache,
    open_qm9,
)
from molinv.datasets.sample import write_sample
from molinv.errors import InputError

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("qm9pack") is None, reason="qm9pack is not installed"
)
needs_cache = pytest.mark.skipif(
    not (cache_root() / FOLDER).exists(), reason="QM9's cache is not built (molinv data qm9)"
)


@pytest.fixture(scope="session")
def full():
    return Molecules.open(cache_root() / FOLDER)


def check_known_values(molecules: Molecules) -> None:
    """Values from the files of the paper: methane is the first molecule, water the third."""

    def value(i: int, name: str) -> float:
        return molecules.select([name])[i, 0]

    assert len(molecules) == COUNT
    assert len(molecules.z) == molecules.ptr[-1] == 2_359_210
    assert molecules.targets == TARGETS
    assert molecules.sizes.max() == 29
    assert value(0, "U0") == pytest.approx(-40.47893 * HARTREE, rel=1e-12)
    assert value(0, "homo") == pytest.approx(-0.3877 * HARTREE, rel=1e-12)
    assert value(0, "gap") == pytest.approx(0.5048 * HARTREE, rel=1e-12)
    assert value(0, "Cv") == 6.469
    assert value(0, "r2") == 35.3641
    assert value(2, "mu") == 1.8511
    assert value(2, "alpha") == 6.31
    assert value(2, "zpve") == pytest.approx(0.021375 * HARTREE, rel=1e-12)
    z, pos = molecules.molecule(2)
    assert z.tolist() == [8, 1, 1]
    expected = [-0.0343604951, 0.9775395708, 0.0076015923]
    np.testing.assert_allclose(pos[0], expected, rtol=1e-6)
    assert molecules.charges is not None
    np.testing.assert_allclose(molecules.charges[molecules.ptr[2]], -0.589706, rtol=1e-6)
    assert molecules.smiles[:4] == ["C", "N", "O", "C#C"]
    assert (molecules.ids[0], molecules.ids[-1]) == ("1", "133885")


def test_the_twelve_targets_in_order():
    names = "mu alpha homo lumo gap r2 zpve U0 U H G Cv"
    assert [t.name for t in TARGETS] == names.split()
    assert [t.name for t in TARGETS if t.atomwise] == ["U0", "U", "H", "G"]


def test_the_sample_is_consistent(sample):
    assert len(sample) == 1000
    assert sample.targets == TARGETS
    assert sample.charges is not None
    neutral = np.add.reduceat(sample.charges, sample.ptr[:-1])
    assert np.abs(neutral).max() < 1e-4
    homo, lumo, gap = sample.select(["homo", "lumo", "gap"]).T
    np.testing.assert_allclose(lumo - homo, gap, atol=6.0)  # rounded to 1e-4 hartree
    u0, u, h, g = sample.select(["U0", "U", "H", "G"]).T
    assert (g < u0).all()
    assert (u0 < u).all()
    assert (u < h).all()
    assert len(set(sample.ids[:])) == 1000


def test_the_root_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MOLINV_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("MOLINV_CACHE")
    assert cache_root().parts[-2:] == (".cache", "molinv")


def test_a_missing_package_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'molinv\[qm9\]'"):
        open_qm9(tmp_path)


HEADER = ",".join(["Index", "N_atoms", *module._TEXT, *(name for name, _, _ in module._COLUMNS)])
WATER = '3,3,"O","[\'O\',\'H\',\'H\']","[[0.,0.,0.],[1E-1,.9,0.],[.9,0.,0.]]","[-.6,.3,.3]"'
SCALARS = ",1.,2.,-0.3,0.1,0.4,5,6.,-76.,-75.,-74.,-77.,6."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (WATER + SCALARS, "expected 130,831 molecules"),
        (WATER.replace("3,3,", "3,4,") + SCALARS, "N_atoms = 4 but 3 entries in Elements"),
        (WATER.replace(",.3]", "]") + SCALARS, "2 entries in Mulliken_pop"),
        (WATER.replace("],[.9,0.,0.]", "]") + SCALARS, "2 entries in XYZ_Ang"),
        (WATER.replace("1E-1,.9,", ".9,") + SCALARS, "cannot read"),
        (WATER.replace("1E-1", "a") + SCALARS, "cannot read"),
        (WATER.replace("1E-1", "nan") + SCALARS, r"molecule 0 \(id '3'\).*coordinates"),
        (WATER.replace("'O'", "'X'") + SCALARS, "atomic number 0"),
        (WATER.replace("'O'", "'Cl'") + SCALARS, "do not add up"),
        (WATER + SCALARS.replace("-0.3", ""), "homo = nan"),
        (WATER, "cannot read"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, line, message):
    for name in FILES:
        (tmp_path / name).write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(InputError, match=message):
        make_cache(tmp_path / "cache", tmp_path)
    assert not (tmp_path / "cache").exists()


def test_missing_files_and_columns_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"qm9_part1\.csv"):
        make_cache(tmp_path / "cache", tmp_path)
    for name in FILES:
        (tmp_path / name).write_text("Index,SMILES\n1,C\n")
    with pytest.raises(InputError, match="include_columns"):
        make_cache(tmp_path / "cache", tmp_path)


def test_files_are_read_and_ordered_by_index(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "COUNT", 6)
    hydrogen = '"[]","[\'H\']","[[5.,6.,-7.5]]","[0.25]"'
    for name, index in zip(FILES, (30, 10, 20), strict=True):
        lines = [f"{index}{WATER[1:]}{SCALARS}", f"{index + 1},1,{hydrogen}{SCALARS}"]
        (tmp_path / name).write_text("\n".join([HEADER, *lines, ""]))
    molecules = make_cache(tmp_path / "cache", tmp_path)
    assert molecules.ids[:] == ["10", "11", "20", "21", "30", "31"]
    assert molecules.smiles[:] == ["O", "[]"] * 3
    assert molecules.sizes.tolist() == [3, 1] * 3
    assert molecules.charges is not None
    np.testing.assert_array_equal(molecules.charges, np.float32([-0.6, 0.3, 0.3, 0.25] * 3))
    water, pos = molecules.molecule(2)
    assert water.tolist() == [8, 1, 1]
    np.testing.assert_array_equal(pos, np.float32([[0, 0, 0], [0.1, 0.9, 0], [0.9, 0, 0]]))
    np.testing.assert_array_equal(molecules.molecule(3)[1], np.float32([[5, 6, -7.5]]))
    in_hartree = {"homo", "lumo", "gap", "zpve", "U0", "U", "H", "G"}
    for target, value, got in zip(TARGETS, SCALARS[1:].split(","), molecules.y.T, strict=True):
        factor = HARTREE if target.name in in_hartree else 1.0
        assert got.tolist() == [float(value) * factor] * 6


@needs_cache
def test_the_cache_holds_known_values(full):
    check_known_values(full)


@needs_cache
def test_the_sample_can_be_made_again(sample_folder, tmp_path):
    write_sample(tmp_path / "again")
    for path in sample_folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


@pytest.mark.slow
@needs_package
def test_two_builders_at_once_leave_one_valid_cache(tmp_path):
    code = f"from molinv.datasets.qm9 import open_qm9; print(len(open_qm9({str(tmp_path)!r})))"
    builders = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [b.communicate()[0].strip() for b in builders] == [str(COUNT)] * 2
    assert [p.name for p in tmp_path.iterdir()] == [FOLDER]
    check_known_values(open_qm9(tmp_path))
    shutil.rmtree(tmp_path / FOLDER)
