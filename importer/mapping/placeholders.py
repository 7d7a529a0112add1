"""Contacts that are made up where there is none: 000000, 123456, a@a.a, none@none.com.

They name nobody: sent, they would make one customer of many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from string import ascii_letters, digits

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import in_tens, nonempty, offsets_and_bytes, to_arrow, trimmed, without_nulls
from importer.contracts import FieldKind
from importer.dataclass import dataclass
from importer.mapping.base import ColumnIssue, ReadColumn, among, in_fours, packaged_index, where_text
from importer.mapping.regions import national_part
from importer.models import Severity
from importer.patterns import late_pattern

_COUNTING = "1234567890123456789"
_AREA_CODES = (2, 3)
"""Digits."""
_SAME_BEHIND, _COUNTED_BEHIND = 8, 9
"""So many digits behind an area code are made up if they are all the same, or counted up."""
_ADDRESS = late_pattern(r"([^@\s]*)@(?:([^@\s.]*)(?:\.[^@\s]*)?)?")
_MARKS = (".", "-", "_", "@")
_ALPHABET = ascii_letters + digits
_ZERO, _NINE = np.uint8(ord("0")), np.uint8(ord("9"))
_BETWEEN_WORDS = str.maketrans("", "", ".-_+")
_FEWEST_ALIKE, _FEWEST_COUNTED = 5, 6
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
        where = where_text(column, _doubtful_addresses(column), is_placeholder_address)
    else:
        where = where_text(column, _doubtful_phones(column), is_placeholder_phone)
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


@lru_cache(maxsize=4096)
def is_placeholder_phone(number: str) -> bool:
    """Return whether digits are no number: one digit repeated or digits counted up from 0 or 1, also behind a
    country code or an area code: (11) 99999-9999."""
    if not number.isdigit():
        return False
    national = national_part(number) or number
    if len(set(number)) == 1 and (len(number) >= _FEWEST_ALIKE or number[0] == "0"):
        return True
    if len(set(national)) == 1 and len(national) > _FEWEST_ALIKE:
        return True
    if len(number) >= _FEWEST_COUNTED and _COUNTING.startswith(number.removeprefix("0")):
        return True
    if len(national) >= _COUNTED_BEHIND and _COUNTING.startswith(national):
        return True
    return any(_made_up_behind(national.removeprefix("0"), size) for size in _AREA_CODES)


def _made_up_behind(number: str, size: int) -> bool:
    """Return whether all that stands behind an area code of this many digits is one digit, or counted up."""
    rest = number[size:]
    if len(rest) >= _COUNTED_BEHIND and _COUNTING.startswith(rest):
        return True
    # Real are 188 8888 8888, whose first digits are no area code, and round numbers: 138 0000 0000.
    alike = len(rest) >= _SAME_BEHIND and len(set(rest)) == 1 and number[size - 1] != rest[0]
    return alike and (rest[0] != "0" or size == _AREA_CODES[0])


def is_placeholder_address(text: str) -> bool:
    """Return whether an address names no mailbox: x@, a@a.a, test@test.com, nao@tem.com, noemail@…."""
    found = _ADDRESS.fullmatch(text.strip().casefold())
    if not found:
        return False
    name, host = found[1].translate(_BETWEEN_WORDS), found[2] or ""
    words = _words()
    if not name or not host or name in words.mailboxes or name + host in words.mailboxes:
        return True
    if name == host and len(set(name)) == 1:
        return True
    return name in words.fillers and (host in words.fillers or host in words.providers)


def says_there_is_none(text: str) -> bool:
    """Return whether some words say that there is no e-mail: no tiene correo, sin mail."""
    first, *others = text.casefold().replace("-", "").split() or [""]
    words = _words()
    return bool(others) and first in words.negations and words.fillers.issuperset(others)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of addresses that are no mailboxes, casefolded."""

    mailboxes: frozenset[str]
    """Before the @, whatever stands behind it: “noemail”."""
    fillers: frozenset[str]
    """Before the @ if a filler or a provider's name stands behind it, too."""
    providers: frozenset[str]
    negations: frozenset[str]


@cache
def _words() -> _Words:
    tables = packaged_index("words.json")["placeholders"]
    pairs = (first + second for first in tables["negations"] for second in tables["negated"])
    fillers = frozenset((*tables["fillers"], *tables["negations"], *tables["negated"]))
    mailboxes = frozenset((*tables["mailboxes"], *pairs))
    return _Words(mailboxes, fillers, frozenset(tables["providers"]), frozenset(tables["negations"]))


def _doubtful_phones(column: pa.Array) -> np.ndarray:
    """Return the positions of texts that begin with 0123, 1234 or three equal characters, or end with six
    equal ones or with six counted digits."""
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    at = np.flatnonzero(lengths > 0)
    if len(data) < 10 or not at.size:
        return at
    first = in_tens(data, np.minimum(offsets[:-1][at], len(data) - 10))
    equal = (first[0] == first[1]) & (first[1] == first[2])
    counting = (first[1] == first[0] + 1) & (first[2] == first[1] + 1) & (first[3] == first[2] + 1)
    ending = lengths[at] >= _FEWEST_COUNTED
    alike, up = ending.copy(), ending.copy()
    ends = np.maximum(offsets[1:][at] - _FEWEST_COUNTED, 0)
    before = data[ends]
    for place in range(1, _FEWEST_COUNTED):
        digit = data[ends + place]
        alike &= digit == before
        up &= (digit == before + 1) | ((digit == _ZERO) & (before == _NINE))
        before = digit
    ending = alike | up
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
    pairs, heads = _beginnings()
    begins = offsets[:-1][at]
    second = data[begins + 1]
    found[at[second == ord("@")]] = True
    at = at[pairs[data[begins].astype(np.uint16) << 8 | second]]
    first = in_fours(data, offsets[:-1][at])
    for size, known in heads.items():
        found[at[among(first >> np.uint32(8 * (4 - size)), known)]] = True
    return np.flatnonzero(found)


@cache
def _beginnings() -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Return a mask of the pairs of bytes that placeholders of more than eight bytes begin with, and how they
    begin: two, three or four bytes, as numbers like those of `in_fours`, sorted."""
    tables = packaged_index("words.json")["placeholders"]
    alone = (*tables["mailboxes"], *tables["fillers"], *tables["negations"], *tables["negated"])
    forms = {word + mark for word in alone for mark in _MARKS}
    forms |= {
        first + mark + second
        for first in tables["negations"]
        for mark in ("", *_MARKS)
        for second in tables["negated"]
    }
    forms |= {letter * 3 for letter in _ALPHABET} | {f"{letter * 2}@" for letter in _ALPHABET}
    heads = {form[:4] for form in forms}
    raw = {one.encode()[:4] for head in heads for one in (head, head.upper(), head.title())}
    pairs = np.zeros(1 << 16, dtype=bool)
    pairs[[one[0] << 8 | one[1] for one in raw]] = True
    known = {}
    for size in {len(one) for one in raw}:
        chosen = np.frombuffer(b"".join(one.ljust(4, b"\0") for one in raw if len(one) == size), np.uint8)
        fours = in_fours(chosen, np.arange(0, len(chosen), 4))
        known[size] = np.unique(fours >> np.uint32(8 * (4 - size)))
    return pairs, known
