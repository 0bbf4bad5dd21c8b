"""Writes a report: report.html and analysis.json."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...atomic import atomic_write
from ...errors import InputError
from ..section import Globe, Section, plain
from . import globe, palette, traces
from .content import Cell, Key, as_json, limits, named, show, together

Part = tuple[str, Sequence[str], Mapping[str, str], Sequence[Section]]


def write(
    folder: Path,
    title: str,
    verdict: Sequence[str],
    facts: Mapping[str, str],
    sections: Sequence[Section],
) -> list[Path]:
    """Write report.html and analysis.json; returns their paths.

    The page is one file that works offline. analysis.json holds the verdict, the facts and, for
    each section, findings, numbers, tables and figures with their points, NaN as null. Writes are
    atomic. Raises InputError for two sections or figures of one name, and for the lists of a figure
    with different lengths.
    """
    return _write(folder, title, [("", verdict, facts, sections)])


def write_comparison(
    folder: Path,
    title: str,
    parts: Sequence[Part],
    shared: Sequence[str] = (),
    joint: Sequence[Section] = (),
) -> list[Path]:
    """The same files for several analyses, each (name, verdict, facts, sections).

    Figures, findings and tables of the same name stand side by side, figures on the same scale.
    Parts of one name are numbered. `shared` holds sentences and `joint` sections on all parts.
    Raises InputError as `write` does, and for fewer than two parts.
    """
    if len(parts) < 2:
        raise InputError(f"expected at least two parts to compare, got {len(parts)}.")
    names: list[str] = []
    for i, (name, *_) in enumerate(parts, 1):
        names.append(name if name and name not in names else f"{name} ({i})".strip())
    renamed = [(n, p[1], p[2], p[3]) for n, p in zip(names, parts, strict=True)]
    return _write(folder, title, renamed, shared, joint)


def _write(
    folder: Path,
    title: str,
    parts: Sequence[Part],
    shared: Sequence[str] = (),
    joint: Sequence[Section] = (),
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    drawn = together([*((name, sections) for name, _, _, sections in parts), ("", joint)])
    found = [as_json(verdict, facts, sections) for _, verdict, facts, sections in parts]
    content: dict[str, Any] = {"title": title}
    if len(parts) > 1:
        content["shared"] = list(shared)
        content["parts"] = [{"name": p[0], **f} for p, f in zip(parts, found, strict=True)]
        content["sections"] = as_json([], {}, joint)["sections"]
    else:
        content |= found[0]
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    from plotly.offline import get_plotlyjs  # a second, which only reports need

    specs: list[dict[str, Any]] = []  # what plotly.js draws; a figure's id is its index here
    cells = {key: _cells(key, group, specs) for key, group in drawn.items()}
    script, plotly = _resource("page.js"), get_plotlyjs()
    page = _template().render(
        title=title,
        parts=[{"name": n, "verdict": v, "facts": f} for n, v, f, _ in parts],
        shared=shared,
        facts=list(dict.fromkeys(key for _, _, facts, _ in parts for key in facts)),
        quantities=list(dict.fromkeys(quantity for _, quantity in drawn if quantity)),
        sections=_sections([("", joint)], cells) + _sections([(p[0], p[3]) for p in parts], cells),
        data={"figures": specs},
        script=script,
        plotly=plotly,
        hashes=[_hash(script), _hash(plotly)],
        css=_resource("page.css"),
        light=palette.css(palette.LIGHT),
        dark=palette.css(palette.DARK),
    )
    return [_save(folder / "report.html", page), _save(folder / "analysis.json", text)]


def _cells(key: Key, group: list[Cell], specs: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one name and quantity, by part and on one scale."""
    ends, by_part = limits(group), dict[str, Any]()
    for part, figure in group:
        spec = globe.traces(figure, ends) if isinstance(figure, Globe) else traces.chart(figure)
        by_part[part] = {"figure": figure, "id": len(specs)}
        file = " ".join(filter(None, key))
        specs.append(spec | {"group": "/".join(key), "file": file})
    return by_part


def _sections(
    parts: Sequence[tuple[str, Sequence[Section]]], cells: Mapping[Key, Any]
) -> list[dict[str, Any]]:
    """Sections by name, in the order of their first appearance, with a column for each part.

    Figures of one name share a tab, for all quantities.
    """
    columns = [(name, dict(named(sections))) for name, sections in parts]
    order = dict.fromkeys(key for _, column in columns for key in column)
    made = []
    for key in order:
        here = [(name, column.get(key)) for name, column in columns]
        there = [section for _, section in here if section is not None]
        titles: dict[str, str] = {}
        figures: dict[str, dict[str, Any]] = {}
        for figure in (figure for section in there for figure in section.figures):
            titles.setdefault(figure.name, figure.title)
            group = figures.setdefault(figure.name, {})
            group[figure.quantity] = cells[figure.name, figure.quantity]
        made.append(
            {
                "title": there[0].title,
                "reading": there[0].reading,
                "top": there[0].top,
                "told": any(s.findings or s.missing or s.tables or not s.top for s in there),
                "columns": here,
                "missing": all(s.missing for s in there),
                "figures": list(figures.values()),
                "tabs": list(titles.values()),
            }
        )
    return made


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"show": show, "embedded": _embedded}
    return environment.from_string(_resource("page.html.j2"))


def _embedded(data: Any) -> str:
    """JSON in which no text can end the script element or begin a comment."""
    text = json.dumps(plain(data), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(script: str) -> str:
    """A script's hash for the content security policy, which forbids all other scripts."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")


def _save(path: Path, text: str) -> Path:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
