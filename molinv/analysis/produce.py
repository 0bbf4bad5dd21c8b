"""From what a user names to the folder with its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from .. import __version__
from ..chem.descriptors import Descriptors, taken
from ..chem.structure import Rejected
from ..datasets.descriptors import numbered
from ..errors import InputError, unknown
from ..prediction.batches import asked
from ..training.saved import Saved
from .calculators import (
    PROPERTIES,
    called,
    load_calculator,
    of_calculator,
    read_atoms,
    structures_for,
)
from .callables import named, of_callable
from .device import place
from .parts import PARTS, Analysis, analyse_all
from .runs import given_structures, held_out, of_run
from .settings import Settings, bars
from .subject import Structures, Subject, only
from .verdict import Judged, at_one_look, differences, judge, verdict

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True, eq=False)
class Report:
    """What an analysis found.

    page       report.html, None where nothing was written
    lines      the verdict in plain words
    judged     by quantity, whether it is invariant, of the first subject
    analyses   of each subject, with all numbers (`Analysis.numbers(part)`)
    notes      what was left out
    """

    page: Path | None
    lines: list[str]
    judged: dict[str, Judged]
    analyses: list[Analysis]
    notes: list[str]

    @property
    def answer(self) -> str:
        """ "yes", "almost" or "no", of the quantity that is farthest from invariant."""
        worst = max(self.judged.values(), key=lambda judged: judged.ratio, default=None)
        return "" if worst is None else worst.answer


@dataclass(frozen=True, eq=False)
class Source:
    """A subject with its structures, and sentences on those that were left out."""

    subject: Subject
    structures: Structures
    notes: Sequence[str] = ()


def sweep_of_runs(runs: Sequence[str], out: Path | None) -> Report:
    """The report of three or more runs: what they learned against lambda and seed."""
    from .learned.several import several
    from .report import write

    made = several([Path(r) for r in runs])
    folder = Path("analysis") if out is None else out
    write(folder, f"{len(runs)} runs", made.findings, {"runs": ", ".join(runs)}, [made])
    return Report(folder / "report.html", made.findings, {}, [], [])


def produce(
    sources: Sequence[Source],
    degree: int | None = None,
    parts: Sequence[str] | None = None,
    seed: int = 0,
    out: Path | None = None,
    targets: Sequence[str] | None = None,
    device: str = "cpu",
    threshold: float | None = None,
    written: bool = True,
) -> Report:
    """Analyse one subject, which makes a page of its own, or two, which stand side by side.

    `targets` keeps some of a subject's quantities, in their order. `threshold`, in the quantities'
    unit, is what counts as nearly invariant. `degree` is that of the quadrature, None as high as is
    needed. Networks run on `device`. Nothing is written where the input is bad, for which
    InputError is raised, nor unless `written`.
    """
    for name in parts or ():
        if name not in PARTS:
            raise unknown("part of an analysis:", name, PARTS)
    if threshold is not None and not threshold > 0:
        raise InputError(f"threshold: expected a number above 0, got {threshold}.")
    chosen = [(s.subject, s.structures) for s in sources]
    if targets is not None:
        chosen = [only(subject, given, targets) for subject, given in chosen]
    chosen = [(place(subject, given, device), given) for subject, given in chosen]
    with bars() as progress:
        settings = Settings(degree=degree, seed=seed, threshold=threshold, progress=progress)
        found = [analyse_all(subject, given, settings, parts) for subject, given in chosen]
    notes = [note for source in sources for note in source.notes]
    judged = {
        name: judge(found[0].orbits, q, threshold) for q, name in enumerate(found[0].subject.names)
    }
    lines = [verdict(analysis, threshold) for analysis in found]
    if len(found) == 1:
        told = lines[0]
    else:
        told = [
            f"{a.subject.name}: {line}"
            for a, each in zip(found, lines, strict=True)
            for line in each
        ]
        told += differences(found[0], found[1])
    if not written:
        return Report(None, told, judged, found, notes)
    folder = _folder(chosen[0][0]) if out is None else out
    return Report(_write(folder, found, lines, notes, seed, threshold), told, judged, found, notes)


def _write(
    folder: Path,
    found: Sequence[Analysis],
    lines: Sequence[Sequence[str]],
    notes: Sequence[str],
    seed: int,
    threshold: float | None,
) -> Path:
    from .report import chemiscope, write, write_comparison

    how = {"made by": f"molinv {__version__}, {date.today().isoformat()}, seed {seed}"}
    if command := _command():
        how["command"] = command
    if notes:
        how["left out"] = " ".join(notes)
    pages = []
    for analysis, each in zip(found, lines, strict=True):
        facts = analysis.subject.facts | {"molecules": f"{len(analysis.structures):,}"}
        kind = "a quadrature over all rotations" if analysis.orbits.degree else "random"
        facts["orientations"] = f"{len(analysis.orbits.nodes):,}, {kind}"
        sections = [at_one_look(analysis.orbits, threshold), *analysis.sections]
        pages.append((analysis.subject.name, each, facts | how, sections))
    if len(pages) == 1:
        name, each, facts, sections = pages[0]
        title = f"Rotational invariance of {name}"
        write(folder, title, each, facts, sections)
        chemiscope.write(folder, title, found[0].orbits)
    else:
        names = [name for name, *_ in pages]
        both = differences(found[0], found[1])
        write_comparison(folder, f"{names[0]} beside {names[1]}", pages, both)
    return folder / "report.html"


def _command() -> str:
    """The command line, if there is one: without the folder of the program."""
    first, *rest = sys.argv
    return " ".join([Path(first).name, *rest])[:400] if Path(first).name == "molinv" else ""


def of_names(
    run: str,
    structures: Any = None,
    molecules: int = 1000,
    unit: str = "",
    kind: str = "scalar",
    trust: bool = False,
) -> Source:
    """A run folder, a shipped model, or a function named as "package.module:Name".

    `structures` are whatever `chem.read` reads; a run has its own.
    """
    if ":" in run and not Path(run).exists():
        given = _structures(run, structures, molecules)
        return Source(named(run, given, unit, kind), given)
    subject, config, saved = of_run(run, trust)
    if structures is None:
        given = held_out(config, saved, molecules)
    else:
        given = _structures(run, structures, molecules, saved)
    return Source(subject.of(given), given)


def of_ase(
    calculator: str | Calculator,
    arguments: dict[str, Any] | None,
    property: str,
    structures: Any,
    molecules: int = 1000,
    python: str | None = None,
) -> Source:
    """An ASE calculator, made or named ("package.module:Name"), on structures or a file of them."""
    if property not in PROPERTIES:
        raise unknown("property", property, PROPERTIES)
    if structures is None:
        raise InputError(f"{calculator}: name structures with --structures, a file or a SMILES.")
    structures = read_atoms(structures, molecules)
    made = calculator
    if isinstance(made, str):
        made = load_calculator(made, arguments, python)
    subject = of_calculator(made, property)
    given = structures_for(made, property, structures)
    named_with = f", {arguments}" if arguments else ""
    text = calculator if isinstance(calculator, str) else called(made)
    subject = replace(subject, facts={"calculator": f"{text}{named_with}", "property": property})
    return Source(subject, given.structures, given.notes)


def of_objects(
    what: str | Path | nn.Module | Callable[..., Any] | Calculator,
    structures: Any,
    molecules: int,
    unit: str,
    kind: str,
    property: str,
    trust: bool,
) -> Source:
    """Whatever `molinv.analysis.analyse` takes."""
    if isinstance(what, str | Path):
        return of_names(str(what), structures, molecules, unit, kind, trust)
    if hasattr(what, "calculate") and hasattr(what, "implemented_properties"):
        if isinstance(structures, Structures):
            return Source(of_calculator(what, property), structures)  # pyright: ignore
        return of_ase(what, None, property, structures, molecules)  # pyright: ignore
    if structures is None:
        raise InputError("a function needs structures: a file, a SMILES, or a list of ase.Atoms.")
    if not isinstance(structures, Structures):
        structures = _structures("the function", structures, molecules)
    return Source(_function(what, structures, unit, kind), structures)


def _function(what: Any, structures: Structures, unit: str, kind: str) -> Subject:
    """A module or function with as many quantities as it returns for the first molecule."""
    import torch

    pos, z = structures.batch([0])
    dtype = next((p.dtype for p in getattr(what, "parameters", list)()), torch.float32)
    with torch.no_grad():
        values = what(pos.to(dtype), z)
    count = values.shape[1] if getattr(values, "ndim", 0) > 1 else 1
    names = ["output"] if count == 1 else [f"output {i + 1}" for i in range(count)]
    return of_callable(what, names, [unit] * count, kind, dtype=dtype)


def _structures(what: str, structures: Any, limit: int, saved: Saved | None = None) -> Structures:
    if structures is None:
        raise InputError(f"{what}: name molecules with --structures, a file or a SMILES.")
    from ..chem import read

    names = () if saved is None else asked(saved)
    wanted = Descriptors() if saved is None else taken(saved.card["build"])
    items = (
        item if isinstance(item, Rejected) else numbered(item, wanted)
        for item in read(structures, descriptors=wanted)
    )
    return given_structures(items, limit, names)


def _folder(subject: Subject) -> Path:
    """A folder in the run's; in the working directory for subjects without a folder."""
    from ..pretrained import shipped_name

    if subject.folder is None or shipped_name(subject.folder):
        return Path("analysis")
    return subject.folder / "analysis"
