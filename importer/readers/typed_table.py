"""Read tables that say themselves what their columns are: Parquet and Arrow IPC files.

Their header needs no search and their rows no guess. A row's number is that of its record, counted from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from importer.errors import InputError
from importer.models import Chunk, Note
from importer.readers.base import FileIdentity, ReadOptions, Source
from importer.readers.chunks import ColumnBlock, to_chunks
from importer.readers.decoding import stamp
from importer.readers.header import Header, Layout, TopRow, lay_out
from importer.readers.typed_values import flat_columns, flattened, texts

BROKEN = (pa.ArrowException, OSError, ValueError, EOFError)
"""What pyarrow raises for files that are damaged or cut off."""
STREAM_MARK = b"\xff\xff\xff\xff"
"""With this an Arrow IPC stream begins: the continuation marker of its first message."""


def named_layout(names: Sequence[str], name: str) -> Layout:
    """Return the columns of a table that names them; `name` is the file's.

    Raises InputError `too-many-columns`, or `no-columns` for a table without any.
    """
    if not any(names):
        raise InputError("no-columns", name=name)
    cells = tuple(names)
    layout = lay_out(Header(TopRow(0, cells), cells=cells), (), [True] * len(cells), name=name)
    return replace(layout, header_row=None, top_cells=())


class TypedTable(Source):
    """A Parquet or Arrow IPC file."""

    def __init__(self, origin: FileIdentity, file: BinaryIO, kind: str, options: ReadOptions) -> None:
        """Read the schema. Raises InputError; `file` stays open."""
        super().__init__(origin)
        self.format = kind
        self._file = file
        self._stamp = stamp(file)
        self._options = options
        self._batches = _parquet if kind == "parquet" else _arrow
        try:
            schema, self.estimated_rows = (
                _parquet_facts(origin.path) if kind == "parquet" else _arrow_facts(origin.path)
            )
        except BROKEN:
            raise InputError("table-damaged", name=self.name) from None
        self._layout = named_layout(flattened(schema), self.name)
        self.header = self._layout.header
        self.notes = (*self._layout.notes, *(() if self.estimated_rows else (Note("no-records"),)))

    def chunks(self) -> Iterator[Chunk]:
        row = 1
        for batch in self._read():
            columns = [texts(column) for column in flat_columns(batch)]
            rows = np.arange(row, row + batch.num_rows, dtype=np.int64)
            block = ColumnBlock(columns, rows)
            yield from to_chunks(block, self._layout, "", self._options.chunk_rows, records=True)
            row += batch.num_rows
        self.rows_read = row - 1
        if stamp(self._file) != self._stamp:
            raise InputError("file-changed", name=self.name)

    def _read(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches(self.path, self._options.chunk_rows)
        except BROKEN:
            raise InputError("table-damaged", name=self.name) from None


def _parquet_facts(path: Path) -> tuple[pa.Schema, int | None]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        return file.schema_arrow, file.metadata.num_rows


def _parquet(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=rows)


def _arrow_facts(path: Path) -> tuple[pa.Schema, int | None]:
    with _opened(path) as reader:
        schema = reader.schema
        return schema, sum(batch.num_rows for batch in _all_of(reader))


def _arrow(path: Path, rows: int) -> Iterator[pa.RecordBatch]:
    with _opened(path) as reader:
        for batch in _all_of(reader):
            for begin in range(0, batch.num_rows, rows):
                yield batch.slice(begin, rows)


def _opened(path: Path) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    source = pa.memory_map(str(path))
    stream = source.read(len(STREAM_MARK)) == STREAM_MARK
    source.seek(0)
    opening: Callable[[pa.NativeFile], pa.RecordBatchFileReader] = (
        pa.ipc.open_stream if stream else pa.ipc.open_file
    )
    return opening(source)


def _all_of(reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.RecordBatchFileReader):
        return (reader.get_batch(at) for at in range(reader.num_record_batches))
    return iter(reader)
