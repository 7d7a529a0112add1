"""Keep tables in memory as files: of pandas, of Arrow, and of whatever hands out Arrow's C stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from importer.errors import InputError
from importer.readers.typed_values import value_text
from importer.sources import spool
from importer.sources.locations import LocalCopy

if TYPE_CHECKING:
    import pandas as pd


class ArrowStream(Protocol):
    """A table of any library that speaks Arrow's PyCapsule interface: pyarrow, polars, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table as an Arrow stream."""


_SUFFIX = ".arrow"


def keep_table(table: pd.DataFrame | ArrowStream, name: str) -> LocalCopy:
    """Write a table into the spool as Arrow IPC, and return it under that name.

    Raises InputError `not-a-table-object` for anything else than a table, `table-type-unknown` for a column
    that cannot be taken over, `no-room`.
    """
    return spool.write_copy(_pieces(_reader(table)), name, f"{name}{_SUFFIX}")


def _reader(table: Any) -> pa.RecordBatchReader:
    if _is_frame(table):
        return _of_pandas(table).to_reader()
    if isinstance(table, pa.RecordBatchReader):
        return table
    if not hasattr(table, "__arrow_c_stream__"):
        raise InputError("not-a-table-object", found=type(table).__name__)
    try:
        return pa.RecordBatchReader.from_stream(table)
    except pa.ArrowException as error:
        if "non-struct" in str(error):  # one column
            raise InputError("not-a-table-object", found=type(table).__name__) from None
        reason = str(error).partition("\n")[0]
        raise InputError("table-type-unknown", found=type(table).__name__, reason=reason) from None


def _is_frame(table: object) -> bool:
    import pandas as pd

    return isinstance(table, pd.DataFrame)


def _of_pandas(frame: pd.DataFrame) -> pa.Table:
    """Return a DataFrame as an Arrow table. Levels of the index that have a name are columns, too."""
    named = [level for level in frame.index.names if level is not None]
    if named:
        frame = frame.reset_index(level=named)
    columns = [_column(frame.iloc[:, at]) for at in range(frame.shape[1])]
    return pa.Table.from_arrays(columns, names=[str(name) for name in frame.columns])


def _column(column: pd.Series[Any]) -> pa.Array:
    """Return a column in its own type; one of several types as text."""
    try:
        return pa.Array.from_pandas(column)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        missing = column.isna()
        values = zip(column, missing, strict=True)
        return pa.array(
            [None if empty is True else value_text(value) for value, empty in values], pa.large_string()
        )


def _pieces(reader: pa.RecordBatchReader) -> Iterator[bytes]:
    """Yield the bytes of an Arrow IPC stream, a batch at a time."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()
