"""Words that mean an empty cell: NULL, \\N, nan, N/A, -, 无. `words.toml` lists them.

A name is only taken for such a word as programs spell it: Null and Nan are names of people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import array, if_else, nonempty, offsets_and_bytes, to_mask
from importer.contracts import Field, FieldKind
from importer.dataclass import dataclass
from importer.mapping import person_names
from importer.mapping.base import ColumnIssue, among, note, packaged_index, where_text
from importer.models import Severity

_PAIR = 2
"""Bytes."""
_HEAD = 4
"""Bytes."""
_BLANK, _NOT_ASCII = 0x20, 0x80
_SMALL = np.uint8(0x20)
"""The bit that tells small letters of ASCII from capital ones."""
_ANSWER = 3
"""Characters."""
_PLAIN_TEXT = (FieldKind.TEXT, FieldKind.TAGS)


_DITTOS = ("ditto_marks", "dittos")
_MAYBE_NAMES = ("dittos_or_names", "dittos_or_initials")
_PARTS = {
    "names": ("signs", "phrases", "ditto_marks", "dittos"),
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
    """For each pair of bytes (as `_pair`) whether a word begins with it, as a mask."""
    forms: np.ndarray
    """The first four bytes and the sizes (as `_form`) of the words, sorted. The sizes are 0 if several words
    may stand in one text."""
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
    pair = _pair(data[begin], np.take(data, begin + 1, mode="clip"))
    at = at[(lengths[at] < _PAIR) | words.pairs[pair]]
    at = at[_like_words(data, offsets[:-1][at], lengths[at], words)]
    return where_text(column, at, words.mean)


def where_ditto(column: pa.Array) -> np.ndarray:
    """Return a mask of the cells (without blanks around them) that refer to the row above."""
    found: np.ndarray = np.diff(offsets_and_bytes(column)[0]) <= _longest_ditto()
    short = pc.utf8_lower(column.filter(pa.array(found)))
    found[found] = to_mask(pc.is_in(short, value_set=pa.array(sorted(_dittos()), short.type)))
    return found


@cache
def _dittos() -> frozenset[str]:
    words = packaged_index("words.json")["nothing"]
    listed = [word for part in _DITTOS for word in words[part]]
    return frozenset(form for word in listed for form in (word.casefold(), word.lower()))


@cache
def _longest_ditto() -> int:
    """Bytes."""
    return max(len(word.encode()) for word in _dittos())


def without_nothing(field: Field, cells: pa.Array, *, contact: bool) -> tuple[pa.Array, list[ColumnIssue]]:
    """Return the cells (without blanks around them) with those that hold a word for nothing as "", names
    without such a word behind them, and what is to be said of them. `contact`: they are phones or e-mails."""
    where = where_nothing(field, cells)
    if _group(field) != "names":
        return (
            (if_else(where, "", cells), [*_issues_of(cells, where, contact=contact)])
            if where.any()
            else (cells, [])
        )
    small, doubtful = _ditto_or_name(cells, where)
    where |= small
    issues = [*_issues_of(cells, where, contact=contact)] if where.any() else []
    if doubtful.any():
        issues.append(
            ColumnIssue("ditto", doubtful, wording="ditto-or-name", severity=Severity.WARNING, left_out=False)
        )
    behind = _where_behind(cells)
    if behind.any():
        issues.append(ColumnIssue("word-for-nothing", behind, _before, "nothing-behind-name", Severity.NOTE))
        names = pc.replace_substring_regex(cells, _behind(), "")
        cells = if_else(behind, names, cells)
    return (if_else(where, "", cells) if where.any() else cells), issues


def _ditto_or_name(cells: pa.Array, empty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return masks of the names that are words for “as above” as well: of those that are meant so, since they
    are written small where the next name above (or else below) is not, and of those that may be. `empty`: a
    mask of the cells that hold no name."""
    forms, small, warned = _maybe_names()
    found = to_mask(pc.is_in(cells, value_set=forms))
    nowhere = np.zeros(len(cells), dtype=bool)
    if not found.any():
        return nowhere, nowhere
    others = np.flatnonzero(nonempty(cells) & ~found & ~empty)
    at = np.flatnonzero(found)
    beside = np.searchsorted(others, at) - 1
    above = beside >= 0
    meant, doubtful = nowhere, nowhere.copy()
    for place, text, number, has_above in zip(
        at.tolist(),
        cells.take(pa.array(at)).to_pylist(),
        np.maximum(beside, 0).tolist(),
        above.tolist(),
        strict=True,
    ):
        neighbour = cells[int(others[number])].as_py() if len(others) else ""
        if text in small and neighbour != neighbour.lower():
            meant[place] = True
        else:
            doubtful[place] = has_above and text in warned
    return meant, doubtful


def _where_behind(cells: pa.Array) -> np.ndarray:
    """Return a mask of the names with a word for nothing behind them."""
    data = offsets_and_bytes(cells)[1].tobytes()
    if b"/" not in data and b"NULL" not in data:
        return np.zeros(len(cells), dtype=bool)
    return to_mask(pc.match_substring_regex(cells, r"[\pL\pM.,]" + _behind()))


