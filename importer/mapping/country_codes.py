"""The world's country codes and how many digits follow each, for whole columns of digits.

`country_codes.toml` holds the table. It says what is possible, not what is in use.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from importer.mapping.base import packaged_words

_MOST_DIGITS = 15


@cache
def _zeros_behind() -> tuple[np.ndarray, np.ndarray]:
    """Return for the first three digits of a number (0 to 999) whether they hold a zero behind the country
    code, and whether they are one of three digits, as masks."""
    size, _ = _table()
    number = np.arange(1000)
    return ((size == 1) & (number // 10 % 10 == 0)) | ((size == 2) & (number % 10 == 0)), size == 3


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Return for the first three digits of a number (0 to 999) the length of its country code, 0 if there is
    none, and the possible lengths of the whole number, as bits."""
    size, lengths = np.zeros(1000, dtype=np.int64), np.zeros(1000, dtype=np.int64)
    for code, nationals in packaged_words("country_codes.toml").items():
        width = 10 ** (3 - len(code))
        span = slice(int(code) * width, (int(code) + 1) * width)
        size[span] = len(code)
        lengths[span] = sum(
            1 << len(code) + digits for digits in nationals if len(code) + digits <= _MOST_DIGITS
        )
    return size, lengths


def national_part(digits: str) -> str | None:
    """Return what follows the country code, or None if the digits begin with no country code."""
    if len(digits) < 4:
        return None
    size = int(_table()[0][int(digits[:3])])
    return digits[size:] if size else None


def possible(prefixes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return a mask of the numbers that may begin with a country code: their first three digits (0 to 999)
    are one, and as many digits follow as the country's numbers have."""
    _, allowed = _table()
    found: np.ndarray = (allowed[prefixes] >> np.minimum(lengths, 62)) & 1 == 1
    return found


def trunk_zeros(prefixes: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    """Return a mask of the numbers with a zero behind the country code, by their first digits as for
    `possible` and the fourth."""
    within, of_three = _zeros_behind()
    found: np.ndarray = within[prefixes] | (of_three[prefixes] & (fourth == 0))
    return found
