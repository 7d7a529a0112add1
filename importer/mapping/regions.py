"""Which country a cell names: by its ISO code, or by its name in any of some twenty languages.

`country_names.toml` holds the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from importer.arrow import rework_all
from importer.errors import UsageError
from importer.mapping.base import packaged_index
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
