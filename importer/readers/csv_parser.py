"""Parse delimited text: a tokenizer that never lets an unclosed quote swallow the file, and a fast path
through Arrow.

The tokenizer works on UTF-8 bytes. A cell that begins with a quotation mark (blanks before it don't count,
nor does the = by which some programs keep zeros) runs to the next single one; `""` inside stands for one. A
quote is unclosed if no closing one follows, if the cell would be longer than Excel allows, or if a cell of
several lines closes in the middle of a cell. Then its line is a record of its own, with the quote as part of
the text, and reading goes on with the next line. After a closing quote within one line, further text belongs
to the cell, as in Excel and Python's csv module; the record is then `loose`, since nobody can tell where the
cell was meant to end. A mark that stands alone in its cell (for “as above”, written without its doubling) is
text, if what lies between it and the next one would else be whole rows, or would leave its row too short.

The fast path takes blocks about which Arrow, Excel and the tokenizer cannot disagree: each quotation mark
opens a cell, closes one or is doubled inside one, and every byte was decoded. Lines with more or fewer cells
than expected are handed back to the tokenizer.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import field
from functools import cache

import numpy as np
import pyarrow as pa
from pyarrow import csv

from importer.arrow import TEXT
from importer.dataclass import dataclass

CELL_LIMIT = 32_767
"""Characters in a cell: Excel specifications and limits, support.microsoft.com."""
_QUOTE, _CARRIAGE, _FEED = 0x22, 0x0D, 0x0A
_NEWLINES = (b"\r\n", b"\n", b"\r")
_FEWEST_DELIMITERS, _FEWEST_FILLED = 2, 2
"""What whole rows between two marks have at least: delimiters in a line, and filled cells in all."""


@dataclass(slots=True)
class CsvRecords:
    """Records in order. `unclosed` holds the positions of those in which a quote is never closed."""

    cells: list[list[bytes]] = field(default_factory=list)
    unclosed: list[int] = field(default_factory=list)
    loose: list[int] = field(default_factory=list)
    """The positions of those in which text follows a closing quote within its cell."""
    consumed: int = 0
    """How many bytes of the text these records take; less than given if the last one may go on."""


@dataclass(frozen=True, slots=True)
class _Grammar:
    opening: re.Pattern[bytes]
    """Blanks and the quote at the start of a cell."""
    closing: re.Pattern[bytes]
    """What may follow the closing quote: blanks, then the delimiter (group 1), a line end or the end."""
    plain: re.Pattern[bytes]
    """A cell without quotes, up to its delimiter or the end of the line."""


@cache
def _grammar(delimiter: bytes) -> _Grammar:
    blank = b"[" + b" \t".replace(delimiter, b"") + b"]*"
    mark = re.escape(delimiter)
    plain = rb"[^\r\n" + mark + rb"]*" if len(delimiter) == 1 else rb"(?:(?!" + mark + rb")[^\r\n])*"
    return _Grammar(
        opening=re.compile(blank + b'=?"'),
        closing=re.compile(blank + b"(?:(" + mark + rb")|(\r\n|\r|\n|\Z))"),
        plain=re.compile(plain),
    )


def tokenize(
    text: bytes, delimiter: bytes, *, final: bool, limit: int | None = None, width: int = 0
) -> CsvRecords:
    """Return the records of `text`, which begins at the start of one.

    `final` says that nothing follows. Otherwise a record that may go on beyond the text is left for the next
    call. At most `limit` records are read. `width` is how many cells a record has; if it is 0, as many as
    the one before.
    """
    found = CsvRecords()
    certain = len(text) if final else _last_line_end(text)
    at = 0
    while at < certain and (limit is None or len(found.cells) < limit):
        stop = _line_stop(text, at)
        if text.find(b'"', at, stop) < 0:
            found.cells.append(_without_end(text[at:stop]).split(delimiter))
            at = stop
            continue
        usual = width or (len(found.cells[-1]) if found.cells else 0)
        record = _RecordReader(text, at, delimiter, final, usual)
        if not record.read() or record.at > certain:
            break
        if record.unclosed:
            found.unclosed.append(len(found.cells))
        elif record.loose:
            found.loose.append(len(found.cells))
        found.cells.append(record.cells)
        at = record.at
    found.consumed = at
    return found


def _line_stop(text: bytes, at: int) -> int:
    """Return where the line that begins at `at` ends, its line break included."""
    feed = text.find(b"\n", at)
    stop = feed + 1 if feed >= 0 else len(text)
    carriage = text.find(b"\r", at, stop)
    if carriage < 0 or carriage == feed - 1:
        return stop
    return carriage + 1


def _last_line_end(text: bytes) -> int:
    """Return the end of the last line that is certainly complete; a CR at the very end may become CRLF."""
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1


def _without_end(line: bytes) -> bytes:
    for newline in _NEWLINES:
        if line.endswith(newline):
            return line[: -len(newline)]
    return line


class _RecordReader:
    """Reads one record that holds quotes, cell by cell."""

    def __init__(self, text: bytes, at: int, delimiter: bytes, final: bool, width: int) -> None:
        self.text = text
        self.at = at
        self._begin = at
        self._width = width
        self._ended = False
        self.cells: list[bytes] = []
        self.unclosed = False
        self.loose = False
        self._stop = at
        self._grammar = _grammar(delimiter)
        self._delimiter = delimiter
        self._final = final

    def read(self) -> bool:
        """Read the record. Returns False if the text ends before it is certain where a quote closes.

        A record that reaches the end of a text that is not final may go on: the caller looks at `at`.
        """
        text, mark = self.text, self._delimiter
        while True:
            self._cells_without_quotes()
            opened = self._grammar.opening.match(text, self.at)
            if opened is None:
                self._plain_cell(self.at)
            elif not self._quoted_cell(opened.end()):
                return False
            if self._ended:
                return True
            if not text.startswith(mark, self.at):
                break
            self.at += len(mark)
        self.at += 2 if text.startswith(b"\r\n", self.at) else self.at < len(text)
        return True

    def _cells_without_quotes(self) -> None:
        """Take all cells before the next one on this line that holds a quote, but never the line's last."""
        if self.at >= self._stop:
            self._stop = _line_stop(self.text, self.at)
        quote = self.text.find(b'"', self.at, self._stop)
        last = self.text.rfind(self._delimiter, self.at, quote if quote >= 0 else self._stop)
        if last >= 0:
            self.cells.extend(self.text[self.at : last].split(self._delimiter))
            self.at = last + len(self._delimiter)

    def _plain_cell(self, begin: int, before: bytes = b"") -> None:
        match = self._grammar.plain.match(self.text, begin)
        stop = match.end() if match else begin
        self.cells.append(before + self.text[begin:stop])
        self.at = stop

    def _quoted_cell(self, begin: int) -> bool:
        """Read the cell whose content begins at `begin`. Returns False if more text is needed to decide."""
        text = self.text
        close = self._closing_quote(begin)
        if close is None:
            return False
        content = text[begin:close].replace(b'""', b'"') if close >= 0 else b""
        after = self._grammar.closing.match(text, close + 1) if close >= 0 else None
        alone = after is not None and self._stands_alone(content, close)
        if alone is None:
            return False
        if alone:
            self._plain_cell(self.at)
        elif after is not None:
            self.cells.append(content)
            self.at = after.start(after.lastindex or 0)
        elif close < 0 or b"\n" in content or b"\r" in content:
            self._give_up(begin)
        elif text[self.at] != _QUOTE:
            self.loose = text.startswith(b'="', self.at)
            self._plain_cell(self.at)
        else:
            self.loose = True
            self._plain_cell(close + 1, before=content)
        return True

    def _closing_quote(self, begin: int) -> int | None:
        """Return the position of the closing quote; -1 if there is none, None if more text is needed."""
        text, end = self.text, len(self.text)
        doubled = 0
        at = begin
        while True:
            at = text.find(b'"', at)
            if at < 0:
                too_long = end - begin > 4 * (CELL_LIMIT + doubled)
                return -1 if self._final or too_long else None
            if at + 1 == end and not self._final:
                return None
            if at + 1 == end or text[at + 1] != _QUOTE:
                break
            doubled += 1
            at += 2
            if at - begin > 4 * CELL_LIMIT + 2 * doubled:
                return -1
        if at - begin - doubled > CELL_LIMIT and _characters(text[begin:at]) - doubled > CELL_LIMIT:
            return -1
        return at

    def _give_up(self, begin: int) -> None:
        """Take the rest of the line as text, since the quote before `begin` is never closed."""
        self._ended = True
        stop = _line_stop(self.text, begin)
        rest = _without_end(self.text[self.at : stop]).split(self._delimiter)
        self.unclosed = any(b'"' in cell and cell.strip() != b'"' for cell in rest)
        self.cells.extend(rest)
        self.at = stop

    def _stands_alone(self, content: bytes, close: int) -> bool | None:
        """Return whether the quotes around `content`, of which the second is at `close`, each stand alone in
        a cell; None if more text is needed to decide."""
        mark = self._delimiter
        edges = (mark, b"\r", b"\n")
        if not content.startswith(edges) or not content.endswith(edges):
            return False
        stop = _line_stop(self.text, close)
        if stop == len(self.text) and not self._final:
            return None
        counts = {line.count(mark) for line in self.text[self._begin : stop].splitlines() if line}
        within_one_line = b"\n" not in content and b"\r" not in content
        # Or one at the end of a line, one at the beginning of the next.
        if within_one_line or not content.strip(b"\r\n"):
            return counts == {self._width - 1}
        filled = sum(bool(cell.strip()) for line in content.splitlines() for cell in line.split(mark))
        return len(counts) == 1 and min(counts) >= _FEWEST_DELIMITERS and filled >= _FEWEST_FILLED


