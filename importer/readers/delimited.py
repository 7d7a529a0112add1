"""Delimited text as a source of chunks: a stream, cut at the ends of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from importer.columns import TEXT
from importer.errors import InputError
from importer.model import Chunk, Issue, Severity
from importer.readers.clean import CleanBlock, parse_clean
from importer.readers.decoding import REPLACEMENT, UNDECODED, stamp, tail, utf8_pieces
from importer.readers.dialect import Dialect, find_dialect
from importer.readers.encoding import Encoding
from importer.readers.footer import footer_notes, last_rows
from importer.readers.header import LOOK_AT, Layout, TopRow, clean_name, find_header, lay_out
from importer.readers.options import ReadOptions
from importer.readers.records import Records, read_records
from importer.readers.rows import Block, extra_cells, shown, to_chunks
from importer.readers.source import Origin, Source

_TAIL = 1 << 13
_SAMPLE = 1 << 20
_SAMPLE_ROWS = 200
_LONGEST_RECORD = 1 << 26
_SLACK = 0.97
"""Blocks are aimed a little below a chunk's rows: one row too many makes a second, tiny chunk, which costs as
many calls as a full one."""
_LEAST_BLOCK, _FIRST_BLOCK, _MOST_BLOCK = 1 << 16, 1 << 18, 1 << 24


@dataclass(frozen=True, slots=True)
class Text:
    """The bytes of a delimited text and how they are encoded."""

    file: BinaryIO
    encoding: Encoding
    lines: int = 0
    """Line feeds in it."""

    def pieces(self) -> Iterator[bytes]:
        return utf8_pieces(self.file, self.encoding.codec, valid_utf8=self.encoding.valid_utf8)

    def last_rows(self, delimiter: str) -> list[list[str]]:
        """The cells of the last lines, found without reading all that is before them."""
        end, whole = tail(self.file, _TAIL)
        return last_rows(end, self.encoding.codec, delimiter, whole=whole)


class DelimitedSource(Source):
    """A .csv, .tsv or .txt file."""

    def __init__(self, origin: Origin, text: Text, options: ReadOptions) -> None:
        """Finds dialect and header. Raises InputError; `text.file` then stays open."""
        super().__init__(origin)
        self._text = text
        self._options = options
        self._stamp = stamp(text.file)
        top = _Top(text, options, origin.name)
        self.format = "tsv" if top.dialect.delimiter == b"\t" else "csv"
        self.encoding = text.encoding.name
        self.encoding_confidence = text.encoding.confidence
        self.delimiter = top.dialect.delimiter.decode()
        self._delimiter = top.dialect.delimiter
        self._layout, self._begin, self._first_row = top.layout()
        self.header_row = self._layout.header_row
        self.header = self._layout.header
        self.notes = (*self._layout.notes, *footer_notes(text.last_rows(self.delimiter)))
        self.rows_about = max(text.lines - (self.header_row or 0), 0) if text.lines else None

    def chunks(self) -> Iterator[Chunk]:
        row = self._first_row
        for block, rows in self._blocks(row):
            yield from to_chunks(block, self._layout, "", self._options.chunk_rows)
            row += rows
        self.rows_passed = row - self._first_row
        if stamp(self._text.file) != self._stamp:
            raise InputError("file-changed", name=self.name)

    def _blocks(self, row: int) -> Iterator[tuple[Block, int]]:
        """Parsed blocks, and how many rows each takes; `row` is the number of the first one."""
        target = _FIRST_BLOCK
        pieces = _after(self._text.pieces(), self._begin)
        pending, final = b"", False
        while not final or pending:
            parts, size = [pending], len(pending)
            while size < target and not final:
                piece = next(pieces, None)
                final = piece is None
                parts.append(piece or b"")
                size += len(parts[-1])
            text = b"".join(parts)
            window, pending = text[:target], text[target:]
            del text, parts
            block, rows, consumed = self._parse(window, row, final=final and not pending)
            pending = window[consumed:] + pending
            del window
            if rows:
                yield block, rows
                row += rows
                aim = int(consumed / rows * self._options.chunk_rows * _SLACK)
                target = min(max(aim, _LEAST_BLOCK), _MOST_BLOCK)
            elif pending:
                if target >= _LONGEST_RECORD:
                    raise _too_long(self.name, row)
                target = min(max(2 * target, _LEAST_BLOCK), _LONGEST_RECORD)

    def _parse(self, window: bytes, row: int, *, final: bool) -> tuple[Block, int, int]:
        width = len(self._layout.names)
        decoded = self._text.encoding.valid_utf8 or UNDECODED.search(window) is None
        clean = parse_clean(window, self._delimiter, width, final=final) if decoded else None
        reading = _Careful(self._layout, self._delimiter, self._text.encoding.label, decoded=decoded)
        if clean is not None and len(clean.misfits) * 4 <= len(clean.columns[0]) + 4:
            rows = len(clean.columns[0]) + len(clean.misfits)
            return reading.complete(clean, row), rows, clean.consumed
        records = read_records(window, self._delimiter, final=final)
        numbers = np.arange(row, row + len(records.cells), dtype=np.int64)
        return reading.block(records, numbers), len(records.cells), records.consumed


class _Careful:
    """Records of any width made into columns, with what was wrong about them."""

    def __init__(self, layout: Layout, delimiter: bytes, encoding: str, *, decoded: bool) -> None:
        """`decoded` says that no byte is marked as undecodable."""
        self._names = layout.names
        self._least = layout.least_cells
        self._delimiter = delimiter
        self._encoding = encoding
        self._decoded = decoded

    def block(self, records: Records, rows: np.ndarray) -> Block:
        """`rows` are the records' numbers."""
        issues: list[Issue] = []
        unclosed = set(records.unclosed)
        width = len(self._names)
        padded = []
        for at, cells in enumerate(records.cells):
            count = len(cells)
            row = int(rows[at])
            if at in unclosed:
                issues.append(_unclosed_quote(row, cells))
            if count != width:
                issues.extend(self._wrong_width(row, cells, quiet=at in unclosed))
                cells = cells[:width] if count > width else cells + [b""] * (width - count)
            padded.append(cells)
        columns = [list(column) for column in zip(*padded, strict=True)] or [[] for _ in range(width)]
        for column, name in zip(columns, self._names, strict=True) if not self._decoded else ():
            issues.extend(self._bad_encoding(column, rows, name))
        return Block([pa.array(column, type=TEXT) for column in columns], rows, issues)

    def complete(self, clean: CleanBlock, row: int) -> Block:
        """A block parsed by Arrow, its misfits read with care and put back in their places."""
        total = len(clean.columns[0]) + len(clean.misfits)
        if not clean.misfits:
            return Block(clean.columns, np.arange(row, row + total, dtype=np.int64))
        places = np.array([at for at, _ in clean.misfits], dtype=np.int64)
        texts = Records()
        for _, line in clean.misfits:
            texts.cells.extend(read_records(line.encode(), self._delimiter, final=True, limit=1).cells)
        misfits = self.block(texts, places + row)
        order = np.argsort(np.concatenate([np.delete(np.arange(total), places), places]))
        columns = [
            pa.concat_arrays([column, other]).take(pa.array(order))
            for column, other in zip(clean.columns, misfits.columns, strict=True)
        ]
        return Block(columns, np.arange(row, row + total, dtype=np.int64), misfits.issues)

    def _wrong_width(self, row: int, cells: Sequence[bytes], *, quiet: bool) -> Iterator[Issue]:
        count, width = len(cells), len(self._names)
        if count > width:
            beyond = next((cell for cell in cells[width:] if cell.strip()), None)
            if beyond is not None:
                yield extra_cells(row, "", _readable(beyond), count, self._least)
        elif count < self._least and any(cell.strip() for cell in cells) and not quiet:
            yield Issue("missing-cells", Severity.WARNING, row, length=count, limit=self._least)

    def _bad_encoding(self, column: list[bytes], rows: np.ndarray, name: str | None) -> Iterator[Issue]:
        """Replaces marks of undecodable bytes in place."""
        for at, cell in enumerate(column):
            if b"\xed" in cell and UNDECODED.search(cell):
                column[at] = UNDECODED.sub(REPLACEMENT, cell)
                yield Issue(
                    "bad-encoding",
                    Severity.ERROR,
                    int(rows[at]),
                    column=name,
                    found=shown(_readable(cell)),
                    expected=self._encoding,
                )


