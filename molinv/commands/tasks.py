"""List the tasks."""

from __future__ import annotations

from .listing import explain, one_line
from .parsing import parse

SUMMARY = "list tasks (what can be learned) with their losses and settings"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument("name", nargs="?", help="show the settings of this task, e.g. classes")

    args = parse("tasks", SUMMARY, arguments, fill)
    from .. import tasks
    from ..tasks.base import Task

    known = {name: tasks.find(name) for name in tasks.available()}
    if args.name is not None:
        kind = tasks.find(args.name) if ":" in args.name else known.get(args.name)
        maker, skip = None, 0
        if kind is not None:
            pictures = kind.of_molecules.__func__ is Task.of_molecules.__func__
            maker, skip = (kind.of_pictures, 1) if pictures else (kind.of_molecules, 3)
        explain(args.name, known, "task", "--task", skip, maker)
        print(f"\nas in: molinv train --task {args.name} --task_args '{{\"SETTING\": VALUE}}'")
        return 0
    for name, kind in known.items():
        print(f"{name:<16}{one_line(kind)}")
    print(
        "\nThe data decides the task, unless --task gives a name, or package.module:Name of a "
        "class\nderived from molinv.tasks.base.Task. molinv tasks NAME shows a task's settings."
    )
    return 0
