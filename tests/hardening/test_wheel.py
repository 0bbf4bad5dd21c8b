"""A wheel, installed in an empty environment, predicts."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from molinv import __version__

ROOT = Path(__file__).parents[2]
LARGEST = 27  # MB


def call(*words: str | Path, **named) -> str:
    """Run a program; its output."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **named)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_wheel_predicts_in_an_empty_environment(tmp_path):
    """Set MOLINV_WHEEL_ONLINE=1 to install the dependencies too, some 2 GB, from a registry.

    Without it the new environment has the wheel alone and sees the dependencies of this one.
    """
    call(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("molinv-*.whl")
    assert f"-{__version__}-" in wheel.name
    size = wheel.stat().st_size / 1e6
    print(f"{wheel.name}: {size:.1f} MB")
    assert size < LARGEST
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "molinv/pretrained/qm9/member_0/model.safetensors",
        "molinv/pretrained/qm9-xtb/member_0/model.safetensors",
        "molinv/pretrained/qm9-smiles/member_0/model.safetensors",
        "molinv/analysis/report/page.html.j2",
        "molinv/chem/README.md",
    ):
        assert needed in names
    assert not any(re.match(r"(tests|data|notebooks)/", name) for name in names)
    folder = tmp_path / "empty"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    if os.environ.get("MOLINV_WHEEL_ONLINE"):
        call(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
    else:
        call(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
        (site,) = (folder / "lib").glob("python*/site-packages")
        # after the new environment's own packages, so that the wheel's molinv is found first
        (site / "beside.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    where = call(python, "-c", "import molinv; print(molinv.__file__)", cwd=tmp_path, env=clean)
    assert Path(where.strip()).is_relative_to(folder)
    molinv = folder / "bin" / "molinv"
    assert call(molinv, "--version", cwd=tmp_path, env=clean) == f"molinv {__version__}\n"
    shown = call(molinv, "predict", "CCO", "--targets", "gap", cwd=tmp_path, env=clean)
    assert re.search(r"CCO +\d+ ± \d+", shown)
    assert call(molinv, "models", "qm9-smiles", cwd=tmp_path, env=clean)
