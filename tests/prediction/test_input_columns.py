"""A file of predictions has the columns of its input, and a row for every molecule."""

import csv
import gzip
import json

import pyarrow.parquet as pq
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

from molinv.cli import main
from molinv.prediction.library import predict_library

TABLE = 'ID,Name,SMILES,gap\n1,ethanol,CCO,"a,b"\n\n2,bad,C(C,y\n3,propane,CCC\n'
GIVEN = [
    {"ID": "1", "Name": "ethanol", "SMILES": "CCO", "input_gap": "a,b"},
    {"ID": "2", "Name": "bad", "SMILES": "C(C", "input_gap": "y"},
    {"ID": "3", "Name": "propane", "SMILES": "CCC"},
]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    return path


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def predicted(model, inputs, out):
    code = main(["predict", str(model), *map(str, inputs), "-o", str(out), "--copies", "2"])
    return code, read(out)


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_columns_of_the_input_and_failed_rows_are_kept(model, table, tmp_path, ending, capsys):
    code, rows = predicted(model, [table], tmp_path / f"out.{ending}")
    assert code == 1
    assert "3 rows, 1 of them with an error" in capsys.readouterr().out
    for row, given in zip(rows, GIVEN, strict=True):
        assert {k: v for k, v in row.items() if k in given} == given
    assert list(rows[0])[:4] == ["ID", "Name", "SMILES", "input_gap"]
    assert list(rows[0])[-1] == "error"
    assert [row["smiles"] or None for row in rows] == ["CCO", None, "CCC"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "parentheses" in rows[1]["error"]
    assert not rows[1].get("U0")
    assert float(rows[2]["U0"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_each_input_keeps_its_own_columns(model, table, tmp_path, ending):
    other, lines, packed = (tmp_path / n for n in ("o.csv", "l.smi", "p.csv.gz"))
    other.write_text("smiles;code\nCN;7\nCC;8\n")
    lines.write_text("C methane\n")
    packed.write_bytes(gzip.compress(b"smiles,code\nCF,9\n"))
    inputs = [other, lines, table, packed, other]
    _, rows = predicted(model, inputs, tmp_path / f"out.{ending}")
    codes = [row["code"] or None for row in rows]
    assert codes == ["7", "8", None, None, None, None, "9", "7", "8"]
    assert [row["ID"] or None for row in rows] == [None] * 3 + ["1", "2", "3"] + [None] * 3
    assert [row["input_smiles"] or None for row in rows][:3] == ["CN", "CC", None]


KINDS = {
    "t.tsv": "smiles\tcode\tcode\t\nCO\t1\t2\tz\n",
    "l.smi": "# list\nSMILES Name pIC50 note\nCO methanol 4.5 first of all\n\nCN amine\n",
    "x.extxyz": "3\nProperties=species:S:1:pos:R:3 energy=-7.5 tag=w\n"
    "O 0 0 0\nH 0.76 0.59 0\nH -0.76 0.59 0\n",
}
BLOCK = """m
  x

  3  2  0  0  0  0            999 V2000
    0.0000    0.0000    0.1000 O   0  0
    0.0000    0.7600   -0.4700 H   0  0
    0.0000   -0.7600   -0.4700 H   0  0
  1  2  1  0
  1  3  1  0
M  END
"""
KINDS["s.sdf"] = BLOCK + "> <pKa>\n7\n\n> <pKa>\n8\n\n> <U0>\nold\n\n$$$$\nbad\n\n\nno\n$$$$\n"


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_every_kind_of_input_keeps_its_columns(model, tmp_path, ending):
    paths = []
    for name, text in KINDS.items():
        (tmp_path / name).write_text(text)
        paths.append(tmp_path / name)
    code, rows = predicted(model, paths, tmp_path / f"out.{ending}")
    assert code == 1
    shown = [{k: str(v) for k, v in row.items() if v not in (None, "")} for row in rows]
    assert [row["name"] for row in shown] == ["CO", "methanol", "amine", "x-1", "m", "bad"]
    assert shown[0].items() >= {"code": "1", "code_2": "2", "column_4": "z"}.items()
    assert shown[1].items() >= {"pIC50": "4.5", "note": "first of all"}.items()
    assert shown[2].keys() & {"pIC50", "note"} == set()
    assert shown[3].items() >= {"energy": "-7.5", "tag": "w"}.items()
    assert "Properties" not in shown[3]
    assert shown[4].items() >= {"pKa": "7", "pKa_2": "8", "input_U0": "old"}.items()
    assert float(shown[4]["U0"])
    assert "molfile" in shown[5]["error"]
    if ending == "csv":  # columns of the input precede predictions
        names = list(rows[0])
        assert max(map(names.index, ("pIC50", "tag", "input_U0"))) < names.index("name")


def test_an_sdf_file_keeps_its_records_and_gets_fields(model, tmp_path):
    from rdkit import Chem

    (tmp_path / "s.sdf").write_text(KINDS["s.sdf"])
    (tmp_path / "x.extxyz").write_text(KINDS["x.extxyz"])
    out = tmp_path / "o.sdf"
    inputs = [str(tmp_path / "s.sdf"), "c1ccccc1O", "C(C", str(tmp_path / "x.extxyz")]
    assert main(["predict", str(model), *inputs, "-o", str(out), "--copies", "2"]) == 1
    text = out.read_text()
    assert text.startswith(BLOCK)
    records = text.split("$$$$\n")[:-1]
    assert len(records) == 5
    assert "> <pKa>\n7\n" in records[0]
    assert "> <U0>\n" in records[0]
    assert "> <input_U0>\nold\n" in records[0]
    mols = list(Chem.SDMolSupplier(str(out), removeHs=False))
    assert Chem.MolToSmiles(Chem.RemoveHs(mols[2])) == "Oc1ccccc1"
    assert mols[2].GetConformer().Is3D()
    assert mols[3].GetNumAtoms() == 0
    assert "parentheses" in mols[3].GetProp("error")
    assert [a.GetSymbol() for a in mols[4].GetAtoms()] == ["O", "H", "H"]
    # the written file can be read again, with the same values
    again = tmp_path / "again.csv"
    assert main(["predict", str(model), str(out), "-o", str(again), "--copies", "2"]) == 1
    row = read(again)[2]
    assert float(row["U0"]) == pytest.approx(float(row["input_U0_2"]), abs=0.05)


def test_shards_do_not_lose_a_column(model, table, tmp_path):
    table.write_text("SMILES,k\n" + "".join(f"{'C' * (1 + i % 5)},{i}\n" for i in range(23)))
    out = tmp_path / "o.parquet"
    predict_library(table, out, model, copies=1, chunk=4, progress=False)
    assert [row["k"] for row in read(out)] == [str(i) for i in range(23)]


@pytest.mark.parametrize("inputs", [["CCO"], ["t.csv", "-o", "out.csv"]])
def test_ray_is_refused_for_output_other_than_parquet(model, table, monkeypatch, inputs, capsys):
    monkeypatch.chdir(table.parent)
    assert main(["predict", str(model), *inputs, "--engine", "ray"]) == 2
    shown = capsys.readouterr()
    assert "the engine ray writes a .parquet file: give -o NAME.parquet" in shown.err
    assert not (table.parent / "out.csv").exists()
    assert main(["predict", str(model), "CCO", "-o", "o.parquet", "--engine", "ray"]) == 2
    assert "CCO: no such file" in capsys.readouterr().err


def test_json_has_no_nan(model, table, tmp_path):
    out = tmp_path / "out.json"
    main(["predict", str(model), str(table), "-o", str(out), "--copies", "1"])
    rows = json.loads(out.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert rows[0]["U0_std"] is None


def test_a_file_named_by_another_path_keeps_its_bonds(model, tmp_path, monkeypatch):
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    (tmp_path / "a.sdf").write_text(Chem.MolToMolBlock(mol) + "$$$$\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(model), "./a.sdf", "a.sdf", "-o", "out.sdf"]) == 0
    found = [m.GetNumBonds() for m in Chem.SDMolSupplier("out.sdf", removeHs=False)]
    assert found == [8, 8]
