"""Check mapped chunks against the documented limits, whole columns at once, and return the issues.

Every rule comes from the contract (docs/remote-api.md, “Contracts of batch_create”). What the API does not
check, the form of e-mails and of phones in `sea`, is a warning.
"""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import ByteSet, TextColumn
from importer.contracts import Contract, Field, FieldKind
from importer.models import Issues, MappedChunk, RepeatedIssue, Severity
from importer.patterns import late_pattern

PHONE_DIGITS = (5, 15)
"""The fewest and the most digits of a phone. E.164 allows 15; service numbers of less than 5 cannot receive a
message from abroad."""

NO_CONTACT = "no-contact"
"""The code of a row without anything to recognise its customer by."""

LOSSY = r"^[+-]?\d+([.,]\d+)?[eE][+-]?\d+$"
"""A number in scientific notation, which lacks digits."""
_DIGITS = r"^\d+$"
_TWO_UNITS = r"[\x{10000}-\x{10ffff}]"
"""What counts once in code points and twice in UTF-16, as a server in Java may count: emoji, rare Han."""
_NOT_IN_EMAIL = b" \t\n\f\r,;"
_PLUS = ByteSet(b"+")
_NOT_BINARY = ByteSet(bytes(set(range(256)) - set(b"01")))
_OFFSET = late_pattern(r"(GMT|UTC)([+-](0?[0-9]|1[0-4])(:?[0-5][0-9])?)?")


def validate(mapped: MappedChunk, contract: Contract) -> Issues:
    """Return all issues that the contract's rules find in a chunk.

    A row gets an issue for each of its problems, not only for the first. Issues are sorted by field in the
    contract's order, the issues of each rule by row. Rows without any contact come last.
    """
    issues: list[RepeatedIssue] = []
    for field in contract.fields:
        if field.name in mapped.frame.columns:
            check = _Column(mapped, field)
            issues += check.required()
            issues += check.too_long()
            rule = _RULES.get(field.kind)
            if rule is not None:
                issues += rule(check)
        elif field.required:
            issues += _absent(mapped, field)
    issues += _no_contact(mapped, contract)
    return Issues(issues)


class _Column:
    """One field's column, and what all rules need of it."""

    def __init__(self, mapped: MappedChunk, field: Field) -> None:
        self.field = field
        self.sheet = mapped.sheet
        self.column = mapped.columns.get(field.name, field.name)
        self.values = arrow.text_column(mapped, field.name)
        self.texts = TextColumn(self.values)
        self.rows: np.ndarray = mapped.frame.index.to_numpy()

    def issues(
        self,
        code: str,
        severity: Severity,
        positions: np.ndarray,
        limit: int | None = None,
        lengths: np.ndarray | None = None,
        wording: str | None = None,
    ) -> list[RepeatedIssue]:
        """Return the issue of the rows at these positions, if any; `lengths` are those of the texts in
        characters, `wording` is the code of a message that fits better."""
        if not positions.size:
            return []
        cells = self.values.take(pa.array(positions))
        return [
            RepeatedIssue(
                *(code, severity, self.rows[positions], self.sheet, self.column, self.field.name),
                cells=cells,
                limit=limit,
                lengths=lengths,
                wording=wording,
            )
        ]

    def distinct_where(self, wrong: Callable[[str], bool]) -> np.ndarray:
        """Return the positions of filled cells that are wrong; each distinct text is checked once."""
        encoded = self.values.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        verdicts = np.array([bool(text) and wrong(text) for text in texts], dtype=bool)
        if not verdicts.any():
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(verdicts[encoded.indices.fill_null(0).to_numpy()] & self.texts.filled)

    def required(self) -> list[RepeatedIssue]:
        """Return the issues of empty cells, if the field is required."""
        if not self.field.required or self.texts.filled.all():
            return []
        return self.issues("required", Severity.ERROR, np.flatnonzero(~self.texts.filled))

    def too_long(self) -> list[RepeatedIssue]:
        """Return the issues of texts with more characters than the contract allows."""
        limit = self.field.max_length
        if limit is None:
            return []
        # No text has more characters than bytes.
        positions = self.texts.longer_than(limit)
        if not positions.size:
            return []
        texts = self.values.take(pa.array(positions))
        lengths = pc.utf8_length(texts).to_numpy()
        units = lengths + pc.count_substring_regex(texts, _TWO_UNITS).to_numpy()
        far = lengths > limit
        doubtful = ~far & (units > limit)
        return [
            *self.issues("too-long", Severity.ERROR, positions[far], limit, lengths[far]),
            *self.issues("maybe-too-long", Severity.WARNING, positions[doubtful], limit, units[doubtful]),
        ]


