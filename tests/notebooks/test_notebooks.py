"""Every notebook runs from top to bottom with small settings, and has its outputs stored."""

import re
from pathlib import Path

import pytest
from patience import PATIENCE

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MACHINE = re.compile(r"(?<![\w.:/<])/[\w.-]+/[\w.-]+")  # an absolute path
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


@pytest.mark.filterwarnings("ignore")
@each
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


@each
def test_outputs_are_stored(path):
    """Outputs come from one run from top to bottom, have pictures, and no errors or local paths."""
    import nbformat

    code = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert {output.get("name") for output in outputs} <= {None, "stdout"}
    for output in outputs:
        shown = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
        text = str([output.get("text"), shown])
        assert output.output_type != "error"
        assert not MACHINE.search(text), text
        assert "UserWarning" not in text
    assert path.stat().st_size < 1_500_000
