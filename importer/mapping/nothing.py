"""Words that mean an empty cell: NULL, \\N, nan, N/A, -, 无. `words.toml` lists them.

A name is only taken for such a word as programs spell it: Null and Nan are names of people.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa

from importer.arrow import offsets_and_bytes
from importer.contracts import Field, FieldKind
from importer.dataclass import dataclass
from importer.mapping import person_names
from importer.mapping.base import packaged_index

_ANSWER = 3
"""Characters."""
_PLAIN_TEXT = (FieldKind.TEXT, FieldKind.TAGS)


_PARTS = {
    "names": ("signs", "phrases"),
    "texts": ("signs", "anywhere", "texts"),
    "gender": ("signs", "anywhere", "texts", "data"),
    "data": ("signs", "anywhere", "texts", "phrases", "data", "withheld"),
    "country": ("signs", "anywhere", "withheld"),
}
"""The lists of words of each kind of field."""


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of one kind of field, and what a text must look like to be one of them."""

    spelled: frozenset[str]
    """As they must be spelled."""
    folded: frozenset[str]
    """In any case."""
    longest: int
    """In bytes."""
    begins: np.ndarray
    """For each byte whether a word begins with it, as a mask."""
    letters: frozenset[str]
    """What a text or its folded form begins with, if it is one of them."""

    def have(self, text: str) -> bool:
        return text in self.spelled or text.casefold() in self.folded


def where_nothing(field: Field, column: pa.Array) -> np.ndarray:
    """Return a mask of the cells (without blanks around them) that hold a word for nothing."""
    words = _words(_group(field))
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    found: np.ndarray = (lengths > 0) & (lengths <= words.longest)
    if not found.any():
        return found
    found &= np.take(words.begins, np.take(data, offsets[:-1], mode="clip"))
    at = np.flatnonzero(found)
    if not at.size:
        return found
    distinct = column.take(pa.array(at)).dictionary_encode()
    verdicts = np.array([_is_nothing(text, words) for text in distinct.dictionary.to_pylist()], dtype=bool)
    found[at] = verdicts[distinct.indices.to_numpy()]
    return found


def _is_nothing(text: str, words: _Words) -> bool:
    if text[:1] not in words.letters and text[:1].casefold()[:1] not in words.letters:
        return False
    # A full name made of two empty cells: NULL NULL.
    return words.have(text) or all(map(words.have, text.split()))


def _group(field: Field) -> str:
    if field.name in person_names.FIELDS:
        return "names"
    if field.name == "country":
        return "country"
    if field.name == "address":
        return "data"
    if field.kind is FieldKind.GENDER:
        return "gender"
    return "texts" if field.kind in _PLAIN_TEXT else "data"


def is_nothing(text: str) -> bool:
    """Return whether a text without outer blanks says nothing of what its column holds.

    A short word does: “no” is an answer.
    """
    return _is_nothing(text, _words("texts" if len(text) <= _ANSWER else "data"))


@cache
def _words(group: str) -> _Words:
    tables = packaged_index("words.json")["nothing"]
    spelled = frozenset(tables["names"]) if group == "names" else frozenset()
    folded = frozenset(word.casefold() for part in _PARTS[group] for word in tables[part])
    every = spelled | folded | {word.upper() for word in folded} | {word.title() for word in folded}
    begins = np.zeros(256, dtype=bool)
    begins[[word.encode()[0] for word in every]] = True
    longest = max(len(word.encode()) for word in every)
    letters = frozenset(word[0] for word in every)
    return _Words(spelled, folded, 2 * longest + 1 if group == "names" else longest, begins, letters)
