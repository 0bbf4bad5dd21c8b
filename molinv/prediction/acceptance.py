"""Which structures a model can take: those of a size, elements and states that it has seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..chem.descriptors import Descriptors
from ..chem.state import NEUTRAL, of_states, words
from ..chem.structure import Rejected, Structure
from ..datasets.descriptors import numbered
from ..models import too_large
from ..training.saved import Saved


class Accepted:
    """The structures that a saved model can take; `name` is what sentences call it.

    elements   the atomic numbers of its training molecules
    states     their charges and unpaired electrons, None if not known
    """

    def __init__(self, saved: Saved, name: str, descriptors: Descriptors):
        self.saved, self.name, self.descriptors = saved, name, descriptors
        self.elements = set(saved.card["elements"])
        self.states = trained_states(saved.card)

    def usable(self, item: Structure) -> Structure | Rejected:
        """The structure with its descriptors, or Rejected with the reason."""
        if (why := self._unusable(item)) is not None:
            return Rejected(item.name, item.source, why)
        return numbered(item, self.descriptors)

    def _unusable(self, item: Structure) -> str | None:
        limit: int = self.saved.network.model.max_atoms  # pyright: ignore[reportAssignmentType]
        if len(item.z) > limit:
            few, many = self.saved.card["atoms"]
            reason = too_large(self.saved.card["build"]["model"], limit, len(item.z))
            return f"{self.name} learned from molecules of {few} to {many} atoms; {reason}"
        if foreign := set(item.z.tolist()) - self.elements:
            return (
                f"{self.name} was not trained on {symbols(foreign)}, only on "
                f"{symbols(self.elements)}; train one on data that has it (molinv train --data) "
                "and name its folder."
            )
        if self.states is None or item.state in self.states:
            return None
        unsaid = " (it counts as neutral, as its input gives no charge)" * (item.charge is None)
        return (
            f"{self.name} was trained on {of_states(self.states)} only; this one has "
            f"{words(*item.state)}{unsaid}: train one on data that has such molecules "
            "(molinv train --data) and name its folder."
        )


def trained_states(card: dict[str, Any]) -> set[tuple[int, int]] | None:
    """The charges and unpaired electrons of a model's training molecules; None if not known."""
    if "states" in card:
        return {(charge, unpaired) for charge, unpaired in card["states"]}
    return {NEUTRAL} if card.get("data") == "qm9" else None  # molinv 0.1.0 kept none


def symbols(numbers: Iterable[int]) -> str:
    """Atomic numbers as the elements' symbols, in order: "H, C, N"."""
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[z] for z in sorted(numbers))
