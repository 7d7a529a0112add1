"""Which character separates the cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from importer.errors import UsageError
from importer.readers.header import LOOK_AT, known_names
from importer.readers.options import ReadOptions
from importer.readers.records import read_records

_CANDIDATES = (b",", b";", b"\t", b"|")
_NAMED = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}
_SEP_LINE = re.compile(rb'"?[sS][eE][pP]=([^\r\n"])"?[ \t]*(?:\r\n|\r|\n|\Z)')
_SAMPLE_ROWS = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a delimited text are told apart."""

    delimiter: bytes
    """UTF-8."""
    begin: int
    """Bytes of UTF-8 text before the first row: Excel's `sep=` line, which is no row."""


def find_dialect(sample: bytes, options: ReadOptions, *, final: bool) -> Dialect:
    """The dialect of a text from its first bytes (`final`: they are all there is).

    Known header names decide; without any, the delimiter that cuts the most rows into the same number of
    cells. Raises UsageError `bad-delimiter`.
    """
    begin, announced = _sep_line(sample)
    if options.delimiter is not None:
        return Dialect(_given(options.delimiter), begin)
    if announced:
        return Dialect(announced, begin)
    text = sample[begin:]
    scores = {mark: _score(text, mark, options, final) for mark in _CANDIDATES if mark in sample}
    best = max(scores, key=lambda mark: scores[mark], default=b",")
    return Dialect(best, begin)


def _given(delimiter: str) -> bytes:
    mark = _NAMED.get(delimiter.lower(), delimiter)
    if len(mark) != 1 or mark in '"\r\n':
        raise UsageError("bad-delimiter", found=delimiter)
    return mark.encode()


def _sep_line(sample: bytes) -> tuple[int, bytes]:
    """Where the rows begin, and the delimiter that Excel's `sep=` line names."""
    match = _SEP_LINE.match(sample)
    if match is None:
        return 0, b""
    return match.end(), match.group(1)


def _score(text: bytes, mark: bytes, options: ReadOptions, final: bool) -> tuple[int, float, int]:
    records = read_records(text, mark, final=final, limit=_SAMPLE_ROWS).cells
    if not records:
        records = read_records(text, mark, final=True, limit=_SAMPLE_ROWS).cells
    known = max((known_names(_texts(cells), options.known) for cells in records[:LOOK_AT]), default=0)
    widths = Counter(len(cells) for cells in records if any(cells))
    several = {width: count for width, count in widths.items() if width > 1}
    if not several:
        return known, 0.0, 0
    width, count = max(several.items(), key=lambda item: (item[1], item[0]))
    return known, round(count / widths.total(), 2), width


def _texts(cells: Sequence[bytes]) -> list[str]:
    return [cell.decode("utf-8", "replace") for cell in cells]