def _characters(text: bytes) -> int:
    """Return how many characters these UTF-8 bytes are."""
    return sum(1 for byte in text if byte & 0xC0 != 0x80)


@dataclass(frozen=True, slots=True)
class ArrowBlock:
    """A parsed block: columns of equal length, and the lines that have more or fewer cells.

    `misfits` holds (line, text); lines count from 0 and include the misfits, which the columns leave out.
    """

    columns: list[pa.Array]
    misfits: list[tuple[int, str]]
    consumed: int


def parse_with_arrow(
    text: bytes, delimiter: bytes, width: int, *, final: bool, only: int | None = None
) -> ArrowBlock | None:
    """Parse the complete records at the beginning of `text`; None if it isn't clean, or holds none.

    With `only` the block has this one column: None, too, if a row may be blank, or has more or fewer cells.
    """
    if len(delimiter) != 1 or not width or text.startswith(codecs.BOM_UTF8) or not text:
        return None
    end, quotes = _clean_end(text, delimiter[0], final)
    if not end:
        return None
    longest = _longest_quoted(quotes)
    if only is not None and (longest > CELL_LIMIT or _may_have_blank_rows(text, delimiter, end)):
        return None
    block = _parse(memoryview(text)[:end], delimiter.decode(), width, end, only)
    if only is not None and block.misfits:
        return None
    if longest > CELL_LIMIT and any(_longest(column) > CELL_LIMIT for column in block.columns):
        return None
    return block


