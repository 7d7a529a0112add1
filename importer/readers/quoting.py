"""Undo unusual quoting before a text is cut into rows: backslashes, lines in quotes, other quotation marks.

What would be taken for the text's structure becomes a mark that no text holds, and is put back into the cells
after the rows are cut. So every form takes the same path as plain text.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum

import pyarrow as pa
import pyarrow.compute as pc

from importer.readers.csv_parser import tokenize

_SAMPLE_ROWS = 200
_HEADER_LINES = 20
_MARKS = {
    mark: chr(0xFDD0 + at).encode() for at, mark in enumerate(('"', ",", ";", "\t", "|", "\n", "\r", "'"))
}
"""A noncharacter for each character that can be structure (Unicode 23.7: for use inside a program)."""
_BACKSLASH = re.compile(rb"\\(.)", re.DOTALL)
_CONTROLS = {b"n": _MARKS["\n"], b"r": _MARKS["\r"], b"t": _MARKS["\t"]}
_DELIMITERS = (b",", b";", b"\t", b"|")
_WHOLE_LINE = re.compile(rb'[ \t]*"((?:[^"]|"")*)"[,;\t ]*')
_PAIRS = (("“", "”"), ("„", "“"), ("«", "»"), ("‘", "’"))
_CTRL_Z = re.compile(rb"\x1a[\x1a\r\n]*\Z")


class Quoting(Enum):
    """How a text's cells are quoted."""

    PLAIN = "plain"
    BACKSLASH = "backslash"
    """A backslash keeps the next character from being structure, as MySQL writes it."""
    LINES = "lines"
    """Each line stands in quotes as if it were one cell."""
    SINGLE = "single"
    CURLY = "curly"
    DOUBLED = "doubled"
    """Each quote is written twice."""


def find_quoting(sample: bytes, *, final: bool) -> Quoting:
    """Return how the cells of a text are quoted, as far as its first bytes show; plain in case of doubt."""
    lines = [line.strip() for line in sample.splitlines() if line.strip()]
    lines = (lines if final else lines[:-1])[:_SAMPLE_ROWS]
    if not lines:
        return Quoting.PLAIN
    cuts = dict.fromkeys(_DELIMITERS, 1)
    if len(lines) > 1 and _is_bare(lines[0]):
        # Some programs quote all rows but the header.
        cuts = {mark: lines[0].count(mark) for mark in _DELIMITERS if mark in lines[0]}
        lines = lines[1:]
    if all(map(_is_single, lines)):
        return Quoting.SINGLE
    if any(all(_stands_in(line, pair) for line in lines) for pair in _PAIRS):
        return Quoting.CURLY
    if all(map(_is_doubled, lines)):
        return Quoting.DOUBLED
    if all(_is_one_cell(line, cuts) for line in lines):
        return Quoting.LINES
    return Quoting.BACKSLASH if _needs_backslash(sample, final) else Quoting.PLAIN


def _is_bare(line: bytes) -> bool:
    """Return whether a line is cut by a delimiter and holds no quotation mark."""
    marks = ('"', "'", *(mark for pair in _PAIRS for mark in pair))
    return any(mark in line for mark in _DELIMITERS) and not any(mark.encode() in line for mark in marks)


def _is_single(line: bytes) -> bool:
    between = any(b"'" + mark + b"'" in line for mark in _DELIMITERS)
    return between and line[:1] == line[-1:] == b"'"


def _stands_in(line: bytes, pair: tuple[str, str]) -> bool:
    opening, closing = (mark.encode() for mark in pair)
    between = any(closing + mark + opening in line for mark in _DELIMITERS)
    return between and line.startswith(opening) and line.endswith(closing)


def _is_doubled(line: bytes) -> bool:
    inside = line[2:-2]
    cut = any(b'""' + mark + b'""' in inside for mark in _DELIMITERS)
    return cut and line.startswith(b'""') and line.endswith(b'""') and line[2:3] not in (b'"', *_DELIMITERS)


def _is_one_cell(line: bytes, cuts: Mapping[bytes, int]) -> bool:
    """Return whether a line stands in quotes, and holds one of these delimiters so many times inside.

    Quotes around nothing but delimiters are those of a cell.
    """
    match = _WHOLE_LINE.fullmatch(line)
    if match is None or not match.group(1).strip(b"".join(_DELIMITERS) + b' "'):
        return False
    return any(match.group(1).count(mark) >= count for mark, count in cuts.items())


def _needs_backslash(sample: bytes, final: bool) -> bool:
    """Return whether the text is cut better if a backslash keeps the next character from being structure."""
    if not re.search(rb'\\["\r\n,;\t|]', sample):
        return False
    plain, escaped = (_faults(text, final) for text in (sample, _with_marks(sample)))
    return escaped < plain


def _faults(text: bytes, final: bool) -> int:
    """Return how many of the first rows are cut badly, with the delimiter that cuts them best."""
    least = len(text)
    for mark in _DELIMITERS:
        if mark not in text:
            continue
        found = tokenize(text, mark, final=final, limit=_SAMPLE_ROWS)
        widths = [len(cells) for cells in found.cells if any(cells)]
        usual = max(set(widths), key=widths.count, default=1)
        if usual > 1:
            faults = sum(width != usual for width in widths) + len(found.unclosed) + len(found.loose)
            least = min(least, faults)
    return least


