"""Read lists of people who must not be sent: their phones and e-mails, or the SHA-256 of these.

A list is a table as people have it, with a header or without, and perhaps a title above it. Which of its
columns hold phones the header says or, where it does not, the cells. Addresses and hashes count wherever they
stand, and a cell may hold several. Phones are read as those of the file to be imported are, each column by
itself. What may be somebody and nobody can read is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow, contracts
from importer.contact_keys import MOST_DIGITS, contact_keys, one_form
from importer.contracts import FieldKind
from importer.dataclass import dataclass
from importer.errors import InputError, ListError
from importer.fingerprints import FingerprintSet
from importer.mapping import emails
from importer.mapping.headers import meanings
from importer.mapping.nothing import where_nothing
from importer.mapping.phone_texts import all_phones, strip_formatting
from importer.mapping.phones import PhoneColumns, PhoneReader, looks_like_phone, prove
from importer.mapping.regions import national_numbers, possible
from importer.mapping.rules import FieldRule
from importer.patterns import late_pattern
from importer.pipeline.contact_hashes import (
    are_hashes,
    are_other_hashes,
    digest,
    first_bytes,
    is_hash,
    is_hash_column,
    resemble_hashes,
)
from importer.readers import ReadOptions, open_source
from importer.readers.base import ALL_SHEETS

_MESSENGER = r"(?i)[0-9]@(s\.whatsapp\.net|c\.us)\W*$"
"""What stands behind a phone in WhatsApp's own lists."""
_PHONE = next(one for one in contracts.load("sea").fields if one.kind is FieldKind.PHONE)
_FEWEST_DIGITS = 5
_DIGITS_ENOUGH = late_pattern(r"(?:\d[\s().\-/+]*){5}")
"""In what may be a phone."""
_LIKE_PHONES = 0.8
"""The share of phones in a column that nothing calls one, from which on it is one."""
_SAMPLED = 1000
"""Cells that are looked at for it."""
_HEADER_ROWS = 10
"""Rows among which the header is looked for."""
_AS_PEOPLE_WRITE = late_pattern(r"^\W*[+0]|\d[\s()./-]+\d")
"""A phone that no customer number looks like: beside columns of contacts, one without a telling name."""
_LONG_NUMBER = late_pattern(r"\d{10,15}")
"""A phone, or a number of another kind."""
_TELLING = 10**5
"""A number below says too little of whose phone it is, if nobody knows its country."""


_UNCERTAIN = ("encoding-unknown", "encoding-doubt")
FileStamp = tuple[int, int, int]
"""Inode, bytes, and when the file was last written."""


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """One list, ready to be compared with."""

    name: str
    sha256: str
    """Of the file."""
    columns: tuple[str, ...]
    """Where the entries stand."""
    unreadable: int
    """How many cells of these columns hold nothing that can be compared."""
    first_unreadable: int
    """The row of the first of them; 0 if there is none."""
    listed: int
    """How many different phones it holds, each as it was read."""
    phones: FingerprintSet
    """By `contact_keys`: these, and what else they may be as they stand."""
    behind_codes: FingerprintSet
    """By `comparable`: what stands behind the country codes, for rows whose phone lacks its own."""
    without_code: FingerprintSet
    """By `comparable`: phones of which nobody knows the country. A row's phone of any country may be one."""
    emails: FingerprintSet
    """By `contact_keys`."""
    hashes: FingerprintSet
    """The first eight bytes of each."""
    path: Path = Path()
    stamp: FileStamp | None = None
    """By which it is seen whether the file has changed since."""
    without_contact: tuple[int, ...] = ()
    """The rows in which nothing is a contact, such as those that hold only a name."""
    doubtful: tuple[str, ...] = ()
    """Columns that may hold phones and are not used, since nothing calls them so."""

    @property
    def is_as_it_was(self) -> bool:
        """Whether the file is still the one that was read."""
        return _stamp(self.path) == self.stamp

    @property
    def entries(self) -> int:
        """How many different contacts it holds."""
        return self.listed + len(self.emails) + len(self.hashes)


def read_list(file: str, region: str | None, encoding: str | None = None) -> SuppressionList:
    """Read a list. `region` is the country (ISO) of its phones without a country code, if that is known.
    `encoding`: that of the file to be imported, if somebody gave it. A list need not have the same, so it
    counts only where the bytes do not tell.

    Raises ListError: `suppression-empty` for a list without any entry, `suppression-not-a-file` for a pipe,
    `suppression-unusable` with the error why it cannot be read.
    """
    try:
        try:
            return _read(file, region, None)
        except InputError as error:
            if encoding is None or error.code not in _UNCERTAIN:
                raise
            return _read(file, region, encoding)
    except ListError:
        raise
    except InputError as error:
        raise ListError("suppression-unusable", reason=error) from error


