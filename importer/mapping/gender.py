"""Rules for genders: turn words into the API's codes; digits count only where they are the API's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import BLANKS, offsets_and_bytes, read_texts
from importer.mapping.base import packaged_words

_CODES = {"male": "1", "female": "0", "unsaid": ""}
"""The API's codes (docs/remote-api.md, batch_create); "" is no value."""
_OWN_CODES = {"1": "1", "0": "0", "1.0": "1", "0.0": "0"}

Letters = Callable[[], frozenset[str]]
"""Returns all single letters of a whole column, as `single_letters` does."""


@cache
def word_codes() -> dict[str, str]:
    """Return the API's code, or "" for “not said”, by the casefolded word."""
    tables = packaged_words("words.toml")["genders"]
    return {word.casefold(): code for name, code in _CODES.items() for word in tables[name]}


def read(column: pa.Array, own_header: bool, letters: Letters | None = None) -> tuple[pa.Array, np.ndarray]:
    """Return the column as 1, 0 or "", and a mask of the values whose meaning is not certain.

    Uncertain values stay as they are. `own_header` says that the column is called `gender` as in the API:
    only then are 1 and 0 the API's codes. A word for “not said” is an empty cell, for which the API has no
    code. `letters` is given for a Spanish or Portuguese header: beside H (hombre), M means mujer.
    """
    _, data = offsets_and_bytes(column)
    if own_header and not data.tobytes().translate(None, b"01") and len(data) <= len(column):
        return column, _longer_than_one(column)
    table = word_codes() | (_OWN_CODES if own_header else {})

    def code(text: str) -> str | None:
        word = text.casefold().rstrip(".")
        return table.get(word) if letters is None else _iberian_code(word, table, letters)

    return read_texts(column, code)


def single_letters(parts: Iterator[pd.Series]) -> frozenset[str]:
    """Return the single letters among the values of a whole column, in lower case."""
    found: set[str] = set()
    for part in parts:
        texts = (
            text.strip(BLANKS).rstrip(".").casefold() for text in pc.unique(arrow.to_arrow(part)).to_pylist()
        )
        found.update(text for text in texts if len(text) == 1)
    return frozenset(found)


def iberian_values(letters: frozenset[str]) -> dict[str, str]:
    """Return what the letters of a whole Spanish or Portuguese column mean, as a mapping's `values`."""
    if "h" not in letters:
        return {}
    woman = "hombre / mujer" if "f" in letters else "mujer"
    return {"h": "hombre", "h.": "hombre", "m": woman, "m.": woman}


def _iberian_code(word: str, table: Mapping[str, str], letters: Letters) -> str | None:
    if word == "h":
        return table["hombre"]
    if word == "m" and "h" in letters():
        return None if "f" in letters() else table["mujer"]
    return table.get(word)


def _longer_than_one(column: pa.Array) -> np.ndarray:
    offsets, _ = offsets_and_bytes(column)
    return np.greater(np.diff(offsets), 1)
