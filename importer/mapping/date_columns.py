"""Read whole columns of dates by what the column proves: the order of day and month, and the calendar.

A column proves an order if at least one date can only be read in that order, and none only in the other. It
proves a calendar if all its years belong to that one and none to ours. What has one reading needs no proof.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from datetime import date
from enum import Enum

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
    valid_days,
)
from importer.dataclass import dataclass
from importer.mapping import calendars
from importer.mapping.base import ColumnIssue, note
from importer.mapping.calendars import FIRST_YEAR, Calendar
from importer.mapping.dates import (
    ROC_DAY,
    SHORT_YEAR,
    by_format,
    has_short_year,
    plain,
    readings,
    short_year_formats,
    with_month_name,
    year_first,
    year_of,
)
from importer.mapping.nothing import is_nothing
from importer.mapping.rules import FieldRule
from importer.models import Severity
from importer.patterns import late_pattern

_MOST_FORMATS = 3
"""The most of a rule's formats that a message lists."""
_LAST_DAYS = late_pattern(r"(?<!\d)(?:29|3[01])(?!\d)")
_NO_DAY = late_pattern(r"0{1,4}([-/.])0{1,2}\1(?:0{4}|0{1,2})(?:[ T]+[0:.]+Z?)?")
_UNSAID_DAYS = ("0001-01-01", "1753-01-01", "1899-12-30", "9999-12-31")
"""The first and last days of databases, and day 0 of spreadsheets: programs write them for “no date”."""
_YEAR_UNSAID = "1604"
"""What Apple's address book writes for a birthday without a year."""
_YEARS_FOR_NOTHING = frozenset((_YEAR_UNSAID, *(day[:4] for day in _UNSAID_DAYS)))
_FEWEST = 2
"""The fewest distinct dates that prove a calendar."""
_LAST_YEAR = 2400
"""Later years are none of ours, of whatever a date may speak: they count from the Buddha."""
_REMEMBERED = 32768
_LAST_MONTH, _LAST_DAY = 12, 31
_FEWEST_WITH_ONE_WITNESS = 6
"""Three days in five are above 12: of so many dates, a single one is rather a slip."""


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
}
"""What a column proves, as the formats of a mapping. That a column contradicts itself is `mixed_dates`."""


@dataclass(frozen=True, slots=True)
class DateProof:
    """What all dates of a column prove."""

    order: DateOrder = DateOrder.UNPROVED
    calendar: Calendar = Calendar.GREGORIAN
    rarer: DateOrder | None = None
    """In a contradictory column, the order that fewer of its dates prove; with equal numbers month first."""
    zeros_are_empty: bool = True
    """Whether 0000-00-00 is the column's word for nothing: most of its other values are days."""
    hangs_on_one: bool = field(default=False, compare=False)
    """Whether only one date proves the order."""
    forms: tuple[str, ...] = field(default=(), compare=False)
    """How dates with the year last are written, without their order: /yyyy, .yy; the most frequent first."""


