"""What architectures and shipped models there are."""

from __future__ import annotations

from .parsing import parse

SUMMARY = "the architectures that exist, and the cards of the shipped models"


def main(arguments: list[str]) -> int:
    """Run the command; its exit code."""
    parse("models", SUMMARY, arguments, lambda p: None)
    from inspect import getdoc

    from rich import print as show

    from .. import models, pretrained
    from ..pretrained.card import card

    names = models.available()
    width = max(map(len, names)) + 2
    for name in names:
        net = models.make(name, 1, {})
        built_in = ", ".join(net.symmetries) or "none"
        print(f"{name:<{width}}{(getdoc(type(net)) or '').splitlines()[0]}")
        print(f"{'':<{width}}outputs: {', '.join(net.outputs)}; symmetries by default: {built_in}")
    shipped = pretrained.available()
    print(f"\nShipped: {', '.join(shipped) or 'none'}")
    for name in shipped:
        show(card(name))
    return 0
