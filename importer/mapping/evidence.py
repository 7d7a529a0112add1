"""What a column's cells say about what it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from importer.contracts import Kind
from importer.mapping import dates, phones, words
from importer.mapping.people import NameRule

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_HAN_NAME = re.compile(r"[\u3400-\u9fff]{2,4}")
_COMMA_NAME = re.compile(r"[^,]+, *[^,]+")
_FEW = 0.3
_MOST = 0.8


def share(kind: Kind, cells: Iterable[str]) -> float | None:
    """The share of filled cells that such a field could hold; None if none is filled or any text would do."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    test = _TESTS.get(kind)
    if not filled or test is None:
        return None
    return sum(test(cell) for cell in filled) / len(filled)


def contradicts(kind: Kind, cells: Iterable[str]) -> bool:
    """Whether most cells are nothing that the field could hold."""
    found = share(kind, cells)
    return found is not None and found < _FEW


def confirms(kind: Kind, cells: Iterable[str]) -> bool:
    """Whether most cells are what the field holds."""
    found = share(kind, cells)
    return found is not None and found >= _MOST


def name_rule(cells: Iterable[str]) -> NameRule:
    """The rule that most of the full names seem to follow."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    for rule, pattern in ((NameRule.CHINESE, _HAN_NAME), (NameRule.COMMA, _COMMA_NAME)):
        if filled and sum(bool(pattern.fullmatch(cell)) for cell in filled) > len(filled) / 2:
            return rule
    return NameRule.LAST_WORD


def _phone(text: str) -> bool:
    number = phones.plain(re.split(r":::|[,;，；/]| x", text)[0].strip())
    return (number.isdigit() and 5 <= len(number) <= 18) or bool(re.fullmatch(r"[\d.]+E\+\d+", text))


def _date(text: str) -> bool:
    return bool(
        dates.year_first(text) or dates.readings(text) or re.fullmatch(r"[\d年月日/. :TZ-]{5,30}", text)
    )


_TESTS: dict[Kind, Callable[[str], bool]] = {
    Kind.PHONE: _phone,
    Kind.DIGITS: _phone,
    Kind.EMAIL: lambda text: bool(_EMAIL.search(text)),
    Kind.DATE: _date,
    Kind.GENDER: lambda text: text.casefold() in words.genders() or bool(re.fullmatch(r"[0-9]", text)),
    Kind.JSON: lambda text: text.startswith("{"),
}
