"""Phones as both contracts want them: digits, made from what a mapping says about them.

A mapping may name a region, a prefix, a column of country codes, and what to do with extensions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import (
    BLANKS,
    from_offsets,
    if_else,
    join_columns,
    offsets_and_bytes,
    rework,
    rework_all,
    to_mask,
)
from importer.mapping.schema import FieldRule

_DIGITS = b"0123456789"
_ZERO = np.uint8(ord("0"))
_DIGIT, _FORMATTING, _SIGN, _OTHER = range(4)
_KIND = np.full(256, _OTHER, dtype=np.uint8)
_KIND[list(_DIGITS)] = _DIGIT
_KIND[list(b" \t-.()/")] = _FORMATTING
_KIND[list(b"+'")] = _SIGN

_PLAIN = str.maketrans(
    {0xFF10 + digit: str(digit) for digit in range(10)}
    | dict.fromkeys(map(ord, "－‐‑‒–—―−﹣"), "-")
    | {"＋": "+", "﹢": "+", "（": "(", "）": ")", "．": ".", "／": "/", "’": "'", "‘": "'", "＇": "'"}
    | dict.fromkeys(map(ord, BLANKS), " ")
)
_FLOAT = re.compile(r"\+?([0-9]+)\.0+")
_FORMAT = re.compile(r"[ \-.()/]+")
_NUMBER = re.compile(r"\+?([0-9]+)")


def digits(column: pa.Array) -> pa.Array:
    """The column with formatting characters removed wherever only digits remain; other texts stay as found.
    A text of nothing but formatting characters (“-”) is an empty cell.

    Formatting characters are blanks - . ( ) / and one leading + or ' (DESIGN.md, “Values”), full-width ones
    too. A text like 1.86E+10 or “ask Bob” stays, so that validation can show it.
    """
    offsets, data = offsets_and_bytes(column)
    others = np.flatnonzero(data - _ZERO > 9)
    if not others.size:
        return column
    formatted = np.zeros(len(column), dtype=bool)
    formatted[np.searchsorted(offsets, others, side="right") - 1] = True
    where = pa.array(formatted)
    return pc.replace_with_mask(column, where, _bare(column.filter(where)))


def _bare(column: pa.Array) -> pa.Array:
    """The same for a column in which every text holds something else than digits."""
    offsets, data = offsets_and_bytes(column)
    kinds = _KIND[data]
    signs, rest = _count(kinds == _SIGN, offsets), _count(kinds == _OTHER, offsets)
    number = kinds == _DIGIT
    some = offsets[1:] > offsets[:-1]
    leading = np.zeros(len(column), dtype=bool)
    leading[some] = kinds[offsets[:-1][some]] == _SIGN
    hard = (rest > 0) | (signs > leading) | ((_count(number, offsets) == 0) & some)
    # One point may be a decimal one: 13812345678.0.
    hard |= _count(data == ord("."), offsets) == 1
    kept = number | np.repeat(hard, np.diff(offsets))
    places = np.concatenate(([0], np.cumsum(kept)))[offsets]
    return rework(from_offsets(places.astype(np.int64), data[kept]), hard, strip_formatting)


@lru_cache(maxsize=4096)
def strip_formatting(text: str) -> str:
    """One phone without its formatting if only digits, or nothing, remain, else the text itself."""
    found = text.translate(_PLAIN).strip()
    # A phone that was guarded against being read as a formula: '+86…
    found = found.removeprefix("'").strip()
    bare = _FORMAT.sub("", found)
    number = _FLOAT.fullmatch(found) or _NUMBER.fullmatch(bare)
    if number:
        return number[1]
    return text if bare.removeprefix("+") else ""


def _count(hits: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    total = np.concatenate(([0], np.cumsum(hits)))
    return np.diff(total[offsets])


_EXTENSION = re.compile(r"\s*(?:;?\s*ext(?:ension|n)?\.?|x|#|转|分机)\s*:?\s*\d{1,6}\s*$", re.IGNORECASE)
_INTERNATIONAL = r"^[\s'’(（]*[+＋]"


def read(column: pa.Array, rule: FieldRule, code: pa.Array | None = None) -> pa.Array:
    """Phones as digits wherever only digits remain; other texts stay as found, for validation to name them.

    `code` holds the country codes of the same rows, if the mapping names their column.
    """
    change = _rewriting(rule)
    if change:
        column = rework_all(column, change)
    plain = digits(column)
    if code is None:
        return plain
    return _with_code(column, plain, digits(code), rule)


def _rewriting(rule: FieldRule) -> Callable[[str], str] | None:
    steps: list[Callable[[str], str]] = []
    if rule.extension == "drop":
        steps.append(lambda text: _EXTENSION.sub("", text))
    if rule.international_prefix and not rule.region:
        prefix = rule.international_prefix
        steps.append(lambda text: _without_prefix(text, prefix))
    if rule.region:
        region = rule.region
        steps.append(lambda text: international(text, region))
    if not steps:
        return None

    def change(text: str) -> str:
        for step in steps:
            text = step(text) if text else text
        return text

    return change


@lru_cache(maxsize=8192)
def international(text: str, region: str) -> str:
    """Country code and number as digits if the text is a possible phone seen from the region, else itself."""
    import phonenumbers

    try:
        number = phonenumbers.parse(
            strip_formatting(text) if "+" not in text and "＋" not in text else text, region
        )
    except phonenumbers.NumberParseException:
        return text
    if number.extension or not phonenumbers.is_possible_number(number):
        return text
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)).removeprefix("+")


def _without_prefix(text: str, prefix: str) -> str:
    bare = strip_formatting(text)
    if bare.isdigit() and "+" not in text and bare.startswith(prefix):
        # The + tells a country code column that the number has its own.
        return "+" + bare.removeprefix(prefix)
    return text


def _with_code(column: pa.Array, plain: pa.Array, code: pa.Array, rule: FieldRule) -> pa.Array:
    known = to_mask(pc.match_substring_regex(code, r"^[0-9]{1,4}$"))
    national = ~to_mask(pc.match_substring_regex(column, _INTERNATIONAL))
    national &= to_mask(pc.match_substring_regex(plain, r"^[0-9]+$"))
    if rule.trunk_prefix:
        trunk = rule.trunk_prefix
        plain = rework(plain, national & known, lambda text: text.removeprefix(trunk))
    return if_else(national & known, join_columns(code, plain), plain)
