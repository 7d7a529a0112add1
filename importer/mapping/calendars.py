"""Calendars other than ours: read their years, and tell which one a year may belong to.

Thai sheets count from the Buddha (2533), Persian ones from the Hijra in sun years (1369), those of Taiwan
from the Republic (79), Japanese ones by eras. A year alone proves nothing; a whole column can (`dates`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum

from importer.patterns import late_pattern

FIRST_YEAR = 1900
"""Nobody who is a customer was born before."""


class Calendar(StrEnum):
    """The calendar of a column's years, as a mapping names it."""

    GREGORIAN = "gregorian"
    BUDDHIST = "buddhist"
    PERSIAN = "persian"
    ROC = "roc"


_BEGINS = {Calendar.GREGORIAN: 0, Calendar.BUDDHIST: -543, Calendar.ROC: 1911}
"""What to add to a year of the calendars that share our months and days."""
_REPUBLIC = ("民國", "民国", "中華民國", "中华民国")
_ERAS: Mapping[str, int] = {
    **dict.fromkeys(_REPUBLIC, 1911),
    "明治": 1867,
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
    **dict.fromkeys(("พ.ศ.", "พ.ศ", "พศ"), -543),
}
_WITH_ERA = late_pattern(
    rf"(?P<era>{'|'.join(map(re.escape, sorted(_ERAS, key=len, reverse=True)))})\s*"
    r"(?P<year>\d{1,4}|元)\s*(?:年|[-/.])\s*(?P<month>\d{1,2})\s*(?:月|[-/.])\s*(?P<day>\d{1,2})\s*[日号號]?"
)


_LUNAR = "农历|農曆|农曆|阴历|陰曆|旧历|舊曆|夏历|旧暦|陰暦|음력|âm lịch|lunar"
_NUMERALS = "一二三四五六七八九十"
_LUNAR_DAY = (
    # Months and days that no other calendar calls so, years of the sexagenary cycle, and a day without 日.
    f"正月|[冬腊臘]月|初[{_NUMERALS}]|[廿卅闰閏]|[甲乙丙丁戊己庚辛壬癸][子丑寅卯辰巳午未申酉戌亥]年"
    f"|[{_NUMERALS}]月[{_NUMERALS}]{{1,3}}$|(?<![가-힣])음(?![가-힣])|\\b[âÂ][lL]\\b"
)
_SAYS_LUNAR = late_pattern(rf"(?i:{_LUNAR})|{_LUNAR_DAY}")
_LUNAR_KIND = late_pattern(rf"\s*(?:(?:{_LUNAR})(?:生日| calendar)?|农|農|阴|陰|음|âm|âl)\s*", re.IGNORECASE)
_SOLAR = late_pattern(r"公历|公曆|阳历|陽曆|新历|西暦|양력|dương|solar|gregorian|/|或|\bor\b", re.IGNORECASE)
_YES = late_pattern(r"\s*(?:是|yes|y|true|1|√|✓|✔)\s*", re.IGNORECASE)
_OF_CALENDARS = late_pattern(
    r"历|歷|曆|暦|음력|양력|음양|양음|음/양|양/음|\bâm\b|calendar|lunar|生日类型|生日類型|日期类型|日期類型",
    re.IGNORECASE,
)


def says_lunar(text: str) -> bool:
    """Return whether a text speaks of the Chinese lunar calendar, whose days cannot be sent."""
    return _SAYS_LUNAR.search(text) is not None


def is_lunar_column(header: str) -> bool:
    """Return whether a column's name says that its dates are of the lunar calendar."""
    return re.search(_LUNAR, header, re.IGNORECASE) is not None and not _SOLAR.search(header)


def names_calendars(header: str) -> bool:
    """Return whether a column may say of which calendar the dates beside it are."""
    return _OF_CALENDARS.search(header) is not None


def is_lunar_kind(header: str, text: str) -> bool:
    """Return whether a cell of such a column says that its row's dates are of the lunar calendar."""
    if _YES.fullmatch(text):
        return is_lunar_column(header)
    return _LUNAR_KIND.fullmatch(text) is not None


def gregorian(calendar: Calendar, year: int, month: int, day: int) -> str | None:
    """Return a day of any calendar as yyyy-MM-dd of ours, or None if the calendar has no such day."""
    try:
        if calendar is Calendar.PERSIAN:
            return _from_persian(year, month, day).isoformat()
        return date(year + _BEGINS[calendar], month, day).isoformat()
    except (ValueError, OverflowError):
        return None


def with_era(text: str) -> str | None:
    """Return the day that a text with a named era means, as yyyy-MM-dd: 民國79年5月17日 is 1990-05-17."""
    found = _WITH_ERA.fullmatch(text)
    if not found:
        return None
    year = 1 if found["year"] == "元" else int(found["year"])
    return gregorian(Calendar.GREGORIAN, year + _ERAS[found["era"]], int(found["month"]), int(found["day"]))


def of_republic(text: str) -> bool:
    """Return whether a text is a day whose year says that it counts from the Republic: 民國79年5月17日."""
    found = _WITH_ERA.fullmatch(text)
    return found is not None and found["era"] in _REPUBLIC


def possible(year: int, today: date) -> Iterator[Calendar]:
    """Yield the calendars in which somebody born in this year, written with four digits, may be alive."""
    if FIRST_YEAR <= year <= today.year:
        yield Calendar.GREGORIAN
    if FIRST_YEAR + 543 <= year <= today.year + 543:
        yield Calendar.BUDDHIST
    if FIRST_YEAR - 621 <= year <= today.year - 621:
        yield Calendar.PERSIAN


def _from_persian(year: int, month: int, day: int) -> date:
    """Return the day of our calendar. Raises ValueError for a day that the Persian one does not have.

    Eight leap years in 33 agree with the astronomical calendar from 1178 to 1633.
    """
    if not (1178 <= year <= 1633 and 1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(year, month, day)
    longest = 31 if month <= 6 else 30 if month < 12 or _is_persian_leap(year) else 29
    if day > longest:
        raise ValueError(year, month, day)
    leaps = sum(map(_is_persian_leap, range(1178, year)))
    before = 31 * min(month - 1, 6) + 30 * max(month - 7, 0)
    return date(1799, 3, 21) + timedelta(365 * (year - 1178) + leaps + before + day - 1)


def _is_persian_leap(year: int) -> bool:
    return year % 33 in (1, 5, 9, 13, 17, 22, 26, 30)
