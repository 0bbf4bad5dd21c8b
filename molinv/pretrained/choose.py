"""Which model the arguments of `molinv predict [MODEL] INPUT...` mean."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..chem.conformers import INCHI
from ..chem.readers import READERS
from ..chem.smiles import split
from ..errors import InputError
from . import available

# the letters and signs of SMILES outside brackets; what is wrong within is RDKit's to say
_SMILES = re.compile(r"(?:\[[^\[\]]*\]?|Cl|Br|[BCNOPSFIbcnops*]|[-=#$:/\\.~()0-9%@+])*")


def choose(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The model, None for the shipped default, and the inputs that are left.

    The first argument is the model if it is a shipped model's name or a folder. Otherwise all
    are inputs, unless the first cannot be one, which is a mistyped model. Raises InputError for
    that, and for a model without inputs.
    """
    first, *rest = arguments
    if first in available() or os.path.isdir(first):
        if not rest:
            raise InputError(
                f"{first} is taken as the model, and no molecule follows: add a SMILES or a file, "
                f"as in `molinv predict {first} CCO`."
            )
        return first, rest
    known = _extension(first) in READERS or first.startswith(INCHI)
    if os.path.exists(first) or known or looks_like_smiles(first):
        return None, [first, *rest]
    names = ", ".join(available()) or "none is shipped yet"
    raise InputError(
        f"no model in {first!r}, which is no SMILES and no file either: expected a run folder or a "
        f"shipped model ({names}) first, then molecules, or molecules alone."
    )


def looks_like_smiles(text: str) -> bool:
    """Whether only characters of SMILES occur in the first word; most of these still are none."""
    return _SMILES.fullmatch(split(text)[0]) is not None


def _extension(text: str) -> str:
    return os.path.splitext(text.lower().removesuffix(".gz"))[1]
