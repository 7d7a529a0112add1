"""The documented limits, checked on whole columns: mapped chunks in, issues out.

Every rule comes from the contract (API.md, “Contracts of batch_create”); what the API does not check (the
form of e-mails and phones in `sea`) is a warning.
"""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import columns
from importer.contracts import Contract, Field, Kind
from importer.model import Issue, MappedChunk, Severity

PHONE_DIGITS = (5, 15)
"""E.164 allows 15 digits; service numbers shorter than 5 cannot receive a message from abroad."""

_LOSSY = r"^[+-]?\d+([.,]\d+)?[eE][+-]?\d+$"
_PHONE = rf"^\d{{{PHONE_DIGITS[0]},{PHONE_DIGITS[1]}}}$"
_DIGITS = r"^\d+$"
_EMAIL = r"^[^@\s,;]+@[^@\s,;]+\.[^@\s,;.]+$"
_DATE = r"^(\d{3}[1-9]|\d{2}[1-9]\d|\d[1-9]\d{2}|[1-9]\d{3})-\d{2}-\d{2}$"
_OFFSET = r"^(GMT|UTC)([+-](0?\d|1[0-4])(:?[0-5]\d)?)?$"


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
        self.values = columns.arrow(mapped.frame[field.name])
        self.rows: np.ndarray = mapped.frame.index.to_numpy()

    def where(self, mask: pa.Array) -> np.ndarray:
        """Positions at which the mask is true."""
        return np.flatnonzero(mask.fill_null(False).to_numpy(zero_copy_only=False))

    def filled(self, mask: pa.Array) -> pa.Array:
        """The mask without empty cells: those are for `required` to judge."""
        return pc.and_(mask, pc.not_equal(self.values, ""))

    def issues(
        self, code: str, severity: Severity, positions: Sequence[int] | np.ndarray, **more: Any
    ) -> list[Issue]:
        return [
            Issue(
                code=code,
                severity=severity,
                row=int(self.rows[position]),
                sheet=self.sheet,
                column=self.column,
                field=self.field.name,
                found=self.values[int(position)].as_py(),
                **more,
            )
            for position in positions
        ]

    def unlike(self, pattern: str) -> np.ndarray:
        """Positions of filled cells that don't match the pattern."""
        return self.where(self.filled(pc.invert(pc.match_substring_regex(self.values, pattern))))

    def distinct_where(self, wrong: Callable[[str], bool]) -> np.ndarray:
        """Positions of filled cells for which `wrong(text)`; asked once for each distinct text."""
        encoded = self.values.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        verdicts = pa.array([bool(text) and wrong(text) for text in texts], type=pa.bool_())
        return self.where(verdicts.take(encoded.indices))

    def required(self) -> list[Issue]:
        if not self.field.required:
            return []
        empty = pc.fill_null(pc.equal(self.values, ""), True)
        return self.issues("required", Severity.ERROR, self.where(empty))

    def too_long(self) -> list[Issue]:
        limit = self.field.max_length
        if limit is None or (pc.max(pc.binary_length(self.values)).as_py() or 0) <= limit:
            return []  # no text has more characters than bytes
        lengths = pc.utf8_length(self.values)
        found: list[Issue] = []
        for position in self.where(pc.greater(lengths, limit)):
            length = lengths[int(position)].as_py()
            found += self.issues("too-long", Severity.ERROR, [position], limit=limit, length=length)
        return found


def _phone(check: _Column) -> Iterator[Issue]:
    odd = check.unlike(_PHONE)
    if not odd.size:
        return
    texts = check.values.take(pa.array(odd))
    lossy = pc.match_substring_regex(texts, _LOSSY).to_numpy(zero_copy_only=False)
    digits = pc.match_substring_regex(texts, _DIGITS).to_numpy(zero_copy_only=False)
    yield from check.issues("lossy-number", Severity.ERROR, odd[lossy])
    refused = ~lossy & ~digits & check.field.digits_only
    yield from check.issues("bad-phone", Severity.ERROR, odd[refused])
    if check.field.kind is Kind.PHONE:
        yield from check.issues("bad-phone", Severity.WARNING, odd[~lossy & ~refused])


def _email(check: _Column) -> Iterator[Issue]:
    yield from check.issues("bad-email", Severity.WARNING, check.unlike(_EMAIL))


def _date(check: _Column) -> Iterator[Issue]:
    odd = check.unlike(_DATE)
    yield from check.issues("bad-date", Severity.ERROR, odd)
    shaped = pc.if_else(pc.match_substring_regex(check.values, _DATE), check.values, None)
    try:
        shaped.cast(pa.date32())
    except pa.ArrowInvalid:
        known = set(odd.tolist())
        wrong = check.distinct_where(lambda text: not _is_day(text))
        yield from check.issues(
            "bad-date", Severity.ERROR, [place for place in wrong.tolist() if place not in known]
        )


def _gender(check: _Column) -> Iterator[Issue]:
    yield from check.issues("bad-gender", Severity.ERROR, check.unlike(r"^[01]$"))


def _json(check: _Column) -> Iterator[Issue]:
    yield from check.issues(
        "bad-json", Severity.ERROR, check.distinct_where(lambda text: not _is_json_object(text))
    )


def _time_zone(check: _Column) -> Iterator[Issue]:
    odd = check.unlike(_OFFSET)
    if odd.size:
        wrong = set(check.distinct_where(lambda text: not _is_zone(text)).tolist())
        positions = [place for place in odd.tolist() if place in wrong]
        yield from check.issues("unknown-time-zone", Severity.WARNING, positions)


_RULES: dict[Kind, Callable[[_Column], Iterator[Issue]]] = {
    Kind.PHONE: _phone,
    Kind.DIGITS: _phone,
    Kind.EMAIL: _email,
    Kind.DATE: _date,
    Kind.GENDER: _gender,
    Kind.JSON: _json,
    Kind.TIME_ZONE: _time_zone,
}


def _absent(mapped: MappedChunk, field: Field) -> Iterator[Issue]:
    """A required field that no column feeds: no row has it."""
    for row in mapped.frame.index.tolist():
        yield Issue("required", Severity.ERROR, row, mapped.sheet, field.name, field.name, "")


def _no_contact(mapped: MappedChunk, contract: Contract) -> Iterator[Issue]:
    without = np.ones(len(mapped.frame), dtype=bool)
    for name in contract.contact_fields:
        if name in mapped.frame.columns:
            filled = pc.fill_null(pc.not_equal(columns.arrow(mapped.frame[name]), ""), False)
            without &= ~filled.to_numpy(zero_copy_only=False)
    for row in mapped.frame.index.to_numpy()[without].tolist():
        yield Issue("no-contact", Severity.WARNING, row, mapped.sheet)


def _is_day(text: str) -> bool:
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=_no_constant), dict)
    except (ValueError, RecursionError):
        return False


def _no_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def _is_zone(text: str) -> bool:
    try:
        zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True