def _read(file: str, region: str | None, encoding: str | None) -> SuppressionList:
    if Path(file).exists() and not Path(file).is_file():
        raise ListError("suppression-not-a-file", list=file)
    reading, stamp = _Reading(), _stamp(Path(file))
    with open_source(file, ReadOptions(sheet=ALL_SHEETS, header_row="none", encoding=encoding)) as source:
        for chunk in source.chunks():
            rows = chunk.frame.index.to_numpy()
            cells = {name: arrow.trimmed(arrow.text_column(chunk, name)) for name in chunk.frame.columns}
            reading.add(chunk.sheet, rows, cells)
        sha256 = source.sha256
    read = [(read_phones(texts, region), rows) for texts, rows in reading.phones.values()]
    phones = _joined([one for one, _ in read])
    lost = phones.unreadable
    rows_of = np.array([row for _, rows in read for row in rows], dtype=np.int64)
    unreadable = [*reading.unreadable, *rows_of[lost].tolist()]
    bare, coded = (phones.digits.filter(pa.array(one & ~lost)) for one in (phones.lacking, ~phones.lacking))
    found = SuppressionList(
        name=Path(file).name,
        sha256=sha256,
        columns=tuple(reading.columns),
        unreadable=len(unreadable),
        first_unreadable=min(unreadable, default=0),
        listed=np.unique(phones.keys[~lost]).size,
        phones=FingerprintSet(np.concatenate((phones.keys[~lost], _as_they_stand(reading.phones, region)))),
        behind_codes=FingerprintSet(comparable(coded, coded=True)),
        without_code=FingerprintSet(comparable(bare, coded=False)),
        emails=FingerprintSet(contact_keys(arrow.array(reading.emails), FieldKind.EMAIL)),
        hashes=FingerprintSet(first_bytes(map(digest, reading.hashes))),
        path=Path(file),
        stamp=stamp,
        without_contact=tuple(reading.without_contact),
        doubtful=tuple(reading.doubtful),
    )
    if not found.entries:
        raise ListError("suppression-empty", list=file)
    return found


def _stamp(path: Path) -> FileStamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _as_they_stand(
    phones: Mapping[tuple[str, str], tuple[list[str], list[int]]], region: str | None
) -> np.ndarray:
    """Return the keys of numbers that may begin with a country code though nothing says so.

    Where the run's country is known, they were read as numbers of it; the person is left out either way.
    """
    if region is None:
        return np.empty(0, dtype=np.int64)
    texts = (strip_formatting(text) for several, _ in phones.values() for text in several)
    bare = [text for text in texts if text.isdecimal() and text[0] != "0" and len(text) <= MOST_DIGITS]
    prefixes = np.array([int(text[:3]) for text in bare], dtype=np.int64)
    lengths = np.array([len(text) for text in bare], dtype=np.int64)
    return contact_keys(arrow.array(bare), FieldKind.PHONE)[possible(prefixes, lengths)] if bare else lengths


def addresses(cell: str) -> list[str]:
    """Return all e-mails in a cell, in lower case."""
    return [one.lower().strip(".") for one in emails.all_addresses(cell)]


@dataclass(frozen=True, slots=True)
class ReadPhones:
    """Phones that were read. Everything has one length and belongs together."""

    digits: pa.Array
    keys: np.ndarray
    """By `contact_keys`."""
    lacking: np.ndarray
    """A mask of those of which nobody knows the country."""
    unreadable: np.ndarray
    """A mask of what is no phone."""
    several: np.ndarray
    """A mask of cells that hold more phones than the one that was read."""


def read_phones(texts: Sequence[str] | pa.Array, region: str | None) -> ReadPhones:
    """Read phones as those of a file are read: as one column, of this country where they name none."""
    cells = arrow.trimmed(texts if isinstance(texts, pa.Array) else arrow.array(list(texts)))
    rule = FieldRule(("phone",), region=region or None)
    series = pd.Series(pd.arrays.ArrowStringArray(cells))
    digits, issues = PhoneReader(_PHONE, rule, lambda: prove(iter([series]))).read(cells, PhoneColumns())
    lacking, several = np.zeros((2, len(cells)), dtype=bool)
    for issue in issues:
        if issue.left_out:
            digits = arrow.if_else(issue.where, "", digits)
        if issue.code == "no-country-code":
            lacking |= issue.where
        if issue.code == "several-values":
            several |= issue.where
    unreadable = ~arrow.nonempty(digits)
    unreadable[arrow.TextColumn(digits).unlike_digits(_FEWEST_DIGITS, MOST_DIGITS)] = True
    return ReadPhones(digits, contact_keys(digits, FieldKind.PHONE), lacking, unreadable, several)


