"""Inputs that a model takes besides the structure: descriptors and xTB's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from ..errors import InputError
from .conformers import parse_smiles
from .graph import Graph, molecule
from .rdkit_log import quiet, reason
from .structure import KINDS, Rejected, Structure
from .xtb import electronic

if TYPE_CHECKING:
    from rdkit import Chem

RDKIT = "rdkit2d"  # the name of all RDKit descriptors together
SMILES = "smiles"  # the key of a record's SMILES among its columns
LOGARITHMS = {"Ipc"}  # replaced by log(1 + x), because they grow exponentially with size


@dataclass(frozen=True)
class Descriptors:
    """The descriptors that a model takes, in order: RDKit's names, then columns of the input.

    xtb           whether the model also takes GFN2-xTB's results (see `chem.xtb`)
    xtb_kinds     kinds of geometry for which xTB is run
    xtb_elements  atomic numbers that the model accepts; xTB is not run for a molecule with others.
                  None if not known
    """

    rdkit: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    xtb: bool = False
    xtb_kinds: tuple[str, ...] = KINDS
    xtb_elements: frozenset[int] | None = None

    def __len__(self) -> int:
        return len(self.rdkit) + len(self.columns)

    def __bool__(self) -> bool:
        return len(self) > 0 or self.xtb

    @classmethod
    def of_json(cls, content: dict[str, Any] | None) -> Descriptors:
        """The descriptors listed in a model card; None gives no descriptors."""
        given = content or {}
        return cls(tuple(given.get(RDKIT, ())), tuple(given.get("columns", ())))

    def to_json(self) -> dict[str, list[str]]:
        """The content that `of_json` reads."""
        return {RDKIT: list(self.rdkit), "columns": list(self.columns)}

    @property
    def text(self) -> str:
        """The value of --descriptors for these, such as "rdkit2d,'pH'"."""
        quoted = (f'"{c}"' if "'" in c else f"'{c}'" for c in self.columns)
        return ",".join([*[RDKIT] * bool(self.rdkit), *quoted])


def taken(build: dict[str, Any]) -> Descriptors:
    """The descriptors that a model takes, from the settings in its model card."""
    made = Descriptors.of_json(build.get("descriptors"))
    return replace(made, xtb="xtb" in build.get("features", ()))


@lru_cache(maxsize=1)
def rdkit_functions() -> dict[str, Any]:
    """RDKit's 2-D descriptors (rdkit.Chem.Descriptors.descList), by name."""
    from rdkit.Chem import Descriptors as rdkit_descriptors

    return dict(rdkit_descriptors.descList)


def check_names(wanted: Descriptors) -> None:
    """Raise InputError if the installed RDKit lacks a descriptor that the model takes."""
    if wanted.rdkit and (lacking := set(wanted.rdkit) - set(rdkit_functions())):
        raise InputError(
            f"the model takes the descriptor {min(lacking)}, which this RDKit does not have: "
            "install the RDKit version that the model was trained with."
        )


def rdkit_values(smiles: str, names: Sequence[str]) -> Float64[np.ndarray, " d"]:
    """RDKit descriptors (d,) of a SMILES or InChI, ignoring its stereochemistry.

    Raises InputError if a descriptor fails or is not finite.
    """
    from rdkit import Chem

    mol, functions = parse_smiles(smiles), rdkit_functions()
    Chem.RemoveStereochemistry(mol)  # a bond graph has none, and must give the same values
    values, failed = np.zeros(len(names)), []
    with quiet():
        for i, name in enumerate(names):
            values[i] = _value(functions[name], mol)
            if name in LOGARITHMS:
                values[i] = np.log1p(values[i]) if values[i] > -1 else np.nan
            if not np.isfinite(values[i]):
                failed.append(name)
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise InputError(f"RDKit has no finite {failed[0]}{more} for this molecule")
    return values


def _value(function: Any, mol: Chem.Mol) -> float:
    try:
        return float(function(mol))
    # descriptors are Python code of many authors, which fails in many ways
    except Exception:
        return float("nan")


def smiles_of(z: np.ndarray, graph: Graph) -> str:
    """The SMILES of a bond graph with all hydrogens; raises InputError if RDKit refuses it."""
    from rdkit import Chem

    with quiet():
        try:
            return Chem.MolToSmiles(Chem.RemoveHs(molecule(z, graph)))
        except (RuntimeError, ValueError) as error:
            raise InputError(f"RDKit refuses its bonds: {reason(str(error))}") from None


def computed(structure: Structure, wanted: Descriptors) -> Structure | Rejected:
    """The structure with the wanted results of RDKit and xTB, unless it has them already.

    RDKit's descriptors are added to `columns`; xTB's results for each conformer become
    `electronic`. Returns Rejected if one of them fails.
    """
    made = _with_rdkit(structure, wanted)
    if isinstance(made, Rejected) or not wanted.xtb or made.electronic is not None:
        return made
    foreign = wanted.xtb_elements is not None and not wanted.xtb_elements.issuperset(
        made.z.tolist()
    )
    if made.kind not in wanted.xtb_kinds or foreign:
        return made
    try:
        places = [made.pos, *(() if made.others is None else made.others)]
        found = tuple(electronic(made.z, pos, *made.state) for pos in places)
    except InputError as error:
        return Rejected(made.name, made.source, str(error))
    return replace(made, electronic=found)


def _with_rdkit(structure: Structure, wanted: Descriptors) -> Structure | Rejected:
    there = structure.columns or {}
    if not wanted.rdkit or RDKIT in there:
        return structure
    try:
        smiles = structure.smiles or str(there.get(SMILES) or "")
        if not smiles and structure.graph is None:
            raise InputError(
                "the model takes RDKit's descriptors, which need bonds: give a SMILES or an .sdf "
                "file"
            )
        if not smiles:
            assert structure.graph is not None
            smiles = smiles_of(structure.z, structure.graph)
        values = rdkit_values(smiles, wanted.rdkit)
    except InputError as error:
        return Rejected(structure.name, structure.source, str(error))
    return replace(structure, columns={**there, RDKIT: values})
