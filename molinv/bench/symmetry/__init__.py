"""The symmetries of published potentials, measured on molecules and on crystals.

    molinv bench symmetry                                all models, all structures
    molinv bench symmetry --models "EMT,CHGNet"
    molinv bench symmetry --structures crystals

Analyses the energy per atom and the forces of each model, as `molinv analyse` does, with a limit of
1 meV/atom and 10 meV/angstrom for "almost". CHGNet and SevenNet include their weights; metatrain
trains a small PET, an unconstrained network. Each runs in its own environment, which is made on
first use (some minutes and 1 to 2 GB). Models with one symmetry broken on purpose show that the
analysis finds every fault. Writes symmetry.json and a report for each model. Finished models are
skipped.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from ...analysis import analyse
from ...analysis.calculators import as_structures
from ...analysis.produce import Report
from ...errors import InputError
from ...training.saved import write_json
from ..flags import listed, positive
from ..report import facts, table, wide, write
from .potentials import POTENTIALS, Potential
from .structures import SETS

OPERATIONS = {
    "reflection": "reflection",
    "translation by 40 angstrom": "translation",
    "permutation": "permutation",
    "float32 in place of float64": "float32",
}
LIMITS = {"energy_per_atom": 1e-3, "forces": 1e-2}  # eV and eV/angstrom, of "almost"
DEGREE = 5  # of the quadrature, 60 orientations; 380 take hours for some models


def main(
    out: str = "symmetry",
    models: str | None = None,
    structures: str | None = None,
    count: int = 20,
    epochs: int = 20,
) -> None:
    """Analyse models on sets of structures.

    Args:
        out: output folder.
        models: names of models (see the table), separated by commas or semicolons; all if not
            given.
        structures: molecules, crystals or both.
        count: number of structures per set; at most 8 for CHGNet.
        epochs: epochs of PET's training.
    """
    positive(count=count, epochs=epochs)
    chosen = list(POTENTIALS) if models is None else listed(models, "model", POTENTIALS)
    kinds = list(SETS) if structures is None else listed(structures, "set", SETS)
    console, folder, rows = wide(200), Path(out), []
    for name in chosen:
        for kind in (k for k in POTENTIALS[name].sets if k in kinds):
            console.print(f"{name} on {kind}", highlight=False)
            rows.append(_measured(POTENTIALS[name], kind, count, epochs, folder, console))
    console.print(_table(rows))
    print(f"wrote {write(folder / 'symmetry.json', {'facts': facts(count=count), 'rows': rows})}")


def _measured(
    potential: Potential, kind: str, count: int, epochs: int, folder: Path, console: Console
) -> dict[str, Any]:
    """The row of a model, read from its file or measured; with the reason if that failed."""
    count = min(count, potential.most)
    wanted = {"model": potential.name, "structures": kind, "count": count}
    wanted |= {"epochs": epochs} if potential.trained else {}
    inside = folder / f"{potential.name}-{kind}".replace(" ", "-").replace(",", "")
    path = inside / "result.json"
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if {k: found.get(k) for k in wanted} == wanted:
            return found
    try:
        model = potential.make(inside, epochs, console)
        row = wanted | _row(potential, model, kind, count, inside)
    except InputError as error:
        return wanted | {"failed": str(error)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, row)
    return row


def _row(potential: Potential, model: Any, kind: str, count: int, folder: Path) -> dict[str, Any]:
    begun, parts, where = time.perf_counter(), ["orbit", "symmetries"], folder / "energy"
    limit = LIMITS["energy_per_atom"]
    made: dict[str, Any] = {}
    if isinstance(model, str):  # a shipped model, judged by its error on its test molecules
        how: dict[str, Any] = {"targets": ["U0"], "molecules": count, "degree": DEGREE}
        energy = analyse(model, parts=parts, out=where, **how)
    elif potential.module:
        given = SETS[kind](count)
        for atoms in given:
            atoms.pbc = False
        how = {"unit": "eV/atom", "degree": DEGREE, "threshold": limit}
        energy = analyse(model, as_structures(given), parts=parts, out=where, **how)
    else:
        given = SETS[kind](count)
        how = {"property": "energy_per_atom", "degree": DEGREE, "threshold": limit}
        energy = analyse(model, given, parts=parts, out=where, **how)
        how = {"property": "forces", "degree": DEGREE, "threshold": LIMITS["forces"]}
        forces = analyse(model, given, parts=["orbit"], out=folder / "forces", **how)
        made["forces"] = _change(forces)
        made["gradient"] = energy.analyses[0].numbers("symmetries")["forces"]
        made["calls"] = model.calls
    found, (quantity,) = energy.analyses[0].numbers("symmetries"), energy.analyses[0].subject.names
    operations = {o: found[o][quantity]["answer"] for o in OPERATIONS if found.get(o)}
    made |= {"energy": _change(energy), "operations": operations, "notes": energy.notes}
    return made | {"seconds": time.perf_counter() - begun}


def _change(report: Report) -> dict[str, Any]:
    """The answer, and the standard deviation over orientations: its median and its largest."""
    analysis = report.analyses[0]
    std, unit = analysis.orbits.std[:, 0], analysis.subject.quantities[0].unit
    made = {"answer": report.answer, "std": float(std.median()), "most": float(std.max())}
    return made | {"unit": unit, "structures": len(std), "orientations": len(analysis.orbits.nodes)}


def _table(rows: list[dict[str, Any]]) -> Any:
    columns = ("model", "structures", "energy", "meV/atom", "forces", "meV/angstrom")
    columns += (*OPERATIONS.values(), "forces - gradient", "asymmetry")
    made = []
    for row in rows:
        if "failed" in row:
            made.append((row["model"], row["structures"], row["failed"], *[""] * 9))
            continue
        energy, forces = row["energy"], row.get("forces")
        cells = [row["model"], f"{energy['structures']} {row['structures']}", energy["answer"]]
        whole = energy["unit"] == "meV"  # of molecules, by a model of molinv
        cells += [f"{energy['std']:.2g} / molecule" if whole else f"{1e3 * energy['std']:.2g}"]
        cells += [forces["answer"], f"{1e3 * forces['std']:.2g}"] if forces else ["", ""]
        cells += [row["operations"].get(o, "") for o in OPERATIONS]
        gradient = row.get("gradient")
        cells += [f"{1e3 * gradient['from_energy']['value']:.2g}"] if gradient else [""]
        cells += [f"{100 * gradient['asymmetry']['value']:.2g} %"] if gradient else [""]
        made.append(cells)
    title = "Invariance of models: medians of standard deviations over orientations"
    return table(columns, made, left=range(10), title=title)
