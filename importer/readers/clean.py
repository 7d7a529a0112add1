"""The fast way through delimited text: a clean block goes to Arrow's own parser in one piece.

Clean means that Arrow, Excel and `importer.readers.records` cannot disagree about the block: each quotation
mark opens a cell, closes one or is doubled inside one, and every byte was decoded. Lines with more or fewer
cells than expected are handed back to be read with care.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import csv

from importer.columns import TEXT
from importer.readers.records import CELL_LIMIT

_QUOTE, _CARRIAGE, _FEED = 0x22, 0x0D, 0x0A


@dataclass(frozen=True, slots=True)
class CleanBlock:
    """A parsed block: `columns` of equal length, and the lines that did not fit.

    Line i of the block (0-based) is row `i` unless it is in `misfits`, whose rows are not in the columns.
    """

    columns: list[pa.Array]
    misfits: list[tuple[int, str]]
    consumed: int


def parse_clean(text: bytes, delimiter: bytes, width: int, *, final: bool) -> CleanBlock | None:
    """The complete records at the beginning of `text`; None if it isn't clean, or holds none."""
    if len(delimiter) != 1 or not width or text.startswith(codecs.BOM_UTF8) or not text:
        return None
    end = _clean_end(text, delimiter[0], final)
    if not end:
        return None
    block = _parse(memoryview(text)[:end], delimiter.decode(), width, end)
    if b'"' in text and any(_longest(column) > CELL_LIMIT for column in block.columns):
        return None
    return block


def _clean_end(text: bytes, delimiter: int, final: bool) -> int:
    """Where the last complete record of clean text ends; 0 if it isn't clean or complete."""
    certain = len(text) if final else max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
    if not certain or text.find(b'"', 0, certain) < 0:
        return certain
    raw = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(raw == _QUOTE)
    if not final:
        certain = _outside_quotes(text, quotes)
        quotes = quotes[: np.searchsorted(quotes, certain)]
    if len(quotes) % 2:
        return 0
    edge = np.zeros(256, dtype=bool)
    edge[[delimiter, _CARRIAGE, _FEED, _QUOTE]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = opening - 1, closing + 1
    if len(opening) and opening[0] == 0:
        before = before[1:]
    if len(closing) and closing[-1] + 1 == len(text):
        after = after[:-1]
    return certain if edge[raw[before]].all() and edge[raw[after]].all() else 0


def _outside_quotes(text: bytes, quotes: np.ndarray) -> int:
    """The end of the last complete line that ends outside quotes, if all quotes are well formed."""
    end = len(text) - 1 if text.endswith(b"\r") else len(text)
    while end > 0:
        end = max(text.rfind(b"\n", 0, end), text.rfind(b"\r", 0, end))
        if end < 0:
            return 0
        inside = int(np.searchsorted(quotes, end))
        if inside % 2 == 0:
            return end + 1
        end = int(quotes[inside - 1])
    return 0


def _parse(block: memoryview, delimiter: str, width: int, end: int) -> CleanBlock:
    misfits: list[tuple[int, str]] = []

    def keep(row: csv.InvalidRow) -> str:
        misfits.append((row.number - 1, row.text))
        return "skip"

    names = [str(at) for at in range(width)]
    table = csv.read_csv(
        pa.BufferReader(pa.py_buffer(block)),
        read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=max(end + 1, 1 << 16)),
        parse_options=csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=False,
            invalid_row_handler=keep,
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, TEXT), strings_can_be_null=False, check_utf8=False
        ),
    )
    columns = [_one(column) for column in table.columns]
    return CleanBlock(columns, misfits, end)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _longest(column: pa.Array) -> int:
    """Bytes in the longest text of a column."""
    if not len(column):
        return 0
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int64)[
        column.offset : column.offset + len(column) + 1
    ]
    return int(np.diff(offsets).max(initial=0))
