"""What the cells of a column say about the field it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from importer.contracts import FieldKind
from importer.mapping import dates, phones, words
from importer.mapping.person_names import NameRule

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_HAN_NAME = re.compile(r"[\u3400-\u9fff]{2,4}")
_COMMA_NAME = re.compile(r"[^,]+, *[^,]+")
_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}")
_CHINESE_MOBILE = re.compile(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}")
_BORN = range(1920, 2016)
"""The years in which customers were born, most of them."""
_FEW = 0.3
_MOST = 0.8
_NEARLY_ALL = 0.9


def share(kind: FieldKind, cells: Iterable[str]) -> float | None:
    """The share of filled cells that such a field could hold; None if none is filled or any text would do."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    test = _TESTS.get(kind)
    if not filled or test is None:
        return None
    return sum(test(cell) for cell in filled) / len(filled)


def contradicts(kind: FieldKind, cells: Iterable[str]) -> bool:
    """Whether most cells are nothing that the field could hold."""
    found = share(kind, cells)
    return found is not None and found < _FEW


def confirms(kind: FieldKind, cells: Iterable[str]) -> bool:
    """Whether most cells are what the field holds."""
    found = share(kind, cells)
    return found is not None and found >= _MOST


def phones_for_sure(cells: Iterable[str]) -> bool:
    """Whether nearly all cells are phones that no order number or date is mistaken for: possible ones with
    their country code, or written like (775) 555-0154."""
    filled = [unicodedata.normalize("NFKC", cell).strip() for cell in cells if cell.strip()]
    return bool(filled) and sum(map(_sure_phone, filled)) >= _NEARLY_ALL * len(filled)


def birthdays(cells: Iterable[str]) -> bool:
    """Whether most cells are days on which today's customers may have been born."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    days = filter(None, map(_day, filled))
    return bool(filled) and sum(int(day[:4]) in _BORN for day in days) >= _MOST * len(filled)


def name_rule(cells: Iterable[str]) -> NameRule:
    """The rule that most of the full names seem to follow."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    for rule, pattern in ((NameRule.CHINESE, _HAN_NAME), (NameRule.COMMA, _COMMA_NAME)):
        if filled and sum(bool(pattern.fullmatch(cell)) for cell in filled) > len(filled) / 2:
            return rule
    return NameRule.LAST_WORD


def _phone(text: str) -> bool:
    number = phones.strip_formatting(re.split(r":::|[,;，；/]| x", text)[0].strip())
    return (number.isdigit() and 5 <= len(number) <= 18) or bool(re.fullmatch(r"[\d.]+E\+\d+", text))


def _sure_phone(text: str) -> bool:
    if _day(text):
        return False
    if _AMERICAN.fullmatch(text) or _CHINESE_MOBILE.fullmatch(text):
        return True
    number = phones.strip_formatting(text)
    if not number.isdigit() or not 10 <= len(number) <= 15:
        return False
    import phonenumbers

    try:
        parsed = phonenumbers.parse(f"+{number.removeprefix('00')}")
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(parsed))


def _day(text: str) -> str | None:
    """A date as yyyy-MM-dd in any order that it can be read in."""
    return dates.year_first(text) or next(filter(None, dates.readings(text) or ()), None)


def _date(text: str) -> bool:
    return bool(
        dates.year_first(text) or dates.readings(text) or re.fullmatch(r"[\d年月日/. :TZ-]{5,30}", text)
    )


_TESTS: dict[FieldKind, Callable[[str], bool]] = {
    FieldKind.PHONE: _phone,
    FieldKind.DIGITS: _phone,
    FieldKind.EMAIL: lambda text: bool(_EMAIL.search(text)),
    FieldKind.DATE: _date,
    FieldKind.GENDER: lambda text: (
        text.casefold() in words.gender_codes() or bool(re.fullmatch(r"[0-9]", text))
    ),
    FieldKind.JSON: lambda text: text.startswith("{"),
}
