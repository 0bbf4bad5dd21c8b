"""From what a user names to the folder with its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..chem.descriptors import Descriptors, taken
from ..chem.structure import Rejected
from ..datasets.descriptors import numbered
from ..errors import InputError, unknown
from ..prediction.batches import asked
from ..training.saved import Saved
from .analyse import PARTS, Analysis, analyse
from .callables import PROPERTIES, load_calculator, named, of_calculator
from .device import place
from .runs import given_structures, held_out, of_run
from .settings import Settings, bars
from .subject import Structures, Subject, only
from .verdict import at_one_look, verdict


def produce(
    runs: Sequence[str] = (),
    calculator: str | None = None,
    property: str = "energy",
    structures: str | None = None,
    unit: str = "",
    kind: str = "scalar",
    molecules: int = 1000,
    degree: int | None = None,
    parts: Sequence[str] | None = None,
    seed: int = 0,
    out: Path | None = None,
    trust: bool = False,
    targets: Sequence[str] | None = None,
    device: str = "cpu",
    threshold: float | None = None,
) -> tuple[Path, list[str]]:
    """Analyse runs, a function or a calculator and write the report; returns its path and verdict.

    One subject makes a page of its own, two stand side by side, three or more runs of one kind
    make a figure of what they learned against lambda and seed. `targets` keeps some of a run's, in
    their order. `threshold`, in the quantities' unit, is what counts as nearly invariant. `degree`
    is that of the quadrature, None as high as is needed. Networks run on `device`. Nothing is
    written where the input is bad, for which InputError is raised.
    """
    for name in parts or ():
        if name not in PARTS:
            raise unknown("part of an analysis:", name, PARTS)
    from .report import write, write_comparison

    if len(runs) > 2:
        from .learned.several import several

        made = several([Path(r) for r in runs])
        folder = Path("analysis") if out is None else out
        title = f"{len(runs)} runs"
        write(folder, title, made.findings, {"runs": ", ".join(runs)}, [made])
        return folder / "report.html", made.findings
    chosen = [_subject(run, structures, molecules, unit, kind, trust) for run in runs]
    if calculator is not None:
        if property not in PROPERTIES:
            raise unknown("property", property, PROPERTIES)
        given = _structures(calculator, structures, molecules)
        chosen = [(of_calculator(load_calculator(calculator), property), given)]
    if targets is not None:
        chosen = [only(subject, given, targets) for subject, given in chosen]
    chosen = [(place(subject, given, device), given) for subject, given in chosen]
    with bars() as progress:
        settings = Settings(degree=degree, seed=seed, progress=progress)
        found = [analyse(subject, given, settings, parts) for subject, given in chosen]
    pages = [_page(analysis, threshold) for analysis in found]
    folder = _folder(chosen[0][0]) if out is None else out
    if len(pages) == 1:
        name, lines, facts, sections = pages[0]
        write(folder, f"Rotational invariance of {name}", lines, facts, sections)
        return folder / "report.html", lines
    names = [name for name, *_ in pages]
    write_comparison(folder, f"{names[0]} beside {names[1]}", pages)
    lines = [f"{name}: {line}" for name, told, *_ in pages for line in told]
    return folder / "report.html", lines


def _page(analysis: Analysis, threshold: float | None):
    subject = analysis.subject
    facts = subject.facts | {"molecules": f"{len(analysis.structures):,}"}
    kind = "a quadrature over all rotations" if analysis.orbits.degree else "random"
    facts["orientations"] = f"{len(analysis.orbits.nodes)}, {kind}"
    sections = [at_one_look(analysis.orbits, threshold), *analysis.sections]
    return subject.name, verdict(analysis, threshold), facts, sections


def _subject(
    run: str, structures: str | None, molecules: int, unit: str, kind: str, trust: bool
) -> tuple[Subject, Structures]:
    if ":" in run and not Path(run).exists():
        given = _structures(run, structures, molecules)
        return named(run, given, unit, kind), given
    subject, config, saved = of_run(run, trust)
    if structures is None:
        given = held_out(config, saved, molecules)
    else:
        given = _structures(run, structures, molecules, saved)
    return subject.of(given), given


def _structures(
    what: str, structures: str | None, limit: int, saved: Saved | None = None
) -> Structures:
    if structures is None:
        raise InputError(f"{what}: name molecules with --structures, a file or a SMILES.")
    from ..chem import read

    names = () if saved is None else asked(saved)
    wanted = Descriptors() if saved is None else taken(saved.card["build"])
    items = (
        item if isinstance(item, Rejected) else numbered(item, wanted)
        for item in read([structures], descriptors=wanted)
    )
    return given_structures(items, limit, names)


def _folder(subject: Subject) -> Path:
    """A folder in the run's; in the working directory for subjects without a folder."""
    from ..pretrained import shipped_name

    if subject.folder is None or shipped_name(subject.folder):
        return Path("analysis")
    return subject.folder / "analysis"