class DateReader:
    """Reads the dates of one field. `proof` is called only if a text needs it.

    With `today`, the field is a birthday: it lies between 1900 and today, unless the rule says `any_day`.
    """

    def __init__(self, rule: FieldRule, proof: Callable[[], DateProof], today: date | None = None) -> None:
        self._rule = rule
        self._proof = _mixed(proof) if rule.mixed_dates else proof
        self._today = None if rule.any_day else today
        self._last_year = _LAST_YEAR if self._today is None else self._today.year - 1

    def read(self, column: pa.Array) -> tuple[pa.Array, list[ColumnIssue]]:
        """Return the column with dates as yyyy-MM-dd, and what is to be said about it."""
        if not self._doubtful(column).any():
            return column, []
        if not self._rule.formats:
            column = _with_dashes(column)
        where = self._doubtful(column)
        distinct = column.filter(pa.array(where)).dictionary_encode()
        texts = distinct.dictionary.to_pylist()
        verdicts = [self._verdict(text) for text in texts]
        indices = distinct.indices.to_numpy()
        days = arrow.array(
            [text if day is None else day for text, (day, _) in zip(texts, verdicts, strict=True)]
        )
        column = pc.replace_with_mask(column, pa.array(where), days.take(distinct.indices))
        issues = []
        for kind in dict.fromkeys(kind for _, kind in verdicts if kind):
            hit = np.array([one == kind for _, one in verdicts], dtype=bool)[indices]
            issues.append(self._issue(kind, _spread(hit, where)))
        return column, issues

    def _doubtful(self, column: pa.Array) -> np.ndarray:
        """Return a mask of the filled values that are not plainly yyyy-MM-dd, or of an unlikely year."""
        found = nonempty(column)
        indices, cells = _texts_of_ten(column)
        year = (cells[:4].astype(np.int16) - ord("0")).T @ np.array([1000, 100, 10, 1], dtype=np.int16)
        sure = like_days(cells) & (year <= self._last_year)
        if not self._rule.any_day:
            sure &= year >= FIRST_YEAR
        if self._rule.calendar not in (None, Calendar.GREGORIAN):
            sure[:] = False
        found[indices] = ~sure
        return found

    def _verdict(self, text: str) -> tuple[str | None, str]:
        """Return the day, "" for nothing or None for what stays as it is, and the kind of issue, or ""."""
        found = plain(text)
        if self._rule.nothing != () and _NO_DAY.fullmatch(found):
            return ("", "word-for-nothing") if self._proof().zeros_are_empty else (None, "")
        day, calendar = self._day(found)
        if day is None:
            if self._rule.formats:
                return None, "date-of-no-month" if self._beyond_its_month(found) else "date-in-no-format"
            if readings(found, calendar):
                contradictory = self._proof().order is DateOrder.CONTRADICTORY
                return None, "contradictory-dates" if contradictory else "ambiguous-date"
            if self._today is not None and year_first(found, Calendar.GREGORIAN):
                return None, "implausible-date"
            # What is no date stays: validation names it.
            if has_short_year(found):
                return None, "short-year"
            return None, "lunar-date" if calendars.says_lunar(found) else ""
        if self._rule.nothing != () and day in _UNSAID_DAYS:
            return "", "word-for-nothing"
        if self._rule.nothing != () and day.startswith(_YEAR_UNSAID):
            return "", "date-without-year"
        if self._today is not None and not f"{FIRST_YEAR}-01-01" <= day <= self._today.isoformat():
            return None, "date-of-other-calendar" if _elsewhere(found, self._today) else "implausible-date"
        if calendar is not Calendar.GREGORIAN or calendars.with_era(found):
            return day, "calendar-converted"
        if self._is_rare(found):
            return day, "other-date-order"
        return day, "date-order-unsure" if self._hangs_on_one(found) else ""

    def _is_rare(self, text: str) -> bool:
        """Whether a date can only be read in the order that fewer dates of a contradictory column have."""
        both = None if self._rule.formats else readings(text)
        if both is None or all(both):
            return False
        rarer = self._proof().rarer
        return rarer is (DateOrder.MONTH_FIRST if both[0] is None else DateOrder.DAY_FIRST)

    def _hangs_on_one(self, text: str) -> bool:
        """Whether a date was read as a single other one of its column has to be."""
        both = None if self._rule.formats else readings(text)
        return bool(both and all(both) and both[0] != both[1] and self._proof().hangs_on_one)

    def _day(self, text: str) -> tuple[str | None, Calendar]:
        """Return the day that a text means, in our calendar, and the calendar in which it was read."""
        rule = self._rule
        if rule.formats:
            calendar = Calendar(rule.calendar or Calendar.GREGORIAN)
            day = by_format(text, rule.formats, calendar) or year_first(text, calendar)
            return day or with_month_name(text, calendar), calendar  # which has one reading
        calendar = self._calendar(text)
        if calendars.says_lunar(text):
            return None, calendar
        day = calendars.with_era(text) or year_first(text, calendar)
        if day is None and (both := readings(text, calendar)):
            day = _by_order(both, self._proof().order)
        return day or with_month_name(text, calendar), calendar

    def _calendar(self, text: str) -> Calendar:
        if self._rule.calendar:
            return Calendar(self._rule.calendar)
        year = year_of(text)
        if (year is None and not ROC_DAY.fullmatch(text)) or (year and FIRST_YEAR <= year <= self._last_year):
            return Calendar.GREGORIAN
        return self._proof().calendar

    def _beyond_its_month(self, text: str) -> bool:
        """Whether only the day makes a text no date: 31/02/1990."""
        days = [found.span() for found in _LAST_DAYS.finditer(text)]
        return any(self._day(f"{text[:start]}28{text[end:]}")[0] is not None for start, end in days)

    def _issue(self, kind: str, where: np.ndarray) -> ColumnIssue:
        formats = self._rule.formats
        wanted = ", ".join([*formats[:_MOST_FORMATS], *["…"] * (len(formats) > _MOST_FORMATS)])
        match kind:
            case "word-for-nothing" | "date-without-year":
                return note(kind, where)
            case "calendar-converted":
                return note(kind, where, lambda text: self._day(plain(text))[0])
            case "date-order-unsure":
                return note(kind, where, lambda text: self._day(plain(text))[0])
            case "other-date-order":
                read = lambda text: self._day(plain(text))[0]  # noqa: E731
                return ColumnIssue(kind, where, read, severity=Severity.WARNING, left_out=False)
            case "date-of-no-month":
                return ColumnIssue("bad-date", where, wording=kind)
            case "date-in-no-format":
                return ColumnIssue("bad-date", where, lambda _: wanted, kind)
            case "short-year":
                return ColumnIssue(
                    "bad-date", where, self._formats_of, "date-with-short-year", left_out=False
                )
            case "lunar-date":
                return ColumnIssue("bad-date", where, wording="lunar-date", left_out=False)
            case "implausible-date":
                return ColumnIssue(kind, where)
            case "date-of-other-calendar":
                today = self._today or date.today()
                return ColumnIssue(
                    "implausible-date", where, lambda text: _elsewhere(plain(text), today), kind
                )
        wording = kind if kind == "contradictory-dates" else None
        return ColumnIssue("ambiguous-date", where, _both_readings, wording, Severity.ERROR)

    def _formats_of(self, text: str) -> str:
        """Return the formats that read the column of a date with a short year, as a mapping has them; two
        lists if nothing proves the order."""
        proof = self._proof()
        orders = (proof.order,) if proof.order in FORMATS else tuple(FORMATS)
        found = short_year_formats(plain(text), proof.forms, [order.value for order in orders])
        return " / ".join(json.dumps(formats, ensure_ascii=False) for formats in found)


