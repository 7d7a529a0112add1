"""Read single texts as dates, yyyy-MM-dd; day and month are never guessed. Whole columns: `date_columns`.

A date with the year first has one reading. Any other has two, of which at most one may be a day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from importer.mapping import calendars
from importer.mapping.base import packaged_index
from importer.mapping.calendars import Calendar
from importer.patterns import late_pattern

_MIDNIGHT = r"(?:[ T]+0{1,2}:00(?::00(?:[.,]0+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|[ T]+12:00(?::00)? ?AM)?"
_WESTERN = r"([-/.]) ?(\d{1,2}) ?\2 ?(\d{1,2})"
_CHINESE = r"年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?[日号]"
_KOREAN = r"년 ?(\d{1,2}) ?월 ?(\d{1,2}) ?일"
_YEAR_FIRST = late_pattern(rf"(\d{{4}}) ?(?:{_WESTERN}|{_CHINESE}|{_KOREAN}){_MIDNIGHT}")
_COMPACT = late_pattern(r"((?:19|20)\d\d)(\d\d)(\d\d)")
_EIGHT = late_pattern(r"(\d{4})(\d\d)(\d\d)")
ROC_DAY = late_pattern(r"(\d{2,3})([-/.])(\d{1,2})\2(\d{1,2})|([01]\d\d)(\d\d)(\d\d)")
"""A day whose year counts from 1911: 79/5/17, 079.05.17, 0790517."""
_YEAR_LAST = late_pattern(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}){_MIDNIGHT}", re.IGNORECASE)
SHORT_YEAR = late_pattern(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{2}}){_MIDNIGHT}", re.IGNORECASE)
"""A date with two digits for the year, most likely behind day and month: 24.12.58."""
_SHORT_YEAR_FIRST = late_pattern(r"(\d{2})([-/.])(\d{1,2})\2(\d)|\d{2} ?年 ?\d{1,2} ?月 ?\d{1,2} ?[日号]?")
"""The same in front, where what stands behind can be no year: 90.5.7, 85年12月3日."""
_WORD = late_pattern(r"[^\d\s,/-]+")
_BEHIND = late_pattern(r"(?<=^\d{8})\.0+$|(?<=\d{4}) ?[грr]\.?$|(?<=\d{4}) (?:года|року|roku)$")
_ENDS_BEHIND = ".0\u0433\u0440r\u0430\u0443u"
"""The last letters of what may stand behind a date: г, р, r, года, року, roku."""
_THREE_POINTS = 3
_ORDINAL = late_pattern(r"(?<=\d)(?:st|nd|rd|th|er|º)\b", re.IGNORECASE)
_DATE_WORDS = 3
"""Day, month and year."""
_APART = late_pattern(r"(?<=\d)([-/.]) (?=\d)")
"""The mark of a date with a blank behind it, as in Czech: 7. 5. 1980."""
_WIDE = str.maketrans("０１２３４５６７８９／－．　", "0123456789/-. ")
_IN_CHINESE = late_pattern(
    r"([〇零○一二三四五六七八九]{4})年([一二三四五六七八九十]{1,2})月([一二三四五六七八九十]{1,3})[日号號]"
)
_DIGITS = dict(zip("〇零○一二三四五六七八九", "00" + "0123456789", strict=True))
_LIKE_A_DATE = late_pattern(r"[\d年月日/. :TZ-]{5,30}")


@lru_cache(maxsize=32768)
def year_first(text: str, calendar: Calendar = Calendar.GREGORIAN) -> str | None:
    """Return yyyy-MM-dd for a date with the year first, in a calendar, else None.

    A time of day makes it none, unless it is midnight. Years of the Republic of China may have two or three
    digits: 079/05/17, 0790517.
    """
    found = plain(text)
    match = _YEAR_FIRST.fullmatch(found)
    if match:
        year, _, *parts = match.groups()
        month, day = (part for part in parts if part)
        return _day(year, month, day, calendar)
    if calendar is Calendar.ROC:
        match = ROC_DAY.fullmatch(found)
        return (
            _day(match[1] or match[5], match[3] or match[6], match[4] or match[7], calendar)
            if match
            else None
        )
    match = _COMPACT.fullmatch(found) if calendar is Calendar.GREGORIAN else _EIGHT.fullmatch(found)
    return _day(match[1], match[2], match[3], calendar) if match else None


@lru_cache(maxsize=32768)
def readings(text: str, calendar: Calendar = Calendar.GREGORIAN) -> tuple[str | None, str | None] | None:
    """Return a date with the year last, read day first and month first, or None if the text is no such date.

    A reading that is no day of the calendar is None.
    """
    match = _YEAR_LAST.fullmatch(plain(text))
    if not match:
        return None
    first, _, second, year = match.groups()
    both = _day(year, second, first, calendar), _day(year, first, second, calendar)
    return both if any(both) else None


def year_of(text: str) -> int | None:
    """Return the year of a text that is written like a date, with four digits; None if there is none."""
    found = plain(text)
    match = _YEAR_FIRST.fullmatch(found) or _EIGHT.fullmatch(found)
    if match:
        return int(match[1])
    last = _YEAR_LAST.fullmatch(found)
    if last:
        return int(last[4])
    named = with_month_name(found)
    return int(named[:4]) if named else None


def has_short_year(text: str) -> bool:
    """Return whether a text is a date whose year has two digits."""
    return bool(SHORT_YEAR.fullmatch(text) or _SHORT_YEAR_FIRST.fullmatch(text))


def short_year_formats(text: str, forms: Sequence[str], orders: Sequence[str]) -> list[list[str]]:
    """Return the formats for a column in which a date has a short year, one list for each order (dd/MM) in
    which it may be read. `forms` is how dates with the year last are written there: /yyyy, .yy."""
    if first := _SHORT_YEAR_FIRST.fullmatch(text):
        return [[f"yy{first[2]}M{first[2]}d" if first[2] else "yy'年'M'月'd'日'"]]
    last = SHORT_YEAR.fullmatch(text)
    known = dict.fromkeys((*forms, f"{last[2]}yy" if last else ""))
    return [[form[0].join((*order.split("/"), form[1:])) for form in known if form] for order in orders]


def plain(text: str) -> str:
    """Return a text without blanks at its ends and what stands behind a date (a fraction of zeros, г.), with
    narrow digits and marks for full-width ones."""
    found = text.translate(_WIDE).strip()
    if " " in found:
        found = _APART.sub(r"\1", found)
    if found[-1:] == "." and found.count(".") == _THREE_POINTS:
        # As in Hungarian and Korean: 2014. 05. 07.
        found = found[:-1]
    if "年" in found and (written := _IN_CHINESE.fullmatch(found)):
        return (
            f"{''.join(map(_DIGITS.__getitem__, written[1]))}年{_number(written[2])}月{_number(written[3])}日"
        )
    return _BEHIND.sub("", found) if found[-1:] in _ENDS_BEHIND else found


def _number(text: str) -> int:
    """Return a number below 100 in Chinese numerals: 二十三."""
    tens, ten, ones = text.rpartition("十")
    return (10 * int(_DIGITS.get(tens, "1")) if ten else 0) + int(_DIGITS.get(ones, "0"))


_WITH_MONTH_NAME = (
    *("d MMMM yyyy", "d. MMMM yyyy", "d-MMMM-yyyy", "d/MMMM/yyyy", "d 'de' MMMM 'de' yyyy", "d MMMM, yyyy"),
    *("MMMM d, yyyy", "MMMM d yyyy", "yyyy MMMM d", "yyyy-MMMM-d"),
)


def with_month_name(text: str, calendar: Calendar = Calendar.GREGORIAN) -> str | None:
    """Return yyyy-MM-dd for a date whose month is written as a word, which has one reading, else None."""
    names = _month_numbers()
    words = (word.casefold() for word in _WORD.findall(plain(text)))
    if not any(word in names or word.removesuffix(".") in names for word in words):
        return None
    return by_format(_ORDINAL.sub("", _without_article(text)), _WITH_MONTH_NAME, calendar)


def _without_article(text: str) -> str:
    """Return a text without articles and days of the week before its day: mercredi, le 26 avril 1995."""
    words = text.split()
    while len(words) > _DATE_WORDS and words[0].strip(",.").casefold() in _before_days():
        words = words[1:]
    return " ".join(words) if words else text


@cache
def _before_days() -> frozenset[str]:
    return frozenset(packaged_index("words.json")["dates"]["before"])


def any_reading(text: str) -> str | None:
    """Return a date as yyyy-MM-dd in any order that it can be read in, or None."""
    return year_first(text) or with_month_name(text) or next(filter(None, readings(text) or ()), None)


def looks_like_date(text: str) -> bool:
    """Return whether a text is a date, or of digits and marks as dates are."""
    return bool(any_reading(text) or _LIKE_A_DATE.fullmatch(text))


_TOKENS = {
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short>\d{2})",
    **dict.fromkeys(("MMMM", "MMM"), r"(?P<name>[^\W\d_][^\d\s,/-]*?)\.?"),
    **dict.fromkeys(("MM", "M"), r"(?P<month>\d{1,2})"),
    **dict.fromkeys(("dd", "d"), r"(?P<day>\d{1,2})"),
    **dict.fromkeys(("HH", "H", "hh", "h"), r"\d{1,2}"),
    **dict.fromkeys(("mm", "ss"), r"\d{2}"),
    "SSS": r"\d{1,9}",
    "a": r"[AaPp]\.?[Mm]\.?",
    "XXX": r"(?:Z|[+-]\d\d:?\d\d)",
    "z": r"[A-Za-z]{1,5}",
}
_TOKEN = late_pattern(
    r"'([^']*)'|yyyy|yy|MMMM|MMM|MM|M|dd|d|HH|H|hh|h|mm|ss|SSS|a|XXX|z|([A-Za-z])|(.)", re.DOTALL
)
UNIX, UNIX_MS = "unix", "unix-ms"


@lru_cache(maxsize=256)
def pattern(format_: str) -> re.Pattern[str] | None:
    """Return the regular expression of a date format.

    A format is made of yyyy yy MMMM MMM MM M dd d HH hh mm ss SSS a XXX z and 'text'. None for `unix` and
    `unix-ms`. Raises ValueError with the text of what is wrong: “x” for a letter that means nothing, or those
    of yyyy MM dd that do not occur once.
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
    units = [token[0] for token in seen]
    if wrong := [unit for unit in ("yyyy", "MM", "dd") if units.count(unit[0]) != 1]:
        raise ValueError(" ".join(wrong))
    return re.compile("".join(parts))


