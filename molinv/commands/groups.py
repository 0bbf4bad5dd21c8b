"""List the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from .listing import explain, one_line
from .parsing import parse

if TYPE_CHECKING:
    from ..groups import Group

SUMMARY = "list groups with their generators"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument(
            "name",
            nargs="?",
            help="show the settings of this group, e.g. Compose; the laws of a group of your own, "
            "package.module:Name, are checked",
        )

    args = parse("groups", SUMMARY, arguments, fill)
    from rich.console import Console
    from rich.table import Table

    from .. import groups

    if args.name is not None:
        own = _own(args.name) if ":" in args.name else []
        explain(args.name, groups.available(), "group", "--group", 0)
        return _checked(own)
    table = Table("example", "compact", "generators (unit, cap)", "what")
    for name, kind in groups.available().items():
        group = kind.examples()[-1]
        text = str(group)
        example = text if len(text) < 30 else f"{name}(...)"
        compact = "yes" if group.compact else "no"
        table.add_row(example, compact, _generators(group), one_line(kind))
    show = Console(highlight=False)
    show.print(table)
    show.print(
        'Write a group as in the first column: --group SO3, --group "PointGroup(D4h)",\n'
        '--group "Compose(SO3, Scaling(3))", or package.module:Name.',
        markup=False,
    )
    return 0


def _own(name: str) -> list[Group]:
    """A user's group, or examples of it if it is a class; raises InputError for anything else."""
    from ..groups import Group
    from ..names import construct, external

    found = external(name)
    if isinstance(found, Group):
        return [found]
    if not (isinstance(found, type) and issubclass(found, Group)):
        raise InputError(f"{name} is not a group: expected a subclass or an instance of Group.")
    return [construct(found, f"group {name}", given, {}) for given in found.EXAMPLES]


def _checked(own: list[Group]) -> int:
    """Print the laws of groups; returns 1 if one does not hold."""
    from ..testing import check_group

    reports = [check_group(group, raises=False) for group in own]
    for group, report in zip(own, reports, strict=True):
        print(f"\nlaws of {group}: {report}")
    return 0 if all(report.passed for report in reports) else 1


def _generators(group: Group) -> str:
    """Generators with unit and cap, and the number of components or elements."""
    shared: dict[tuple[str, float], list[str]] = {}
    for name, unit, cap in zip(group.names, group.units, group.caps, strict=True):
        shared.setdefault((unit, cap), []).append(name)
    lines = [f"{', '.join(names)} ({u}, {c:.3g})" for (u, c), names in shared.items()]
    if group.elements is not None and len(group.elements) > 1:
        kind = "components" if group.k else "elements"
        lines.append(f"{len(group.elements)} {kind}")
    return "\n".join(lines)
