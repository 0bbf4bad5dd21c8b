"""Some records of a library -> as many rows: a function of its arguments and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...chem.structure import Item, ReadOptions, Rejected, Structure, finish
from ...datasets.geometries import EMBEDDED, GIVEN
from ...errors import InputError
from ..predictor import Predictor, Values

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Settings:
    """All that a library's values depend on beside the library: picklable, and JSON.

    model       a shipped model's name, None for the default, or a run folder
    sha256      of its weights, once they are known: guards a run that goes on after they changed
    copies      orientations that are averaged
    targets     those to predict; None for all the model has
    conformers  of each molecule that has no 3-D structure
    seed        of the conformer search
    total       add the atom references to atomwise energies
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
        """What reading and the conformer search need of them."""
        return ReadOptions(self.seed, self.smiles_column, self.conformers)

    def key(self) -> dict[str, Any]:
        """What rows depend on, as JSON: not where the model or the device is, nor trust."""
        kept = {k: v for k, v in asdict(self).items() if k not in ("model", "trust", "device")}
        return kept | {"targets": None if self.targets is None else list(self.targets)}


def predict_chunk(records: Sequence[Item], settings: Settings, first: int = 0) -> pa.Table:
    """The rows of these records, the first of which is row `first` of the library.

    Conformers, then the network. Row i depends on record i and the settings alone, up to the
    rounding of float32, so that chunks can be made in any process and any order.
    """
    structures = [finish(record, settings.options) for record in records]
    return tabulate(structures, settings, first)


def tabulate(
    structures: Sequence[Structure | Rejected], settings: Settings, first: int
) -> pa.Table:
    """`predict_chunk` from where the geometries are there: the network alone.

    Columns: row, name, smiles, source, embedded, outside, conformers, for each target its value
    and its `_std`, `_conformer_std` (where several are made), `_low` and `_high` (where the model
    has intervals), `_mae` (where it is known) and `_unit`; last error, null where there are values.
    """
    import pyarrow as pa

    predictor = load(settings)
    checked = [predictor.usable(item) for item in structures]
    good = [item for item in checked if isinstance(item, Structure)]
    at = np.array([isinstance(item, Structure) for item in checked], dtype=bool)
    found = predictor.values(good) if good else None
    far = found.outside if found is not None else []
    geometry = ((s.smiles, s.embedded, why, s.conformers) for s, why in zip(good, far, strict=True))
    known = [next(geometry) if ok else (None,) * 4 for ok in at]
    smiles, embedded, outside, conformers = zip(*known, strict=True) if known else ((),) * 4
    columns: list[Any] = [
        pa.array(range(first, first + len(checked)), pa.int64()),
        pa.array([item.name for item in checked], pa.string()),
        pa.array(smiles, pa.string()),
        pa.array([item.source for item in checked], pa.string()),
        pa.array(embedded, pa.bool_()),
        pa.array(outside, pa.string()),
        pa.array(conformers, pa.int32()),
        *_columns(predictor, settings, found, at, embedded),
        pa.array([i.reason if isinstance(i, Rejected) else None for i in checked], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=schema(settings))


def schema(settings: Settings) -> pa.Schema:
    """The columns of `tabulate`, the same for every chunk."""
    import pyarrow as pa

    predictor, number = load(settings), pa.float64()
    if any(t.kind != "scalar" for t in predictor.targets):
        names = ", ".join(t.name for t in predictor.targets)
        raise InputError(
            f"a table of a library holds one number a molecule, which {names} is not: write .json "
            "or .csv."
        )
    if settings.targets is None and (forces := predictor.saved.standardizer.forces) is not None:
        names = ",".join(t.name for t in predictor.targets)
        raise InputError(
            f"a table of a library holds one number a molecule, which {forces.name} is not: write "
            f".json or .csv, or choose --targets {names}."
        )
    fields = [("row", pa.int64()), ("name", pa.string()), ("smiles", pa.string())]
    fields += [("source", pa.string()), ("embedded", pa.bool_()), ("outside", pa.string())]
    fields += [("conformers", pa.int32())]
    for target in predictor.targets:
        fields += [(f"{target.name}{end}", number) for end in _numbers(predictor, settings)]
        fields += [(f"{target.name}_unit", pa.string())]
    return pa.schema([*fields, ("error", pa.string())])


@lru_cache(maxsize=1)
def load(settings: Settings) -> Predictor:
    """The settings' model, loaded once a process."""
    targets = None if settings.targets is None else list(settings.targets)
    return Predictor(
        settings.model, settings.copies, settings.trust, targets, settings.device, settings.total
    )


def _numbers(predictor: Predictor, settings: Settings) -> list[str]:
    """The endings of a target's columns that hold numbers."""
    spread = ["_conformer_std"] if settings.conformers > 1 else []
    interval = ["_low", "_high"] if predictor.calibration is not None else []
    return ["", "_std", *spread, *interval, *(["_mae"] if predictor.errors else [])]


def _columns(
    predictor: Predictor,
    settings: Settings,
    found: Values | None,
    at: np.ndarray,
    embedded: Sequence[bool | None],
) -> list[pa.Array]:
    import pyarrow as pa

    errors, made = [predictor.errors_of(kind) for kind in (GIVEN, EMBEDDED)], []
    searched = np.array([bool(e) for e in embedded], dtype=bool)
    for j, target in enumerate(predictor.targets):
        for end in _numbers(predictor, settings):
            if end == "_mae":
                given, other = (e[target.name] for e in errors)
                column = np.where(searched, other, given)
            else:
                column = np.full(len(at), np.nan)
                if found is not None:
                    column[at] = _numbers_of(found, end)[:, j]
            made.append(pa.array(column, from_pandas=True))  # NaN, which is no value: null
        made.append(pa.array([target.unit] * len(at), pa.string()))
    return made


def _numbers_of(found: Values, end: str) -> np.ndarray:
    match end:
        case "":
            return found.mean
        case "_std":
            return found.std
        case "_low":
            return found.mean - found.half
        case "_high":
            return found.mean + found.half
        case _:
            return found.spread
