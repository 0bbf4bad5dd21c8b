"""Numbers or vectors of every atom, such as charges."""

from __future__ import annotations

from typing import ClassVar

from .numbers import Numbers


class AtomValues(Numbers):
    """Numbers or vectors of atoms, standardised over all atoms; every atom counts equally.

    Settings are those of `Numbers`.
    """

    kinds: ClassVar[tuple[str, ...]] = ("atom scalar", "atom vector")