@lru_cache(maxsize=32768)
def by_format(text: str, formats: Sequence[str], calendar: Calendar = Calendar.GREGORIAN) -> str | None:
    """Return yyyy-MM-dd by the first format that reads the text as a day of the calendar, or None."""
    found = plain(text)
    for format_ in formats:
        expression = pattern(format_)
        match = expression.fullmatch(found) if expression else None
        day = _matched(match, calendar) if expression else _unix(found, format_)
        if day:
            return day
    return None


def _matched(match: re.Match[str] | None, calendar: Calendar) -> str | None:
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
    return _day(year, str(month), found["day"], calendar)


def month_number(name: str) -> int | None:
    """Return the number of a month by its name, short or long; None: there is no such month."""
    return _month_numbers().get(name.casefold())


@cache
def _month_numbers() -> Mapping[str, int]:
    """Return the number of a month by its casefolded name."""
    tables = packaged_index("words.json")["months"]
    return {name.casefold(): int(number) for number, names in tables.items() for name in names}


def _unix(text: str, format_: str) -> str | None:
    if not re.fullmatch(r"-?\d{1,14}", text):
        return None
    seconds = int(text) / (1000 if format_ == UNIX_MS else 1)
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).date().isoformat()
    except OverflowError:
        return None


def _day(year: str, month: str, day: str, calendar: Calendar) -> str | None:
    return calendars.gregorian(calendar, int(year), int(month), int(day))


def of_no_month(text: str) -> bool:
    """Return whether only its day makes a text no date, since the month has fewer days: 31/02/1990."""
    if not _LIKE_A_DATE.fullmatch(text.strip()):
        return False
    numbers = [int(part) for part in re.findall(r"\d+", text)[:3]]
    if len(numbers) < 3 or not (numbers[0] > 999 or numbers[2] > 999):
        return False
    first, last = numbers[1:] if numbers[0] > 999 else numbers[:2]
    orders = [(first, last)] if numbers[0] > 999 else [(first, last), (last, first)]
    year = max(numbers)
    return not any(_is_day(year, month, day) for month, day in orders) and any(
        1 <= month <= 12 and 28 < day <= 31 for month, day in orders
    )


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day)
    except ValueError:
        return False
    return True
