"""Turn gender words into the API's codes; digits count only where they are the API's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import BLANKS, offsets_and_bytes, rework, rework_all, starting_with
from importer.mapping import words

UNKNOWN = "\x00"


Letters = Callable[[], frozenset[str]]


def codes(column: pa.Array, own_header: bool, letters: Letters | None = None) -> tuple[pa.Array, np.ndarray]:
    """The column as 1, 0 or "", and a mask (bool) of the values nobody may guess; those are left as found.

    `own_header` says that the column is called `gender` as in the API, whose 1 and 0 are then codes. A word
    for “not said” is an empty cell: the API has no code for it. `letters`, given for a Spanish or Portuguese
    header, tells all single letters of the whole column: beside H (hombre), M means mujer.
    """
    _, data = offsets_and_bytes(column)
    if own_header and not data.tobytes().translate(None, b"01") and len(data) <= len(column):
        return column, _longer_than_one(column)
    table = words.gender_codes() | ({"1": "1", "0": "0", "1.0": "1", "0.0": "0"} if own_header else {})
    seen: set[str] = set()

    def code(text: str) -> str:
        word = text.casefold().rstrip(".")
        found = table.get(word) if letters is None else _iberian_code(word, table, letters)
        if found is None:
            seen.add(text)
            return UNKNOWN + text
        return found

    coded = rework_all(column, code)
    bad = starting_with(coded, UNKNOWN) if seen else np.zeros(len(column), dtype=bool)
    return rework(coded, bad, lambda text: text.removeprefix(UNKNOWN)), bad


def letters_of(parts: Iterator[pd.Series]) -> frozenset[str]:
    """The single letters among the values of a whole column, in small letters."""
    found: set[str] = set()
    for part in parts:
        texts = (
            text.strip(BLANKS).rstrip(".").casefold() for text in pc.unique(arrow.to_arrow(part)).to_pylist()
        )
        found.update(text for text in texts if len(text) == 1)
    return frozenset(found)


def iberian_values(letters: frozenset[str]) -> dict[str, str]:
    """What the letters of a whole Spanish or Portuguese column mean, as a mapping's value map."""
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
    bad: np.ndarray = np.diff(offsets) > 1
    return bad