def _unclosed_quote(row: int, cells: Sequence[bytes]) -> Issue:
    cell = next((cell for cell in cells if cell.lstrip().startswith(b'"')), b'"')
    return Issue("unclosed-quote", Severity.ERROR, row, found=shown(_readable(cell)))


def _readable(cell: bytes) -> str:
    return UNDECODED.sub(REPLACEMENT, cell).decode()


class _Top:
    """The first rows of a delimited text: what its dialect and its header are."""

    def __init__(self, text: Text, options: ReadOptions, name: str) -> None:
        self._options = options
        self._name = name
        self._rows = options.header_row if isinstance(options.header_row, int) else LOOK_AT
        pieces = text.pieces()
        self._sample, self._final = b"", False
        while True:
            self._grow(pieces)
            self.dialect: Dialect = find_dialect(self._sample, options, final=self._final)
            self._records = self._read(self._rows + _SAMPLE_ROWS)
            if self._final or len(self._records.cells) >= self._rows:
                break
            if len(self._sample) > _LONGEST_RECORD:
                raise _too_long(name, len(self._records.cells) + 1)

    def _grow(self, pieces: Iterator[bytes]) -> None:
        parts, size = [self._sample], len(self._sample)
        wanted = max(_SAMPLE, 2 * size)
        while size < wanted:
            piece = next(pieces, None)
            if piece is None:
                self._final = True
                break
            parts.append(piece)
            size += len(piece)
        self._sample = b"".join(parts)

    def _read(self, limit: int) -> Records:
        text = self._sample[self.dialect.begin :]
        return read_records(text, self.dialect.delimiter, final=self._final, limit=limit)

    def layout(self) -> tuple[Layout, int, int]:
        """The columns, where the first row below the header begins (bytes of text), and its number."""
        records = self._records.cells
        top = [TopRow(at + 1, tuple(map(_readable, cells))) for at, cells in enumerate(records[: self._rows])]
        whole = self._final and not any(any(cells) for cells in records[self._rows :])
        header = find_header(top, self._options, self._name, whole=whole)
        skipped = header.number if header else 0
        above = [row for row in top[: max(skipped - 1, 0)] if any(map(clean_name, row.cells))]
        filled = _filled(records[skipped:])
        begin = self._read(skipped).consumed if skipped else 0
        layout = lay_out(header, above, filled)
        return layout.widened(_usual_width(records[skipped:])), self.dialect.begin + begin, skipped + 1


def _filled(records: Sequence[Sequence[bytes]]) -> list[bool]:
    width = max((len(cells) for cells in records), default=0)
    filled = [False] * width
    for cells in records:
        for at, cell in enumerate(cells):
            if cell and not filled[at] and cell.strip():
                filled[at] = True
    return filled


def _usual_width(records: Sequence[Sequence[bytes]]) -> int:
    """How many cells most rows have: some programs end each row with a delimiter, but not the header."""
    widths = Counter(len(cells) for cells in records if len(cells) > 1)
    return widths.most_common(1)[0][0] if widths else 0


def _after(pieces: Iterator[bytes], skip: int) -> Iterator[bytes]:
    """The pieces without their first `skip` bytes."""
    for piece in pieces:
        if skip >= len(piece):
            skip -= len(piece)
            continue
        yield piece[skip:] if skip else piece
        skip = 0


def _too_long(name: str, row: int) -> InputError:
    return InputError("record-too-long", name=name, row=row, megabytes=_LONGEST_RECORD >> 20)
