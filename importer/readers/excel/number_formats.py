"""Tell what a number format makes of a cell: a date, a duration, or digits with leading zeros.

Codes as in ECMA-376 part 1, 18.8.30 and 18.8.31.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from importer.readers.excel.cell_text import date_text, duration_text, number_text

_BUILT_IN_DATES = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_BUILT_IN_DURATIONS = frozenset({46})
_QUOTED = re.compile(r'"([^"]*)"|\\(.)|_.|\*.')
_BRACKETS = re.compile(r"\[[^\]]*\]")
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_DIGITS_SHOWN = re.compile(r"[ ()+/-]*\d[\d ()+/-]*")
"""Digits that stand in the format itself: the zero of “0”0, a country code."""
_PADDED = re.compile(r"[0#?\-()/ +:.\u00a0\ue000-\uf8ff]*")


@dataclass(frozen=True, slots=True)
class DigitMask:
    """A format that shows leading zeros. `parts` are its characters, with None for a digit.

    The last `zeros` digits are shown even where the number is shorter.
    """

    parts: tuple[str | None, ...]
    zeros: int

    def render(self, digits: str) -> str:
        """Return a whole number's digits as the format shows them: 138 as 00138, 123456789 as 123-45-6789."""
        room = sum(part is None for part in self.parts)
        digits = digits.zfill(self.zeros)
        surplus, digits = digits[: max(len(digits) - room, 0)], digits[-room:]
        skip = room - len(digits)
        shown: list[str] = []
        rest = iter(digits)
        for part in self.parts:
            if part is not None:
                shown.append(part)
            elif skip:
                skip -= 1
            else:
                shown.append(surplus + next(rest))
                surplus = ""
        return "".join(shown).strip()


@cache
def is_date(format_id: int, code: str | None) -> bool:
    """Return whether numbers in this format are days or times; `code` is None for built-in formats."""
    if code is None:
        return format_id in _BUILT_IN_DATES
    plain = _BRACKETS.sub("", _QUOTED.sub("", code.split(";")[0]))
    if "general" in plain.lower():
        return False
    return any(letter in "dmyhseDMYHSE" for letter in plain) and not _is_scientific(plain)


@cache
def is_duration(format_id: int, code: str | None) -> bool:
    """Return whether numbers in this format are spans of time, like [h]:mm."""
    if code is None:
        return format_id in _BUILT_IN_DURATIONS
    return _ELAPSED.search(_QUOTED.sub("", code.split(";")[0])) is not None


@cache
def zero_mask(code: str | None) -> DigitMask | None:
    """Return the mask of a format such as 00000 or 000-00-0000; None if it shows no leading zeros."""
    if code is None:
        return None
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        text = match.group(1) if match.group(1) is not None else match.group(2)
        if not text:
            return " " if match.group(0).startswith("_") else ""
        kept.append(text)
        return chr(0xE000 + len(kept) - 1)

    plain = _BRACKETS.sub("", _QUOTED.sub(keep, code.split(";")[0]))
    if not _PADDED.fullmatch(plain) or "." in plain.rstrip(". ") or len(kept) > 0x1000:
        return None
    places = "".join(mark for mark in plain if mark in "0#?")
    zeros = len(places) - places.index("0") if "0" in places else 0
    shows_digits = any(map(_DIGITS_SHOWN.fullmatch, kept)) and bool(places)
    if zeros < 2 and not shows_digits:
        return None
    parts = (
        None if mark in "0#?" else kept[ord(mark) - 0xE000] if "\ue000" <= mark <= "\uf8ff" else mark
        for mark in plain
    )
    return DigitMask(tuple(parts), zeros)


def _is_scientific(plain: str) -> bool:
    return re.fullmatch(r"[0#?.,% ]*[eE][+-]?[0#?]+[ ]*", plain) is not None


@dataclass(frozen=True, slots=True)
class CellStyle:
    """How a cell's style shows a number."""

    date: bool = False
    duration: bool = False
    mask: DigitMask | None = None


@dataclass(frozen=True, slots=True)
class CellRules:
    """What a workbook needs to turn stored values into the texts that people see."""

    strings: Sequence[str]
    styles: Sequence[CellStyle]
    date_1904: bool

    def is_date(self, style: int) -> bool:
        """Return whether numbers in the style of this index are days or times."""
        return style < len(self.styles) and self.styles[style].date

    def number_text(self, value: float, style: int) -> str:
        """Return a number as the style of this index shows it; an index out of range is the plain style."""
        shown = self.styles[style] if style < len(self.styles) else CellStyle()
        if shown.duration:
            return duration_text(value)
        if shown.date:
            return date_text(value, epoch_1904=self.date_1904)
        text = number_text(value)
        return shown.mask.render(text) if shown.mask and text.isdecimal() else text


def cell_style(format_id: int, code: str | None) -> CellStyle:
    """Return how a number format shows numbers; `code` is None for built-in formats."""
    return CellStyle(is_date(format_id, code), is_duration(format_id, code), zero_mask(code))