def _joined(parts: Sequence[ReadPhones]) -> ReadPhones:
    parts = parts or [read_phones([], None)]
    return ReadPhones(
        pa.concat_arrays([part.digits for part in parts]),
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("keys", "lacking", "unreadable", "several")
        ),
    )


def comparable(phones: pa.Array, *, coded: bool) -> np.ndarray:
    """Return phones as numbers without leading zeros (int64), to be compared with or without country code.

    `coded`: they begin with one, and what stands behind it counts. 0 for what is no phone, or too short.
    """
    shapes = arrow.TextColumn(phones)
    digits = shapes.filled.copy()
    digits[shapes.unlike_digits(_FEWEST_DIGITS, MOST_DIGITS)] = False
    texts = pc.if_else(pa.array(digits), phones, pa.scalar(None, arrow.TEXT))
    numbers, lengths = one_form(texts.cast(pa.int64()).fill_null(0).to_numpy(), shapes.lengths)
    found = national_numbers(numbers, lengths) if coded else numbers
    return np.where(found >= _TELLING, found, 0)


@dataclass(frozen=True, slots=True)
class _ListColumn:
    """A column of a list, as its header or its first cells show it."""

    name: str
    kind: FieldKind | None
    """What it holds; None: nothing calls it a column of contacts. Addresses and hashes count there, too."""
    hashed: bool = False
    """Whether it is one of hashes: what is none there may be somebody, too."""
    doubtful: bool = False
    """Whether it may hold phones, and nobody can tell them from other numbers."""


@dataclass(slots=True)
class _Reading:
    """A list while it is read."""

    phones: dict[tuple[str, str], tuple[list[str], list[int]]] = field(default_factory=dict)
    """Phones and their rows, by sheet and column: what one column proves of its phones holds for no other."""
    emails: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    """The names of those that hold entries."""
    doubtful: dict[str, None] = field(default_factory=dict)
    """The names of those that may hold phones and are not used."""
    unreadable: list[int] = field(default_factory=list)
    """Rows with something in a column of contacts that is none."""
    without_contact: list[int] = field(default_factory=list)
    """Rows that say something, and nothing that is a contact or should be one."""
    _sheets: dict[str, dict[str, _ListColumn]] = field(default_factory=dict)

    def add(self, sheet: str, rows: np.ndarray, cells: Mapping[str, pa.Array]) -> None:
        """Take the entries out of some rows. `cells`: by column."""
        begins = sheet not in self._sheets
        if begins:
            self._sheets[sheet], above = _columns(cells)
        known = self._sheets[sheet]
        filled, told = np.zeros((2, len(rows)), dtype=bool)
        for name, column in cells.items():
            about = known.get(name) or _ListColumn(name, None)
            left = arrow.nonempty(column)
            if begins:
                left[:above] = False
            before = self._entries
            hashed = left & are_hashes(column)
            self.hashes += column.filter(pa.array(hashed)).to_pylist()
            left &= ~hashed
            other = left & are_other_hashes(column)
            self.unreadable += rows[other].tolist()
            left &= ~other
            written = left & arrow.to_mask(pc.match_substring_regex(column, "[@＠]"))
            written &= ~arrow.to_mask(pc.match_substring_regex(column, _MESSENGER))
            none = self._add_emails((sheet, name), about, rows[written], column.filter(pa.array(written)))
            told |= hashed | other | (written & ~np.isin(rows, none))
            left &= ~where_nothing(_PHONE, column)
            filled |= left
            left &= ~written
            if about.kind is not None or about.hashed:
                like = left & resemble_hashes(column)
                self.unreadable += rows[like].tolist()
                told |= left
                left &= ~like
            if about.kind is FieldKind.PHONE:
                self._add_phones((sheet, name), rows[left], column.filter(pa.array(left)))
            elif about.kind is FieldKind.EMAIL or about.hashed:
                self.unreadable += rows[left].tolist()
            if self._entries > before:
                self.columns[about.name] = None
            if about.doubtful:
                self.doubtful[about.name] = None
        self.without_contact += rows[filled & ~told].tolist()

    @property
    def _entries(self) -> int:
        return len(self.hashes) + len(self.emails) + sum(len(texts) for texts, _ in self.phones.values())

    def _add_emails(
        self, place: tuple[str, str], about: _ListColumn, rows: np.ndarray, cells: pa.Array
    ) -> list[int]:
        """Return the rows in which an @ is part of no address, and of nothing that should be one."""
        none: list[int] = []
        for row, cell in zip(rows.tolist(), cells.to_pylist(), strict=True):
            several = addresses(cell)
            self.emails += several
            rest = [one for one in all_phones(emails.without_addresses(cell)) if _DIGITS_ENOUGH.search(one)]
            if several and rest:
                self._note_phones(place, row, rest)
            if not several:
                (none if about.kind is None else self.unreadable).append(row)
        return none

    def _add_phones(self, place: tuple[str, str], rows: np.ndarray, cells: pa.Array) -> None:
        for row, cell in zip(rows.tolist(), cells.to_pylist(), strict=True):
            self._note_phones(place, row, all_phones(cell))

    def _note_phones(self, place: tuple[str, str], row: int, several: Sequence[str]) -> None:
        texts, rows = self.phones.setdefault(place, ([], []))
        texts += several
        rows += [row] * len(several)