def plain_pieces(pieces: Iterator[bytes], quoting: Quoting) -> Iterator[bytes]:
    """Yield the text with plain quoting, without the end mark of DOS and byte order marks at line starts."""
    rest = b""
    for piece in pieces:
        text = _without_marks(rest + piece)
        cut = _safe_end(text, quoting)
        rest = text[cut:]
        if cut:
            yield to_plain(text[:cut], quoting)
    rest = _CTRL_Z.sub(b"", rest)
    if rest:
        yield to_plain(rest, quoting)


def _without_marks(text: bytes) -> bytes:
    """Return the text without byte order marks at the beginning of lines."""
    # A single byte is found much faster than three.
    first = text.find(codecs.BOM_UTF8[:1])
    return text if first < 0 else text.replace(b"\n" + codecs.BOM_UTF8, b"\n")


def _safe_end(text: bytes, quoting: Quoting) -> int:
    """Return how much of the text can be changed before what follows is known."""
    if quoting is Quoting.LINES:
        return max(text.rfind(b"\n"), text.rfind(b"\r", 0, len(text) - 1)) + 1
    end = _CTRL_Z.search(text, max(len(text) - 64, 0))
    cut = end.start() if end else len(text)
    for tail in (b"\n\xef\xbb", b"\n\xef", b"\n", b"\r"):
        if text.endswith(tail, 0, cut):
            cut -= len(tail)
            break
    if quoting is Quoting.BACKSLASH:
        while cut and text[cut - 1] == ord("\\"):
            cut -= 1
    elif quoting in (Quoting.CURLY, Quoting.DOUBLED):
        while cut and (text[cut - 1] >= 0x80 or text[cut - 1] == ord('"')) and len(text) - cut < 64:
            cut -= 1
    return cut


def to_plain(text: bytes, quoting: Quoting) -> bytes:
    """Return text of this quoting as plain text with marks."""
    match quoting:
        case Quoting.BACKSLASH:
            return _with_marks(text)
        case Quoting.SINGLE:
            return text.replace(b'"', _MARKS['"']).replace(b"'", b'"')
        case Quoting.CURLY:
            text = text.replace(b'"', _MARKS['"'])
            for mark in {mark for pair in _PAIRS for mark in pair}:
                text = text.replace(mark.encode(), b'"')
            return text
        case Quoting.DOUBLED:
            return text.replace(b'""', b'"')
        case Quoting.LINES:
            return b"".join(map(_without_quotes, text.splitlines(keepends=True)))
    return text


def _without_quotes(line: bytes) -> bytes:
    bare = line.rstrip(b"\r\n")
    match = _WHOLE_LINE.fullmatch(bare)
    return match.group(1).replace(b'""', b'"') + line[len(bare) :] if match else line


def _with_marks(text: bytes) -> bytes:
    return _BACKSLASH.sub(_mark, text)


def _mark(match: re.Match[bytes]) -> bytes:
    character = match.group(1)
    if character in _CONTROLS:
        return _CONTROLS[character]
    if character.isalnum():
        return match.group(0)  # \N is a word for nothing, C:\Users a path
    return _MARKS.get(character.decode("latin-1"), character)


def split_lines(lines: Sequence[str], is_header: Callable[[Sequence[str]], bool]) -> list[list[str]] | None:
    """Return the cells of a text whose lines stand in one cell each, or None if they don't.

    `is_header` tells whether some cells hold names of fields; one of the first lines must be such a header.
    """
    for mark in _DELIMITERS:
        rows = [_cells_of(line, mark) for line in lines[:_HEADER_LINES]]
        if any(len(cells) > 1 and is_header(cells) for cells in rows):
            return rows + [_cells_of(line, mark) for line in lines[_HEADER_LINES:]]
    return None


def _cells_of(line: str, mark: bytes) -> list[str]:
    text = line.encode()
    whole = _WHOLE_LINE.fullmatch(text)
    if whole and mark in whole.group(1):
        text = whole.group(1).replace(b'""', b'"')
    found = tokenize(text, mark, final=True, limit=1).cells
    return [cell.decode() for cell in found[0]] if found else [""]


def restored(column: pa.Array, quoting: Quoting) -> pa.Array:
    """Return a column of cells with the characters that the marks stand for."""
    if quoting in (Quoting.PLAIN, Quoting.LINES, Quoting.DOUBLED):
        return column
    if quoting is Quoting.SINGLE:
        column = pc.replace_substring(column, '"', "'")
    for mark, stand_in in _MARKS.items():
        column = pc.replace_substring(column, stand_in.decode(), mark)
    return column


def restored_cells(cells: Sequence[bytes], quoting: Quoting) -> list[bytes]:
    """Return a row's cells with the characters that the marks stand for."""
    if quoting in (Quoting.PLAIN, Quoting.LINES, Quoting.DOUBLED):
        return list(cells)
    found = []
    for cell in cells:
        if quoting is Quoting.SINGLE:
            cell = cell.replace(b'"', b"'")
        for mark, stand_in in _MARKS.items():
            cell = cell.replace(stand_in, mark.encode())
        found.append(cell)
    return found
