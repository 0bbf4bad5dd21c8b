"""Runs an analysis and writes its report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from .. import __version__
from ..chem.descriptors import Descriptors, taken
from ..chem.structure import Rejected
from ..datasets.descriptors import numbered
from ..errors import InputError, said, unknown
from ..prediction.batches import asked, feature_store
from ..sharing import choose_device
from ..training.members import is_ensemble
from ..training.saved import Saved
from .calculators import (
    PROPERTIES,
    called,
    load_calculator,
    load_metatomic,
    of_calculator,
    precision,
    read_atoms,
    structures_for,
)
from .callables import instance, tried
from .making import adapted
from .parts import Analysis, analyse_all
from .runs import held_out, of_run
from .section import Section
from .settings import Settings, bars
from .shared import section as invariances
from .subject import Structures, Subject, only
from .verdict import Judged, at_one_look, differences, judge, verdict

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True, eq=False)
class Report:
    """The result of an analysis.

    page       path of report.html, None if nothing was written
    lines      the verdict, in sentences
    judged     by quantity, whether the first subject is invariant
    analyses   of each subject, with all numbers (`Analysis.numbers(part)`)
    notes      sentences on structures that were left out
    joint      sections on both subjects of a comparison
    """

    page: Path | None
    lines: list[str]
    judged: dict[str, Judged]
    analyses: list[Analysis]
    notes: list[str]
    joint: Sequence[Section] = ()

    @property
    def answer(self) -> str:
        """ "yes", "almost" or "no", for the quantity that is farthest from invariant."""
        worst = max(self.judged.values(), key=lambda judged: judged.ratio, default=None)
        return "" if worst is None else worst.answer


@dataclass(frozen=True, eq=False)
class Source:
    """A subject with its structures, and sentences on structures that were left out."""

    subject: Subject
    structures: Structures
    notes: Sequence[str] = ()

    @property
    def folder(self) -> Path:
        """The default folder of its report: in a run's folder, else in the working directory."""
        from ..pretrained import shipped_name

        folder = self.subject.folder
        return Path("analysis") if folder is None or shipped_name(folder) else folder / "analysis"


def sweep_of_runs(runs: Sequence[str], out: Path) -> Report:
    """The report of three or more runs: what they learned against lambda and seed."""
    from .learned.several import several
    from .report import write

    made = several([Path(r) for r in runs])
    write(out, f"{len(runs)} runs", made.findings, {"runs": ", ".join(runs)}, [made])
    return Report(out / "report.html", made.findings, {}, [], [])


def produce(
    sources: Sequence[Source],
    degree: int | None = None,
    parts: Sequence[str] | None = None,
    seed: int = 0,
    out: Path | None = None,
    targets: Sequence[str] | None = None,
    device: str = "cpu",
    threshold: float | None = None,
    shared: bool = False,
) -> Report:
    """Analyse one subject, or two side by side; see `molinv.analysis.analyse`.

    Raises InputError for bad input, before anything is written.
    """
    if threshold is not None and not threshold > 0:
        raise InputError(f"threshold: expected a number above 0, got {threshold}.")
    chosen = [(s.subject, s.structures) for s in sources]
    if targets is not None:
        chosen = [only(subject, given, targets) for subject, given in chosen]
    chosen = [(place(subject, given, device), given) for subject, given in chosen]
    with bars() as progress:
        settings = Settings(degree=degree, seed=seed, threshold=threshold, progress=progress)
        found = [analyse_all(subject, given, settings, parts) for subject, given in chosen]
        joint = [invariances(found[0], found[1], settings)] if shared and len(found) == 2 else []
    notes = [note for source in sources for note in source.notes]
    names = found[0].subject.names
    judged = {name: judge(found[0].orbits, q, threshold) for q, name in enumerate(names)}
    lines = [verdict(analysis, threshold) for analysis in found]
    both = differences(found[0], found[1]) if len(found) == 2 else []
    page = None
    if out is not None:
        page = _write(out, found, lines, both, joint, notes, settings)
    if len(found) == 1:
        return Report(page, lines[0], judged, found, notes)
    told = [
        f"{a.subject.name}: {line}" for a, each in zip(found, lines, strict=True) for line in each
    ]
    told += [*both, *(line for section in joint for line in section.findings)]
    return Report(page, told, judged, found, notes, joint)


def place(subject: Subject, structures: Structures, device: str) -> Subject:
    """The subject on the named device; "auto" moves torch modules only.

    Raises InputError if the function fails there on the first molecule.
    """
    if device == "auto" and subject.module is None:
        return subject
    moved = subject.on(choose_device(device))
    if moved.device.type != "cpu":
        try:
            with torch.no_grad():
                moved(*structures.batch([0]))
        except (RuntimeError, TypeError) as error:
            reason = said(error).split(". ")[0].rstrip(".")
            raise InputError(
                f"{subject.name} fails on {moved.device}: {reason}; use --device cpu."
            ) from error
    return moved


