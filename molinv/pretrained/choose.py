"""Find the model and the inputs in the arguments of `molinv predict [MODEL] INPUT...`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ..chem.conformers import INCHI
from ..chem.readers import READERS
from ..chem.smiles import split
from ..errors import InputError
from . import available, locate

# the characters of SMILES outside brackets; RDKit reports errors inside brackets
_SMILES = re.compile(r"(?:\[[^\[\]]*\]?|Cl|Br|[BCNOPSFIbcnops*]|[-=#$:/\\.~()0-9%@+])*")


def choose(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The model (None for the shipped default) and the inputs.

    The first argument is the model if it is the name of a shipped model or a folder. Otherwise all
    arguments are inputs. Raises InputError for a model without inputs, and for a first argument
    that can be neither, such as a misspelled model.
    """
    first, *rest = arguments
    if first and os.path.isdir(locate(first)):
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
        f"no model in {first!r}, and it is not a SMILES or a file: expected molecules, or first a "
        f"run folder or a shipped model ({names}) and then molecules."
    )


def looks_like_smiles(text: str) -> bool:
    """Whether the first word has only characters of SMILES; most such words are not SMILES."""
    return _SMILES.fullmatch(split(text)[0]) is not None


def _extension(text: str) -> str:
    return os.path.splitext(text.lower().removesuffix(".gz"))[1]
