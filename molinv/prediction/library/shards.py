"""Finished rows of a library on disk: a manifest, and one parquet file per chunk of rows.

All files are written atomically, so the process may be killed at any time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic import atomic_write
from ...errors import InputError
from ...training.saved import write_json
from ..input_columns import InputColumns

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 2  # format 1 lacked the column geometry
GROUP = 65_536  # rows per row group of the joined file


class Shards:
    """The shards of the run that writes `output`, in the folder `<output>.parts`.

    A context that holds the folder's lock. `key` is everything that the rows depend on, as JSON;
    `rows` is the total number of rows, `chunk` the number per shard. Raises InputError for a folder
    of another run, and while another process writes there.
    """

    def __init__(self, output: Path, key: dict[str, Any], rows: int, chunk: int):
        from filelock import FileLock

        self.output, self.rows, self.chunk = output, rows, chunk
        self.folder = output.with_name(output.name + ".parts")
        self._manifest = self.folder / "manifest.json"
        self._key = {"format": FORMAT, "rows": rows, "chunk": chunk} | key
        self._lock = FileLock(output.with_name(output.name + ".lock"))

    def __enter__(self) -> Shards:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise InputError(
                f"another process is writing {self.output}: wait for it, or name another output."
            ) from None
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._manifest.exists():
            write_json(self._manifest, self._key)
            return
        try:
            found = json.loads(self._manifest.read_text(encoding="utf-8"))
            kept = {k: v for k, v in found.items() if k != "joined"}
        except (ValueError, AttributeError):
            raise InputError(f"{self._manifest} is damaged: delete {self.folder}.") from None
        if kept != self._key:
            raise InputError(
                f"{self.folder} holds the rows of another run, with another "
                f"{', '.join(_differences(kept, self._key))}: give the same input and settings to "
                "resume it, delete the folder to start again, or name another output."
            )
        if found.get("joined"):  # killed while deleting shards
            self._clear()
            self._open()

    @property
    def count(self) -> int:
        """Total number of shards."""
        return -(-self.rows // self.chunk)

    def done(self) -> int:
        """Number of finished shards before the first missing one."""
        return next((i for i in range(self.count) if not self._path(i).exists()), self.count)

    def write(self, index: int, table: pa.Table) -> None:
        """Write a shard; it is on disk when this returns."""
        import pyarrow.parquet as pq

        path = self._path(index)
        with atomic_write(path) as temporary:
            pq.write_table(table, temporary)

    def join(self, schema: pa.Schema, given: InputColumns | None = None) -> int:
        """Join all shards into the output and delete them; returns how many rows have an error.

        `given` are the inputs' own columns, which are placed first. Raises InputError for a damaged
        shard.
        """
        import pyarrow as pa

        bad, names = 0, [] if given is None else given.names
        schema = pa.schema([*((name, pa.string()) for name in names), *schema])
        with atomic_write(self.output) as temporary, _writer(temporary, schema) as writer:
            for table in self._groups():
                bad += len(table) - table["error"].null_count
                cells = [] if given is None else [*given.cells(table["source"].to_pylist())]
                texts = [{k: str(v) for k, v in row.items()} for row in cells]
                own = [pa.array([row.get(name) for row in texts], pa.string()) for name in names]
                writer.write_table(pa.Table.from_arrays([*own, *table.columns], schema=schema))
        write_json(self._manifest, self._key | {"joined": True})
        self._clear()
        return bad

    def _groups(self) -> Iterator[pa.Table]:
        """Yield all rows in order, many shards per table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        held: list[pa.Table] = []
        for i in range(self.count):
            rows = min(self.chunk, self.rows - i * self.chunk)
            try:
                table = pq.ParquetFile(self._path(i)).read()
                sound = table["row"].to_pylist() == list(
                    range(i * self.chunk, i * self.chunk + rows)
                )
            except (OSError, KeyError, pa.ArrowException):
                sound, table = False, None
            if not sound or table is None:
                raise InputError(f"{self._path(i)} is damaged: delete it and run again.")
            held.append(table)
            if sum(map(len, held)) >= GROUP:
                yield pa.concat_tables(held)
                held = []
        if held:
            yield pa.concat_tables(held)

    def _clear(self) -> None:
        for path in self.folder.glob("*.par*"):
            path.unlink()
        self._manifest.unlink()  # last, because it records that the shards may be deleted
        self.folder.rmdir()

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:08d}.parquet"


def _writer(path: Path, schema: pa.Schema) -> Any:
    """A writer of tables; the ending before ".part" decides between .csv and .parquet."""
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    if path.suffixes[-2] == ".csv":
        return csv.CSVWriter(path, schema)
    return pq.ParquetWriter(path, schema)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
