"""Gender words to the API's codes; numbers only where they are the API's own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from importer.mapping import words
from importer.mapping.texts import memory, nonempty, rework, starting_with

UNKNOWN = "\x00"


def codes(column: pa.Array, own_header: bool) -> tuple[pa.Array, np.ndarray]:
    """The column as 1, 0 or "", and a mask (bool) of the values nobody may guess; those are left as found.

    `own_header` says that the column is called `gender` as in the API, whose 1 and 0 are then codes. A word
    for “not said” is an empty cell: the API has no code for it.
    """
    _, data = memory(column)
    if own_header and not data.tobytes().translate(None, b"01") and len(data) <= len(column):
        return column, _longer_than_one(column)
    table = words.genders() | ({"1": "1", "0": "0", "1.0": "1", "0.0": "0"} if own_header else {})
    seen: set[str] = set()

    def code(text: str) -> str:
        found = table.get(text.casefold().rstrip("."))
        if found is None:
            seen.add(text)
            return UNKNOWN + text
        return found

    coded = rework(column, nonempty(column), code)
    bad = starting_with(coded, UNKNOWN) if seen else np.zeros(len(column), dtype=bool)
    return rework(coded, bad, lambda text: text.removeprefix(UNKNOWN)), bad


def _longer_than_one(column: pa.Array) -> np.ndarray:
    offsets, _ = memory(column)
    bad: np.ndarray = np.diff(offsets) > 1
    return bad
