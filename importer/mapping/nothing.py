"""Words that mean an empty cell: NULL, \\N, nan, N/A, -, 无. `words.toml` lists them.

A name is only taken for such a word as programs spell it: Null and Nan are names of people.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa

from importer.arrow import offsets_and_bytes
from importer.contracts import Field, FieldKind
from importer.dataclass import dataclass
from importer.mapping import person_names
from importer.mapping.base import ColumnIssue, among, note, packaged_index
from importer.models import Severity

_PAIR = 2
"""Bytes."""
_ANSWER = 3
"""Characters."""
_PLAIN_TEXT = (FieldKind.TEXT, FieldKind.TAGS)


_DITTOS = ("ditto_marks", "dittos")
_PARTS = {
    "names": ("signs", "phrases", "ditto_marks"),
    "texts": ("signs", "anywhere", "texts", *_DITTOS),
    "gender": ("signs", "anywhere", "texts", "data", *_DITTOS),
    "data": ("signs", "anywhere", "texts", "phrases", "data", "withheld", *_DITTOS),
    "country": ("signs", "anywhere", "withheld", *_DITTOS),
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
    pairs: np.ndarray
    """For each pair of bytes (as a number) whether a word begins with it, as a mask."""
    forms: np.ndarray
    """The first two bytes and the sizes (as `_form`) of the words of two bytes and more, sorted."""
    repeated: bool
    """Whether a text of several of them is one, too: a full name made of two empty cells, NULL NULL."""

    def have(self, text: str) -> bool:
        return text in self.spelled or text.casefold() in self.folded

    def mean(self, text: str) -> bool:
        return self.have(text) or (self.repeated and " " in text and all(map(self.have, text.split())))


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
    begin = offsets[:-1][at]
    pair = data[begin].astype(np.int32) << 8 | np.take(data, begin + 1, mode="clip")
    short = lengths[at] < _PAIR
    if not words.repeated:
        may_be = short | words.pairs[pair]
        at, pair, short = at[may_be], pair[may_be], short[may_be]
        at = at[short | among(_form(pair, lengths[at]), words.forms)]
    else:
        at = at[short | words.pairs[pair]]
    found[:] = False
    if not at.size:
        return found
    distinct = column.take(pa.array(at)).dictionary_encode()
    verdicts = np.fromiter(map(words.mean, distinct.dictionary.to_pylist()), bool, len(distinct.dictionary))
    found[at] = verdicts[distinct.indices.to_numpy()]
    return found


def issues_of(cells: pa.Array, where: np.ndarray) -> Iterator[ColumnIssue]:
    """Yield what is to be said of the cells that `where_nothing` found: a note, but a warning where a cell
    refers to the row above, since a value is missing then."""
    words = packaged_index("words.json")["nothing"]
    dittos = frozenset(word.casefold() for part in _DITTOS for word in words[part])
    at = np.flatnonzero(where)
    distinct = cells.take(pa.array(at)).dictionary_encode()
    verdicts = np.array([text.casefold() in dittos for text in distinct.dictionary.to_pylist()], dtype=bool)
    referring = np.zeros(len(where), dtype=bool)
    referring[at] = verdicts[distinct.indices.to_numpy()]
    if referring.any():
        yield ColumnIssue("ditto", referring, severity=Severity.WARNING)
    if (where & ~referring).any():
        yield note("word-for-nothing", where & ~referring)


def _form(pair: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return two bytes (as a number) and a size as one number."""
    found: np.ndarray = pair << 8 | np.minimum(sizes, 255)
    return found


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
    return _words("texts" if len(text) <= _ANSWER else "data").mean(text)


@cache
def _words(group: str) -> _Words:
    tables = packaged_index("words.json")["nothing"]
    spelled = frozenset(tables["names"]) if group == "names" else frozenset()
    folded = frozenset(word.casefold() for part in _PARTS[group] for word in tables[part])
    every = spelled | folded | {word.upper() for word in folded} | {word.title() for word in folded}
    begins = np.zeros(256, dtype=bool)
    begins[[word.encode()[0] for word in every]] = True
    longest = max(len(word.encode()) for word in every)
    # Of a word in other cases than these the second letter may be small or capital.
    mixed = {word[:1] + word[1:2].swapcase() + word[2:] for word in every}
    raw = [word.encode() for word in every | mixed if len(word.encode()) >= _PAIR]
    pair = np.array([one[0] << 8 | one[1] for one in raw], dtype=np.int32)
    pairs = np.zeros(1 << 16, dtype=bool)
    pairs[pair] = True
    forms = np.unique(_form(pair, np.array(list(map(len, raw)))))
    repeated = group == "names"
    most = 2 * longest + 1 if repeated else longest
    return _Words(spelled, folded, most, begins, pairs, forms, repeated)
