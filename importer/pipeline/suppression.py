"""Leave out people who must not be sent: rows with a contact that a list of these people holds.

Whole columns are compared, by the keys of contacts. A phone without a country code, in a row or on a list, is
compared with what stands behind the code of others: it may be the same. Hashes are as ad platforms exchange
them: of the digits, of the digits behind a +, and of the trimmed e-mail in lower case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from importer import arrow
from importer.contact_keys import contact_keys, forms, mailboxes
from importer.contracts import Contract, Field, FieldKind
from importer.dataclass import dataclass
from importer.errors import ListError
from importer.mapping import MappingFile, emails
from importer.mapping.phone_texts import all_phones
from importer.mapping.regions import require_region
from importer.messages import LANGUAGES, sentence
from importer.models import Issues, MappedChunk, Note, Outcome, Status
from importer.options import RunOptions
from importer.pipeline.contact_hashes import hashes_of
from importer.pipeline.row_history import SUPPRESSED
from importer.pipeline.suppression_lists import (
    SuppressionList,
    addresses,
    comparable,
    read_list,
    read_phones,
)
from importer.reports.run_info import SuppressionUse
from importer.reports.tally import ReasonGroup

_LACKING, _SEVERAL = "no-country-code", "several-values"
_TELLING = (_LACKING, _SEVERAL)
_NAMED = 5
"""Rows of a list that are named where some of its entries cannot be used."""
_PHONES_BY_ANOTHER_NAME = ("zalo",)
"""Accounts that are phones: no contacts of the API, but people's. They are sent as they stand, and compared
as phones are read, too."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """All lists of a run."""

    lists: tuple[SuppressionList, ...]
    region: str | None = None
    """The country (ISO) of phones without a country code, if the run says it."""
    lang: str = "en"

    def outcomes(
        self,
        mapped: MappedChunk,
        contract: Contract,
        already: np.ndarray,
        beside: Mapping[str, Sequence[pa.Array]] | None = None,
    ) -> list[Outcome]:
        """Return the outcomes of the rows that are left out: each names the first list that has it.

        `already`: bool for each row, true where a row has its outcome. `beside`: by field all columns of the
        file of which it takes the first that is filled.
        """
        rows, left, found = mapped.frame.index.to_numpy(), ~already, []
        contacts = _RowContacts(mapped, contract, self.region, beside or {})
        for one in self.lists:
            hit = left & contacts.listed(one)
            if hit.any():
                left &= ~hit
                those = tuple(rows[hit].tolist())
                why = self._message(one)
                found.append(Outcome(mapped.sheet, those, Status.SKIPPED, code=SUPPRESSED, message=why))
        return found

    def sayings(self) -> dict[str, set[str]]:
        """Return by the sha256 of each list what may be said of a row that it left out."""
        return {one.sha256: _sayings(one) for one in self.lists}

    def used(self, reasons: Iterable[ReasonGroup]) -> tuple[SuppressionUse, ...]:
        """Return what each list holds, and how many rows it left out. `reasons`: the outcomes of the run."""
        rows: Counter[str] = Counter()
        for group in reasons:
            if group.code == SUPPRESSED:
                rows.update(group.by_message)
        return tuple(
            SuppressionUse(
                one.name,
                one.sha256,
                one.columns,
                phones=one.listed,
                emails=len(one.emails),
                hashes=len(one.hashes),
                unreadable=one.unreadable,
                without_contact=len(one.without_contact),
                rows=sum(rows[said] for said in _sayings(one)),
            )
            for one in self.lists
        )

    def doubts(self) -> tuple[Note, ...]:
        """Return what to say of lists with entries or cells that cannot be compared, or columns not used."""
        unused = [
            Note("suppression-columns", (("list", one.name), ("columns", ", ".join(one.doubtful))))
            for one in self.lists
            if one.doubtful
        ]
        silent = [
            Note(
                "suppression-no-contact",
                (
                    ("list", one.name),
                    ("entries", len(one.without_contact)),
                    ("rows", ", ".join(map(str, one.without_contact[:_NAMED]))),
                ),
            )
            for one in self.lists
            if one.without_contact
        ]
        unreadable = [
            Note(
                "suppression-unreadable",
                (("list", one.name), ("cells", one.unreadable), ("row", one.first_unreadable)),
            )
            for one in self.lists
            if one.unreadable
        ]
        return (*unused, *silent, *unreadable)

    def check(self) -> None:
        """Raise ListError `suppression-changed` if a list is not the file any more that was read."""
        for one in self.lists:
            if not one.is_as_it_was:
                raise ListError("suppression-changed", list=one.name)

    def _message(self, one: SuppressionList) -> str:
        return sentence(SUPPRESSED, {"list": one.name}, self.lang)


def _sayings(one: SuppressionList) -> set[str]:
    """Return what may be said of a row that a list left out: a run that is resumed may have begun in another
    language, or with other lists beside it, and so have called this one by its path or by its name."""
    names = (one.name, one.path.name, str(one.path))
    return {sentence(SUPPRESSED, {"list": name}, lang) for name in names for lang in LANGUAGES}


def read_suppression(options: RunOptions, mapping: MappingFile) -> Suppression | None:
    """Read the lists of a run, as they are now; None if it has none.

    The options, else the mapping, say of which country phones without a country code are. Raises ListError.
    """
    files = options.suppress
    if not files:
        return None
    named = {rule.default_region for rule in mapping.fields.values()} - {None}
    region = named.pop() if len(named) == 1 else None
    if options.country:
        region = require_region(options.country)
    names = Counter(Path(file).name for file in files)
    called = [file if names[Path(file).name] > 1 else Path(file).name for file in files]
    lists = (
        replace(read_list(file, region, options.encoding), name=name)
        for file, name in zip(files, called, strict=True)
    )
    return Suppression(tuple(lists), region, options.lang)


def unanswered_as_unknown(
    outcomes: Sequence[Outcome], unanswered: Callable[[str, np.ndarray], np.ndarray]
) -> list[Outcome]:
    """Return the outcomes, with rows that are left out as `unknown` where a request with them went out before
    and nobody answered: the CRM may have them."""
    found: list[Outcome] = []
    for outcome in outcomes:
        rows = np.asarray(outcome.rows, dtype=np.int64)
        sent = unanswered(outcome.sheet, rows) if outcome.code == SUPPRESSED else np.zeros(rows.size, bool)
        for status, those in ((outcome.status, rows[~sent]), (Status.UNKNOWN, rows[sent])):
            if those.size:
                found.append(replace(outcome, rows=tuple(those.tolist()), status=status))
    return found


class _RowContacts:
    """The contacts of a chunk's rows, made ready as far as a list asks for them."""

    def __init__(
        self,
        mapped: MappedChunk,
        contract: Contract,
        region: str | None,
        beside: Mapping[str, Sequence[pa.Array]],
    ) -> None:
        self._region = region
        rows = mapped.frame.index.to_numpy()
        names = (*contract.contact_fields, *_PHONES_BY_ANOTHER_NAME)
        fields = [contract.field(name) for name in names if name in mapped.frame.columns]
        parts = [part for part in Issues.parts_of(mapped.issues) if part.code in _TELLING]
        self._columns: list[_ContactColumn] = []
        for field in fields:
            mine = [part for part in parts if part.field == field.name]
            lacking = np.isin(rows, Issues.rows_of(part for part in mine if part.code == _LACKING))
            several = [
                (int(np.searchsorted(rows, issue.row)), issue.found or "")
                for issue in Issues(part for part in mine if part.code == _SEVERAL)
            ]
            texts = arrow.text_column(mapped, field.name)
            self._columns.append(_ContactColumn(texts, _kind(field), lacking, several))
            if field.name in _PHONES_BY_ANOTHER_NAME:
                self._columns.append(_read_column(texts, _kind(field), region))
            for cells in _more_than_one(beside.get(field.name, ())):
                self._columns.append(_read_column(cells, _kind(field), region))
        self._rows = len(rows)

    def listed(self, one: SuppressionList) -> np.ndarray:
        """Return for each row whether the list has one of its contacts."""
        found = np.zeros(self._rows, dtype=bool)
        for column in self._columns:
            found |= column.listed(one)
            if len(one.hashes):
                for places, hashes in column.hashes:
                    found[places[one.hashes.contains(hashes)]] = True
            for place, cell in column.several:
                if not found[place]:
                    found[place] = _has_any(one, cell, column.kind, self._region)
        return found


