"""List the architectures and the shipped models."""

from __future__ import annotations

from ..errors import unknown
from .listing import explain, one_line
from .parsing import parse

SUMMARY = "list architectures with their settings, and the cards of the shipped models"


def main(arguments: list[str]) -> int:
    """Run the command; returns its exit code."""

    def fill(parser):
        parser.add_argument(
            "name", nargs="?", help="show the settings of this architecture, e.g. point, or a card"
        )

    args = parse("models", SUMMARY, arguments, fill)
    from rich import print as show

    from .. import models, pretrained
    from ..pretrained.card import card, summary

    shipped = pretrained.available()
    if args.name in shipped:
        show(card(args.name))
        return 0
    names = (*models.available(), *models.pictures.available())
    if args.name is not None:
        if ":" not in args.name and args.name not in names:
            raise unknown("model", args.name, (*names, *shipped))
        explain(args.name, {n: models.find(n) for n in names}, "model", "--model")
        print(f"\nas in: molinv train --model {args.name} --model_args '{{\"SETTING\": VALUE}}'")
        return 0
    width = max(map(len, (*names, *shipped))) + 2
    print(f"Shipped models, for molinv predict:{'' if shipped else ' none'}")
    for name in shipped:
        for i, line in enumerate(summary(name)):
            print(f"{'' if i else name:<{width}}{line}")
    print("\nArchitectures on molecules, for molinv train --model:")
    for name in models.available():
        net = models.make(name, 1, {})
        built_in = ", ".join(net.symmetries) or "none"
        print(f"{name:<{width}}{one_line(type(net))}")
        print(f"{'':<{width}}outputs: {', '.join(net.outputs)}; symmetries by default: {built_in}")
    print("\nArchitectures on pictures:")
    for name in models.pictures.available():
        print(f"{name:<{width}}{one_line(models.find(name))}")
    print("\nmolinv models NAME shows the card of a shipped model, or an architecture's settings.")
    return 0