def _clean_end(text: bytes, delimiter: int, final: bool) -> tuple[int, np.ndarray]:
    """Return where the last complete record of clean text ends, and where its quotes are; 0 if it isn't
    clean or complete."""
    certain = len(text) if final else max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
    if not certain or text.find(b'"', 0, certain) < 0:
        return certain, np.empty(0, dtype=np.int64)
    raw = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(raw == _QUOTE)
    if not final:
        certain = _outside_quotes(text, quotes)
        quotes = quotes[: np.searchsorted(quotes, certain)]
    if len(quotes) % 2:
        return 0, quotes
    edge = np.zeros(256, dtype=bool)
    edge[[delimiter, _CARRIAGE, _FEED, _QUOTE]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = opening - 1, closing + 1
    if len(opening) and opening[0] == 0:
        before = before[1:]
    if len(closing) and closing[-1] + 1 == len(text):
        after = after[:-1]
    if not (edge[raw[before]].all() and edge[raw[after]].all()):
        return 0, quotes
    edge[_QUOTE] = False
    some = closing > opening + 1
    # They may stand alone, each in its cell.
    alone = edge[raw[opening[some] + 1]] & edge[raw[closing[some] - 1]]
    return 0 if alone.any() else certain, quotes


def _longest_quoted(quotes: np.ndarray) -> int:
    """Return the bytes between the quotes of the longest cell; doubled quotes inside it count twice."""
    if not len(quotes):
        return 0
    opening, closing = quotes[0::2], quotes[1::2]
    apart = np.flatnonzero(opening[1:] != closing[:-1] + 1)
    begins, ends = np.append(opening[0], opening[apart + 1]), np.append(closing[apart], closing[-1])
    return int((ends - begins).max())


def _may_have_blank_rows(text: bytes, delimiter: bytes, end: int) -> bool:
    """Return whether a line begins, an opening quote aside, with anything but a sign of ASCII that stands in
    a cell: only such a line can hold nothing at all."""
    raw = np.frombuffer(text, dtype=np.uint8)[:end]
    feeds = np.flatnonzero(raw == _FEED)
    if np.count_nonzero(raw == _CARRIAGE) != np.count_nonzero(raw[feeds - 1] == _CARRIAGE):
        return True  # some lines end with a carriage return alone
    begins = np.append(0, feeds + 1)
    begins = begins[begins < end]
    begins += raw[begins] == _QUOTE
    signs = np.zeros(256, dtype=bool)
    signs[0x21:0x7F] = True
    signs[[*delimiter, *b"\"'="]] = False
    return not signs[np.take(raw, begins, mode="clip")].all()


def _outside_quotes(text: bytes, quotes: np.ndarray) -> int:
    """Return the end of the last line that ends outside quotes, if all quotes are well formed."""
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


def _parse(block: memoryview, delimiter: str, width: int, end: int, only: int | None) -> ArrowBlock:
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
            column_types=dict.fromkeys(names, TEXT),
            strings_can_be_null=False,
            check_utf8=False,
            include_columns=[] if only is None else [names[only]],
        ),
    )
    columns = [_one(column) for column in table.columns]
    return ArrowBlock(columns, misfits, end)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _longest(column: pa.Array) -> int:
    """Return the bytes in the longest text of a column."""
    if not len(column):
        return 0
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int64)[
        column.offset : column.offset + len(column) + 1
    ]
    return int(np.diff(offsets).max(initial=0))
