"""The blocks of rows that the native library's process sends, put together to tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from importer.readers.native_process import NativeWorkbook, RowBlock
from importer.readers.tables import Table, empty_column

_LENGTH = np.dtype(np.int32)


def dense_tables(book: NativeWorkbook, names: Sequence[str]) -> list[Table]:
    """The sheets as tables whose rows begin at 1 and whose places begin at 0.

    All of `names` have been asked for; what else was is read and dropped. Raises InputError.
    """
    blocks: dict[str, list[RowBlock]] = {name: [] for name in names}
    extents = dict.fromkeys(names, (0, 0))
    for name, block in book.rows():
        if name not in blocks:
            continue
        if isinstance(block, RowBlock):
            blocks[name].append(block)
        else:
            extents[name] = block
    return [_joined(name, blocks[name], *extents[name]) for name in names]


def _joined(name: str, blocks: Sequence[RowBlock], last_row: int, width: int) -> Table:
    """The blocks put together, what is missing above and left of them put back."""
    above = last_row - sum(block.rows for block in blocks)
    found = len(blocks[0].columns) if blocks else 0
    columns = [empty_column(last_row) for _ in range(width - found)]
    columns += [_column(blocks, place, above) for place in range(found)]
    return Table(name, range(width), columns, np.arange(1, last_row + 1, dtype=np.int64))


def _column(blocks: Sequence[RowBlock], place: int, above: int) -> pa.Array:
    """One column of all blocks, below so many empty cells. Takes it out of the blocks, to hold it once."""
    lengths, texts = [np.zeros(above, dtype=_LENGTH)], []
    for block in blocks:
        packed, block.columns[place] = block.columns[place], b""
        lengths.append(np.frombuffer(packed, dtype=_LENGTH, count=block.rows))
        texts.append(memoryview(packed)[block.rows * _LENGTH.itemsize :])
    ends = np.zeros(above + sum(block.rows for block in blocks) + 1, dtype=np.int64)
    np.cumsum(np.concatenate(lengths), out=ends[1:])
    return pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(b"".join(texts)))
