"""Structures with their results, in the format of chemiscope (chemiscope.org)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ase.data import chemical_symbols

from ...atomic import atomic_write
from ..orbits import Orbits
from ..section import plain

FILE = "structures.chemiscope.json"


def write(folder: Path, title: str, orbits: Orbits) -> Path:
    """Write structures with standard deviations over orientations, errors and sizes."""
    structures, subject = orbits.structures, orbits.subject
    properties = {"atoms": _property(structures.sizes.tolist(), "")}
    for q, quantity in enumerate(subject.quantities):
        name = f"{quantity.name}, standard deviation over orientations"
        properties[name] = _property(orbits.std[:, q].tolist(), quantity.unit)
        if structures.y is not None:
            values = orbits.error[:, q].tolist()
            properties[f"{quantity.name}, absolute error"] = _property(values, quantity.unit)
        if not orbits.entries:
            properties[quantity.name] = _property(orbits.mean[:, q].tolist(), quantity.unit)
    frames = []
    for i, (pos, z) in enumerate(zip(structures.pos, structures.z, strict=True)):
        x, y, height = pos.double().T.tolist()
        frame = {"size": len(z), "names": [chemical_symbols[n] for n in z.tolist()]}
        frame |= {"x": x, "y": y, "z": height}
        if structures.cells:
            frame["cell"] = structures.cells[i].flatten().tolist()
        frames.append(frame)
    content = {"meta": {"name": title}, "structures": frames, "properties": properties}
    with atomic_write(folder / FILE) as temporary:
        temporary.write_text(json.dumps(plain(content), allow_nan=False), encoding="utf-8")
    return folder / FILE


def _property(values: list[Any], unit: str) -> dict[str, Any]:
    return {"target": "structure", "values": values} | ({"units": unit} if unit else {})
