"""Predict one chunk of a library: a function of its arguments only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...chem.structure import Item, ReadOptions, Rejected, Structure, finish
from ...errors import InputError
from ..fields import class_ends, unit_of
from ..predictor import Predictor

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Settings:
    """All settings that a library's values depend on; picklable, and convertible to JSON.

    model          a shipped model's name or a run folder, None for the default
    sha256         digest of its weights, once known; a run is not resumed with other weights
    copies         number of orientations to average over
    targets        targets to predict; None for all
    smiles_column  column of .csv files that holds the SMILES; found by name by default
    conformers     conformers per molecule without 3-D structure
    seed           random seed of the conformer search
    trust          import custom classes that the model's files name
    device         where to compute, see `choose_device`
    total          add the atom references to atomwise energies
    """

    model: str | None = None
    sha256: str = ""
    copies: int = 8
    targets: tuple[str, ...] | None = None
    smiles_column: str | None = None
    conformers: int = 1
    seed: int = 0
    trust: bool = False
    device: str = "auto"
    total: bool = False

    @property
    def options(self) -> ReadOptions:
        """The options of reading and of the conformer search."""
        wanted = load(self).descriptors or None
        return ReadOptions(self.seed, self.smiles_column, self.conformers, wanted)

    def key(self) -> dict[str, Any]:
        """The settings that rows depend on, as JSON; without the model's path, device and trust."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("model", "trust", "device")}
        return kept | {"targets": None if self.targets is None else list(self.targets)}


def predict_chunk(records: Sequence[Item], settings: Settings, first: int = 0) -> pa.Table:
    """Search conformers and predict; returns the rows of these records.

    `first` is the row of the first record in the library. Each row depends only on its record and
    the settings, up to float32 rounding, so chunks can be predicted in any process and any order.
    """
    structures = [finish(record, settings.options) for record in records]
    return tabulate(structures, settings, first)


def tabulate(
    structures: Sequence[Structure | Rejected], settings: Settings, first: int
) -> pa.Table:
    """Predict structures; returns their rows, as `predict_chunk` does.

    Columns: row, name, smiles, source, embedded, geometry, model, outside, conformers; for each
    target its value, `_std`, `_ensemble_std` (for an ensemble), `_conformer_std` (for several
    conformers), `_low` and `_high` (if the model has intervals), `_mae` (if it was measured) and
    `_unit`; last error, null for a molecule with values. For their meaning see `Predictor.predict`.
    """
    import pyarrow as pa

    predictor = load(settings)
    units = {f"{t.name}_unit": unit_of(t) for t in predictor.targets}
    checked = [predictor.usable(item) for item in structures]
    good = [item for item in checked if isinstance(item, Structure)]
    found, rows = iter(predictor.rows(good, forces=False) if good else ()), []
    for number, item in enumerate(checked, first):
        if isinstance(item, Rejected):
            row = {"name": item.name, "source": item.source, "error": item.reason} | units
        else:
            row = {"conformers": 1} | next(found)
        rows.append(row | {"row": number})
    columns = schema(settings)
    # from_pandas converts NaN to null
    arrays = [
        pa.array([row.get(f.name) for row in rows], f.type, from_pandas=True) for f in columns
    ]
    return pa.Table.from_arrays(arrays, schema=columns)


def schema(settings: Settings) -> pa.Schema:
    """The columns of `tabulate`, the same for every chunk.

    Raises InputError for targets that are not one number per molecule.
    """
    import pyarrow as pa

    predictor, number = load(settings), pa.float64()
    if any(t.kind not in ("scalar", "class") for t in predictor.targets):
        names = ", ".join(t.name for t in predictor.targets)
        raise InputError(
            f"a library's table holds one number per molecule, and {names} has several: write "
            ".json or .csv."
        )
    if settings.targets is None and predictor.saved.task.gradient:
        forces = predictor.saved.task.targets[-1]
        names = ",".join(t.name for t in predictor.targets)
        raise InputError(
            f"a library's table holds one number per molecule, and {forces.name} has several: "
            f"write .json or .csv, or choose --targets {names}."
        )
    fields = [("row", pa.int64()), ("name", pa.string()), ("smiles", pa.string())]
    fields += [("source", pa.string()), ("embedded", pa.bool_()), ("geometry", pa.string())]
    fields += [("model", pa.string())]
    fields += [("outside", pa.string()), ("conformers", pa.int32())]
    for target in predictor.targets:
        ends = _numbers(predictor, settings) if target.kind == "scalar" else class_ends(target)
        if target.kind == "class" and predictor.saved.members:
            ends = [*ends, "_ensemble_std"]
        fields += [(f"{target.name}{end}", number) for end in ends]
        if target.kind == "class":
            fields += [(f"{target.name}_class", pa.string())]
            fields += [(f"{target.name}_conformer_std", number)] * (settings.conformers > 1)
        fields += [(f"{target.name}_unit", pa.string())]
    return pa.schema([*fields, ("error", pa.string())])


@lru_cache(maxsize=1)
def load(settings: Settings) -> Predictor:
    """The predictor with these settings, loaded once per process."""
    targets = None if settings.targets is None else list(settings.targets)
    return Predictor(
        settings.model, settings.copies, settings.trust, targets, settings.device, settings.total
    )


def _numbers(predictor: Predictor, settings: Settings) -> list[str]:
    """The endings of a target's numeric columns."""
    spread = ["_conformer_std"] if settings.conformers > 1 else []
    interval = ["_low", "_high"] if predictor.calibration is not None else []
    members = ["_ensemble_std"] if predictor.saved.members else []
    return ["", "_std", *members, *spread, *interval, *(["_mae"] if predictor.errors else [])]