class _ContactColumn:
    """A column of contacts, one a row."""

    def __init__(
        self, texts: pa.Array, kind: FieldKind, lacking: np.ndarray, several: list[tuple[int, str]]
    ) -> None:
        """`lacking`: a mask of phones that lack their country code. `several`: cells with more contacts than
        the one in `texts`, and their places."""
        self.kind = kind
        self.several = several
        self._texts = texts
        self._lacking = lacking

    def listed(self, one: SuppressionList) -> np.ndarray:
        """Return for each row whether the list has its contact, other than as a hash.

        What lacks a country code, here or there, is taken for any country's.
        """
        if self.kind is FieldKind.EMAIL:
            return one.emails.contains(self._keys)
        found = one.phones.contains(self._keys)
        if len(one.without_code):
            found |= one.without_code.contains(self._behind_codes)
        if self._lacking.any():
            bare = self._bare
            found |= self._lacking & (one.behind_codes.contains(bare) | one.without_code.contains(bare))
        return found

    @cached_property
    def hashes(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The places of rows, and the hashes of one contact of each, for every way to write it."""
        filled = arrow.nonempty(self._texts)
        texts = self._texts.filter(pa.array(filled)).to_pylist()
        ways = _ways(np.flatnonzero(filled), texts, self.kind)
        return [(places, hashes_of(written)) for places, written in ways]

    @cached_property
    def _keys(self) -> np.ndarray:
        return contact_keys(self._texts, self.kind)

    @cached_property
    def _behind_codes(self) -> np.ndarray:
        return comparable(self._texts, coded=True)

    @cached_property
    def _bare(self) -> np.ndarray:
        return comparable(self._texts, coded=False)


def _kind(field: Field) -> FieldKind:
    return FieldKind.PHONE if field.name in _PHONES_BY_ANOTHER_NAME else field.kind


def _more_than_one(columns: Sequence[pa.Array]) -> Sequence[pa.Array]:
    """Return the columns with what stands in rows where more than one of them is filled; none without any."""
    if len(columns) < 2:
        return ()
    rows = np.sum([arrow.nonempty(column) for column in columns], axis=0) > 1
    return [arrow.if_else(rows, column, "") for column in columns] if rows.any() else ()


def _read_column(cells: pa.Array, kind: FieldKind, region: str | None) -> _ContactColumn:
    """Read a column of the file that feeds a field only where others are empty."""
    if kind is FieldKind.EMAIL:
        texts, issues = emails.read(arrow.trimmed(cells))
        masks = [issue.where for issue in issues if issue.code == _SEVERAL]
        several = np.logical_or.reduce(masks) if masks else np.zeros(len(cells), dtype=bool)
        lacking = np.zeros(len(cells), dtype=bool)
    else:
        phones = read_phones(cells, region)
        texts, several, lacking = phones.digits, phones.several, phones.lacking
    places = np.flatnonzero(several).tolist()
    return _ContactColumn(texts, kind, lacking, [(place, str(cells[place].as_py())) for place in places])


def _has_any(one: SuppressionList, cell: str, kind: FieldKind, region: str | None) -> bool:
    """Whether a list has any of the contacts in a cell."""
    if kind is FieldKind.EMAIL:
        texts = addresses(cell)
        keys = contact_keys(arrow.array(texts), kind)
        return bool(one.emails.contains(keys).any()) or _has_hash(one, texts, kind)
    phones = read_phones(all_phones(cell), region)
    found = one.phones.contains(phones.keys)
    found |= one.without_code.contains(comparable(phones.digits, coded=True))
    bare = comparable(phones.digits, coded=False)
    found |= phones.lacking & (one.behind_codes.contains(bare) | one.without_code.contains(bare))
    return bool(found.any()) or _has_hash(one, phones.digits.to_pylist(), kind)


def _has_hash(one: SuppressionList, texts: Sequence[str], kind: FieldKind) -> bool:
    ways = _ways(np.arange(len(texts)), texts, kind) if len(one.hashes) else ()
    return any(one.hashes.contains(hashes_of(written)).any() for _, written in ways)


def _ways(
    places: np.ndarray, texts: Sequence[str], kind: FieldKind
) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Yield contacts in each way in which they are hashed, with their places."""
    if kind is FieldKind.EMAIL:
        lower = [text.strip().lower() for text in texts]
        yield places, lower
        compared = mailboxes(arrow.array(lower)).to_pylist()
        odd = [place for place, text in enumerate(lower) if compared[place] != text]
        if odd:
            yield places[odd], [compared[place] for place in odd]
        return
    yield places, list(texts)
    yield places, ["+" + text for text in texts]
    others = [
        (place, form) for place, text in zip(places.tolist(), texts, strict=True) for form in forms(text)[1:]
    ]
    if others:
        again = np.array([place for place, _ in others], dtype=np.int64)
        yield again, [form for _, form in others]
        yield again, ["+" + form for _, form in others]
