"""Rules for phones: make digits of whole columns, put country codes before them, tell what is doubtful.

Bare digits count as complete only if they are too long for anything but a country code and a number, or if
the column as a whole carries country codes. All others need a country, from the mapping or from a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import (
    TextColumn,
    from_offsets,
    if_else,
    join_columns,
    nonempty,
    offsets_and_bytes,
    rework,
    to_mask,
)
from importer.contracts import Field, FieldKind
from importer.dataclass import dataclass
from importer.mapping.base import ColumnIssue, note
from importer.mapping.doubtful_phones import doubt, not_in_use, rounded, without_area_code
from importer.mapping.phone_texts import (
    PhoneReading,
    is_national,
    is_valid,
    read_phone,
    strip_formatting,
    with_country_codes,
    without_trunk_zero,
)
from importer.mapping.regions import codes_before, country_code, possible, trunk_zeros
from importer.mapping.rules import FieldRule
from importer.models import Severity
from importer.patterns import late_pattern

_ZERO = np.uint8(ord("0"))
_DIGIT, _FORMATTING, _SIGN, _OTHER = range(4)
_KIND = np.full(256, _OTHER, dtype=np.uint8)
_KIND[list(b"0123456789")] = _DIGIT
_KIND[list(b" \t-.()")] = _FORMATTING
_KIND[list(b"+")] = _SIGN
_LOSSY = late_pattern(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_FEWEST_DIGITS = 5
"""Of a shorter number validation says what is wrong."""
_PLAINLY_COMPLETE = 12
"""Digits. No country's own numbers are as long, but for some in Germany and Austria."""
_MOST_EASY = 13
"""Digits. A longer cell is looked at more closely: it may hold two numbers."""
_REST_OF_COLUMN = 500
"""Distinct numbers that prove what a column carries."""
_CARRIED = 0.9
_ALSO_NATIONAL = 0.95
_TELLING_REGIONS = ("CN", "US", "IN", "BR")
"""Whose own numbers look most like numbers with a country code."""


@dataclass(frozen=True, slots=True)
class PhoneProof:
    """What the bare digits of a column prove."""

    carries_codes: bool = False
    """Whether nearly all of them are valid with a country code in front, and are not as well numbers of one
    country without it."""


@dataclass(frozen=True, slots=True)
class PhoneColumns:
    """The columns beside the phones that say of which country each is."""

    codes: pa.Array | None = None
    """Country codes: 86, +44."""
    regions: Callable[[], pa.Array] | None = None
    """Returns ISO codes of countries: CN; "" where none is known. Called only if a number lacks its code."""