def _write(
    folder: Path,
    found: Sequence[Analysis],
    lines: Sequence[Sequence[str]],
    both: Sequence[str],
    joint: Sequence[Section],
    notes: Sequence[str],
    settings: Settings,
) -> Path:
    from .report import chemiscope, write, write_comparison

    made_by = f"molinv {__version__}, {date.today().isoformat()}, seed {settings.seed}"
    how = {"made by": made_by, "command": _command(), "left out": " ".join(notes)}
    pages = []
    for analysis, each in zip(found, lines, strict=True):
        facts = analysis.subject.facts | {"molecules": f"{len(analysis.structures):,}"}
        kind = "a quadrature over all rotations" if analysis.orbits.degree else "random"
        facts["orientations"] = f"{len(analysis.orbits.nodes):,}, {kind}"
        facts |= {key: text for key, text in how.items() if text}
        sections = [at_one_look(analysis.orbits, settings.threshold), *analysis.sections]
        pages.append((analysis.subject.name, each, facts, sections))
    if len(pages) == 1:
        name, each, facts, sections = pages[0]
        title = f"Rotational invariance of {name}"
        write(folder, title, each, facts, sections)
        chemiscope.write(folder, title, found[0].orbits)
    else:
        write_comparison(folder, " and ".join(name for name, *_ in pages), pages, both, joint)
    return folder / "report.html"


def _command() -> str:
    """The command line, or nothing in Python."""
    first, *rest = sys.argv
    return " ".join([Path(first).name, *rest])[:400] if Path(first).name == "molinv" else ""


def of_names(
    run: str,
    structures: Any = None,
    molecules: int = 1000,
    unit: str = "",
    kind: str = "scalar",
    trust: bool = False,
    property: str = "energy",
) -> Source:
    """A run folder, a shipped or metatomic model, or a function named as "package.module:Name".

    `structures` is anything that `chem.read` reads; the default for a run is its test molecules.
    """
    if ":" in run and not Path(run).exists():
        given = _structures(run, structures, molecules)
        return Source(tried(instance(run), given, unit, kind), given)
    if run.endswith(".pt"):
        made = of_ase(load_metatomic(run), None, property, structures, molecules)
        return replace(made, subject=replace(made.subject, name=Path(run).name))
    subject, config, saved = of_run(run, trust)
    if structures is None:
        given = held_out(config, saved, molecules)
    else:
        given = _structures(run, structures, molecules, saved)
    several = subject.folder is not None and is_ensemble(subject.folder)
    notes = [f"{run} is an ensemble, of which {run}/member_0 is analysed."] if several else []
    return Source(subject.of(given), given, notes)


def of_ase(
    calculator: str | Calculator,
    arguments: dict[str, Any] | None,
    property: str,
    structures: Any,
    molecules: int = 1000,
    python: str | None = None,
) -> Source:
    """An ASE calculator, or its name "package.module:Name", on structures or a file of them."""
    if property not in PROPERTIES:
        raise unknown("property", property, PROPERTIES)
    if structures is None:
        raise InputError(f"{calculator}: name structures with --structures, a file or a SMILES.")
    structures = read_atoms(structures, molecules)
    made = calculator
    if isinstance(made, str):
        made = load_calculator(made, arguments, python)
    subject = of_calculator(made, property)
    given, notes = structures_for(made, property, structures)
    named_with = f", {arguments}" if arguments else ""
    text = calculator if isinstance(calculator, str) else called(made)
    facts = {"calculator": f"{text}{named_with}", "property": property}
    subject = replace(subject, facts=facts, rounding=precision(made, property))
    return Source(subject, given, notes)


def of_objects(
    what: str | Path | nn.Module | Callable[..., Any] | Calculator,
    structures: Any,
    molecules: int,
    unit: str,
    kind: str,
    property: str,
    trust: bool,
) -> Source:
    """Anything that `molinv.analysis.analyse` takes."""
    if isinstance(what, str | Path):
        return of_names(str(what), structures, molecules, unit, kind, trust, property)
    what = adapted(what)
    if hasattr(what, "calculate") and hasattr(what, "implemented_properties"):
        if isinstance(structures, Structures):
            return Source(of_calculator(what, property), structures)  # pyright: ignore
        return of_ase(what, None, property, structures, molecules)  # pyright: ignore
    if structures is None:
        raise InputError(
            "a function needs structures: a file, a SMILES, a list of ase.Atoms, or a tensor of "
            "coordinates."
        )
    if isinstance(structures, Tensor):
        return Source(tried(what, points := _points(structures), unit, kind, True), points)
    if not isinstance(structures, Structures):
        structures = _structures("the function", structures, molecules)
    return Source(tried(what, structures, unit, kind), structures)


def _points(pos: Tensor) -> Structures:
    """Clouds of n points, which rotate about the origin; raises InputError for another shape."""
    if pos.ndim != 3 or pos.shape[-1] != 3 or not len(pos):
        raise InputError(f"expected coordinates (b, n, 3), got {tuple(pos.shape)}.")
    z = torch.ones(pos.shape[1], dtype=torch.long)
    names = [f"example {i + 1}" for i in range(len(pos))]
    return Structures([*pos.detach().float().cpu()], [z] * len(pos), names=names)


def _structures(what: str, structures: Any, limit: int, saved: Saved | None = None) -> Structures:
    """The first molecules, each about its centroid, with the features that a saved model takes."""
    if structures is None:
        raise InputError(f"{what}: name molecules with --structures, a file or a SMILES.")
    from ..chem import read

    names = () if saved is None else asked(saved)
    wanted = Descriptors() if saved is None else taken(saved.card["build"])
    kept = []
    for item in islice(read(structures, descriptors=wanted), limit):
        if isinstance(item, Rejected):
            raise InputError(f"{item.source}: {item.name}: {item.reason}")
        kept.append(numbered(item, wanted))
    if not kept:
        raise InputError("expected at least one molecule, got none.")
    return Structures(
        [torch.from_numpy((s.pos - s.pos.mean(0)).astype(np.float32)) for s in kept],
        [torch.from_numpy(s.z.astype(np.int64)) for s in kept],
        names=[s.name for s in kept],
        features=feature_store(kept, names).of if names else None,
    )
