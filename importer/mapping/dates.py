"""Dates as the API wants them, yyyy-MM-dd; day and month are never guessed.

A year-first date has one reading. Any other text date is read by the mapping's formats, or by the order that
the whole column proves: at least one value can be read in that order only, and none in the other only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import from_offsets, in_tens, like_days, nonempty, offsets_and_bytes, valid_days
from importer.mapping import words

ReadColumn = Callable[[str], Iterator[pd.Series]]

_MIDNIGHT = r"(?:[ T]+0{1,2}:00(?::00(?:[.,]0+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|[ T]+12:00(?::00)? ?AM)?"
_WESTERN = r"([-/.]) ?(\d{1,2}) ?\2 ?(\d{1,2})"
_CHINESE = r"年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]"
_YEAR_FIRST = re.compile(rf"(\d{{4}}) ?(?:{_WESTERN}|{_CHINESE}){_MIDNIGHT}")
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_MIDNIGHT}", re.IGNORECASE)
_WIDE = str.maketrans("０１２３４５６７８９／－．　", "0123456789/-. ")


class DateOrder(Enum):
    """What a column's dates prove about their order."""

    DAY_FIRST = "dd/MM"
    MONTH_FIRST = "MM/dd"
    UNPROVED = "unproved"
    CONTRADICTORY = "contradictory"


_SEPARATORS = "/-."
FORMATS: Mapping[DateOrder, tuple[str, ...]] = {
    order: tuple(
        f"{mark.join((*order.value.split('/'), 'yyyy'))}{midnight}"
        for midnight in ("", " 00:00:00", " 00:00")
        for mark in _SEPARATORS
    )
    for order in (DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST)
} | {DateOrder.CONTRADICTORY: ("yyyy-MM-dd",)}
"""What a column proved as the formats of a mapping: where it contradicts itself, no year-last date counts."""


def unread(column: pa.Array) -> np.ndarray:
    """Which values are filled and not yyyy-MM-dd yet, as a bool array."""
    found = nonempty(column)
    places, cells = _tens(column)
    found[places] = ~like_days(cells)
    return found


def dashed(column: pa.Array) -> pa.Array:
    """The column with 1990/05/07 and 1990.05.07 as 1990-05-07 where that is a day; all at once, since whole
    columns are written so."""
    places, cells = _tens(column)
    marks = cells[4]
    other = ((marks == ord("/")) | (marks == ord("."))) & (marks == cells[7])
    if not other.any():
        return column
    places, cells = places[other], cells[:, other]
    cells[[4, 7]] = ord("-")
    offsets, data = offsets_and_bytes(column)
    begins = offsets[places[valid_days(cells)]]
    changed = data.copy()
    changed[begins + 4] = changed[begins + 7] = ord("-")
    return from_offsets(offsets, changed)