def _mixed(proof: Callable[[], DateProof]) -> Callable[[], DateProof]:
    """The same proof, but for the order of day and month, which the whole column contradicts."""
    return lambda: replace(proof(), order=DateOrder.CONTRADICTORY)


def _elsewhere(text: str, today: date) -> str | None:
    """Return the day that a date means in the calendar that its year may belong to: 1990-05-17."""
    year = year_of(text)
    for calendar in () if year is None else calendars.possible(year, today):
        both = readings(text, calendar) or ()
        days = dict.fromkeys(day for day in (year_first(text, calendar), *both) if day)
        if calendar is not Calendar.GREGORIAN and days:
            return " / ".join(days)
    return None


def _by_order(both: tuple[str | None, str | None], order: DateOrder) -> str | None:
    """Return a date with the year last, read in a proven order, or None if it has two readings and nothing
    is proven. 05/05/1990 and 13/05/1990 need no proof."""
    if order is DateOrder.DAY_FIRST:
        return both[0]
    if order is DateOrder.MONTH_FIRST:
        return both[1]
    days = {day for day in both if day}
    return days.pop() if len(days) == 1 else None


def prove(parts: Iterator[pd.Series], today: date) -> DateProof:
    """Return what the dates of a whole column prove."""
    gathered = _Evidence(today)
    for part in parts:
        for text in pc.unique(arrow.to_arrow(part)).to_pylist():
            gathered.add(text)
    return gathered.proof()


