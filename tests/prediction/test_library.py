"""predict_library: every row once, in order, for any chunks and processes, also when killed."""

import gzip
import json
import os
import signal
import subprocess
import sys

import psutil
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from patience import PATIENCE, until
from small_library import BAD, SMILES
from tiny_model import tiny_model

from molinv.chem import read
from molinv.chem.readers import records
from molinv.chem.structure import ReadOptions
from molinv.errors import InputError
from molinv.predict import Predictor
from molinv.prediction.library import Settings, predict_chunk, predict_library
from molinv.prediction.library import run as module


def rows(path):
    return pq.read_table(path).to_pylist()


def same(a, b):
    """Equal tables, up to float32 rounding of the networks' values."""
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            if isinstance(value, float) and isinstance(other[name], float):
                value = pytest.approx(value, rel=1e-4, abs=1e-2)
            assert other[name] == value, name


def test_a_library_has_a_row_for_each_molecule_in_order(model, library, tmp_path):
    out = tmp_path / "out.parquet"
    summary = predict_library(library, out, model, chunk=5, copies=2, progress=False)
    assert (summary.rows, summary.failed, summary.resumed) == (22, 3, 0)
    found = rows(out)
    assert [row["row"] for row in found] == list(range(22))
    assert [row["name"] for row in found] == [f"m{i}" for i in range(22)]
    for i, row in enumerate(found):
        assert (row["error"] is not None) == (i in BAD)
        assert (row["U0"] is None) == (i in BAD)
        assert row["source"] == f"{library}:{i + 1}"
        assert row["smiles"] == (None if i in BAD else SMILES[i])
        assert BAD.get(i, "") in (row["error"] or "")
    expected = iter(Predictor(model, copies=2).predict(s for s in read(library)))
    for row, item in zip(found, expected, strict=True):
        if row["error"] is None:
            assert row["U0"] == pytest.approx(item["U0"], rel=1e-4)
            assert row["gap_std"] == pytest.approx(item["gap_std"], rel=1e-2, abs=1e-3)
            assert item.keys() <= row.keys()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["library.smi", "out.parquet"]


def test_neither_chunks_nor_processes_nor_gzip_change_a_value(model, library, tmp_path):
    packed = tmp_path / "library.smi.gz"
    packed.write_bytes(gzip.compress(library.read_bytes()))
    outs = [tmp_path / f"{i}.parquet" for i in range(3)]
    for out, changes in zip(outs, ({"chunk": 4}, {"chunk": 100}, {"workers": 1}), strict=True):
        source = packed if changes == {"chunk": 4} else library
        predict_library(source, out, model, conformers=2, copies=1, progress=False, **changes)
    first, *others = [rows(out) for out in outs]
    for row in first:
        row["source"] = row["source"].replace(".gz", "")
    for other in others:
        same(first, other)
    assert first[0]["conformers"] == 2
    assert first[2]["U0_conformer_std"] > 0
    assert first[0]["U0_std"] is None  # one orientation has no deviation


def test_a_chunk_is_a_function_of_its_records(model, library):
    settings = Settings(model=str(model), copies=2)
    whole = list(records([library], settings.options))
    table = predict_chunk(whole, settings)
    parts = [predict_chunk(whole[i : i + 7], settings, i) for i in range(0, 22, 7)]
    same(table.to_pylist(), [row for part in parts for row in part.to_pylist()])
    assert predict_chunk([], settings).schema == table.schema


def test_csv_has_the_same_rows(model, library, tmp_path):
    for name in ("a.csv", "a.parquet"):
        predict_library(library, tmp_path / name, model, copies=2, chunk=9, progress=False)
    table = csv.read_csv(tmp_path / "a.csv")
    expected = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == expected.column_names
    same(table.select(["row", "U0"]).to_pylist(), expected.select(["row", "U0"]).to_pylist())