def _columns(cells: Mapping[str, pa.Array]) -> tuple[dict[str, _ListColumn], int]:
    """Tell the columns of a sheet by the cells of its first rows. Return them by name, and in how many rows
    at its beginning no entries stand: the header, and titles above it."""
    named, labels, above = _header(cells)
    kinds = {name: _named_kind(text) for name, text in labels.items()}
    known = {name for name, text in labels.items() if kinds[name] or meanings(text)}
    doubtful, hashed = set(), set()
    for name in cells:
        column = cells[name].slice(above if name in labels else 0)
        if is_hash_column(labels.get(name, ""), column.slice(0, _SAMPLED)):
            hashed.add(name)
        elif name in known:
            continue
        elif _share_of_phones(column, _AS_PEOPLE_WRITE.search if named else bool) >= _LIKE_PHONES:
            kinds[name] = _PHONE.kind
        elif _share_of_phones(column, _LONG_NUMBER.fullmatch) >= _LIKE_PHONES:
            doubtful.add(name)
    found = {
        name: _ListColumn(labels.get(name, name), kinds.get(name), name in hashed, name in doubtful)
        for name in cells
    }
    return found, above


def _header(cells: Mapping[str, pa.Array]) -> tuple[bool, dict[str, str], int]:
    """Return whether a header says which columns hold contacts, its texts by column, and how many rows it and
    what is above it take."""
    rows = min(_HEADER_ROWS, *(len(column) for column in cells.values())) if cells else 0
    for row in range(rows):
        texts = {name: str(column[row].as_py() or "") for name, column in cells.items()}
        labels = {name: text for name, text in texts.items() if _is_label(text)}
        if any(map(_named_kind, labels.values())):
            return True, labels, row + 1
        if any(text and name not in labels for name, text in texts.items()):
            break  # an entry
    texts = {name: str(column[0].as_py() or "") for name, column in cells.items()} if rows else {}
    labels = {name: text for name, text in texts.items() if _is_label(text)}
    return False, labels, int(len(labels) > 0)


def _is_label(text: str) -> bool:
    """Return whether the first cell of a column is its name, and no entry of the list."""
    entry = "@" in text or "＠" in text or is_hash(text) or looks_like_phone(text)
    return bool(text) and not entry and any(map(str.isalpha, text))


def _named_kind(label: str) -> FieldKind | None:
    fields = {one.name: one.kind for one in contracts.load("plat").fields}
    kinds = {fields.get(alias.field) for alias in meanings(label)}
    return next((kind for kind in (FieldKind.PHONE, FieldKind.EMAIL) if kind in kinds), None)


def _share_of_phones(column: pa.Array, wanted: Callable[[str], object] = bool) -> float:
    """The share of cells that look like a phone and are as `wanted`; one of them may be anything."""
    sample = column.filter(pa.array(arrow.nonempty(column))).slice(0, _SAMPLED).to_pylist()
    phones = sum(looks_like_phone(text) and bool(wanted(text)) for text in sample)
    return phones / max(len(sample) - 1, 1) if phones else 0.0
