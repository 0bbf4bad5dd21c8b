"""The symmetries of published potentials, measured on molecules and on crystals.

    molinv bench symmetry                                all models, all structures
    molinv bench symmetry --models "EMT,CHGNet"
    molinv bench symmetry --structures crystals

Analyses the energy per atom and the forces of each potential, as `molinv analyse` does. CHGNet and
SevenNet include their weights; each runs in its own environment, which is made on first use (some
minutes and 1 to 2 GB). Five versions of EMT, each with one symmetry broken on purpose, show that
the analysis finds every fault. Writes symmetry.json and a report for each potential. Finished
potentials are skipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ...analysis import analyse
from ...analysis.calculators import load_calculator
from ...errors import InputError
from ...training.saved import write_json
from ..environments import cached
from ..flags import listed, positive
from ..report import facts, table, wide, write
from .structures import SETS

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

OPERATIONS = ("reflection", "translation by 40 angstrom", "permutation")
_BROKEN = "molinv.bench.symmetry.broken:Broken"


@dataclass(frozen=True)
class Potential:
    """A calculator, the requirements of its environment (none: molinv's), and its structures."""

    name: str
    spec: str
    arguments: dict[str, Any] = field(default_factory=dict)
    pins: tuple[str, ...] = ()
    sets: tuple[str, ...] = ("molecules", "crystals")

    def make(self, console: Console) -> Calculator:
        """The calculator; installs its environment if necessary."""
        if not self.pins:
            return load_calculator(self.spec, self.arguments)
        environment = cached(self.pins[0], self.pins)
        environment.make(console)
        return load_calculator(self.spec, self.arguments, str(environment.python))


POTENTIALS = {
    p.name: p
    for p in (
        Potential("GFN2-xTB", "tblite.ase:TBLite", {"method": "GFN2-xTB"}, (), ("molecules",)),
        Potential(
            "CHGNet",
            "chgnet.model.dynamics:CHGNetCalculator",
            {"use_device": "cpu"},
            ("chgnet==0.4.2",),
        ),
        Potential(
            "SevenNet-0",
            "sevenn.calculator:SevenNetCalculator",
            {"model": "7net-0", "device": "cpu"},
            ("sevenn==0.12.1",),
        ),
        Potential("EMT", "ase.calculators.emt:EMT"),
        *(
            Potential(f"EMT, {what} broken", _BROKEN, {"what": what})
            for what in ("rotation", "reflection", "translation", "permutation", "gradient")
        ),
    )
}


def main(
    out: str = "symmetry", models: str | None = None, structures: str | None = None, count: int = 20
) -> None:
    """Analyse potentials on sets of structures.

    Args:
        out: output folder.
        models: names of potentials (see the table), separated by commas or semicolons; all if not
            given.
        structures: molecules, crystals or both.
        count: number of structures per set.
    """
    positive(count=count)
    chosen = list(POTENTIALS) if models is None else listed(models, "model", POTENTIALS)
    kinds = list(SETS) if structures is None else listed(structures, "set", SETS)
    console, folder, rows = wide(160), Path(out), []
    for name in chosen:
        for kind in (k for k in POTENTIALS[name].sets if k in kinds):
            path = folder / f"{name}-{kind}".replace(" ", "-").replace(",", "") / "result.json"
            console.print(f"{name} on {kind}", highlight=False)
            rows.append(_measured(POTENTIALS[name], kind, count, path, console))
            console.print(_table(rows))
    print(f"wrote {write(folder / 'symmetry.json', {'facts': facts(count=count), 'rows': rows})}")


def _measured(
    potential: Potential, kind: str, count: int, path: Path, console: Console
) -> dict[str, Any]:
    """The row of a potential, read from its file or measured; with the reason if that failed."""
    wanted = {"model": potential.name, "structures": kind, "count": count}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if {k: found.get(k) for k in wanted} == wanted:
            return found
    try:
        calculator = potential.make(console)
        row = wanted | _row(calculator, kind, count, path.parent)
    except InputError as error:
        return wanted | {"failed": str(error)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, row)
    return row


def _row(calculator: Calculator, kind: str, count: int, folder: Path) -> dict[str, Any]:
    given, parts = SETS[kind](count), ["orbit", "symmetries", "walk"]
    energy = analyse(
        calculator, given, property="energy_per_atom", parts=parts, out=folder / "energy"
    )
    forces = analyse(calculator, given, property="forces", parts=["orbit"], out=folder / "forces")
    made: dict[str, Any] = {"notes": energy.notes}
    for name, report in (("energy_per_atom", energy), ("forces", forces)):
        std = report.analyses[0].orbits.std[:, 0]
        made[name] = {"answer": report.answer, "std": float(std.median()), "most": float(std.max())}
    found = energy.analyses[0].numbers("symmetries")
    made["operations"] = {o: found[o]["energy_per_atom"]["answer"] for o in OPERATIONS if found[o]}
    made["gradient"] = found["forces"]
    walk = energy.analyses[0].numbers("walk")
    names = ("mean_energy", "max_energy", "mean_forces", "max_forces")
    return made | {"walk": {name: walk[name] for name in names}}


def _table(rows: list[dict[str, Any]]) -> Any:
    columns = ("model", "structures", "energy", "meV/atom", "forces", "meV/angstrom")
    columns += ("reflection", "translation", "permutation", "forces - gradient", "asymmetry")
    made = []
    for row in rows:
        if "failed" in row:
            made.append((row["model"], row["structures"], row["failed"], *[""] * 8))
            continue
        energy, forces = row["energy_per_atom"], row["forces"]
        cells = [row["model"], row["structures"], energy["answer"], f"{1e3 * energy['std']:.2g}"]
        cells += [forces["answer"], f"{1e3 * forces['std']:.2g}"]
        cells += [row["operations"].get(o, "") for o in OPERATIONS]
        cells.append(f"{1e3 * row['gradient']['from_energy']['value']:.2g}")
        made.append([*cells, f"{100 * row['gradient']['asymmetry']['value']:.2g} %"])
    title = "Invariance of potentials: medians of standard deviations over orientations"
    return table(columns, made, left=range(3), title=title)