SCRIPT = """
import sys
from molinv.prediction.library import predict_library
if __name__ == "__main__":
    library, out, model, workers = sys.argv[1:]
    options = dict(workers=int(workers), copies=2, chunk=4, progress=False)
    predict_library(library, out, model, **options)
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_killed_run_resumes_without_lost_or_repeated_rows(model, library, tmp_path, workers):
    library.write_text(library.read_text() * 20)
    out, parts = tmp_path / "out.parquet", tmp_path / "out.parquet.parts"
    script = tmp_path / "screen.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(library), str(out), str(model), str(workers)]
    killed = subprocess.Popen(command)
    until(lambda: len(list(parts.glob("*.parquet"))) >= 3 or killed.poll() is not None)
    assert killed.poll() is None
    children = psutil.Process(killed.pid).children(recursive=True)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    done = len(list(parts.glob("*.parquet")))
    assert not out.exists()
    assert 3 <= done < 110
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not alive  # workers end with their parent
    summary = predict_library(library, out, model, copies=2, chunk=4, progress=False)
    assert summary.resumed == 4 * done
    assert (summary.rows, summary.failed) == (440, 60)
    found = rows(out)
    assert [row["row"] for row in found] == list(range(440))
    assert [row["name"] for row in found] == [f"m{i % 22}" for i in range(440)]
    alike = [row | {"row": 0, "source": ""} for row in found]
    for i in range(0, 440, 22):
        same(alike[i : i + 22], alike[:22])
    assert not parts.exists()


def interrupted(monkeypatch, library, out, model, **changes):
    """Run until two chunks of five are finished, then interrupt."""
    calls, tabulate = [], module.tabulate

    def failing(*args):
        calls.append(args)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return tabulate(*args)

    monkeypatch.setattr(module, "tabulate", failing)
    monkeypatch.setattr(module, "_WINDOW", 1)
    with pytest.raises(KeyboardInterrupt):
        predict_library(library, out, model, copies=2, chunk=5, progress=False, **changes)
    monkeypatch.setattr(module, "tabulate", tabulate)


def test_only_the_same_run_is_resumed(model, library, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    interrupted(monkeypatch, library, out, model)

    def again(source=library, net=model, **changes):
        settings = {"copies": 2, "chunk": 5, "progress": False} | changes
        return predict_library(source, out, net, **settings)

    with pytest.raises(InputError, match="another seed: give the same"):
        again(seed=1)
    with pytest.raises(InputError, match="another chunk, copies"):
        again(copies=3, chunk=6)
    other = tmp_path / "other.smi"
    other.write_text(library.read_text().replace("CCO", "CCN"))
    with pytest.raises(InputError, match="another input"):
        again(other)
    with pytest.raises(InputError, match="another sha256"):
        again(net=tiny_model(tmp_path / "net", scale=3.0, distribution_args={"init": 1.0}))
    assert again(workers=1).resumed == 10
    assert len(rows(out)) == 22


def test_a_damaged_shard_is_named(model, library, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    interrupted(monkeypatch, library, out, model)
    shard = tmp_path / "out.parquet.parts" / "00000001.parquet"
    shard.write_bytes(shard.read_bytes()[:100])
    for _ in range(2):
        with pytest.raises(InputError, match=r"00000001.parquet is damaged: delete it"):
            predict_library(library, out, model, copies=2, chunk=5, progress=False)
    shard.unlink()
    assert predict_library(library, out, model, copies=2, chunk=5, progress=False).resumed == 5
    assert [row["row"] for row in rows(out)] == list(range(22))


def test_a_run_killed_while_deleting_shards_starts_again(model, library, tmp_path, monkeypatch):
    out, parts = tmp_path / "out.parquet", tmp_path / "out.parquet.parts"
    interrupted(monkeypatch, library, out, model)
    manifest = json.loads((parts / "manifest.json").read_text())
    (parts / "manifest.json").write_text(json.dumps(manifest | {"joined": True}))
    summary = predict_library(library, out, model, copies=2, chunk=5, progress=False)
    assert (summary.resumed, summary.rows) == (0, 22)


def test_two_processes_do_not_write_one_output(model, library, tmp_path):
    from filelock import FileLock

    with (
        FileLock(tmp_path / "out.csv.lock"),
        pytest.raises(InputError, match="another process is writing"),
    ):
        predict_library(library, tmp_path / "out.csv", model, progress=False)


def test_bad_input_is_refused_before_anything_is_predicted(model, library, tmp_path):
    def refused(source, out="out.parquet", **changes):
        with pytest.raises(InputError) as caught:
            predict_library(source, tmp_path / out, model, progress=False, **changes)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out.parquet.parts").exists()
        return str(caught.value)

    table = tmp_path / "a.csv"
    table.write_text("structure\nCC\n")
    assert "SMILES column" in refused(table)
    assert "standard input" in refused("-")
    assert "no such file" in refused("CCO")
    assert ".parquet or .csv" in refused(library, "out.json")
    assert "folder does not exist" in refused(library, "no/out.csv")
    assert "did you mean 'gap'" in refused(library, targets=["gapp"])
    assert "conformers" in refused(library, conformers=0)
    assert "1 or more" in refused(library, chunk=0)
    assert "1 or more" in refused(library, copies=0)


def test_geometries_are_read_as_they_are(model, tmp_path):
    frames = "".join(
        f"3\nProperties=species:S:1:pos:R:3 name=w{i}\nO 0 0 0\nH 0.76 0.59 {i / 50}\n"
        "H -0.76 0.59 0\n"
        for i in range(9)
    )
    (tmp_path / "w.extxyz").write_text(frames + "2\nx\nH 0 0 0\nH 0 0 0\n")
    predict_library(
        tmp_path / "w.extxyz", tmp_path / "w.parquet", model, chunk=4, copies=2, progress=False
    )
    found = rows(tmp_path / "w.parquet")
    assert [row["name"] for row in found[:9]] == [f"w{i}" for i in range(9)]
    assert [row["embedded"] for row in found] == [False] * 9 + [None]
    assert "coincide" in found[9]["error"]
    assert len({row["U0"] for row in found}) == 10


def test_options_of_reading_are_passed_on():
    settings = Settings("qm9", seed=3, conformers=2, smiles_column="x")
    assert settings.options == ReadOptions(3, "x", 2)