class _Evidence:
    """Counts the distinct dates of a column by what they show."""

    def __init__(self, today: date) -> None:
        self._today = today
        self._seen: set[str] = set()
        self._day_first = self._month_first = 0
        self._filled = self._republic = 0
        self._forms: Counter[str] = Counter()
        self._of = dict.fromkeys(Calendar, 0)

    def add(self, text: str) -> None:
        found = plain(text or "")
        if not found or found in self._seen or _NO_DAY.fullmatch(found):
            return
        if len(self._seen) < _REMEMBERED:
            self._seen.add(found)
        year = year_of(found)
        if year is not None and f"{year:04}" in _YEARS_FOR_NOTHING:
            return
        self._filled += 1
        if year is None:
            self._filled -= is_nothing(found) or calendars.says_lunar(found)
            named = calendars.of_republic(found)
            self._republic += named or bool(ROC_DAY.fullmatch(found))
            self._count_short(found)
            # A year of three digits cannot be one of ours, shortened.
            self._of[Calendar.ROC] += named or bool(re.match(r"\d{3}[-/.]|\d{7}$", found))
            return
        self._count_form(found, "yyyy" if readings(found) else "")
        for calendar in calendars.possible(year, self._today):
            both = readings(found, calendar)
            self._of[calendar] += bool(
                both or year_first(found, calendar) or with_month_name(found, calendar)
            )
            self._month_first += bool(both and both[0] is None)
            self._day_first += bool(both and both[1] is None)

    def _count_short(self, text: str) -> None:
        """Count a date whose year has two digits that can be no day: 24.12.58 is read day first."""
        found = SHORT_YEAR.fullmatch(text)
        one, two, year = map(int, found.group(1, 3, 4)) if found else (0, 0, 0)
        if year > _LAST_DAY:
            self._day_first += two <= _LAST_MONTH < one <= _LAST_DAY
            self._month_first += one <= _LAST_MONTH < two <= _LAST_DAY
        self._count_form(text, "yy" if found else "")

    def _count_form(self, text: str, year: str) -> None:
        if year:
            self._forms[next(filter(_SEPARATORS.__contains__, text)) + year] += 1

    def proof(self) -> DateProof:
        order, rarer = DateOrder.UNPROVED, None
        if self._day_first and self._month_first:
            order = DateOrder.CONTRADICTORY
            fewer_days = self._day_first < self._month_first
            rarer = DateOrder.DAY_FIRST if fewer_days else DateOrder.MONTH_FIRST
        elif self._day_first or self._month_first:
            order = DateOrder.DAY_FIRST if self._day_first else DateOrder.MONTH_FIRST
        alone = self._day_first + self._month_first == 1
        if alone and sum(self._forms.values()) >= _FEWEST_WITH_ONE_WITNESS:
            order = DateOrder.UNPROVED
        calendar = self._calendar()
        days = max(self._of[calendar], self._republic if calendar is Calendar.ROC else 0)
        empty = 2 * days >= self._filled
        forms = tuple(form for form, _ in self._forms.most_common())
        return DateProof(order, calendar, rarer, empty, alone, forms)

    def _calendar(self) -> Calendar:
        years = {calendar: count for calendar, count in self._of.items() if count}
        if len(years) != 1:
            return Calendar.GREGORIAN
        (calendar, count), *_ = years.items()
        if calendar is Calendar.ROC:
            return calendar if self._republic == self._filled >= _FEWEST else Calendar.GREGORIAN
        return calendar if count >= _FEWEST else Calendar.GREGORIAN


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


def _spread(part: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Return a mask over all rows from one over the rows at which `where` is true."""
    found = np.zeros(len(where), dtype=bool)
    found[where] = part
    return found


def _both_readings(text: str) -> str | None:
    """Return the days that a date with the year last can mean: 1990-07-05 / 1990-05-07."""
    both = readings(text.strip())
    return " / ".join(dict.fromkeys(filter(None, both))) if both else None
