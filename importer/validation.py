"""The documented limits, checked on whole columns: mapped chunks in, issues out.

Every rule comes from the contract (API.md, “Contracts of batch_create”); what the API does not check (the
form of e-mails and phones in `sea`) is a warning.
"""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import TextColumn, byte_table
from importer.contracts import Contract, Field, FieldKind
from importer.models import Issue, MappedChunk, Severity

PHONE_DIGITS = (5, 15)
"""E.164 allows 15 digits; service numbers shorter than 5 cannot receive a message from abroad."""

_LOSSY = r"^[+-]?\d+([.,]\d+)?[eE][+-]?\d+$"
_DIGITS = r"^\d+$"
_NOT_IN_EMAIL = b" \t\n\f\r,;"
_OFFSET = re.compile(r"(GMT|UTC)([+-](0?[0-9]|1[0-4])(:?[0-5][0-9])?)?")


def validate(mapped: MappedChunk, contract: Contract) -> tuple[Issue, ...]:
    """All issues that the contract's rules find in a chunk: every problem of a row, not only its first.

    Sorted by field in the contract's order, then by row.
    """
    issues: list[Issue] = []
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
    return tuple(issues)


class _Column:
    """One field's column, with what its rules share."""

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
        lengths: Iterable[int | None] = repeat(None),
    ) -> list[Issue]:
        """One issue for each position; `lengths` go with them."""
        if not positions.size:
            return []
        rows, texts = self.rows[positions].tolist(), self.values.take(pa.array(positions)).to_pylist()
        return [
            Issue(code, severity, row, self.sheet, self.column, self.field.name, text, limit, length)
            for row, text, length in zip(rows, texts, lengths, strict=False)
        ]

    def distinct_where(self, wrong: Callable[[str], bool]) -> np.ndarray:
        """Positions of filled cells for which `wrong(text)`; asked once for each distinct text."""
        encoded = self.values.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        verdicts = np.array([bool(text) and wrong(text) for text in texts], dtype=bool)
        if not verdicts.any():
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(verdicts[encoded.indices.fill_null(0).to_numpy()] & self.texts.filled)

    def required(self) -> list[Issue]:
        if not self.field.required or self.texts.filled.all():
            return []
        return self.issues("required", Severity.ERROR, np.flatnonzero(~self.texts.filled))

    def too_long(self) -> list[Issue]:
        limit = self.field.max_length
        if limit is None:
            return []
        # No text has more characters than bytes.
        positions = self.texts.longer_than(limit)
        lengths = pc.utf8_length(self.values.take(pa.array(positions))).to_numpy()
        far = lengths > limit
        return self.issues("too-long", Severity.ERROR, positions[far], limit, lengths[far].tolist())


def _phone(check: _Column) -> Iterator[Issue]:
    odd = check.texts.unlike_digits(*PHONE_DIGITS)
    if not odd.size:
        return
    texts = check.values.take(pa.array(odd))
    lossy = pc.match_substring_regex(texts, _LOSSY).to_numpy(zero_copy_only=False)
    digits = pc.match_substring_regex(texts, _DIGITS).to_numpy(zero_copy_only=False)
    yield from check.issues("lossy-number", Severity.ERROR, odd[lossy])
    refused = ~lossy & ~digits & check.field.digits_only
    yield from check.issues("bad-phone", Severity.ERROR, odd[refused])
    if check.field.kind is FieldKind.PHONE:
        yield from check.issues("bad-phone", Severity.WARNING, odd[~lossy & ~refused])


def _email(check: _Column) -> Iterator[Issue]:
    yield from check.issues("bad-email", Severity.WARNING, check.texts.unlike_email(_NOT_IN_EMAIL))


def _date(check: _Column) -> Iterator[Issue]:
    yield from check.issues("bad-date", Severity.ERROR, check.texts.unlike_days())


def _gender(check: _Column) -> Iterator[Issue]:
    odd = np.union1d(check.texts.longer_than(1), check.texts.with_bytes(~byte_table(b"01")))
    yield from check.issues("bad-gender", Severity.ERROR, odd)


def _json(check: _Column) -> Iterator[Issue]:
    yield from check.issues(
        "bad-json", Severity.ERROR, check.distinct_where(lambda text: not _is_json_object(text))
    )


def _time_zone(check: _Column) -> Iterator[Issue]:
    wrong = check.distinct_where(lambda text: not _is_zone(text))
    yield from check.issues("unknown-time-zone", Severity.WARNING, wrong)


_RULES: dict[FieldKind, Callable[[_Column], Iterator[Issue]]] = {
    FieldKind.PHONE: _phone,
    FieldKind.DIGITS: _phone,
    FieldKind.EMAIL: _email,
    FieldKind.DATE: _date,
    FieldKind.GENDER: _gender,
    FieldKind.JSON: _json,
    FieldKind.TIME_ZONE: _time_zone,
}


def _absent(mapped: MappedChunk, field: Field) -> Iterator[Issue]:
    """A required field that no column feeds: no row has it."""
    for row in mapped.frame.index.tolist():
        yield Issue("required", Severity.ERROR, row, mapped.sheet, field.name, field.name, "")


def _no_contact(mapped: MappedChunk, contract: Contract) -> Iterator[Issue]:
    without = np.ones(len(mapped.frame), dtype=bool)
    for name in contract.contact_fields:
        if name in mapped.frame.columns:
            without &= ~TextColumn(arrow.text_column(mapped, name)).filled
    for row in mapped.frame.index.to_numpy()[without].tolist():
        yield Issue("no-contact", Severity.WARNING, row, mapped.sheet)


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_no_constant), dict)
    except (ValueError, RecursionError):
        return False


def _no_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
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
