"""Rules for phones: make digits of them, as the API wants them, and recognise them among other cells.

A mapping may name a region, prefixes, a column of country codes, and what to do with extensions.
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
_NO_PHONE = r"^\s*(?:-\d{5,}(?:\.\d+)?|\d{7,}\.(?:\d?[1-9]|[1-9]\d?))\s*$"
_FORMAT = re.compile(r"[ \-.()/]+")
_NUMBER = re.compile(r"\+?([0-9]+)")


def digits(column: pa.Array) -> pa.Array:
    """Return the column without formatting characters wherever only digits remain; other texts stay as found.

    Formatting characters are blanks - . ( ) / and one leading + or ', full-width ones too
    (docs/architecture.md, “Values”). A text of nothing else (“-”) is an empty cell. A text like 1.86E+10 or
    “ask Bob” stays, so that validation can show it.
    """
    offsets, data = offsets_and_bytes(column)
    others = np.flatnonzero(data - _ZERO > 9)
    if not others.size:
        return column
    formatted = np.zeros(len(column), dtype=bool)
    formatted[np.searchsorted(offsets, others, side="right") - 1] = True
    if formatted.any():
        # A negative number, or one with a fraction, is no phone.
        odd = pc.match_substring_regex(column.filter(pa.array(formatted)), _NO_PHONE)
        formatted[np.flatnonzero(formatted)[np.asarray(odd.to_numpy(zero_copy_only=False), dtype=bool)]] = (
            False
        )
    where = pa.array(formatted)
    return pc.replace_with_mask(column, where, _digits_of_formatted(column.filter(where)))


def _digits_of_formatted(column: pa.Array) -> pa.Array:
    """Do the same for a column in which every text holds something other than digits."""
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
    shorter = np.concatenate(([0], np.cumsum(kept)))[offsets]
    return rework(from_offsets(shorter.astype(np.int64), data[kept]), hard, strip_formatting)


@lru_cache(maxsize=4096)
def strip_formatting(text: str) -> str:
    """Return one phone without its formatting if only digits, or nothing, remain, else the text itself."""
    found = text.translate(_PLAIN).strip()
    # The ' keeps a spreadsheet from reading '+86… as a formula.
    found = found.removeprefix("'").strip()
    bare = _FORMAT.sub("", found)
    number = _FLOAT.fullmatch(found) or _NUMBER.fullmatch(bare)
    if number:
        return number[1]
    return text if bare.removeprefix("+") else ""


def _count(hits: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return how often the mask, one element a byte, is true in each text."""
    total = np.concatenate(([0], np.cumsum(hits)))
    return np.diff(total[offsets])


_EXTENSION = re.compile(r"\s*(?:;?\s*ext(?:ension|n)?\.?|x|#|转|分机)\s*:?\s*\d{1,6}\s*$", re.IGNORECASE)
_INTERNATIONAL = r"^[\s'’(（]*[+＋]"


def read(column: pa.Array, rule: FieldRule, code: pa.Array | None = None) -> pa.Array:
    """Return phones as digits wherever only digits remain; other texts stay, for validation to name them.

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
    """Return country code and number as digits if the text may be a phone of the region, else the text."""
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
        # With the +, no country code is taken from a column beside it.
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


_SEPARATORS = re.compile(r":::|[,;，；/]| x")
_LOSSY = re.compile(r"[\d.]+E\+\d+")
_NATIONAL = re.compile(r"0?[1-9]\d{7,10}")
_CODE = re.compile(r"\+?\d{1,4}")
_AMERICAN = re.compile(r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}")
_CHINESE_MOBILE = re.compile(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}")


def looks_like_phone(text: str) -> bool:
    """Return whether the first of the numbers in a cell may be a phone, also one that Excel has cut."""
    number = strip_formatting(_SEPARATORS.split(text)[0].strip())
    return (number.isdigit() and 5 <= len(number) <= 18) or bool(_LOSSY.fullmatch(text))


def looks_national(text: str) -> bool:
    """Return whether a text may be a phone without its country code."""
    return bool(_NATIONAL.fullmatch(text.strip()))


def looks_like_country_code(text: str) -> bool:
    """Return whether a text may be a country code: 86, +44."""
    return bool(_CODE.fullmatch(text.strip()))


def is_surely_phone(text: str) -> bool:
    """Return whether a text is a phone and no other number: written like (775) 555-0154, a Chinese mobile, or
    a valid number with its country code."""
    if _AMERICAN.fullmatch(text) or _CHINESE_MOBILE.fullmatch(text):
        return True
    number = strip_formatting(text)
    if not number.isdigit() or not 10 <= len(number) <= 15:
        return False
    import phonenumbers

    try:
        parsed = phonenumbers.parse(f"+{number.removeprefix('00')}")
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(parsed))
