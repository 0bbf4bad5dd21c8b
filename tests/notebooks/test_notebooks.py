"""Every notebook runs from top to bottom with small settings."""

from pathlib import Path

import pytest
from patience import PATIENCE

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("MOLINV_EPOCHS", "1")
    monkeypatch.setenv("MOLINV_TRAIN_SIZE", "100")
    monkeypatch.setenv("MOLINV_MOLECULES", "6")
    monkeypatch.setenv("MOLINV_OUT", str(tmp_path / "run"))
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=PATIENCE, resources=folder).execute()
    assert any("+-" in str(cell.get("outputs")) for cell in notebook.cells)