class PhoneReader:
    """Reads the phones of one field. `proof` is called only if a number needs it."""

    def __init__(self, field: Field, rule: FieldRule, proof: Callable[[], PhoneProof]) -> None:
        self._rule = rule
        self._is_phone = field.kind is FieldKind.PHONE
        self._proof = proof
        self._severity = Severity.ERROR if field.digits_only else Severity.WARNING
        self._issues: list[ColumnIssue] = []

    def read(self, column: pa.Array, beside: PhoneColumns) -> tuple[pa.Array, list[ColumnIssue]]:
        """Return the phones as digits, with their country code where it is known, and what is to be said.

        What is no phone is left out with an issue. A number that has lost digits (1.86E+10) stays as found,
        for validation to refuse it.
        """
        self._issues = []
        short = rounded(column)
        if self._is_phone and short.any():
            self._issues.append(doubt("doubtful-phone", short, "phone-rounded"))
        column, international = self._digits(column)
        digits = nonempty(column) & ~_with_other_than_digits(column)
        column, long_zero = _without_trunk_zeros(column, digits)
        if long_zero.any():
            self._issues.append(note("trunk-zero-left-out", long_zero, _without_zero))
        bare = digits & ~international & ~long_zero
        if international.any():
            impossible = digits & international
            numbers = column.filter(pa.array(impossible))
            impossible[impossible] = ~_possible(numbers) & (_lengths(numbers) >= _FEWEST_DIGITS)
            if impossible.any():
                self._issues.append(doubt("doubtful-phone", impossible))
        if beside.codes is not None:
            column, bare = self._with_code(column, bare, beside.codes)
        if (self._rule.region or beside.regions is not None) and bare.any():
            column, bare = self._with_region(column, bare, beside.regions)
        if self._is_phone and bare.any():
            incomplete = self._incomplete(column, bare)
            if incomplete.any():
                self._issues.append(doubt("no-country-code", incomplete))
        return column, self._issues

    def _digits(self, column: pa.Array) -> tuple[pa.Array, np.ndarray]:
        """Return the column as digits, "" for what is no phone, and a mask of those with a country code."""
        none = np.zeros(len(column), dtype=bool)
        formatted = _with_other_than_digits(column) | _with_double_zero(column)
        if not formatted.any():
            return column, none
        where = pa.array(formatted)
        easy, hard, plus = _easy(column.filter(where))
        international = none.copy()
        international[formatted] = plus & ~hard
        if hard.any():
            distinct = easy.filter(pa.array(hard)).dictionary_encode()
            texts = distinct.dictionary.to_pylist()
            readings = [self._reading(text) for text in texts]
            indices = distinct.indices.to_numpy()
            rows = np.flatnonzero(formatted)[hard]
            self._tell(_kinds(texts, readings), indices, rows, len(column))
            values = arrow.array([_kept(text, one) for text, one in zip(texts, readings, strict=True)])
            easy = pc.replace_with_mask(easy, pa.array(hard), values.take(distinct.indices))
            said = np.array([one is not None and one.international for one in readings], dtype=bool)
            international[rows] = said[indices]
        return pc.replace_with_mask(column, where, easy), international

    def _reading(self, text: str) -> PhoneReading | None:
        prefix = self._rule.international_prefix
        if prefix and "+" not in text:
            bare = strip_formatting(text)
            if bare.isdigit() and bare.startswith(prefix):
                return PhoneReading(bare.removeprefix(prefix), international=True)
        return read_phone(text, self._rule.extension == "keep")

    def _tell(self, kinds: list[str], indices: np.ndarray, rows: np.ndarray, count: int) -> None:
        """Add the issues of the cells that were looked at more closely: `rows` are theirs."""
        for kind in dict.fromkeys(kind for kind in kinds if kind):
            where = np.zeros(count, dtype=bool)
            where[rows] = np.array([one == kind for one in kinds], dtype=bool)[indices]
            if kind == "bad-phone":
                self._issues.append(
                    ColumnIssue(kind, where, lambda _: self._rule.default_region, severity=self._severity)
                )
            else:
                self._issues.append(note(kind, where, _expected))

    def _with_code(self, column: pa.Array, bare: np.ndarray, codes: pa.Array) -> tuple[pa.Array, np.ndarray]:
        """Put the country codes of a column before the numbers that lack one."""
        plain = arrow.rework_all(codes, lambda text: strip_formatting(text).removeprefix("00"))
        known = to_mask(pc.match_substring_regex(plain, r"^[1-9][0-9]{0,3}$"))
        strange = bare & nonempty(plain) & ~known
        if strange.any():
            self._issues.append(ColumnIssue("bad-country-code", strange))
        national = bare & known
        trunk = self._rule.trunk_prefix or "0"
        stripped = rework(column, national, lambda text: text.removeprefix(trunk))
        joined = join_columns(plain, stripped)
        # 8613800000000 beside 86 has its code already.
        starting = _starts_with(column, plain)
        twice = starting & (_lengths(column) >= _PLAINLY_COMPLETE)
        again = national & _possible(column) & (twice | ~_possible(joined))
        return if_else(national & ~again, joined, column), bare & ~national & ~strange

    def _with_region(
        self, column: pa.Array, bare: np.ndarray, named: Callable[[], pa.Array] | None
    ) -> tuple[pa.Array, np.ndarray]:
        """Put the country code of each row's country before the numbers that lack one."""
        default = self._rule.default_region or ""
        regions = named() if named else arrow.constant(default, len(column))
        if default:
            regions = if_else(nonempty(regions), regions, default)
        # 8613800000000 in a row of China has its code, and most rows are like it.
        carrying = _begin_with_code_of(column, regions) & (_lengths(column) >= _PLAINLY_COMPLETE)
        bare = bare & ~(carrying & _possible(column))
        known = bare & ~carrying & nonempty(regions)
        if not known.any():
            return column, bare
        where = pa.array(known)
        before = column.filter(where)
        done, in_use = with_country_codes(before, regions.filter(where))
        converted = nonempty(done)
        column = pc.replace_with_mask(column, where, if_else(converted, done, before))
        failed = np.zeros(len(bare), dtype=bool)
        failed[known] = ~converted
        failed &= _lengths(column) >= _FEWEST_DIGITS
        failed &= ~(_possible(column) & (_lengths(column) >= _PLAINLY_COMPLETE))
        if failed.any():
            country = default if named is None else None
            self._issues.append(doubt("no-country-code", failed, "phone-of-other-country", country))
        local = np.zeros(len(bare), dtype=bool)
        local[known] = converted & without_area_code(before, regions.filter(where))
        if local.any():
            self._issues.append(doubt("doubtful-phone", local, "phone-without-area-code"))
        unused = ~local
        unused[known] &= converted & ~in_use
        unused &= known
        unused[known] &= np.asarray(pc.not_equal(column.filter(where), before).to_numpy(zero_copy_only=False))
        if unused.any():
            self._issues += not_in_use(column, unused, default if named is None else "")
        return column, bare & ~known

    def _incomplete(self, column: pa.Array, bare: np.ndarray) -> np.ndarray:
        complete = _possible(column)
        doubtful = bare & complete & (_lengths(column) < _PLAINLY_COMPLETE)
        if doubtful.any() and not self._proof().carries_codes:
            complete &= ~doubtful
        found: np.ndarray = bare & ~complete & (_lengths(column) >= _FEWEST_DIGITS)
        return found


