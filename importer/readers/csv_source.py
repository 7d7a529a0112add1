"""Read delimited text as a source of chunks: a stream, cut at the ends of records.

The delimiter is the one under which header names are known; without any, the one that cuts the most rows into
the same number of cells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa

from importer.arrow import TEXT, frame
from importer.dataclass import dataclass
from importer.errors import InputError, UsageError
from importer.models import Chunk, Issue, Note, Severity
from importer.readers.base import FileIdentity, ReadOptions, Source
from importer.readers.chunks import ColumnBlock, clean_cells, extra_cells_issue, shortened, to_chunks
from importer.readers.csv_parser import ArrowBlock, CsvRecords, parse_with_arrow, tokenize
from importer.readers.decoding import (
    LONGEST_RECORD,
    REPLACEMENT,
    UNDECODED,
    Window,
    after,
    stamp,
    utf8_pieces,
)
from importer.readers.encoding import Encoding
from importer.readers.header import (
    MOST_HEADER_ROWS,
    Layout,
    TopRow,
    clean_name,
    count_known_names,
    find_header,
    lay_out,
    may_be_quoted,
)
from importer.readers.quoting import Quoting, find_quoting, plain_pieces, restored, restored_cells

_SAMPLE = 1 << 20
_SAMPLE_ROWS = 200
_SURE = 0.9
"""An encoding that is less sure than this is told."""


@dataclass(frozen=True, slots=True)
class EncodedText:
    """The bytes of a delimited text, and how they are encoded."""

    file: BinaryIO
    encoding: Encoding
    lines: int = 0
    """How many line feeds it has."""

    def pieces(self, quoting: Quoting = Quoting.PLAIN) -> Iterator[bytes]:
        """Yield the text as UTF-8 with plain quoting, in pieces that may end anywhere."""
        pieces = utf8_pieces(self.file, self.encoding.codec, valid_utf8=self.encoding.valid_utf8)
        return plain_pieces(pieces, quoting)


class CsvSource(Source):
    """A .csv, .tsv or .txt file."""

    def __init__(self, origin: FileIdentity, text: EncodedText, options: ReadOptions) -> None:
        """Find dialect and header. Raises InputError; `text.file` then stays open."""
        super().__init__(origin)
        self._text = text
        self._options = options
        self._stamp = stamp(text.file)
        top = _FirstRows(text, options, origin.name)
        self.format = "tsv" if top.dialect.delimiter == b"\t" else "csv"
        self.encoding = text.encoding.name
        self.encoding_confidence = text.encoding.confidence
        self.delimiter = top.dialect.delimiter.decode()
        self._delimiter = top.dialect.delimiter
        self._quoting = top.quoting
        self._layout, self._begin, self._first_row = top.layout()
        self.header_row = self._layout.header_row
        self.header = self._layout.header
        self.notes = (*self._layout.notes, *_doubt(text.encoding))
        self.estimated_rows = max(text.lines - (self.header_row or 0), 0) if text.lines else None

    def chunks(self) -> Iterator[Chunk]:
        row = self._first_row
        for block, rows in self._blocks(row):
            yield from to_chunks(block, self._layout, "", self._options.chunk_rows)
            row += rows
        self.rows_read = row - self._first_row
        self._check_unchanged()

    def column(self, name: str) -> Iterator[pd.Series]:
        only = self._layout.names.index(name)
        most = self._options.chunk_rows
        for block, rows in self._blocks(self._first_row, only):
            if len(block.columns) < len(self._layout.names):
                cells = clean_cells(block.columns[0], quoted=self._layout.is_quoted(only))
                for begin in range(0, rows, most):
                    part = slice(begin, begin + most)
                    yield frame({name: cells[part]}, block.rows[part])[name]
            else:
                yield from (part.frame[name] for part in to_chunks(block, self._layout, "", most))
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        if stamp(self._text.file) != self._stamp:
            raise InputError("file-changed", name=self.name)

    def _blocks(self, row: int, only: int | None = None) -> Iterator[tuple[ColumnBlock, int]]:
        """Yield parsed blocks, and how many rows each takes; `row` is the number of the first one.

        With `only` the blocks have this one column wherever that can be read by itself.
        """
        window = Window(after(self._text.pieces(self._quoting), self._begin), self._options.chunk_rows)
        while text := window.text():
            block, rows, consumed = self._parse(text, row, final=window.final, only=only)
            if not window.advance(consumed, rows):
                raise _too_long(self.name, row)
            del text
            if rows:
                block.columns = [restored(column, self._quoting) for column in block.columns]
                yield block, rows
                row += rows

    def _parse(
        self, window: bytes, row: int, *, final: bool, only: int | None
    ) -> tuple[ColumnBlock, int, int]:
        width = len(self._layout.names)
        decoded = self._text.encoding.valid_utf8 or UNDECODED.search(window) is None
        if decoded and only is not None and width > 1:
            found = parse_with_arrow(window, self._delimiter, width, final=final, only=only)
            if found is not None:
                rows = len(found.columns[0])
                numbers = np.arange(row, row + rows, dtype=np.int64)
                return ColumnBlock(found.columns, numbers), rows, found.consumed
        clean = parse_with_arrow(window, self._delimiter, width, final=final) if decoded else None
        reading = _RaggedRows(self._layout, self._delimiter, self._text.encoding.label, decoded=decoded)
        if clean is not None and len(clean.misfits) * 4 <= len(clean.columns[0]) + 4:
            rows = len(clean.columns[0]) + len(clean.misfits)
            return reading.complete(clean, row), rows, clean.consumed
        records = tokenize(window, self._delimiter, final=final, width=width)
        numbers = np.arange(row, row + len(records.cells), dtype=np.int64)
        return reading.block(records, numbers), len(records.cells), records.consumed


class _RaggedRows:
    """Turns records of any width into columns, and reports what is wrong with them."""

    def __init__(self, layout: Layout, delimiter: bytes, encoding: str, *, decoded: bool) -> None:
        """`decoded` says that no byte is marked as undecodable."""
        self._names = layout.names
        self._least = layout.least_cells
        self._delimiter = delimiter
        self._encoding = encoding
        self._decoded = decoded

    def block(self, records: CsvRecords, rows: np.ndarray) -> ColumnBlock:
        """Return the records as a block; `rows` are their numbers."""
        issues: list[Issue] = []
        unclosed, loose = set(records.unclosed), set(records.loose)
        width = len(self._names)
        padded = []
        for at, cells in enumerate(records.cells):
            count = len(cells)
            row = int(rows[at])
            if at in unclosed:
                issues.append(_unclosed_quote(row, cells))
            if at in loose:
                issues.append(Issue("text-after-quote", Severity.ERROR, row))
            if count != width:
                issues.extend(self._wrong_width(row, cells, quiet=at in unclosed))
                cells = cells[:width] if count > width else cells + [b""] * (width - count)
            padded.append(cells)
        columns = [list(column) for column in zip(*padded, strict=True)] or [[] for _ in range(width)]
        for column, name in zip(columns, self._names, strict=True) if not self._decoded else ():
            issues.extend(self._bad_encoding(column, rows, name))
        return ColumnBlock([pa.array(column, type=TEXT) for column in columns], rows, issues)

    def complete(self, clean: ArrowBlock, row: int) -> ColumnBlock:
        """Return a block parsed by Arrow with its misfits, which the tokenizer reads, back in their order."""
        total = len(clean.columns[0]) + len(clean.misfits)
        if not clean.misfits:
            return ColumnBlock(clean.columns, np.arange(row, row + total, dtype=np.int64))
        lines = np.array([at for at, _ in clean.misfits], dtype=np.int64)
        texts = CsvRecords()
        for _, line in clean.misfits:
            record = tokenize(line.encode(), self._delimiter, final=True, limit=1, width=len(self._names))
            texts.loose += [len(texts.cells) for _ in record.loose]
            texts.cells.extend(record.cells)
        misfits = self.block(texts, lines + row)
        order = np.argsort(np.concatenate([np.delete(np.arange(total), lines), lines]))
        columns = [
            pa.concat_arrays([column, other]).take(pa.array(order))
            for column, other in zip(clean.columns, misfits.columns, strict=True)
        ]
        return ColumnBlock(columns, np.arange(row, row + total, dtype=np.int64), misfits.issues)

    def _wrong_width(self, row: int, cells: Sequence[bytes], *, quiet: bool) -> Iterator[Issue]:
        count, width = len(cells), len(self._names)
        if count > width:
            beyond = next((cell for cell in cells[width:] if cell.strip()), None)
            if beyond is not None:
                yield extra_cells_issue(row, "", _readable(beyond), count, self._least)
        elif count < self._least and any(cell.strip() for cell in cells) and not quiet:
            yield Issue("missing-cells", Severity.WARNING, row, length=count, limit=self._least)

    def _bad_encoding(self, column: list[bytes], rows: np.ndarray, name: str | None) -> Iterator[Issue]:
        """Replace marks of undecodable bytes in place, and yield an issue for each cell that has some."""
        for at, cell in enumerate(column):
            if b"\xed" in cell and UNDECODED.search(cell):
                column[at] = UNDECODED.sub(REPLACEMENT, cell)
                yield Issue(
                    "bad-encoding",
                    Severity.ERROR,
                    int(rows[at]),
                    column=name,
                    found=shortened(_readable(cell)),
                    expected=self._encoding,
                )


def _unclosed_quote(row: int, cells: Sequence[bytes]) -> Issue:
    cell = next((cell for cell in cells if cell.lstrip().startswith(b'"')), b'"')
    return Issue("unclosed-quote", Severity.ERROR, row, found=shortened(_readable(cell)))


def _readable(cell: bytes) -> str:
    return UNDECODED.sub(REPLACEMENT, cell).decode()


class _FirstRows:
    """Reads the first rows of a delimited text until its dialect and header are known."""

    def __init__(self, text: EncodedText, options: ReadOptions, name: str) -> None:
        self._options = options
        self._name = name
        self._rows = options.header_row if isinstance(options.header_row, int) else MOST_HEADER_ROWS
        pieces = text.pieces()
        self._sample, self._final = b"", False
        self._grow(pieces)
        self.quoting = find_quoting(self._sample, final=self._final)
        if self.quoting is not Quoting.PLAIN:
            pieces = text.pieces(self.quoting)
            self._sample, self._final = b"", False
            self._grow(pieces)
        while True:
            self.dialect: Dialect = find_dialect(self._sample, options, final=self._final)
            self._records = self._read(self._rows + _SAMPLE_ROWS)
            if self._final or len(self._records.cells) >= self._rows:
                break
            if len(self._sample) > LONGEST_RECORD:
                raise _too_long(name, len(self._records.cells) + 1)
            self._grow(pieces)

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

    def _read(self, limit: int) -> CsvRecords:
        text = self._sample[self.dialect.begin :]
        found = tokenize(text, self.dialect.delimiter, final=self._final, limit=limit)
        found.cells = [restored_cells(cells, self.quoting) for cells in found.cells]
        return found

    def layout(self) -> tuple[Layout, int, int]:
        """Return the columns, where the first row below the header begins (in bytes), and its number."""
        records = self._records.cells
        top = [TopRow(at + 1, tuple(map(_readable, cells))) for at, cells in enumerate(records[: self._rows])]
        whole = self._final and not any(any(cells) for cells in records[self._rows :])
        header = find_header(top, self._options, self._name, whole=whole)
        skipped = header.number if header else 0
        above = [row for row in top[: max(skipped - 1, 0)] if any(map(clean_name, row.cells))]
        filled = _filled(records[skipped:])
        begin = self._read(skipped).consumed if skipped else 0
        sample = [list(map(_readable, cells)) for cells in records[skipped : skipped + 5]]
        if may_be_quoted(sample):
            sample = [list(map(_readable, cells)) for cells in records[skipped:]]
        layout = lay_out(header, above, filled, sample=sample, name=self._name)
        return layout.widened(_usual_width(records[skipped:])), self.dialect.begin + begin, skipped + 1


def _doubt(encoding: Encoding) -> Iterator[Note]:
    """Yield a note if the encoding is a guess."""
    if encoding.confidence is not None and encoding.confidence < _SURE:
        yield Note(
            "encoding-guessed", (("encoding", encoding.label), ("sure", round(100 * encoding.confidence)))
        )


def _filled(records: Sequence[Sequence[bytes]]) -> list[bool]:
    width = max((len(cells) for cells in records), default=0)
    filled = [False] * width
    for cells in records:
        for at, cell in enumerate(cells):
            if cell and not filled[at] and cell.strip():
                filled[at] = True
    return filled


def _usual_width(records: Sequence[Sequence[bytes]]) -> int:
    """Return how many cells most rows have: some programs end all rows but the header with a delimiter."""
    widths = Counter(len(cells) for cells in records if len(cells) > 1)
    return widths.most_common(1)[0][0] if widths else 0


def _too_long(name: str, row: int) -> InputError:
    return InputError("record-too-long", name=name, row=row, megabytes=LONGEST_RECORD >> 20)


_CANDIDATES = (b",", b";", b"\t", b"|")
_NAMED = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}
_SEP_LINE = re.compile(rb'"?[sS][eE][pP]=([^\r\n"])"?[ \t]*(?:\r\n|\r|\n|\Z)')
_DIALECT_ROWS = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a delimited text are separated."""

    delimiter: bytes
    """UTF-8."""
    begin: int
    """Bytes of UTF-8 text before the first row: Excel's `sep=` line, which is no row."""


