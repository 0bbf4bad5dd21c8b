"""Columns of the input files, copied beside the predictions."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..chem.columns import columns, distinct
from ..chem.structure import ReadOptions


class InputColumns:
    """The cells of input files, in the order in which `chem.read` reads their records.

    `chem.columns` lists the columns of each file type. A column whose name is in `taken`, the names
    of the predicted columns, is renamed to `input_NAME`.
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
        """Yield the cells of the next record of each source.

        They are an empty dict if the source is not a file.
        """
        for source in sources:
            yield self._next(source.rpartition(":")[0])

    def _next(self, path: str) -> dict[str, Any]:
        """The cells of a file's next record.

        All records of a file are read before the next file's, and a file may be given twice.
        """
        for (name, found), renamed in zip(self._files, self._renamed, strict=True):
            if name == path and (row := next(found.rows, None)) is not None:
                return {renamed[key]: value for key, value in row.items() if key in renamed}
        return {}


def _free(names: Sequence[str], taken: Collection[str]) -> list[str]:
    return distinct(f"input_{name}" if name in taken else name for name in names)
