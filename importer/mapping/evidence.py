"""What the cells of a column say about the field it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from importer.contracts import FieldKind
from importer.mapping import dates, gender, phones

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BORN = range(1920, 2016)
"""The years in which most of today's customers were born."""
_FEW = 0.3
_MOST = 0.8
_NEARLY_ALL = 0.9


def share(kind: FieldKind, cells: Iterable[str]) -> float | None:
    """Return the share of filled cells that a field of this kind could hold.

    None if no cell is filled or the kind takes any text.
    """
    filled = _filled(cells)
    test = _TESTS.get(kind)
    if not filled or test is None:
        return None
    return sum(test(cell) for cell in filled) / len(filled)


def contradicts(kind: FieldKind, cells: Iterable[str]) -> bool:
    """Return whether most cells are nothing that the field could hold."""
    found = share(kind, cells)
    return found is not None and found < _FEW


def confirms(kind: FieldKind, cells: Iterable[str]) -> bool:
    """Return whether most cells are what the field holds."""
    found = share(kind, cells)
    return found is not None and found >= _MOST


def are_phones(cells: Iterable[str]) -> bool:
    """Return whether nearly all cells are phones that cannot be order numbers or dates.

    Such a phone is written like (775) 555-0154, or is a valid number with its country code.
    """
    filled = [unicodedata.normalize("NFKC", cell) for cell in _filled(cells)]
    sure = sum(not dates.any_reading(cell) and phones.is_surely_phone(cell) for cell in filled)
    return bool(filled) and sure >= _NEARLY_ALL * len(filled)


def are_birthdays(cells: Iterable[str]) -> bool:
    """Return whether most cells are days on which today's customers may have been born."""
    filled = _filled(cells)
    days = filter(None, map(dates.any_reading, filled))
    return bool(filled) and sum(int(day[:4]) in _BORN for day in days) >= _MOST * len(filled)


def _filled(cells: Iterable[str]) -> list[str]:
    return [text for cell in cells if (text := cell.strip())]


_TESTS: dict[FieldKind, Callable[[str], bool]] = {
    FieldKind.PHONE: phones.looks_like_phone,
    FieldKind.DIGITS: phones.looks_like_phone,
    FieldKind.EMAIL: lambda text: bool(_EMAIL.search(text)),
    FieldKind.DATE: dates.looks_like_date,
    FieldKind.GENDER: lambda text: (
        text.casefold() in gender.word_codes() or bool(re.fullmatch(r"[0-9]", text))
    ),
    FieldKind.JSON: lambda text: text.startswith("{"),
}
