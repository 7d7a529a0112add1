"""Countries: which one a cell names, and which country code and how many digits its phones have.

`country_names.toml` holds names in some twenty languages, `country_codes.toml` the form of the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import numpy as np
import pyarrow as pa

from importer.arrow import rework_all
from importer.errors import UsageError
from importer.mapping.base import packaged_index, packaged_words
from importer.mapping.headers import normalize

_CODE = re.compile(r"(?:\+|00)?([1-9]\d{0,2})")
_BETWEEN = re.compile(r"[()（）\[\]/,，:|–—]|\s-\s|-$|^-")


def regions(column: pa.Array) -> pa.Array:
    """Return a column of countries as ISO codes of two letters, "" where a cell names no country."""
    return rework_all(column, lambda text: region_of(text) or "")


def region_of(text: str) -> str | None:
    """Return the ISO code of the country that a text names, or None.

    “DE – Germany” names one, too; +86 is its country code. A name that two countries share names none.
    """
    # N/A is not Namibia.
    found = _names().get(normalize(text)) if "/" not in text else None
    if found is None and (code := _CODE.fullmatch(text.strip())):
        return _of_country_code(int(code[1]))
    if found is None:
        parts = {_names().get(normalize(part)) for part in _BETWEEN.split(text)} - {None}
        found = parts.pop() if len(parts) == 1 else None
    return found


def require_region(text: str) -> str:
    """Return the ISO code of the country that a person names. Raises UsageError `country-unknown`."""
    import phonenumbers

    found = region_of(text)
    if found not in phonenumbers.SUPPORTED_REGIONS:
        raise UsageError("country-unknown", country=text)
    return str(found)


def _of_country_code(code: int) -> str | None:
    """Return the country, or the largest of those, that a country code belongs to."""
    import phonenumbers

    found = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code, ("001",))[0]
    return None if found == "001" else found


def country_code(region: str) -> str:
    """Return the country code of a country, given by its ISO code; "" if it has none."""
    found: str = _index()["codes"].get(region, "")
    return found


def _names() -> Mapping[str, str]:
    """Return the ISO codes of countries by the normal forms of their names."""
    names: Mapping[str, str] = _index()["regions"]
    return names


def _index() -> Mapping[str, dict[str, str]]:
    return packaged_index("regions.json")


# The codes before the numbers of phones: what is possible, not what is in use.

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