def _kinds(texts: list[str], readings: list[PhoneReading | None]) -> list[str]:
    """Return the code of the issue of each cell, or "". Numbers that lost digits are validation's."""
    return [
        "" if _LOSSY.fullmatch(text) else "bad-phone" if one is None else one.left_out
        for text, one in zip(texts, readings, strict=True)
    ]


def _kept(text: str, reading: PhoneReading | None) -> str:
    if reading is None:
        return text if _LOSSY.fullmatch(text) else ""
    return reading.digits


def _expected(text: str) -> str:
    reading = read_phone(text.strip())
    return reading.digits if reading else ""


def _without_zero(text: str) -> str:
    return without_trunk_zero(_expected(text))


def _with_other_than_digits(column: pa.Array) -> np.ndarray:
    found = np.zeros(len(column), dtype=bool)
    found[TextColumn(column).holding(np.flatnonzero(offsets_and_bytes(column)[1] - _ZERO > 9))] = True
    return found


def _with_double_zero(column: pa.Array) -> np.ndarray:
    """Return a mask of the texts that begin with 00 and may be a number after it, or have too many digits."""
    offsets, data = offsets_and_bytes(column)
    lengths = np.diff(offsets)
    found = lengths > 15
    long = np.flatnonzero(lengths >= 10)
    starts = offsets[:-1][long]
    found[long] |= (data[starts] == _ZERO) & ((data[starts + 1] == _ZERO) | (lengths[long] > 13))
    return found


def _easy(column: pa.Array) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Return a column without formatting characters where that is plain to see, a mask of the other values
    (which stay as found), and one of those that begin with a +.

    Every text holds something other than digits, or begins with 00.
    """
    offsets, data = offsets_and_bytes(column)
    kinds = _KIND[data]
    signs, rest = _count(kinds == _SIGN, offsets), _count(kinds == _OTHER, offsets)
    number = kinds == _DIGIT
    digits = _count(number, offsets)
    first = offsets[:-1]
    some = offsets[1:] > first
    plus = np.zeros(len(column), dtype=bool)
    plus[some] = data[first[some]] == ord("+")
    zero, minus = plus.copy(), plus.copy()
    zero[some] = (data[first[some]] == _ZERO) | (data[first[some]] == ord("("))
    minus[some] = data[first[some]] == ord("-")
    hard = (rest > 0) | (signs > plus) | (digits < 5) | (digits > _MOST_EASY) | minus
    hard |= zero & (digits > 11)
    # One point may be a decimal one; a zero in brackets is dialled within the country only.
    hard |= _count(data == ord("."), offsets) == 1
    bracket = np.zeros(len(data), dtype=bool)
    bracket[:-2] = (data[:-2] == ord("(")) & (data[1:-1] == _ZERO) & (data[2:] == ord(")"))
    hard |= _count(bracket, offsets) > 0
    kept = number | np.repeat(hard, np.diff(offsets))
    shorter = np.concatenate(([0], np.cumsum(kept)))[offsets]
    return from_offsets(shorter.astype(np.int64), data[kept]), hard, plus


def _count(hits: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return how often the mask, one element a byte, is true in each text."""
    total = np.concatenate(([0], np.cumsum(hits)))
    return np.diff(total[offsets])


def _lengths(column: pa.Array) -> np.ndarray:
    return np.diff(offsets_and_bytes(column)[0])


