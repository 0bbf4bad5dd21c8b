"""Which structures a model accepts: by size, elements, charge and unpaired electrons."""

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
    """The structures that a saved model accepts; `name` is the model's name in messages.

    elements   atomic numbers of the training molecules
    states     charges and unpaired electrons of the training molecules, None if not known
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
                f"{symbols(self.elements)}; train a model on data with these elements (molinv "
                "train --data) and give its run folder."
            )
        if self.states is None or item.state in self.states:
            return None
        unsaid = " (its input gives no charge, so neutral is assumed)" * (item.charge is None)
        return (
            f"{self.name} was trained on {of_states(self.states)} only; this one has "
            f"{words(*item.state)}{unsaid}: train a model on data with such molecules "
            "(molinv train --data) and give its run folder."
        )


def trained_states(card: dict[str, Any]) -> set[tuple[int, int]] | None:
    """Charges and unpaired electrons of a model's training molecules; None if not known."""
    if "states" in card:
        return {(charge, unpaired) for charge, unpaired in card["states"]}
    return {NEUTRAL} if card.get("data") == "qm9" else None  # molinv 0.1.0 did not save them


def symbols(numbers: Iterable[int]) -> str:
    """Element symbols of atomic numbers, sorted: "H, C, N"."""
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[z] for z in sorted(numbers))
