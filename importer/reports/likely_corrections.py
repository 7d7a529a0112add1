"""Guess what a wrong cell was probably meant to be. A guess is offered to people, never applied."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Callable
from difflib import get_close_matches

from importer.patterns import late_pattern

MAX_CELL = 500
"""Characters. A longer cell is no misspelt address or date."""
_MAIL_HOSTS = (
    "gmail.com",
    "hotmail.com",
    "outlook.com",
    "yahoo.com",
    "icloud.com",
    "live.com",
    "qq.com",
    "163.com",
    "126.com",
    "sina.com",
    "foxmail.com",
)
_OFFSET = late_pattern(r"(?:gmt|utc|zone)?\s*([+\-−])?\s*(\d{1,2})(?::?([03]0))?(?:\s*h(?:ours?)?)?")
_ZONED = late_pattern(r"\d:\d\d\S*\s*(?:Z|UTC|GMT|[+-]\d\d:?\d\d)$", re.IGNORECASE)
_PHONES = frozenset({"doubtful-phone", "no-country-code"})
_SURELY_WITH_CODE = 12
"""Digits of a bare number that must have its country code."""
_ONCE_MEXICAN = ("1", "01", "044", "045")
"""What Mexico dialled before the ten digits of a number until 2019 (IFT, Plan Técnico Fundamental de
Numeración)."""
_GENDERS = ("male", "female")
_FULL_WIDTH = {ord("＠"): "@", ord("．"): ".", ord("。"): ".", ord("，"): ",", ord("　"): " "}


def likely_correction(code: str, cell: str, expected: str = "") -> str:
    """A correction for the cell in which the issue `code` was found; empty if none is likely.

    `expected`: what the issue says of it; of a phone the country that its column is of (MX).
    """
    if code in _PHONES and len(cell) <= MAX_CELL:
        return _phone(cell, expected)
    guess = _GUESSES.get(code)
    if guess is None or not cell or len(cell) > MAX_CELL:
        return ""
    found = guess(cell.strip())
    return found if found != cell else ""


def _email(cell: str) -> str:
    text = re.sub(r"\s", "", cell.translate(_FULL_WIDTH)).removeprefix("mailto:").strip("<>;,.'\"")
    text = re.sub(r"\(at\)|\[at\]", "@", text, flags=re.IGNORECASE)
    name, at, host = text.rpartition("@")
    if not at or "@" in name or not name:
        return ""
    host = re.sub(r"\.{2,}", ".", host.replace(",", "."))
    if "." not in host or host not in _MAIL_HOSTS:
        near = get_close_matches(host.lower(), _MAIL_HOSTS, n=1, cutoff=0.84)
        host = near[0] if near else host
    return f"{name}@{host}" if re.fullmatch(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+", f"{name}@{host}") else ""


def _gender(cell: str) -> str:
    near = get_close_matches(cell.lower(), _GENDERS, n=1, cutoff=0.7)
    return near[0] if near else ""


def _date(cell: str) -> str:
    """The date, if exactly one order of year, month and day gives a day of the calendar.

    A time of day before a zone may be midnight elsewhere, on another day: nothing is proposed.
    """
    if _ZONED.search(cell):
        return ""
    parts = re.findall(r"\d+", cell)
    if len(parts) == 1 and len(parts[0]) == 8:
        parts = [parts[0][:4], parts[0][4:6], parts[0][6:]]
    if len(parts) < 3:
        return ""
    first, second, third = (int(part) for part in parts[:3])
    if len(parts[0]) == 4:
        readings = [(first, second, third), (first, third, second)]
    elif len(parts[2]) == 4:
        readings = [(third, second, first), (third, first, second)]
    elif [len(part) for part in parts] == [2, 2, 2]:
        return _short_year(first, second, third)
    else:
        return ""
    days = {day.isoformat() for day in map(_day, readings) if day is not None}
    return days.pop() if len(days) == 1 else ""


def _short_year(first: int, second: int, year: int) -> str:
    """A date whose year has two digits, if only one century and one order make it a day that has been."""
    today = dt.date.today()
    readings = (
        (century + year, *order) for century in (1900, 2000) for order in ((first, second), (second, first))
    )
    days = {day.isoformat() for day in map(_day, readings) if day is not None and day <= today}
    return days.pop() if len(days) == 1 else ""


def _day(reading: tuple[int, int, int]) -> dt.date | None:
    try:
        return dt.date(*reading)
    except ValueError:
        return None


def _phone(cell: str, region: str) -> str:
    """The number without what is dialled at home only, if that leaves one valid number.

    Mexican numbers were written with 01, 044, 045 and, from abroad, 1 before 2019; a mobile of Argentina
    has 15 at home, and 9 instead from abroad.
    """
    text = re.sub(r"[\s\-.()/]", "", cell)
    digits = text.removeprefix("+").removeprefix("00" if text.startswith("00") else "")
    if not re.fullmatch(r"[0-9]{8,18}", digits):
        return ""
    abroad = digits != text or (not region and len(digits) >= _SURELY_WITH_CODE)
    if not abroad and not region:
        return ""
    import phonenumbers

    candidates = [f"+{digits}" if abroad else digits]
    if abroad and digits.startswith("52"):
        candidates += [f"+52{digits[2:].removeprefix(one)}" for one in _ONCE_MEXICAN]
    elif not abroad and region == "MX":
        candidates += [digits.removeprefix(one) for one in _ONCE_MEXICAN]
    found = set()
    for one in candidates:
        with contextlib.suppress(phonenumbers.NumberParseException):
            number = phonenumbers.parse(one, region or None)
            if phonenumbers.is_valid_number(number):
                found.add(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return found.pop() if len(found) == 1 and found != {f"+{digits}"} else ""


def _json(cell: str) -> str:
    text = cell.translate({ord(mark): '"' for mark in "“”„‟'‘’"}).replace("：", ":").replace("，", ",")
    for candidate in (text, f"{{{text}}}", re.sub(r",\s*}", "}", text)):
        try:
            if isinstance(json.loads(candidate), dict):
                return candidate
        except ValueError:
            continue
    return ""


def _time_zone(cell: str) -> str:
    found = _OFFSET.fullmatch(cell.lower())
    if found is None or int(found[2]) > 14:
        return ""
    sign = "-" if found[1] in ("-", "−") else "+"
    minutes = f":{found[3]}" if found[3] and found[3] != "00" else ""
    return f"GMT{sign}{int(found[2])}{minutes}"


_GUESSES: dict[str, Callable[[str], str]] = {
    "bad-email": _email,
    "bad-gender": _gender,
    "bad-date": _date,
    "bad-json": _json,
    "unknown-time-zone": _time_zone,
}
