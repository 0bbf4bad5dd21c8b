"""Other kinds of inputs: databases, Python objects, gzip files and standard input."""

import gzip
import io
import os
import sqlite3
import sys
from pathlib import Path

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from molinv.chem import Rejected, Structure, embed, embed_many, parallel, read, unpacking
from molinv.chem.descriptors import Descriptors
from molinv.chem.readers import records
from molinv.chem.structure import Pending, ReadOptions
from molinv.errors import InputError

NAMES = ("H2O", "CH3CH2OH")


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "mols.db"
    with ase.db.connect(path) as rows:
        for name in NAMES:
            rows.write(molecule(name), name=name)
        rows.write(Atoms("Si", cell=[5, 5, 5], pbc=True))
        rows.write(Atoms("HH"))
        rows.write(molecule("NH3"), key_value_pairs={"energy_like": 1.0})
    return path


def test_an_ase_database_is_read_and_not_changed(database):
    before = database.read_bytes()
    items = list(read(database))
    assert [item.name for item in items] == [*NAMES, "mols-3", "mols-4", "mols-5"]
    assert [item.source.rsplit(":")[-1] for item in items] == list("12345")
    for item, name in zip(items[:2], NAMES, strict=True):
        assert item.z.tolist() == molecule(name).numbers.tolist()
        np.testing.assert_array_equal(item.pos, molecule(name).positions)
        assert not item.embedded
    assert "periodic" in items[2].reason
    assert "coincide" in items[3].reason
    assert database.read_bytes() == before
    assert sorted(p.name for p in database.parent.iterdir()) == ["mols.db"]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE other (id)",
        "CREATE TABLE systems (id)",
        # a view that never ends
        "CREATE VIEW systems AS WITH RECURSIVE n(id, numbers, positions, pbc, key_value_pairs) AS "
        "(SELECT 1,1,1,1,1 UNION ALL SELECT id + 1,1,1,1,1 FROM n) SELECT * FROM n",
    ],
)
def test_databases_that_are_not_from_ase_are_refused(tmp_path, sql):
    with sqlite3.connect(tmp_path / "a.db") as made:
        made.execute(sql)
    made.close()
    with pytest.raises(InputError, match="expected an ASE database"):
        list(read(tmp_path / "a.db"))


def test_rows_of_a_database_that_are_not_atoms_are_rejected(database):
    with sqlite3.connect(database) as rows:
        rows.execute("UPDATE systems SET positions = x'0102' WHERE id = 1")
        rows.execute("UPDATE systems SET numbers = 'CC', key_value_pairs = '[[' WHERE id = 2")
    rows.close()
    one, two, *rest = read(database)
    assert "32-bit integers" in one.reason
    assert (two.name, type(two)) == ("mols-2", Rejected)
    assert isinstance(rest[-1], Structure)


def test_gzip_of_every_format(database, write, block):
    water = "3\nwater\nO 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n"
    extended = water.replace("water", "Properties=species:S:1:pos:R:3")
    files = {"a.smi": "O", "a.csv": "smiles\nO\n", "a.xyz": water, "a.extxyz": extended}
    files |= {"a.sdf": block("O") + "$$$$\n", "a.mol": block("O")}
    packed = [write(f"{name}.gz", gzip.compress(text.encode())) for name, text in files.items()]
    packed.append(write("a.DB.GZ", gzip.compress(database.read_bytes())))
    items = list(read(packed))
    assert [sorted(item.z.tolist()) for item in items[:7]] == [[1, 1, 8]] * 7
    assert [item.embedded for item in items[:7]] == [True, True, False, False, False, False, False]


@pytest.mark.parametrize("name", ["bomb.smi.gz", "bomb.db.gz"])
def test_a_gzip_bomb_is_refused_before_it_is_unpacked(write, monkeypatch, name):
    monkeypatch.setattr(unpacking, "FREE", 2**20)
    path = write(name, gzip.compress(b"\n" * 2**24))
    with pytest.raises(InputError, match="200 times"):
        list(read(path))


def test_a_line_without_end_is_refused(write):
    path = write("a.smi", b"CC\n" + b"C" * 3_000_000)
    items = read(path)
    assert next(items).name == "CC"
    with pytest.raises(InputError, match="line 2 is longer than"):
        next(items)


def test_a_record_without_end_is_rejected(write, block):
    endless = write("a.sdf", "\n" * 30_000 + "x\n$$$$\n" + block("O", "water") + "$$$$\n")
    bad, good = read(endless)
    assert "at most 20000 lines" in bad.reason
    assert good.name == "water"
    frame = "200000\nx\n" + "H 0 0 0\n" * 150_000
    bad, good = read(write("a.xyz", frame + "\n1\nhelium\nHe 0 0 0\n"))
    assert "no molecule has as many" in bad.reason
    assert good.name == "helium"


