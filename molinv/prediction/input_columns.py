"""The columns that .csv inputs have, beside what is predicted from them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from ..chem.structure import ReadOptions
from ..chem.tables import table_rows


class InputColumns:
    """The cells of .csv inputs, record by record, in the order in which `chem.read` reads them.

    A name that is also one of `taken`, the names of what is predicted, begins with `input_`.
    """

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike[str]],
        smiles_column: str | None = None,
        taken: Collection[str] = (),
    ):
        options = ReadOptions(smiles_column=smiles_column)
        paths = [Path(p) for p in inputs if _is_table(os.fspath(p))]
        self._paths = {str(path) for path in paths}
        tables = [table for path in paths if (table := table_rows(path, options)) is not None]
        columns = [[f"input_{c}" if c in taken else c for c in t.columns] for t in tables]
        self.names = list(dict.fromkeys(name for names in columns for name in names))
        self._rows = (
            dict(zip(names, cells, strict=False))
            for names, table in zip(columns, tables, strict=True)
            for _, cells in table.rows
        )

    def cells(self, sources: Sequence[str]) -> Iterator[dict[str, str]]:
        """The cells of the next records, which have these sources; none of other inputs'."""
        for source in sources:
            yield next(self._rows) if source.rpartition(":")[0] in self._paths else {}


def _is_table(text: str) -> bool:
    return text.lower().removesuffix(".gz").endswith(".csv") and os.path.isfile(text)
