"""The folder of a data set: complete or absent, and damage is an error."""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pytest

from molinv.datasets import Molecules, Target
from molinv.datasets.storage import read
from molinv.errors import InputError

FILES = sorted(
    ["charges", "ids_ptr", "ids_text", "pos", "ptr", "smiles_ptr", "smiles_text", "y", "z"]
)


def small(shift: float = 0.0) -> Molecules:
    return Molecules.from_arrays(
        [([8, 1], [[0, 0, 0], [1, 0, shift]]), ([2], [[0, 0, 0]])],
        y=[[1.0, 2.0], [3.0, 1e-300]],
        targets=[Target("a", "meV"), Target("b", "D", "second", True)],
        smiles=["[OH]", ""],
    )


def test_saved_molecules_are_opened_memory_mapped(tmp_path):
    before = small()
    after = before.save(tmp_path / "deep" / "set")
    assert isinstance(after.pos, np.memmap)
    assert not after.pos.flags.writeable
    for name in ("z", "pos", "ptr", "y"):
        a, b = getattr(before, name), getattr(after, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert after.targets == before.targets
    assert after.charges is None
    assert after.smiles[:] == before.smiles[:]
    assert after.ids[:] == ["0", "1"]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["set"]


def test_a_set_without_any_smiles_can_be_saved(tmp_path):
    after = Molecules.from_arrays([([2], [[0, 0, 0]])]).save(tmp_path / "set")
    assert after.smiles[:] == [""]
    assert after.y.shape == (1, 0)


def test_saving_again_keeps_the_folder_or_refuses(tmp_path):
    small().save(tmp_path / "set")
    stamp = (tmp_path / "set" / "pos.npy").stat().st_mtime_ns
    assert len(small().save(tmp_path / "set")) == 2
    assert (tmp_path / "set" / "pos.npy").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="other data"):
        small(0.5).save(tmp_path / "set")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"meta\.json"):
        small().save(tmp_path / "file")
    with pytest.raises(InputError, match="cannot write"):
        small().save(tmp_path / "file" / "set")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "set"]


def test_a_write_that_stops_halfway_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise OSError("no space left")

    for name in ("os.rename", "np.save"):
        with monkeypatch.context() as patch:
            patch.setattr(f"molinv.datasets.storage.{name}", stop)
            with pytest.raises(InputError, match=r"cannot write .* no space left"):
                small().save(tmp_path / "set")
        assert list(tmp_path.iterdir()) == []


def test_many_writers_leave_one_whole_folder(tmp_path):
    start, opened = threading.Barrier(6), []

    def write():
        start.wait()
        opened.append(small().save(tmp_path / "set"))

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_the_list_of_files_is_complete(sample_folder):
    assert sorted(read(sample_folder)[0]) == FILES


def damages():
    for name in [*(f"{f}.npy" for f in FILES), "meta.json"]:
        for how in ("truncated", "missing", "edited"):
            yield name, how


@pytest.mark.parametrize(("name", "how"), list(damages()))
def test_a_damaged_folder_is_one_clear_error(sample_folder, tmp_path, name, how):
    folder = tmp_path / "set"
    shutil.copytree(sample_folder, folder)
    path = folder / name
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(content[:-7])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        Molecules.open(folder)


def test_an_edited_unit_or_another_format_is_refused(sample_folder, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(sample_folder, folder)
    meta = json.loads((folder / "meta.json").read_text())
    meta["targets"][0]["unit"] = "e angstrom"
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(InputError, match="edited"):
        Molecules.open(folder)
    (folder / "meta.json").write_text("[]")
    with pytest.raises(InputError, match="damaged"):
        Molecules.open(folder)