@pytest.mark.parametrize("text", [b"CCO ethanol\r\n\r\n# x\r\nC(C bad\r\n", "CCO ethanol\nC(C bad"])
def test_standard_input_is_smiles_lines(monkeypatch, text):
    binary = text if isinstance(text, bytes) else text.encode("utf-16")
    stream = io.TextIOWrapper(io.BytesIO(binary))
    monkeypatch.setattr(sys, "stdin", stream)
    good, bad = read("-")
    assert (good.name, good.source, good.smiles) == ("ethanol", "standard input:1", "CCO")
    assert isinstance(bad, Rejected)
    assert not stream.buffer.closed


def test_ase_atoms_and_mixed_lists():
    atoms = molecule("CH3CH2OH")
    mol = Chem.MolFromSmiles("OCC")
    first, second, third = read([atoms, mol, "O"])
    assert (first.name, first.source, first.embedded) == ("C2H6O", "argument 1", False)
    np.testing.assert_array_equal(first.pos, atoms.positions)
    assert (second.name, second.source, second.embedded) == ("CCO", "argument 2", True)
    assert second.z[:3].tolist() == [8, 6, 6]
    assert third.name == "O"
    atoms.positions += 1.0  # the structure is not a view of the caller's arrays
    assert abs(first.pos - atoms.positions).max() == pytest.approx(1.0)
    (alone,) = read(molecule("H2O"))
    assert alone.name == "H2O"


def test_objects_that_cannot_be_used():
    periodic = Atoms("Si", cell=[5, 5, 5], pbc=True)
    radical = Chem.MolFromSmiles("CC(C)(C)(C)C", sanitize=False)
    empty, dummy = Chem.Mol(), Chem.MolFromSmiles("*C")
    reasons = [item.reason for item in read([periodic, radical, empty, dummy])]
    said = ["periodic", "valence", "at least one atom", "placeholder"]
    assert all(text in reason for text, reason in zip(said, reasons, strict=True)), reasons
    with pytest.raises(InputError, match="got int"):
        read([3])


def test_the_conformers_of_a_mol_are_used():
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    rdDistGeom.EmbedMultipleConfs(mol, 3, randomSeed=5)
    before = Chem.Mol(mol)
    (item,) = read(mol)
    assert not item.embedded
    assert item.conformers == 3
    given = [c.GetPositions() for c in before.GetConformers()]
    np.testing.assert_allclose([item.pos, *item.others], given)
    mol.RemoveAllConformers()
    (flat,) = read(mol)
    assert flat.embedded


def test_a_mol_without_conformers_has_the_bond_graph_of_its_smiles():
    (made,), (expected,) = read(Chem.MolFromSmiles("C[C@H](N)C(=O)O")), read("C[C@H](N)C(=O)O")
    assert made.graph is not None
    for ours, theirs in zip(made.graph, expected.graph, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    wanted = Descriptors(rdkit=("MolWt",))
    (described,) = read(Chem.MolFromSmiles("CCO"), descriptors=wanted)
    assert isinstance(described, Structure), described
    assert described.columns["rdkit2d"][0] == pytest.approx(46.07, abs=0.01)


def test_the_first_of_several_conformers_is_the_single_one():
    z, pos = embed_many("OCCCN", seed=0, conformers=4)
    np.testing.assert_array_equal(pos[0], embed("OCCCN", 0)[1])
    np.testing.assert_array_equal(pos[:2], embed_many("OCCCN", 0, 2)[1])
    distances = np.linalg.norm(pos[:, :, None] - pos[:, None], axis=-1)
    for a in range(4):
        for b in range(a):
            assert abs(distances[a] - distances[b]).max() > 0.01
    (item,) = read("OCCCN", conformers=4)
    assert item.conformers == 4
    np.testing.assert_array_equal([item.pos, *item.others], pos)
    assert item.z.tolist() == z.tolist()
    with pytest.raises(InputError, match="1 to 1000 conformers"):
        read("C", conformers=0)


def _crash(options):
    os._exit(3)


def test_worker_processes_give_the_same_results_and_survive_a_crash(monkeypatch):
    monkeypatch.setattr(parallel, "TASK", 2)
    smiles = ["CO", "C(C", "CCO", "O", "CN", "F", "C#N", "CF"]
    options = ReadOptions(conformers=2)
    given = list(records(smiles, options))
    here = list(parallel.finish_all(given, options))
    given.insert(3, Pending("bad", "argument", _crash))
    there = list(parallel.finish_all(given, options, workers=1))
    crashed = there.pop(3)
    assert isinstance(crashed, Rejected)
    assert "crashed" in crashed.reason
    for a, b in zip(here, there, strict=True):
        if isinstance(a, Rejected):
            assert a == b
        else:
            assert a.name == b.name
            np.testing.assert_array_equal([a.pos, *a.others], [b.pos, *b.others])
    with pytest.raises(InputError, match="worker processes"):
        read("C", workers=-1)


def test_a_single_path_is_one_input(write):
    assert next(read(Path(write("a.smi", "O\n")))).name == "O"
