"""From what a user names to the folder with its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from ..errors import InputError, unknown
from .analyse import PARTS, Analysis, analyse
from .callables import PROPERTIES, load_calculator, of_calculator, of_callable
from .runs import given_structures, held_out, of_run
from .settings import Settings
from .subject import Structures, Subject, only
from .verdict import verdict


def produce(
    runs: Sequence[str] = (),
    calculator: str | None = None,
    property: str = "energy",
    structures: str | None = None,
    unit: str = "",
    kind: str = "scalar",
    molecules: int = 1000,
    degree: int = 9,
    parts: Sequence[str] | None = None,
    seed: int = 0,
    out: Path | None = None,
    trust: bool = False,
    targets: Sequence[str] | None = None,
) -> tuple[Path, list[str]]:
    """Analyse runs, a function or a calculator and write the report: its page and its verdict.

    One subject makes a page of its own, two stand side by side, three or more runs of one kind
    make a figure of what they learned against lambda and seed. `targets` keeps some of a run's, in
    their order. Nothing is written where the input is bad, for which InputError is raised.
    """
    for name in parts or ():
        if name not in PARTS:
            raise unknown("part of an analysis:", name, PARTS)
    from .report import write, write_comparison

    if len(runs) > 2:
        from .learned.several import sweep_figure

        made = sweep_figure([Path(r) for r in runs])
        folder = Path("analysis") if out is None else out
        title = f"{len(runs)} runs"
        write(folder, title, made.findings, {"runs": ", ".join(runs)}, [made])
        return folder / "report.html", made.findings
    chosen: list[tuple[Subject, Structures]] = [
        _subject(run, structures, molecules, unit, kind, trust) for run in runs
    ]
    if calculator is not None:
        if property not in PROPERTIES:
            raise unknown("property", property, PROPERTIES)
        given = _structures(calculator, structures, molecules)
        chosen = [(of_calculator(load_calculator(calculator), property), given)]
    if targets is not None:
        chosen = [only(subject, given, targets) for subject, given in chosen]
    with _progress() as progress:
        settings = Settings(degree=degree, molecules=molecules, seed=seed, progress=progress)
        found = [analyse(subject, given, settings, parts) for subject, given in chosen]
    pages = [_page(analysis) for analysis in found]
    folder = _folder(chosen[0][0]) if out is None else out
    if len(pages) == 1:
        name, lines, facts, sections = pages[0]
        write(folder, f"Rotational invariance of {name}", lines, facts, sections)
        return folder / "report.html", lines
    names = [name for name, *_ in pages]
    write_comparison(folder, f"{names[0]} beside {names[1]}", pages)
    lines = [f"{name}: {line}" for name, told, *_ in pages for line in told]
    return folder / "report.html", lines


def _page(analysis: Analysis):
    subject = analysis.subject
    facts = subject.facts | {"molecules": f"{len(analysis.structures):,}"}
    facts["orientations"] = f"{len(analysis.orbits.nodes)}, a quadrature over all rotations"
    return subject.name, verdict(analysis), facts, analysis.sections


def _subject(
    run: str, structures: str | None, molecules: int, unit: str, kind: str, trust: bool
) -> tuple[Subject, Structures]:
    if ":" in run and not Path(run).exists():
        from ..names import external

        given = _structures(run, structures, molecules)
        function = external(run)
        if isinstance(function, type):
            try:
                function = function()
            except Exception as error:  # a constructor may raise anything
                raise InputError(f"cannot make {run} without arguments: {error}") from error
        if not callable(function):
            raise InputError(f"{run} is not a function or module: it cannot be called.")
        return _outputs(of_callable, function, given, unit, kind), given
    subject, config, saved = of_run(run, trust)
    if structures is None:
        return subject, held_out(config, saved, molecules)
    return subject, _structures(run, structures, molecules)


def _outputs(make: Callable[..., Subject], function, given: Structures, unit: str, kind: str):
    """A subject with as many quantities as the function returns for a first molecule."""
    pos, z = given.batch([0])
    try:
        with torch.no_grad():
            values = function(pos, z)
    except Exception as error:  # a user's function may raise anything
        text = " ".join(str(error).split())
        raise InputError(
            f"the function failed on pos {tuple(pos.shape)} and z {tuple(z.shape)}: {text}"
        ) from error
    shape = getattr(values, "shape", ())
    count = shape[1] if len(shape) > 1 else 1
    names = ["output"] if count == 1 else [f"output {i + 1}" for i in range(count)]
    return make(function, names, [unit] * count, kind)


def _structures(what: str, structures: str | None, limit: int) -> Structures:
    if structures is None:
        raise InputError(f"{what}: name molecules with --structures, a file or a SMILES.")
    from ..chem import read

    return given_structures(read([structures]), limit)


def _folder(subject: Subject) -> Path:
    """Beside the run; for what has no folder of its own, where the user stands."""
    from ..pretrained import shipped_name

    if subject.folder is None or shipped_name(subject.folder):
        return Path("analysis")
    return subject.folder / "analysis"


@contextmanager
def _progress() -> Iterator[Callable[[str, int], Callable[[int], None]]]:
    """A bar for each piece of work, on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def begin(what: str, total: int) -> Callable[[int], None]:
            task = bar.add_task(what, total=total)
            return lambda done: bar.advance(task, done)

        yield begin
