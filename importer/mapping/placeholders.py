"""Contacts that are made up where there is none: 000000, 123456, a@a.a, none@none.com.

They name nobody: sent, they would make one customer of many.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import in_tens, nonempty, offsets_and_bytes, to_arrow, trimmed, without_nulls
from importer.contracts import FieldKind
from importer.mapping.base import ColumnIssue, ReadColumn, packaged_words
from importer.mapping.regions import national_part
from importer.models import Severity

_COUNTING = "1234567890123456789"
_ADDRESS = re.compile(r"([^@\s]*)@(?:([^@\s.]*)(?:\.[^@\s]*)?)?")
_FEWEST_COUNTED = 6
_SHORT_ADDRESS = 8
"""Bytes."""
_OVERUSED = 1 / 3
_SUSPICIOUS = 0.2
_FEWEST_ROWS = 5
_SAMPLED = 100
_BEGINNING = 5000
"""Rows."""


def find(kind: FieldKind, column: pa.Array) -> list[ColumnIssue]:
    """Return the note on the placeholders of a column of phones or e-mails, if it holds any."""
    if kind is FieldKind.EMAIL:
        where = _where(column, _doubtful_addresses(column), is_placeholder_address)
    else:
        where = _where(column, _doubtful_phones(column), is_placeholder_phone)
    return [ColumnIssue("placeholder", where, severity=Severity.NOTE)] if where.any() else []


def may_be_overused(cells: pa.Array) -> bool:
    """Return whether a contact may stand in a large share of these cells, by a sample of them."""
    filled = np.flatnonzero(np.diff(offsets_and_bytes(cells)[0]))
    if filled.size < _FEWEST_ROWS:
        return bool(filled.size)
    at = filled[:: max(filled.size // _SAMPLED, 1)]
    most = Counter(cells.take(pa.array(at)).to_pylist()).most_common(1)[0][1]
    return most > max(_SUSPICIOUS * at.size, 1)


def overused(read_column: ReadColumn, column: str, names: Sequence[str]) -> frozenset[str]:
    """Return the cells of a contact's column that stand in a third of all rows or more, beside names of five
    persons at least: the shop's own number, which identifies nobody.

    Of a long file only the beginning is read unless it gives reason for more.
    """
    counts: Counter[str] = Counter()
    rows = 0
    for part in read_column(column):
        cells = trimmed(without_nulls(to_arrow(part)))
        found = pc.value_counts(cells.filter(pa.array(nonempty(cells))))
        counts.update(dict(zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)))
        before, rows = rows, rows + len(part)
        if not counts or (before < _BEGINNING <= rows and max(counts.values()) < _SUSPICIOUS * rows):
            return frozenset()
    often = [cell for cell, count in counts.items() if count >= max(_OVERUSED * rows, _FEWEST_ROWS)]
    return frozenset(
        cell for cell in often if _names_beside(read_column, column, cell, names) >= _FEWEST_ROWS
    )


def _names_beside(read_column: ReadColumn, column: str, cell: str, names: Sequence[str]) -> int:
    """Return how many different persons stand beside a cell; more than a few are not counted."""
    found: set[tuple[str, ...]] = set()
    for contacts, *parts in zip(read_column(column), *map(read_column, names), strict=False):
        where = pc.equal(trimmed(without_nulls(to_arrow(contacts))), cell)
        beside = [without_nulls(to_arrow(part)).filter(where).to_pylist() for part in parts]
        found.update(zip(*beside, strict=True))
        if len(found) >= _FEWEST_ROWS:
            break
    return len(found)


def is_placeholder_phone(digits: str) -> bool:
    """Return whether digits are no number: one digit repeated, also behind a country code, or counted up from
    0 or 1."""
    if not digits.isdigit():
        return False
    national = national_part(digits) or digits
    for number, fewest in ((digits, 5), (national, 6)):
        if len(set(number)) == 1 and (len(number) >= fewest or (number is digits and digits[0] == "0")):
            return True
    counted = digits.removeprefix("0")
    return len(digits) >= _FEWEST_COUNTED and _COUNTING.startswith(counted)


def is_placeholder_address(text: str) -> bool:
    """Return whether an address names no mailbox: x@, a@a.a, test@test.com, noemail@shop.example."""
    found = _ADDRESS.fullmatch(text.strip().casefold())
    if not found:
        return False
    name, host = found[1], found[2] or ""
    words = packaged_words("words.toml")["placeholders"]
    if not name or not host or name in words["mailboxes"]:
        return True
    return name == host and (len(set(name)) == 1 or name in words["hosts"])


def _where(column: pa.Array, doubtful: np.ndarray, test: Callable[[str], bool]) -> np.ndarray:
    found = np.zeros(len(column), dtype=bool)
    if doubtful.size:
        distinct = column.take(pa.array(doubtful)).dictionary_encode()
        verdicts = np.array([test(text) for text in distinct.dictionary.to_pylist()], dtype=bool)
        found[doubtful] = verdicts[distinct.indices.to_numpy()]
    return found


def _doubtful_phones(column: pa.Array) -> np.ndarray:
    """Return the positions of texts that begin with 0123, 1234 or three equal characters, or end so."""
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    at = np.flatnonzero(lengths > 0)
    if len(data) < 10 or not at.size:
        return at
    first = in_tens(data, np.minimum(offsets[:-1][at], len(data) - 10))
    last = data[offsets[1:][at] - 1]
    equal = (first[0] == first[1]) & (first[1] == first[2])
    counting = (first[1] == first[0] + 1) & (first[2] == first[1] + 1) & (first[3] == first[2] + 1)
    long = lengths[at] >= 6
    ends = np.maximum(offsets[1:][at] - 4, 0)
    ending = long & (data[ends] == last) & (data[ends + 1] == last) & (data[ends + 2] == last)
    # Near the end of the chunk the first ten bytes are those of other texts.
    doubtful: np.ndarray = at[
        equal | counting | ending | (lengths[at] < 4) | (offsets[:-1][at] > len(data) - 10)
    ]
    return doubtful


def _doubtful_addresses(column: pa.Array) -> np.ndarray:
    """Return the positions of short texts and of those that begin like a placeholder."""
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    found = (lengths > 0) & (lengths <= _SHORT_ADDRESS)
    at = np.flatnonzero(lengths > _SHORT_ADDRESS)
    begins = offsets[:-1][at]
    pairs = data[begins].astype(np.int64) * 256 + data[begins + 1]
    found[at] = _beginnings()[pairs]
    return np.flatnonzero(found)


@cache
def _beginnings() -> np.ndarray:
    """Return for each pair of bytes whether a known placeholder begins with it, as a mask."""
    words = packaged_words("words.toml")["placeholders"]
    found = np.zeros(65536, dtype=bool)
    for word in (*words["mailboxes"], *words["hosts"]):
        for one in (word, word.upper(), word.title()):
            found[one.encode()[0] * 256 + one.encode()[1]] = True
    for letter in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789":
        found[letter * 257] = True
        found[letter * 256 + ord("@")] = True
    return found
