"""Numbers or vectors of every atom, such as charges."""

from __future__ import annotations

from typing import ClassVar

from .numbers import Numbers


class AtomValues(Numbers):
    """Standardised over all atoms; each atom's value counts as one. Settings as of `Numbers`."""

    kinds: ClassVar[tuple[str, ...]] = ("atom scalar", "atom vector")
