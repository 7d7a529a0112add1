"""Read lists of people who must not be sent: their phones and e-mails, or the SHA-256 of these.

A list is a table as people have it, with a header or without. Which of its columns hold phones the header
says or, without one, the cells. Addresses and hashes count wherever they stand, and a cell may hold several.
Phones are read as those of the file to be imported are. What stands in a column of contacts and nobody can
read is counted, since it may be somebody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
from importer.errors import InputError
from importer.mapping import emails
from importer.mapping.headers import meanings
from importer.mapping.nothing import where_nothing
from importer.mapping.phone_texts import all_phones
from importer.mapping.phones import PhoneColumns, PhoneReader, looks_like_phone, prove
from importer.mapping.regions import national_numbers
from importer.mapping.schema import FieldRule
from importer.readers import ReadOptions, open_source
from importer.readers.base import ALL_SHEETS

_HASH = r"^[0-9a-fA-F]{64}$"
_MESSENGER = r"(?i)[0-9]@(s\.whatsapp\.net|c\.us)\W*$"
"""What stands behind a phone in WhatsApp's own lists."""
_PHONE = next(one for one in contracts.load("sea").fields if one.kind is FieldKind.PHONE)
_FEWEST_DIGITS = 5
_LIKE_PHONES = 0.8
"""The share of phones in a column that nothing calls one, from which on it is one."""
_SAMPLED = 1000
"""Cells that are looked at for it."""
_TELLING = 10**5
"""A number below says too little of whose phone it is, if nobody knows its country."""


class KeySet:
    """A set of int64 that whole columns are looked up in; a table of bits spares nearly all the search."""

    _BITS = 20

    def __init__(self, keys: np.ndarray) -> None:
        """Zeros stand for nothing, and are left out."""
        self._sorted = np.unique(keys[keys != 0])
        self._table = np.zeros(1 << self._BITS, dtype=bool)
        self._table[self._places(self._sorted)] = True

    def __len__(self) -> int:
        return int(self._sorted.size)

    def contains(self, keys: np.ndarray) -> np.ndarray:
        """Return for each key (int64) whether it is in the set."""
        found: np.ndarray = self._table[self._places(keys)]
        maybe = np.flatnonzero(found)
        if maybe.size:
            places = np.minimum(np.searchsorted(self._sorted, keys[maybe]), self._sorted.size - 1)
            found[maybe] = self._sorted[places] == keys[maybe]
        return found

    def _places(self, keys: np.ndarray) -> np.ndarray:
        spread = np.ascontiguousarray(keys).view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        places: np.ndarray = spread >> np.uint64(64 - self._BITS)
        return places


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
    phones: KeySet
    """By `contact_keys`."""
    behind_codes: KeySet
    """By `comparable`: what stands behind the country codes, for rows whose phone lacks its own."""
    without_code: KeySet
    """By `comparable`: phones of which nobody knows the country. A row's phone of any country may be one."""
    emails: KeySet
    """By `contact_keys`."""
    hashes: KeySet
    """The first eight bytes of each."""

    @property
    def entries(self) -> int:
        """How many different contacts it holds."""
        return len(self.phones) + len(self.emails) + len(self.hashes)


def read_list(file: str, region: str | None) -> SuppressionList:
    """Read a list. `region` is the country (ISO) of its phones without a country code, if that is known.

    Raises InputError: `suppression-empty` for a list without any entry, else why it cannot be read.
    """
    reading = _Reading()
    with open_source(file, ReadOptions(sheet=ALL_SHEETS, header_row="none")) as source:
        for chunk in source.chunks():
            rows = chunk.frame.index.to_numpy()
            cells = {name: arrow.trimmed(arrow.text_column(chunk, name)) for name in chunk.frame.columns}
            reading.add(chunk.sheet, rows, cells)
        sha256 = source.sha256
    phones = read_phones(reading.phones, region)
    lost = phones.unreadable
    unreadable = [*reading.unreadable, *np.array(reading.phone_rows, dtype=np.int64)[lost].tolist()]
    found = SuppressionList(
        name=Path(file).name,
        sha256=sha256,
        columns=tuple(reading.columns),
        unreadable=len(unreadable),
        first_unreadable=min(unreadable, default=0),
        phones=KeySet(phones.keys[~lost]),
        behind_codes=KeySet(comparable(phones.digits.filter(pa.array(~phones.lacking & ~lost)), coded=True)),
        without_code=KeySet(comparable(phones.digits.filter(pa.array(phones.lacking & ~lost)), coded=False)),
        emails=KeySet(contact_keys(arrow.array(reading.emails), FieldKind.EMAIL)),
        hashes=KeySet(first_bytes(bytes.fromhex(one) for one in reading.hashes)),
    )
    if not found.entries:
        raise InputError("suppression-empty", list=file)
    return found


def first_bytes(digests: Iterable[bytes]) -> np.ndarray:
    """Return the first eight bytes of each digest as int64."""
    return np.frombuffer(b"".join([digest[:8] for digest in digests]), dtype=np.int64)


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


