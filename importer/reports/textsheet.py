"""Lines as the rows of a sheet in which every cell is text.

The XML is made column by column, since a million cell objects would take minutes. Sources: ECMA-376 part 1,
18.3.1.4 (cells), 22.9.2.19 (`_xHHHH_` for what XML cannot hold); Excel specifications and limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import messages
from importer.arrow import TEXT, column_letter
from importer.reports import cells
from importer.reports.lines import Lines

MOST_COLUMNS = 16_384
_NOT_XML = "[\\x00-\\x08\\x0b-\\x1f\\x{fffe}\\x{ffff}]"
_UNUSUAL = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_OPEN = '" t="inlineStr"><is><t xml:space="preserve">'
_CLOSE = "</t></is></c>"
_BLANK = '"/>'
WRONG_RGB = "FFF9D0CB"
DOUBTFUL_RGB = "FFFBE6BF"
HEAD_RGB = "FF334155"


class Look(IntEnum):
    """A cell's style, by its number in the workbook (see `skeleton`). All are formatted as text."""

    PLAIN = 1
    HEAD = 2
    WRONG = 3
    DOUBTFUL = 4


class TextSheet:
    """A sheet of the given columns as XML, from its header to its last row."""

    def __init__(self, names: Sequence[str], lang: str, *, own_first: bool = True) -> None:
        """`names` are all columns; the importer's own stand before the original ones or after them."""
        self._names = names
        self._lang = lang
        self._own_first = own_first
        self._letters = [column_letter(place) for place in range(len(names))]
        self.rows = 0

    def header(self) -> bytes:
        """The first row."""
        heads = (
            f'<c r="{letter}1" s="{Look.HEAD:d}{_tail(name, self._lang)}'
            for letter, name in zip(self._letters, self._names, strict=True)
        )
        return f'<row r="1">{"".join(heads)}</row>'.encode()

    def body(self, lines: Lines, looks: Mapping[int, np.ndarray]) -> memoryview:
        """The next rows. `looks[i]` (int8, one entry a row) are the Looks of the i-th original column, where
        they are not all plain."""
        first = self.rows + 2
        numbers = pa.array(np.arange(first, first + len(lines))).cast(TEXT)
        own = [_cell(tail, None) for tail in self._own(lines)]
        original = [
            _cell(_filled(text(column, self._lang)), looks.get(place))
            for place, column in enumerate(lines.cells)
        ]
        pieces = [cells.text('<row r="'), numbers, cells.text('">')]
        ordered = own + original if self._own_first else original + own
        for letter, (look, tail) in zip(self._letters, ordered, strict=True):
            pieces += [cells.text(f'<c r="{letter}'), numbers, look, tail]
        self.rows += len(lines)
        return cells.content(cells.joined(*pieces, cells.text("</row>")))

    def _own(self, lines: Lines) -> list[pa.Array | pa.Scalar]:
        """The own columns' XML from behind the style to the end of the cell."""
        tails: list[pa.Array | pa.Scalar] = [_filled(pa.array(lines.rows).cast(TEXT))]
        tails += [spread.over(_filled(text(spread.texts, self._lang))) for spread in lines.own]
        return tails


def _cell(tail: pa.Array | pa.Scalar, looks: np.ndarray | None) -> tuple[pa.Array | pa.Scalar, pa.Array]:
    """A column's styles, and what stands behind them."""
    if looks is None:
        return cells.text(f'" s="{Look.PLAIN:d}'), tail
    styles = pa.array([f'" s="{max(number, Look.PLAIN):d}' for number in range(max(Look) + 1)], type=TEXT)
    return styles.take(pa.array(looks)), tail


def _filled(column: pa.Array) -> pa.Array:
    """XML texts as cells; an empty one keeps its style, so that what is typed there stays text."""
    whole = cells.joined(cells.text(_OPEN), column, cells.text(_CLOSE))
    empty = pc.equal(column, "")
    return pc.if_else(empty, _BLANK, whole) if pc.any(empty).as_py() else whole


def text(column: pa.Array, lang: str) -> pa.Array:
    """Cells as XML text; the rare cell that XML or Excel cannot hold is done one by one."""
    plain = column
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        if cells.has_bytes(plain, character.encode()):
            plain = pc.replace_substring(plain, character, entity)
    long = pc.greater(pc.binary_length(column), cells.EXCEL_LIMIT)
    strange = pc.or_(long, pc.match_substring_regex(column, _NOT_XML))
    if cells.has_bytes(column, b"_x"):
        strange = pc.or_(strange, pc.match_substring(column, "_x"))
    if not pc.any(strange).as_py():
        return plain
    texts = pa.array([xml(value, lang) for value in column.filter(strange).to_pylist()], type=TEXT)
    return pc.replace_with_mask(plain, strange, texts)


def fitting(value: str, lang: str) -> str:
    """A cell as a workbook holds it: `_xHHHH_` for what XML cannot, at most as long as Excel takes; a cell
    that was cut says so at its end."""
    units = len(value.encode("utf-16-le")) // 2
    if units > cells.EXCEL_LIMIT:
        note = messages.sentence("cell-cut", {"length": units}, lang)
        room = (cells.EXCEL_LIMIT - len(note)) * 2
        value = value.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + note
    return _UNUSUAL.sub(lambda found: f"_x{ord(found[0]):04X}_", value)


def xml(value: str, lang: str) -> str:
    """The same as XML text."""
    return fitting(value, lang).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _tail(value: str, lang: str) -> str:
    return f"{_OPEN}{xml(value, lang)}{_CLOSE}" if value else _BLANK
