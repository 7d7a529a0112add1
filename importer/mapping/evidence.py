"""What the cells of a column say about the field it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from importer.contracts import FieldKind
from importer.mapping import dates, gender, phones, vocabulary
from importer.mapping.base import names_in, packaged_index
from importer.mapping.phone_texts import read_phone
from importer.mapping.regions import region_of

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BORN = range(1920, 2016)
"""The years in which most of today's customers were born."""
_FEW = 0.3
_MANY = 0.4
_LONG = 7
"""More words than a name has."""
_FEW_WORDS, _SHORT = 4, 20
_DIGIT = re.compile(r"\d")
_COUNTRY_CODE = re.compile(r"[A-Z]{2,3}")
_NO_NAME = re.compile(r"\d{2}|^\d+$|@|://|www\.")
_NO_ADDRESS = re.compile(r"@|://|^\W*[\d.,]*\W*$|^\w$")
# The reader of dates may not know the month's language.
_WORDY_DATE = re.compile(
    r"\d{1,4}(?:[\s./-]|de )*[^\W\d_]{3,}(?:[\s.,/-]|del? )*\d{1,4}|[^\W\d_]{3,}[\s.]*\d{1,2}[\s.,/-]*\d{2,4}"
)
_WRITTEN = re.compile(r"\+|\(|\d[ .-]\d")
_FEWEST_DIGITS = 5
_FEWEST_WRITTEN, _FEWEST_BARE = 7, 9
_ROWS = 3
"""So many different numbers count rows and are no genders; so many words are no misspelled countries."""
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
    cells = _filled(cells)
    found = share(kind, cells)
    if kind is FieldKind.GENDER:
        if _are_words_of_few(cells):
            return False
        if len(cells) >= _ROWS and len(set(cells)) == len(cells) and all(map(str.isdigit, cells)):
            return True
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
    sure = sum(phones.is_surely_phone(cell) and not dates.any_reading(cell) for cell in filled)
    return bool(filled) and sure >= _NEARLY_ALL * len(filled)


def may_all_be_phones(cells: Iterable[str]) -> bool:
    """Return whether nearly all cells may be phones by their digits, and are neither days nor short numbers.

    Enough below a name that as often stands above phones; 100234 is a number of a customer.
    """
    filled = [unicodedata.normalize("NFKC", cell) for cell in _filled(cells)]
    found = sum(
        _may_be_phone(cell)
        and not dates.any_reading(cell)
        and sum(map(str.isdigit, cell)) >= (_FEWEST_WRITTEN if _WRITTEN.search(cell) else _FEWEST_BARE)
        for cell in filled
    )
    return bool(filled) and found >= _NEARLY_ALL * len(filled)


def are_written_phones(cells: Iterable[str]) -> bool:
    """Return whether most cells are written as phones are: with a +, brackets, or blanks between digits."""
    filled = _filled(cells)
    return sum(bool(_WRITTEN.search(cell)) for cell in filled) >= _MOST * len(filled)


def are_no_names(cells: Iterable[str]) -> bool:
    """Return whether many cells are names of companies, hold digits or addresses, or are whole sentences."""
    filled = _filled(cells)
    wrong = sum(
        bool(_NO_NAME.search(cell)) or len(cell.split()) > _LONG or is_company(cell) for cell in filled
    )
    return bool(filled) and wrong >= _MANY * len(filled)


def are_no_countries(cells: Iterable[str]) -> bool:
    """Return whether many cells hold digits, or several cells are words of which none names a country."""
    filled = _filled(cells)
    if not filled or sum(bool(_DIGIT.search(cell)) for cell in filled) >= _MANY * len(filled):
        return bool(filled)
    different = set(filled)
    return len(different) >= _ROWS and not any(map(region_of, different)) and not are_country_codes(different)


def are_countries(cells: Iterable[str]) -> bool:
    """Return whether most cells name countries, in any of some twenty languages."""
    filled = _filled(cells)
    named = len(filled)
    for cell in filled:
        named -= bool(_COUNTRY_CODE.fullmatch(cell)) or region_of(cell) is None
        if named < _MOST * len(filled):  # most columns end here, after few cells
            return False
    return bool(filled)


def are_country_codes(cells: Iterable[str]) -> bool:
    """Return whether all cells are two or three capital letters."""
    filled = _filled(cells)
    return bool(filled) and all(_COUNTRY_CODE.fullmatch(cell) for cell in filled)


def are_no_addresses(cells: Iterable[str]) -> bool:
    """Return whether many cells are e-mail addresses, links, or nothing but a number or a letter."""
    filled = _filled(cells)
    return bool(filled) and sum(bool(_NO_ADDRESS.search(cell)) for cell in filled) >= _MANY * len(filled)


def are_answers(cells: Iterable[str]) -> bool:
    """Return whether several cells say yes or no and nothing else."""
    filled = _filled(cells)
    return len(filled) >= _ROWS and all(cell.casefold() in _answers() for cell in filled)


@cache
def _answers() -> frozenset[str]:
    return frozenset(packaged_index("words.json")["answers"]["words"])


def is_company(cell: str) -> bool:
    """Return whether a name is a company's: it holds a legal form or a word that only companies bear."""
    latin, others = _company_marks()
    return any(word in latin for word in cell.casefold().replace(",", " ").split()) or any(
        mark in cell for mark in others
    )


@cache
def _company_marks() -> tuple[frozenset[str], tuple[str, ...]]:
    marks = names_in(vocabulary.qualifiers()["company_marks"])
    spaced = frozenset(mark for mark in marks if mark[0] < "\u0e00")
    return spaced | {mark.rstrip(".") for mark in spaced} | {mark + "." for mark in spaced}, tuple(
        mark for mark in marks if mark[0] >= "\u0e00"
    )


def _are_words_of_few(cells: Sequence[str]) -> bool:
    """Return whether cells are a few short words, as genders are in a language that nobody listed."""
    return len(set(cells)) <= _FEW_WORDS and all(
        len(cell) <= _SHORT and not _DIGIT.search(cell) for cell in cells
    )


def are_birthdays(cells: Iterable[str]) -> bool:
    """Return whether most cells are days on which today's customers may have been born."""
    filled = _filled(cells)
    days = filter(None, map(dates.any_reading, filled))
    return bool(filled) and sum(int(day[:4]) in _BORN for day in days) >= _MOST * len(filled)


def _may_be_phone(text: str) -> bool:
    """Return whether a run would find a phone in the cell: also in “p:+1415…” and “Phone: (650) 555-3311”."""
    if phones.looks_like_phone(text):
        return True
    if sum(map(str.isdecimal, text)) < _FEWEST_DIGITS:
        return False
    found = read_phone(text)
    return found is not None and len(found.digits) >= _FEWEST_DIGITS


def _filled(cells: Iterable[str]) -> list[str]:
    return [text for cell in cells if (text := cell.strip())]


_TESTS: dict[FieldKind, Callable[[str], bool]] = {
    FieldKind.PHONE: lambda text: _may_be_phone(text),
    FieldKind.DIGITS: lambda text: _may_be_phone(text),
    FieldKind.EMAIL: lambda text: bool(_EMAIL.search(unicodedata.normalize("NFKC", text))),
    FieldKind.DATE: lambda text: dates.looks_like_date(text) or bool(_WORDY_DATE.fullmatch(text)),
    FieldKind.GENDER: lambda text: (
        text.casefold() in gender.word_codes() or bool(re.fullmatch(r"[0-9]", text))
    ),
    FieldKind.JSON: lambda text: text.startswith("{"),
}
