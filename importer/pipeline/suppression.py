"""Leave out people who must not be sent: rows with a contact that a list of these people holds.

Whole columns are compared, by the keys of contacts. A phone without a country code, in a row or on a list, is
compared with what stands behind the code of others: it may be the same. Hashes are as ad platforms exchange
them: of the digits, of the digits behind a +, and of the trimmed e-mail in lower case.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from importer import arrow
from importer.contact_keys import contact_keys, forms
from importer.contracts import Contract, Field, FieldKind
from importer.dataclass import dataclass
from importer.mapping import MappingFile
from importer.mapping.phone_texts import all_phones
from importer.mapping.regions import require_region
from importer.messages import sentence
from importer.models import Issues, MappedChunk, Note, Outcome, Status
from importer.options import RunOptions
from importer.pipeline.suppression_lists import (
    SuppressionList,
    addresses,
    comparable,
    first_bytes,
    read_list,
    read_phones,
)
from importer.reports.run_info import SuppressionUse
from importer.reports.tally import ReasonGroup

SUPPRESSED = "suppressed"
"""The code of a row that is left out."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """All lists of a run."""

    lists: tuple[SuppressionList, ...]
    region: str | None = None
    """The country (ISO) of phones without a country code, if the run says it."""
    lang: str = "en"

    def outcomes(self, mapped: MappedChunk, contract: Contract, already: np.ndarray) -> list[Outcome]:
        """Return the outcomes of the rows that are left out: each names the first list that has it.

        `already`: bool for each row, true where a row has its outcome.
        """
        rows, left, found = mapped.frame.index.to_numpy(), ~already, []
        contacts = _RowContacts(mapped, contract, self.region)
        for one in self.lists:
            hit = left & contacts.listed(one)
            if hit.any():
                left &= ~hit
                those = tuple(rows[hit].tolist())
                why = self._message(one)
                found.append(Outcome(mapped.sheet, those, Status.SKIPPED, code=SUPPRESSED, message=why))
        return found

    def used(self, reasons: Iterable[ReasonGroup]) -> tuple[SuppressionUse, ...]:
        """Return what each list holds, and how many rows it left out. `reasons`: the outcomes of the run."""
        rows: Counter[str] = Counter()
        for group in reasons:
            if group.code == SUPPRESSED:
                rows[group.message] += group.rows
        return tuple(
            SuppressionUse(
                one.name,
                one.sha256,
                one.columns,
                phones=len(one.phones),
                emails=len(one.emails),
                hashes=len(one.hashes),
                unreadable=one.unreadable,
                rows=rows[self._message(one)],
            )
            for one in self.lists
        )

    def doubts(self) -> tuple[Note, ...]:
        """Return what to say of lists with cells that could not be read."""
        return tuple(
            Note(
                "suppression-unreadable",
                (("list", one.name), ("cells", one.unreadable), ("row", one.first_unreadable)),
            )
            for one in self.lists
            if one.unreadable
        )

    def _message(self, one: SuppressionList) -> str:
        return sentence(SUPPRESSED, {"list": one.name}, self.lang)


def read_suppression(options: RunOptions, mapping: MappingFile) -> Suppression | None:
    """Read the lists of a run, as they are now; None if it has none.

    The options, else the mapping, say of which country phones without a country code are. Raises InputError.
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
    lists = (replace(read_list(file, region), name=name) for file, name in zip(files, called, strict=True))
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

    def __init__(self, mapped: MappedChunk, contract: Contract, region: str | None) -> None:
        self._mapped = mapped
        self._region = region
        self._rows = mapped.frame.index.to_numpy()
        self._fields = [
            contract.field(name) for name in contract.contact_fields if name in mapped.frame.columns
        ]
        self._keys: dict[str, np.ndarray] = {}
        self._numbers: dict[tuple[str, bool], np.ndarray] = {}
        self._hashes: list[tuple[np.ndarray, np.ndarray]] = []

    def listed(self, one: SuppressionList) -> np.ndarray:
        """Return for each row whether the list has one of its contacts."""
        found = np.zeros(len(self._rows), dtype=bool)
        for field in self._fields:
            if field.kind is FieldKind.EMAIL:
                found |= one.emails.contains(self._keys_of(field))
            else:
                found |= one.phones.contains(self._keys_of(field)) | self._maybe_listed(field, one)
        if len(one.hashes):
            for places, hashes in self._hashed():
                found[places[one.hashes.contains(hashes)]] = True
        for row in self._beside(one):
            found |= self._rows == row
        return found

    def _maybe_listed(self, field: Field, one: SuppressionList) -> np.ndarray:
        """Return for each row whether its phone is listed if what lacks a country code is taken for any."""
        found = np.zeros(len(self._rows), dtype=bool)
        if len(one.without_code):
            found |= one.without_code.contains(self._numbers_of(field, coded=True))
        lacking = np.isin(self._rows, self._flagged("no-country-code", field))
        if lacking.any():
            numbers = self._numbers_of(field, coded=False)
            found |= lacking & (one.behind_codes.contains(numbers) | one.without_code.contains(numbers))
        return found

    def _texts(self, field: Field) -> pa.Array:
        return arrow.text_column(self._mapped, field.name)

    def _keys_of(self, field: Field) -> np.ndarray:
        if field.name not in self._keys:
            self._keys[field.name] = contact_keys(self._texts(field), field.kind)
        return self._keys[field.name]

    def _numbers_of(self, field: Field, *, coded: bool) -> np.ndarray:
        wanted = (field.name, coded)
        if wanted not in self._numbers:
            self._numbers[wanted] = comparable(self._texts(field), coded=coded)
        return self._numbers[wanted]

    def _hashed(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the places of rows, and the hashes of one contact of each, for every way to write it."""
        for field in self._fields if not self._hashes else ():
            texts = self._texts(field)
            places = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
            for part, written in _ways(places, texts.drop_null().to_pylist(), field.kind):
                self._hashes.append((part, hashes_of(written)))
        return self._hashes

    def _flagged(self, code: str, field: Field) -> np.ndarray:
        parts = Issues.parts_of(self._mapped.issues)
        return Issues.rows_of(part for part in parts if part.code == code and part.field == field.name)

    def _beside(self, one: SuppressionList) -> Iterator[int]:
        """Yield rows whose cell holds several contacts, of which the list has one that is not sent."""
        kinds = {field.name: field.kind for field in self._fields}
        for issue in Issues(
            part
            for part in Issues.parts_of(self._mapped.issues)
            if part.code == "several-values" and part.field in kinds
        ):
            if _has_any(one, issue.found or "", kinds[issue.field or ""], self._region):
                yield issue.row


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
        yield places, [text.strip().lower() for text in texts]
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


def hashes_of(texts: Sequence[str]) -> np.ndarray:
    """Return the first eight bytes of the SHA-256 of each text, as int64."""
    sha256 = hashlib.sha256
    return first_bytes(sha256(text.encode()).digest() for text in texts)