def read_phones(texts: Sequence[str], region: str | None) -> ReadPhones:
    """Read phones as those of a file are read: as one column, of this country where they name none."""
    cells = arrow.trimmed(arrow.array(list(texts)))
    rule = FieldRule.model_validate({"from": "phone", **({"region": region} if region else {})})
    series = pd.Series(pd.arrays.ArrowStringArray(cells))
    digits, issues = PhoneReader(_PHONE, rule, lambda: prove(iter([series]))).read(cells, PhoneColumns())
    lacking = np.zeros(len(cells), dtype=bool)
    for issue in issues:
        if issue.left_out:
            digits = arrow.if_else(issue.where, "", digits)
        if issue.code == "no-country-code":
            lacking |= issue.where
    unreadable = ~arrow.nonempty(digits)
    unreadable[arrow.TextColumn(digits).unlike_digits(_FEWEST_DIGITS, MOST_DIGITS)] = True
    return ReadPhones(digits, contact_keys(digits, FieldKind.PHONE), lacking, unreadable)


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
    has_label: bool
    """Whether its first cell is its name."""


@dataclass(slots=True)
class _Reading:
    """A list while it is read."""

    phones: list[str] = field(default_factory=list)
    phone_rows: list[int] = field(default_factory=list)
    """The row of each phone."""
    emails: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    """The names of those that hold entries."""
    unreadable: list[int] = field(default_factory=list)
    """Rows with something in a column of contacts that is none."""
    _sheets: dict[str, dict[str, _ListColumn]] = field(default_factory=dict)

    def add(self, sheet: str, rows: np.ndarray, cells: Mapping[str, pa.Array]) -> None:
        """Take the entries out of some rows. `cells`: by column."""
        begins = sheet not in self._sheets
        known = self._sheets.setdefault(sheet, _columns(cells) if begins else {})
        for name, column in cells.items():
            about = known.get(name) or _ListColumn(name, None, has_label=False)
            left = arrow.nonempty(column)
            left[0] &= not (begins and about.has_label)
            before = len(self.hashes) + len(self.emails) + len(self.phones)
            hashed = left & arrow.to_mask(pc.match_substring_regex(column, _HASH))
            self.hashes += column.filter(pa.array(hashed)).to_pylist()
            left &= ~hashed
            written = left & arrow.to_mask(pc.match_substring_regex(column, "[@＠]"))
            written &= ~arrow.to_mask(pc.match_substring_regex(column, _MESSENGER))
            self._add_emails(about, rows[written], column.filter(pa.array(written)))
            left &= ~written & ~where_nothing(_PHONE, column)
            if about.kind is FieldKind.PHONE:
                self._add_phones(rows[left], column.filter(pa.array(left)))
            elif about.kind is FieldKind.EMAIL:
                self.unreadable += rows[left].tolist()
            if len(self.hashes) + len(self.emails) + len(self.phones) > before:
                self.columns[about.name] = None

    def _add_emails(self, about: _ListColumn, rows: np.ndarray, cells: pa.Array) -> None:
        for row, cell in zip(rows.tolist(), cells.to_pylist(), strict=True):
            several = addresses(cell)
            self.emails += several
            if not several and about.kind is not None:
                self.unreadable.append(row)

    def _add_phones(self, rows: np.ndarray, cells: pa.Array) -> None:
        for row, cell in zip(rows.tolist(), cells.to_pylist(), strict=True):
            several = all_phones(cell)
            self.phones += several
            self.phone_rows += [row] * len(several)


def _columns(cells: Mapping[str, pa.Array]) -> dict[str, _ListColumn]:
    """Tell the columns of a sheet by the cells of its first rows."""
    first = {name: str(column[0].as_py()) for name, column in cells.items()}
    labels = {name: text for name, text in first.items() if _is_label(text)}
    kinds = {name: _named_kind(text) for name, text in labels.items()}
    if not any(kinds.values()):
        known = {name for name, text in labels.items() if meanings(text)}
        kinds = {name: _PHONE.kind for name in cells.keys() - known if _like_phones(cells[name])}
    return {
        name: _ListColumn(labels.get(name, name), kinds.get(name), has_label=name in labels) for name in cells
    }


def _is_label(text: str) -> bool:
    """Return whether the first cell of a column is its name, and no entry of the list."""
    entry = "@" in text or "＠" in text or re.fullmatch(_HASH, text) or looks_like_phone(text)
    return bool(text) and not entry and any(map(str.isalpha, text))


def _named_kind(label: str) -> FieldKind | None:
    fields = {one.name: one.kind for one in contracts.load("plat").fields}
    kinds = {fields.get(alias.field) for alias in meanings(label)}
    return next((kind for kind in (FieldKind.PHONE, FieldKind.EMAIL) if kind in kinds), None)


def _like_phones(column: pa.Array) -> bool:
    sample = column.filter(pa.array(arrow.nonempty(column))).slice(0, _SAMPLED).to_pylist()
    phones = sum(looks_like_phone(text) for text in sample)
    return phones > 0 and phones >= _LIKE_PHONES * (len(sample) - 1)
