"""The columns that inputs have of their own, beside what is predicted from them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..chem.columns import columns, distinct
from ..chem.structure import ReadOptions


class InputColumns:
    """The cells of input files, record by record, in the order in which `chem.read` reads them.

    Which columns files have: see `chem.columns`. A name that is also one of `taken`, the names of
    what is predicted, begins with `input_`.
    """

    def __init__(
        self,
        inputs: Sequence[str | os.PathLike[str]],
        smiles_column: str | None = None,
        taken: Collection[str] = (),
    ):
        options = ReadOptions(smiles_column=smiles_column)
        paths = [Path(p) for p in inputs if os.path.isfile(p)]
        self._files = [(str(path), columns(path, options)) for path in paths]
        self._renamed = [
            dict(zip(c.names, _free(c.names, taken), strict=True)) for _, c in self._files
        ]
        self.names = list(dict.fromkeys(n for names in self._renamed for n in names.values()))

    def cells(self, sources: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The cells of the next records, which have these sources; none of other inputs'."""
        for source in sources:
            yield self._next(source.rpartition(":")[0])

    def _next(self, path: str) -> dict[str, Any]:
        """The next record's cells of a file, of which all records are read before another file's.

        A file can be given twice.
        """
        for (name, found), renamed in zip(self._files, self._renamed, strict=True):
            if name == path and (row := next(found.rows, None)) is not None:
                return {renamed[key]: value for key, value in row.items() if key in renamed}
        return {}


def _free(names: Sequence[str], taken: Collection[str]) -> list[str]:
    return distinct(f"input_{name}" if name in taken else name for name in names)
