"""Which country a cell names: by its ISO code, or by its name in any of some twenty languages.

`country_names.toml` holds the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pyarrow as pa

from importer.arrow import rework_all
from importer.mapping.base import packaged_words
from importer.mapping.headers import normalize


def regions(column: pa.Array) -> pa.Array:
    """Return a column of countries as ISO codes of two letters, "" where a cell names no country."""
    return rework_all(column, lambda text: region_of(text) or "")


def region_of(text: str) -> str | None:
    """Return the ISO code of the country that a text names, or None.

    A name that two countries share names none.
    """
    return _names().get(normalize(text))


@cache
def _names() -> Mapping[str, str]:
    found: dict[str, str] = {}
    shared: set[str] = set()
    for region, names in packaged_words("country_names.toml").items():
        for bare in map(normalize, names):
            if found.setdefault(bare, region) != region:
                shared.add(bare)
    named = {name: region for name, region in found.items() if name not in shared}
    return named | {normalize(region): region for region in packaged_words("country_names.toml")}