def find_dialect(sample: bytes, options: ReadOptions, *, final: bool) -> Dialect:
    """Find the dialect of a text from its first bytes; `final` says that they are the whole text.

    Known header names decide. Without any, it is the delimiter that cuts the most rows into the same number
    of cells. Raises UsageError `bad-delimiter`.
    """
    begin, announced = _sep_line(sample)
    if options.delimiter is not None:
        return Dialect(_chosen_delimiter(options.delimiter), begin)
    if announced:
        return Dialect(announced, begin)
    text = sample[begin:]
    scores = {mark: _delimiter_score(text, mark, options, final) for mark in _CANDIDATES if mark in sample}
    best = max(scores, key=lambda mark: scores[mark], default=b",")
    return Dialect(best, begin)


def _chosen_delimiter(delimiter: str) -> bytes:
    mark = _NAMED.get(delimiter.lower(), delimiter)
    if len(mark) != 1 or mark in '"\r\n':
        raise UsageError("bad-delimiter", found=delimiter)
    return mark.encode()


def _sep_line(sample: bytes) -> tuple[int, bytes]:
    """Return where the rows begin, and the delimiter that Excel's `sep=` line names (empty without one)."""
    match = _SEP_LINE.match(sample)
    if match is None:
        return 0, b""
    return match.end(), match.group(1)


def _delimiter_score(text: bytes, mark: bytes, options: ReadOptions, final: bool) -> tuple[int, float, int]:
    records = tokenize(text, mark, final=final, limit=_DIALECT_ROWS).cells
    if not records:
        records = tokenize(text, mark, final=True, limit=_DIALECT_ROWS).cells
    known = max(
        (count_known_names(_texts(cells), options.is_known) for cells in records[:MOST_HEADER_ROWS]),
        default=0,
    )
    widths = Counter(len(cells) for cells in records if any(cells))
    several = {width: count for width, count in widths.items() if width > 1}
    if not several:
        return known, 0.0, 0
    width, count = max(several.items(), key=lambda item: (item[1], item[0]))
    return known, round(count / widths.total(), 2), width


def _texts(cells: Sequence[bytes]) -> list[str]:
    return [cell.decode("utf-8", "replace") for cell in cells]
