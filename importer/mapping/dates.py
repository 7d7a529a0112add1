"""Rules for dates: read them as the API wants them, yyyy-MM-dd; day and month are never guessed.

A date with the year first has one reading. Any other date is read by the mapping's formats, or in the order
that the whole column proves: at least one value can only be read in that order, and none only in the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cache, lru_cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import (
    from_offsets,
    in_tens,
    like_days,
    nonempty,
    offsets_and_bytes,
    read_texts,
    rework_all,
    valid_days,
)
from importer.mapping.base import UnreadableValues, packaged_words

_MIDNIGHT = r"(?:[ T]+0{1,2}:00(?::00(?:[.,]0+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|[ T]+12:00(?::00)? ?AM)?"
_WESTERN = r"([-/.]) ?(\d{1,2}) ?\2 ?(\d{1,2})"
_CHINESE = r"年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]"
_YEAR_FIRST = re.compile(rf"(\d{{4}}) ?(?:{_WESTERN}|{_CHINESE}){_MIDNIGHT}")
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_MIDNIGHT}", re.IGNORECASE)
_WIDE = str.maketrans("０１２３４５６７８９／－．　", "0123456789/-. ")
_LIKE_A_DATE = re.compile(r"[\d年月日/. :TZ-]{5,30}")
_MOST_FORMATS = 3
"""The most of a rule's formats that a message lists."""


class DateOrder(Enum):
    """The order of day and month that the dates of a column prove."""

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
"""What a column proves, as the formats of a mapping. A column that contradicts itself proves that no date
with the year last can be read."""


def read(
    column: pa.Array, formats: Sequence[str], order: Callable[[], DateOrder]
) -> tuple[pa.Array, list[UnreadableValues]]:
    """Return the column with dates as yyyy-MM-dd, and what could not be read (left as found).

    Texts are read by the formats. If there are none, dates with the year last are read in the order that
    `order` returns; it is called only if the column holds such a date.
    """
    where = unread(column)
    if not where.any():
        return column, []
    rest = column.filter(pa.array(where))
    days, faults = _read_by_formats(rest, tuple(formats)) if formats else _read_by_order(rest, order)
    faults = [replace(fault, where=_spread(fault.where, where)) for fault in faults]
    return pc.replace_with_mask(column, pa.array(where), days), faults


def unread(column: pa.Array) -> np.ndarray:
    """Return a mask of the values that are filled and not yyyy-MM-dd yet."""
    found = nonempty(column)
    indices, cells = _texts_of_ten(column)
    found[indices] = ~like_days(cells)
    return found


def _read_by_formats(column: pa.Array, formats: tuple[str, ...]) -> tuple[pa.Array, list[UnreadableValues]]:
    wanted = ", ".join([*formats[:_MOST_FORMATS], *["…"] * (len(formats) > _MOST_FORMATS)])
    column = rework_all(column, lambda text: by_format(text, formats) or year_first(text) or text)
    where = unread(column)
    fault = UnreadableValues("bad-date", where, lambda _: wanted, "date-in-no-format")
    return column, [fault] if where.any() else []


def _read_by_order(
    column: pa.Array, order: Callable[[], DateOrder]
) -> tuple[pa.Array, list[UnreadableValues]]:
    def day(text: str) -> str | None:
        plain = year_first(text)
        if plain or readings(text) is None:
            # What is no date stays: validation names it.
            return plain or text
        return by_order(text, order())

    column = _with_dashes(column)
    column, where = read_texts(column, day, unread(column))
    if not where.any():
        return column, []
    wording = "contradictory-dates" if order() is DateOrder.CONTRADICTORY else None
    return column, [UnreadableValues("ambiguous-date", where, _both_readings, wording)]


def _spread(part: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return a mask over all rows from one over the rows at which `where` is true."""
    found = np.zeros(len(where), dtype=bool)
    found[where] = part
    return found


def _both_readings(text: str) -> str | None:
    """Return the days that a date with the year last can mean: 1990-07-05 / 1990-05-07."""
    both = readings(text.strip())
    return " / ".join(dict.fromkeys(filter(None, both))) if both else None


def _with_dashes(column: pa.Array) -> pa.Array:
    """Return the column with 1990/05/07 and 1990.05.07 as 1990-05-07 where that is a day.

    Whole columns are written so. This does them at once, without a look at every text.
    """
    indices, cells = _texts_of_ten(column)
    marks = cells[4]
    other = ((marks == ord("/")) | (marks == ord("."))) & (marks == cells[7])
    if not other.any():
        return column
    indices, cells = indices[other], cells[:, other]
    cells[[4, 7]] = ord("-")
    offsets, data = offsets_and_bytes(column)
    begins = offsets[indices[valid_days(cells)]]
    changed = data.copy()
    changed[begins + 4] = changed[begins + 7] = ord("-")
    return from_offsets(offsets, changed)


def _texts_of_ten(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the texts of ten bytes, and these bytes as `like_days` wants them (a copy)."""
    offsets, data = offsets_and_bytes(column)
    indices = np.flatnonzero(np.diff(offsets) == 10)
    if not indices.size:
        return indices, np.empty((10, 0), dtype=np.uint8)
    return indices, in_tens(data, offsets[indices])


@lru_cache(maxsize=32768)
def year_first(text: str) -> str | None:
    """Return yyyy-MM-dd for a date with the year first, else None.

    A time of day makes it none, unless it is midnight.
    """
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
    """Return a date with the year last, read day first and month first, or None if the text is no such date.

    A reading that is no day of the calendar is None.
    """
    match = _YEAR_LAST.fullmatch(text.translate(_WIDE).strip())
    if not match:
        return None
    first, _, second, year = match.groups()
    both = _day(year, second, first), _day(year, first, second)
    return both if any(both) else None


def any_reading(text: str) -> str | None:
    """Return a date as yyyy-MM-dd in any order that it can be read in, or None."""
    return year_first(text) or next(filter(None, readings(text) or ()), None)


def looks_like_date(text: str) -> bool:
    """Return whether a text is a date, or of digits and marks as dates are."""
    return bool(any_reading(text) or _LIKE_A_DATE.fullmatch(text))


def proven_order(parts: Iterator[pd.Series]) -> DateOrder:
    """Return the order that the dates of a whole column prove."""
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


def by_order(text: str, order: DateOrder) -> str | None:
    """Return a date with the year last, read in a proven order, or None if it is none or nothing is proven.

    05/05/1990 needs no proof. In a column that contradicts itself it is in doubt like all others.
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
    """Return the regular expression of a date format.

    A format is made of yyyy yy MMMM MMM MM M dd d HH hh mm ss SSS a XXX z and 'text'. None for `unix` and
    `unix-ms`. Raises ValueError with the text of what is wrong: “x” for a letter that means nothing, or
    yyyy MM dd if year, month and day do not occur once each.
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
    """Return yyyy-MM-dd by the first format that reads the text as a day of the calendar, or None."""
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
    month = found.get("month") or _month_numbers().get((found.get("name") or "").casefold())
    if not month:
        return None
    year = found.get("year")
    if year is None:
        # The pivot is fixed, so that a file means the same next year: 30 to 99 are of the last century.
        short = int(found["short"])
        year = str(2000 + short if short < 30 else 1900 + short)
    return _day(year, str(month), found["day"])


@cache
def _month_numbers() -> Mapping[str, int]:
    """Return the number of a month by its casefolded name."""
    tables = packaged_words("words.toml")["months"]
    return {name.casefold(): int(number) for number, names in tables.items() for name in names}


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