def _leading(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the first three digits (as a number) and the fourth of each text of digits; 0, 1 for others."""
    offsets, data = offsets_and_bytes(column)
    if len(data) < 4:
        return np.zeros(len(column), dtype=np.int16), np.zeros(len(column), dtype=np.int16)
    starts = np.minimum(offsets[:-1], len(data) - 4)
    one, two, three, four = (np.take(data[at:], starts).astype(np.int16) - ord("0") for at in range(4))
    prefixes = 100 * one + 10 * two + three
    sane = (np.diff(offsets) >= 4) & (prefixes >= 100) & (prefixes <= 999)
    return np.where(sane, prefixes, 0), np.where(sane, four, 1)


def _starts_with(column: pa.Array, beginnings: pa.Array) -> np.ndarray:
    """Return a mask of the texts that start with the text of the same row in the other column."""
    lengths = _lengths(beginnings)
    found = np.zeros(len(column), dtype=bool)
    for size in range(1, 5):
        same = to_mask(pc.equal(pc.utf8_slice_codeunits(column, 0, size), beginnings))
        found |= same & (lengths == size)
    return found


def _begin_with_code_of(column: pa.Array, regions: pa.Array) -> np.ndarray:
    """Return a mask of the digits that begin with the country code of their row's region."""
    distinct = regions.dictionary_encode()
    codes = [country_code(region) if region else "" for region in distinct.dictionary.to_pylist()]
    indices = distinct.indices.to_numpy()
    numbers = np.array([int(code or -1) for code in codes], dtype=np.int16)[indices]
    found: np.ndarray = codes_before(_leading(column)[0]) == numbers
    return found


def _possible(column: pa.Array) -> np.ndarray:
    """Return a mask of the digits that may begin with a country code."""
    return possible(_leading(column)[0], _lengths(column))


def _without_trunk_zeros(column: pa.Array, digits: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """Return long numbers without a zero behind their country code, and a mask of these numbers."""
    prefixes, fourth = _leading(column)
    lengths = _lengths(column)
    where = digits & (lengths >= _PLAINLY_COMPLETE) & trunk_zeros(prefixes, fourth)
    where &= ~possible(prefixes, lengths) | (lengths > _PLAINLY_COMPLETE)
    return rework(column, where, without_trunk_zero), where


def prove(parts: Iterator[pd.Series]) -> PhoneProof:
    """Return what the bare digits at the beginning of a column prove."""
    numbers: dict[str, None] = {}
    for part in parts:
        for text in pc.unique(arrow.to_arrow(part)).to_pylist():
            number = strip_formatting(text) if text and "+" not in text else ""
            if number.isdigit() and len(number) >= 7:
                numbers[number] = None
        if len(numbers) >= _REST_OF_COLUMN:
            break
    sample = list(numbers)[:_REST_OF_COLUMN]
    if not sample:
        return PhoneProof()
    carrying = sum(is_valid("+" + number, None) for number in sample)
    if carrying < _CARRIED * len(sample):
        return PhoneProof()
    short = [number for number in sample if len(number) < _PLAINLY_COMPLETE]
    for region in _TELLING_REGIONS:
        if short and sum(is_national(one, region) for one in short) >= _ALSO_NATIONAL * len(short):
            return PhoneProof()
    return PhoneProof(carries_codes=True)


_SEPARATORS = late_pattern(r":::|[,;，；/]| x")
_NATIONAL = late_pattern(r"0?[1-9]\d{7,10}")
_CODE = late_pattern(r"\+?\d{1,4}")
_AMERICAN = late_pattern(r"(?:\+?1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])\d{3}[ .-]\d{4}")
_CHINESE_MOBILE = late_pattern(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}")


def looks_like_phone(text: str) -> bool:
    """Return whether the first of the numbers in a cell may be a phone, also one that Excel has cut."""
    number = strip_formatting(_SEPARATORS.split(text)[0].strip())
    return (number.isdigit() and 5 <= len(number) <= 18) or bool(_LOSSY.fullmatch(text))


def looks_national(text: str) -> bool:
    """Return whether a text may be a phone without its country code, however it is written."""
    return "+" not in text and bool(_NATIONAL.fullmatch(strip_formatting(text)))


def looks_like_country_code(text: str) -> bool:
    """Return whether a text may be a country code: 86, +44."""
    return bool(_CODE.fullmatch(text.strip()))


def is_surely_phone(text: str) -> bool:
    """Return whether a text is a phone and no other number: written like (775) 555-0154, a Chinese mobile, or
    a valid number with its country code."""
    if _AMERICAN.fullmatch(text) or _CHINESE_MOBILE.fullmatch(text):
        return True
    number = strip_formatting(text)
    if not number.isdigit() or not 10 <= len(number) <= 15:
        return False
    import phonenumbers

    try:
        parsed = phonenumbers.parse(f"+{number.removeprefix('00')}")
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(parsed))