def _before(name: str) -> str:
    return re.sub(_behind(), "", name.strip())


@cache
def _behind() -> str:
    words = "|".join(map(re.escape, packaged_index("words.json")["nothing"]["behind_names"]))
    return rf"\s+(?:{words})$"


@cache
def _maybe_names() -> tuple[pa.Array, frozenset[str], frozenset[str]]:
    """Return the words for “as above” that are names, too, in the cases that people write them in; those that
    are written small; and those of which people are warned."""
    words = packaged_index("words.json")["nothing"]
    small = frozenset(word for part in _MAYBE_NAMES for word in words[part])
    warned = frozenset(form for word in words[_MAYBE_NAMES[0]] for form in (word, word.title(), word.upper()))
    return array(sorted(small | warned)), small, warned


def _issues_of(cells: pa.Array, where: np.ndarray, *, contact: bool) -> Iterator[ColumnIssue]:
    """Yield what is to be said of the cells that are emptied: a note, but a warning where a cell refers to
    the row above, since a value is missing then."""
    referring = where_text(cells, np.flatnonzero(where), lambda text: text.casefold() in _dittos())
    if referring.any():
        wording = "ditto-contact" if contact else None
        yield ColumnIssue("ditto", referring, wording=wording, severity=Severity.WARNING)
    if (where & ~referring).any():
        yield note("word-for-nothing", where & ~referring)


def _like_words(data: np.ndarray, begins: np.ndarray, sizes: np.ndarray, words: _Words) -> np.ndarray:
    """Return a mask of the texts (where they begin in `data`, and their sizes) that begin like a word of the
    same size, or, where several words may stand in one text, like a short word before a blank."""
    first = [
        np.where(sizes > place, np.take(data, begins + place, mode="clip"), np.uint8(0))
        for place in range(_HEAD)
    ]
    if not words.repeated:
        return among(_form(first, sizes), words.forms)
    like = among(_form(first, np.zeros_like(sizes)), words.forms)
    for byte in first[1:]:
        like |= (byte <= _BLANK) | (byte >= _NOT_ASCII)
    return like


def _form(first: Iterable[np.ndarray], sizes: np.ndarray) -> np.ndarray:
    """Return the first four bytes of texts (0 behind the last), small and capital letters as the same, and
    their sizes as one number."""
    found = sizes.astype(np.int64)
    for byte in first:
        found = found << 8 | byte | _SMALL
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
    repeated = group == "names"
    spelled = frozenset(tables["names"]) if repeated else frozenset()
    folded = frozenset(word for part in _PARTS[group] for word in _folded(part))
    if repeated:
        folded -= {word for part in (*_MAYBE_NAMES, "dittos_never_names") for word in _folded(part)}
    parts = [_beginnings(part) for part in (*_PARTS[group], *(("names",) if repeated else ()))]
    first = np.concatenate([heads for heads, _ in parts], axis=1)
    sizes = np.concatenate([sizes for _, sizes in parts])
    begins = np.zeros(256, dtype=bool)
    begins[first[0]] = True
    begins[first[0] & ~_SMALL] = True
    pairs = np.zeros(1 << 16, dtype=bool)
    pairs[_pair(*first[:2])] = True
    longest = int(sizes.max())
    forms = np.unique(_form(first, np.zeros_like(sizes) if repeated else sizes))
    most = 2 * longest + 1 if repeated else longest
    return _Words(spelled, folded, most, begins, pairs, forms, repeated)


@cache
def _folded(part: str) -> tuple[str, ...]:
    """Return the words of a list, folded."""
    return tuple(word.casefold() for word in packaged_index("words.json")["nothing"][part])


@cache
def _beginnings(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first bytes of all forms of the words of a list, a row for each place, and their sizes."""
    raw = [form.encode() for word in _folded(part) for form in _forms_of(word)]
    heads = np.frombuffer(b"".join(one[:_HEAD].ljust(_HEAD, b"\0") for one in raw), np.uint8)
    return heads.reshape(-1, _HEAD).T | _SMALL, np.array(list(map(len, raw)))


def _forms_of(word: str) -> set[str]:
    """Return a word as it may be written. Small and capital letters of ASCII are compared as the same."""
    if word.isascii():
        return {word}
    cases = ({letter} if letter.isascii() else _cases(letter) for letter in word[:_HEAD])
    return {word.upper(), word.title(), *("".join(letters) + word[_HEAD:] for letters in product(*cases))}


def _cases(letter: str) -> set[str]:
    """Return a folded letter small and capital; the sigma that ends a word is a small letter of its own."""
    return {letter, letter.swapcase(), *("ς" if letter == "σ" else "")}


def _pair(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Return two bytes as one number, small and capital letters of ASCII as the same."""
    found: np.ndarray = (one | _SMALL).astype(np.uint16) << 8 | two | _SMALL
    return found
