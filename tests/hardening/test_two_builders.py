"""Two processes build one cache at once: both read all of it, and no other file is left."""

import json
import os
import subprocess
import sys

import numpy as np
from patience import PATIENCE, until

from molinv.datasets import storage

SCRIPT = """
import json, sys, time
from pathlib import Path

from molinv.chem.smiles import pending
from molinv.chem.structure import ReadOptions
from molinv.datasets import geometries

geometries.CHUNK = 8
smiles = ["C" * n for n in range(1, 9)] + ["C1" + "C" * n + "1" for n in range(2, 25)] + ["bad("]
ready, go = Path(sys.argv[1]), Path(sys.argv[2])
ready.touch()
while not go.exists():
    time.sleep(0.001)
made = geometries.geometries([pending(s, s, "x") for s in smiles], ReadOptions(), "key")
print(json.dumps([[round(float(p.sum()), 6) for _, p in made.structures], sorted(made.rejected)]))
"""


def test_two_processes_build_one_cache(tmp_path):
    script, go, root = tmp_path / "build.py", tmp_path / "go", tmp_path / "cache"
    script.write_text(SCRIPT)
    environment = os.environ | {"MOLINV_CACHE": str(root)}
    ready = [tmp_path / f"ready{i}" for i in range(2)]
    both = [
        subprocess.Popen(
            [sys.executable, str(script), str(mark), str(go)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for mark in ready
    ]
    until(lambda: all(mark.exists() for mark in ready) or any(p.poll() is not None for p in both))
    go.touch()
    said = [p.communicate(timeout=PATIENCE) for p in both]
    assert [p.returncode for p in both] == [0, 0], said
    one, other = (json.loads(out) for out, _ in said)
    assert one == other
    assert (len(one[0]), one[1]) == (31, [31])
    (folder,) = (root / "geometries").iterdir()
    names = sorted(p.name for p in folder.iterdir())
    assert names == [f"{i:08d}" for i in range(0, 32, 8)]
    sums = [float(storage.read(folder / n)[0]["pos"].astype(np.float64).sum()) for n in names]
    assert np.isfinite(sums).all()