def _tens(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the texts of ten bytes, and these bytes as `like_days` wants them (a copy)."""
    offsets, data = offsets_and_bytes(column)
    places = np.flatnonzero(np.diff(offsets) == 10)
    if not places.size:
        return places, np.empty((10, 0), dtype=np.uint8)
    return places, in_tens(data, offsets[places])


@lru_cache(maxsize=32768)
def year_first(text: str) -> str | None:
    """yyyy-MM-dd for a year-first date without a time of day (midnight counts as none), else None."""
    found = text.translate(_WIDE).strip()
    match = _YEAR_FIRST.fullmatch(found)
    if match:
        year, _, *parts = match.groups()
        month, day = (part for part in parts if part)
        return _day(year, month, day)
    match = _COMPACT.fullmatch(found)
    return _day(*match.groups()) if match else None


@lru_cache(maxsize=32768)
def readings(text: str) -> tuple[str | None, str | None] | None:
    """A year-last date read day first and month first (None where that is no day), or None if it is none."""
    match = _YEAR_LAST.fullmatch(text.translate(_WIDE).strip())
    if not match:
        return None
    first, _, second, year = match.groups()
    both = _day(year, second, first), _day(year, first, second)
    return both if any(both) else None


def proved(parts: Iterator[pd.Series]) -> DateOrder:
    """The order that a whole column's year-last dates prove."""
    day_first = month_first = False
    seen: set[str] = set()
    for part in parts:
        for text in pc.unique(arrow.to_arrow(part)).to_pylist():
            both = None if not text or text in seen else readings(text)
            if both and both[0] is None:
                month_first = True
            elif both and both[1] is None:
                day_first = True
            if day_first and month_first:
                return DateOrder.CONTRADICTORY
            if both and len(seen) < 32768:
                seen.add(text)
    if day_first or month_first:
        return DateOrder.DAY_FIRST if day_first else DateOrder.MONTH_FIRST
    return DateOrder.UNPROVED


def ordered(text: str, order: DateOrder) -> str | None:
    """A year-last date read in a proved order; None if it is none, or the order isn't proved.

    05/05/1990 needs no proof, but is in doubt like all others where the column contradicts itself.
    """
    both = readings(text)
    if both is None:
        return None
    if order is DateOrder.UNPROVED and both[0] == both[1]:
        return both[0]
    return both[0] if order is DateOrder.DAY_FIRST else both[1] if order is DateOrder.MONTH_FIRST else None


_TOKENS = {
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short>\d{2})",
    **dict.fromkeys(("MMMM", "MMM"), r"(?P<name>[^\W\d_]+)\.?"),
    **dict.fromkeys(("MM", "M"), r"(?P<month>\d{1,2})"),
    **dict.fromkeys(("dd", "d"), r"(?P<day>\d{1,2})"),
    **dict.fromkeys(("HH", "H", "hh", "h"), r"\d{1,2}"),
    **dict.fromkeys(("mm", "ss"), r"\d{2}"),
    "SSS": r"\d{1,9}",
    "a": r"[AaPp]\.?[Mm]\.?",
    "XXX": r"(?:Z|[+-]\d\d:?\d\d)",
    "z": r"[A-Za-z]{1,5}",
}
_TOKEN = re.compile(
    r"'([^']*)'|yyyy|yy|MMMM|MMM|MM|M|dd|d|HH|H|hh|h|mm|ss|SSS|a|XXX|z|([A-Za-z])|(.)", re.DOTALL
)
UNIX, UNIX_MS = "unix", "unix-ms"


@lru_cache(maxsize=256)
def pattern(format_: str) -> re.Pattern[str] | None:
    """The regular expression of a date format: yyyy yy MMMM MMM MM M dd d, HH hh mm ss SSS a XXX z, 'text'.

    None for `unix` and `unix-ms`. Raises ValueError that says what the format lacks.
    """
    if format_ in (UNIX, UNIX_MS):
        return None
    parts, seen = [], []
    for token in _TOKEN.finditer(format_):
        if token[2]:
            raise ValueError(f"“{token[2]}”")
        if token[0] in _TOKENS:
            seen.append(token[0])
            parts.append(_TOKENS[token[0]])
        else:
            parts.append(re.escape(token[3] if token[1] is None else token[1]))
    units = [{"y": "year", "M": "month", "d": "day"}.get(token[0]) for token in seen]
    if sorted(unit for unit in units if unit) != ["day", "month", "year"]:
        raise ValueError("yyyy MM dd")
    return re.compile("".join(parts))


@lru_cache(maxsize=32768)
def by_format(text: str, formats: Sequence[str]) -> str | None:
    """yyyy-MM-dd by the first format that reads the text as a day of the calendar, or None."""
    found = text.translate(_WIDE).strip()
    for format_ in formats:
        expression = pattern(format_)
        day = _unix(found, format_) if expression is None else _matched(expression.fullmatch(found))
        if day:
            return day
    return None


def _matched(match: re.Match[str] | None) -> str | None:
    if not match:
        return None
    found = match.groupdict()
    month = found.get("month") or words.month_numbers().get((found.get("name") or "").casefold())
    if not month:
        return None
    year = found.get("year")
    if year is None:
        # A fixed pivot, so that a file means the same next year: 30 to 99 are of the last century.
        short = int(found["short"])
        year = str(2000 + short if short < 30 else 1900 + short)
    return _day(year, str(month), found["day"])


def _unix(text: str, format_: str) -> str | None:
    if not re.fullmatch(r"-?\d{1,14}", text):
        return None
    seconds = int(text) / (1000 if format_ == UNIX_MS else 1)
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).date().isoformat()
    except OverflowError:
        return None


def _day(year: str, month: str, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
