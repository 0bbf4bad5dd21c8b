"""List the architectures and the shipped models."""

from __future__ import annotations

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
    from ..pretrained.card import card

    names = (*models.available(), *models.pictures.available())
    if args.name is not None:
        if args.name in pretrained.available():
            show(card(args.name))
            return 0
        explain(args.name, {n: models.find(n) for n in names}, "model", "--model")
        print(f"\nas in: molinv train --model {args.name} --model_args '{{\"SETTING\": VALUE}}'")
        return 0
    width = max(map(len, names)) + 2
    for name in models.available():
        net = models.make(name, 1, {})
        built_in = ", ".join(net.symmetries) or "none"
        print(f"{name:<{width}}{one_line(type(net))}")
        print(f"{'':<{width}}outputs: {', '.join(net.outputs)}; symmetries by default: {built_in}")
    print("\nOn pictures:")
    for name in models.pictures.available():
        print(f"{name:<{width}}{one_line(models.find(name))}")
    shipped = pretrained.available()
    listed = ", ".join(shipped) or "none"
    print(f"\nmolinv models NAME shows the settings of an architecture.\n\nShipped: {listed}")
    for name in shipped:
        show(card(name))
    return 0
