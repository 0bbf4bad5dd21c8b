"""Find models: shipped models by their names, all others by their run folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..chem import xtb
from ..chem.structure import EMBEDDED, GIVEN, HYDROGENS
from ..errors import InputError, unknown

ROOT = Path(__file__).parents[1] / "pretrained"
DEFAULT = "qm9"
BY_XTB = "qm9-xtb"  # takes GFN2-xTB results, which needs tblite
# the default shipped model for each kind of geometry
_BY_GEOMETRY = {GIVEN: DEFAULT, EMBEDDED: "qm9-smiles", HYDROGENS: "qm9-smiles"}
ENSEMBLE = "ensemble.json"  # marks the folder of an ensemble (see `ensemble`)
FILES = (
    ENSEMBLE,
    "model.safetensors",
    "model.json",
    "config.yaml",
    "metrics.csv",
    "evaluation.json",
    "conformal.json",
    "domain.safetensors",
    "difficulty.safetensors",
)


def available() -> list[str]:
    """The names of the shipped models."""
    described = (ROOT.glob(f"[a-z]*/{name}") for name in ("model.json", ENSEMBLE))
    return sorted({path.parent.name for paths in described for path in paths})


def by_geometry(kind: str) -> str:
    """The default shipped model for structures with this kind of geometry.

    For given coordinates, this is the model that takes GFN2-xTB results if tblite is installed.
    """
    name = _BY_GEOMETRY[kind]
    return BY_XTB if name == DEFAULT and BY_XTB in available() and xtb.is_installed() else name


def find(name: str = DEFAULT) -> Path:
    """The folder of a shipped model; raises InputError for an unknown name."""
    names = available()
    if name in names:
        return ROOT / name
    if names:
        raise unknown("shipped model", name, names)
    raise InputError(
        "no model is shipped with this molinv: train one with `molinv train --data qm9 --out "
        "runs/a` and name its folder, as in `molinv predict runs/a CCO`."
    )


def locate(model: str | os.PathLike[str] | None = None) -> Path:
    """The folder of a model, by the name of a shipped model or by path; None is the default model.

    The name of a shipped model takes precedence over a folder of that name; write "./qm9" for the
    folder. A member of a shipped ensemble has a name such as "qm9/member_0", over which a folder
    "qm9/member_0" takes precedence. Raises InputError for None if no model is shipped.
    """
    if model is None:
        return find()
    if isinstance(model, str) and model in available():
        return find(model)
    member = isinstance(model, str) and model.split("/")[0] in available()
    member = member and (ROOT / model).is_dir() and not os.path.isdir(model)
    return ROOT / model if member else Path(model)


def shipped_name(folder: Path) -> str | None:
    """The name of the shipped model, or of the member of one, in a folder; None for any other."""
    return folder.relative_to(ROOT).as_posix() if ROOT in folder.parents else None


def holds_pictures(folder: str | Path) -> bool:
    """Whether a folder has a model of pictures; False if the model is missing or damaged."""
    try:
        return "pictures" in json.loads((Path(folder) / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False