def _phone(check: _Column) -> Iterator[RepeatedIssue]:
    odd = check.texts.unlike_digits(*PHONE_DIGITS)
    if not odd.size:
        return
    texts = check.values.take(pa.array(odd))
    lossy = pc.match_substring_regex(texts, LOSSY).to_numpy(zero_copy_only=False)
    digits = pc.match_substring_regex(texts, _DIGITS).to_numpy(zero_copy_only=False)
    yield from check.issues("lossy-number", Severity.ERROR, odd[lossy])
    refused = ~lossy & ~digits & check.field.digits_only
    if check.field.kind is FieldKind.DIGITS:
        yield from check.issues("not-digits", Severity.ERROR, odd[refused])
    else:
        yield from check.issues("bad-phone", Severity.ERROR, odd[refused])
        sent = odd[~lossy & ~refused]
        yield from check.issues("bad-phone", Severity.WARNING, sent, wording="phone-sent-as-found")


def _text(check: _Column) -> Iterator[RepeatedIssue]:
    """Warn of numbers that have lost digits."""
    some = check.texts.with_bytes(_PLUS)
    if some.size:
        lossy = pc.match_substring_regex(check.values.take(pa.array(some)), LOSSY)
        yield from check.issues("lossy-number", Severity.WARNING, some[lossy.to_numpy(zero_copy_only=False)])


def _email(check: _Column) -> Iterator[RepeatedIssue]:
    yield from check.issues("bad-email", Severity.WARNING, check.texts.unlike_email(_NOT_IN_EMAIL))


def _date(check: _Column) -> Iterator[RepeatedIssue]:
    yield from check.issues("bad-date", Severity.ERROR, check.texts.unlike_days())


def _gender(check: _Column) -> Iterator[RepeatedIssue]:
    odd = np.union1d(check.texts.longer_than(1), check.texts.with_bytes(_NOT_BINARY))
    yield from check.issues("bad-gender", Severity.ERROR, odd)


def _json(check: _Column) -> Iterator[RepeatedIssue]:
    yield from check.issues(
        "bad-json", Severity.ERROR, check.distinct_where(lambda text: not _is_json_object(text))
    )


def _time_zone(check: _Column) -> Iterator[RepeatedIssue]:
    wrong = check.distinct_where(lambda text: not _is_zone(text))
    yield from check.issues("unknown-time-zone", Severity.WARNING, wrong)


_RULES: dict[FieldKind, Callable[[_Column], Iterator[RepeatedIssue]]] = {
    FieldKind.TEXT: _text,
    FieldKind.PHONE: _phone,
    FieldKind.DIGITS: _phone,
    FieldKind.EMAIL: _email,
    FieldKind.DATE: _date,
    FieldKind.GENDER: _gender,
    FieldKind.JSON: _json,
    FieldKind.TIME_ZONE: _time_zone,
}


def _absent(mapped: MappedChunk, field: Field) -> Iterator[RepeatedIssue]:
    """Yield the issue of every row: no column feeds this required field."""
    rows = mapped.frame.index.to_numpy()
    cells = arrow.constant("", len(rows))
    yield RepeatedIssue("required", Severity.ERROR, rows, mapped.sheet, field.name, field.name, cells)


def filled_contacts(mapped: MappedChunk, contract: Contract) -> np.ndarray:
    """Return for each row whether it has something to recognise its customer by: bool."""
    found = np.zeros(len(mapped.frame), dtype=bool)
    for name in contract.contact_fields:
        if name in mapped.frame.columns:
            found |= TextColumn(arrow.text_column(mapped, name)).filled
    return found


def _no_contact(mapped: MappedChunk, contract: Contract) -> Iterator[RepeatedIssue]:
    without = ~filled_contacts(mapped, contract)
    if without.any():
        rows = mapped.frame.index.to_numpy()[without]
        yield RepeatedIssue(NO_CONTACT, Severity.WARNING, rows, mapped.sheet)


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_no_constant), dict)
    except (ValueError, RecursionError):
        return False


def _no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads but JSON does not have."""
    raise ValueError(name)


@lru_cache(maxsize=4096)
def _is_zone(text: str) -> bool:
    if _OFFSET.fullmatch(text):
        return True
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True
