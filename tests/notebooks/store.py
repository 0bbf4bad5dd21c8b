"""Run notebooks and store their outputs: python tests/notebooks/store.py [NAME...].

Output on standard error, such as the seconds of training, is not stored.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks"


def store(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=None, resources=folder).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.ipynb")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            store(path)
            print(f"stored {path.name}")
