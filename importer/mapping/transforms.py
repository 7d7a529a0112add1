"""Apply a field's rule to its column: gather the cells, read the values, finish them.

The rules for each kind of value are in `dates`, `phones`, `gender`, `tags` and `person_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import constant, has_bytes, if_else, join_nonempty, nonempty, rework, rework_all, to_mask
from importer.contracts import Field, FieldKind
from importer.dataclass import dataclass
from importer.mapping import addresses, calendars, emails, gender, person_names, placeholders, tags
from importer.mapping.base import ColumnIssue, matches_pattern, note
from importer.mapping.calendars import Calendar
from importer.mapping.custom_fields import CustomFieldEncoder
from importer.mapping.date_columns import FORMATS, DateOrder, DateProof
from importer.mapping.doubtful_phones import landlines
from importer.mapping.filters import RowFilter
from importer.mapping.headers import holds_salutations, normalize
from importer.mapping.person_names import NameRule
from importer.mapping.phones import PhoneColumns, PhoneProof, PhoneReader
from importer.mapping.rules import FieldRule, MappingFile
from importer.models import Severity

SMS_PHONE = "sms_phone"
"""The API's field for the phone that gets text messages."""


@dataclass(frozen=True, slots=True)
class BoundField:
    """One field's rule, bound to the columns of a file."""

    field: Field
    rule: FieldRule
    sources: tuple[str, ...]
    country_code: str | None = None
    """The column with the country codes of the phones."""
    region: tuple[str, ...] = ()
    """The columns with the countries of the phones; the first filled one counts."""
    name_rule: NameRule | None = None
    """Given only if the one source holds full names to split."""
    when: RowFilter | None = None

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns that are read beside the sources."""
        return tuple(filter(None, (self.country_code, *self.region, self.when.column if self.when else None)))

    @property
    def is_contact(self) -> bool:
        """Whether the field is a phone or an e-mail in which some cells may mean nothing."""
        return self.field.kind in (FieldKind.PHONE, FieldKind.EMAIL) and self.rule.nothing != ()

    @property
    def has_api_header(self) -> bool:
        """Whether the one source is called as in the API: only then are 1 and 0 the API's codes for genders
        (docs/architecture.md, “Values”)."""
        return len(self.sources) == 1 and self.sources[0].strip() == self.field.name

    @property
    def has_iberian_header(self) -> bool:
        """Whether the header is Spanish or Portuguese: below Sexo and Género, M can mean mujer."""
        return (
            len(self.sources) == 1
            and normalize(self.sources[0]) in ("sexo", "genero")
            and not self.rule.values
        )


@dataclass(frozen=True, slots=True)
class BoundCustomField:
    """A custom field of the tenant, bound to the columns of a file."""

    field: BoundField
    encoder: CustomFieldEncoder


_ReadPhones = tuple[pa.Array, tuple[ColumnIssue, ...], tuple[ColumnIssue, ...]]
"""Phones as digits, what is to be said of how they were read, and which are made up."""


class PhonesOfChunk:
    """Reads the phones of a chunk. Those of another field that are the same in every row are read once."""

    def __init__(self) -> None:
        self._known: list[tuple[tuple[object, ...], pa.Array, _ReadPhones]] = []

    def read(
        self, bound: BoundField, column: pa.Array, beside: PhoneColumns, proof: Callable[[], PhoneProof]
    ) -> tuple[pa.Array, list[ColumnIssue]]:
        """Return the column as digits, and what is to be said of it. `proof` is called only if needed."""
        column, issues, found = self._read(bound, column, beside, proof)
        if bound.field.name == SMS_PHONE and (lines := landlines(column)).any():
            issues = (*issues, note("landline", lines))
        for none in found:
            # What names nobody lacks no country code.
            issues = tuple(replace(one, where=one.where & ~none.where) for one in issues)
        return column, [*issues, *found]

    def _read(
        self, bound: BoundField, column: pa.Array, beside: PhoneColumns, proof: Callable[[], PhoneProof]
    ) -> _ReadPhones:
        rule = bound.rule
        asked: list[PhoneProof] = []

        def asking() -> PhoneProof:
            asked.append(proof())
            return asked[-1]

        way = (
            *(bound.field.kind, bound.field.digits_only, bound.country_code, bound.region),
            *(rule.region, rule.trunk_prefix, rule.international_prefix, rule.extension),
        )
        for known, earlier, read in self._known:
            if known == way and earlier.equals(column):
                return read
        done, issues = PhoneReader(bound.field, rule, asking).read(column, beside)
        read = done, tuple(issues), tuple(placeholders.find(bound.field.kind, done))
        if not asked:  # what a whole column proves holds for no other one
            self._known.append((way, column, read))
        return read


def gather(bound: BoundField, cell: Callable[[str], pa.Array], rows: int) -> pa.Array:
    """Return one column of a field's cells: constant, first filled or joined, replaced as the rule says.

    `cell(name)` returns the cells of a column of the file; `rows` is how many there are.
    """
    rule = bound.rule
    if rule.constant is not None:
        return constant(rule.constant, rows)
    if not bound.sources:
        return constant("", rows)
    column = _as_one(source_cells(bound, cell), rule.join)
    if bound.when is not None:
        column = if_else(bound.when.excluded(cell(bound.when.column)), "", column)
    if rule.several_at or rule.behind:
        column = rework_all(column, lambda text: _one_of_several(text, rule))
    if bound.name_rule:
        name_rule, part = bound.name_rule, int(bound.field.name == "last_name")
        column = rework_all(column, lambda text: person_names.split(text, name_rule)[part])
    if rule.values:
        table = {key.strip().casefold(): value for key, value in rule.values.items()}
        column = rework_all(column, lambda text: table.get(text.strip().casefold(), text))
    return column


def source_cells(bound: BoundField, cell: Callable[[str], pa.Array]) -> list[pa.Array]:
    """Return the cells of each of a field's columns, those that mean “empty” as ""."""
    return [_without(cell(source), bound.rule.nothing or ()) for source in bound.sources]


def read(
    bound: BoundField,
    column: pa.Array,
    cell: Callable[[str], pa.Array],
    letters: gender.Letters,
    phone_proof: Callable[[], PhoneProof],
    marks: Callable[[], frozenset[str]],
    countries: Callable[[], pa.Array],
    phones: PhonesOfChunk,
) -> tuple[pa.Array, list[ColumnIssue]]:
    """Return the column as the field's kind wants it, and what could not be read (left as found).

    Dates are read by `dates.read`. `letters` is called only if a value needs all single letters of the whole
    column, `phone_proof` and `marks` only if digits or tags need what the whole column proves, and
    `countries` (the region of each row) only if the field has columns of countries. `phones` is the same for
    all fields of a chunk.
    """
    match bound.field.kind:
        case FieldKind.PHONE | FieldKind.DIGITS:
            codes = cell(bound.country_code) if bound.country_code else None
            beside = PhoneColumns(codes, countries if bound.region else None)
            return phones.read(bound, column, beside, phone_proof)
        case FieldKind.EMAIL:
            column, issues = emails.read(column)
            return column, [*issues, *emails.without_at(column), *placeholders.find(bound.field.kind, column)]
        case FieldKind.GENDER:
            api_codes = bound.has_api_header or _gives_codes(bound.rule)
            titles = any(map(holds_salutations, bound.sources))
            return gender.read(column, api_codes, letters, bound.has_iberian_header, titles)
        case FieldKind.TAGS:
            return tags.comma_separated(column, bound.rule.separators, bound.rule.nothing or (), marks), []
        case FieldKind.TEXT if has_bytes(column, tags.LIST_MARK.encode()):
            where = to_mask(pc.match_substring(column, f" {tags.LIST_MARK} "))
            column = rework(column, where, _first_of_list)
            return column, [note("several-values", where, _first_of_list)] if where.any() else []
        case FieldKind.TEXT if bound.field.name == "address":
            cut = ((source, addresses.cut_postal_codes(source, cell(source))) for source in bound.sources)
            warning = ColumnIssue("short-postal-code", np.zeros(0), severity=Severity.WARNING, left_out=False)
            return column, [replace(warning, where=one, source=name) for name, one in cut if one.any()]
        case FieldKind.TEXT if bound.field.name in person_names.FIELDS:
            issues = person_names.doubtful(column, bound.field.name)
            if bound.name_rule and bound.field.name == "first_name":
                whole = gather(replace(bound, name_rule=None), cell, len(column))
                issues += person_names.of_whole(whole, bound.name_rule)
            return column, issues
    return column, []


def lunar(bound: BoundField, header: Sequence[str], cell: Callable[[str], pa.Array]) -> list[ColumnIssue]:
    """Return the error on dates of which their column's name, or another column of their row, says that they
    are of the lunar calendar."""
    if bound.field.kind is not FieldKind.DATE or not bound.sources:
        return []
    beside = [name for name in header if calendars.names_calendars(name) and name not in bound.sources]
    own = [name for name in bound.sources if calendars.is_lunar_column(name)]
    if not (beside or own):
        return []
    lunar = np.full(len(cell(bound.sources[0])), bool(own))
    for name in beside:
        texts = cell(name).dictionary_encode()
        kinds = [calendars.is_lunar_kind(name, text or "") for text in texts.dictionary.to_pylist()]
        lunar |= np.array(kinds, dtype=bool)[texts.indices.to_numpy(zero_copy_only=False)]
    where = lunar & np.logical_or.reduce([nonempty(cell(source)) for source in bound.sources])
    return [ColumnIssue("bad-date", where, wording="lunar-date")] if where.any() else []


def _first_of_list(text: str) -> str:
    return text.partition(f" {tags.LIST_MARK} ")[0].strip()


def finish(bound: BoundField, column: pa.Array) -> pa.Array:
    """Return the values that were read, with the rule's case, default and length applied."""
    rule = bound.rule
    if rule.case != "keep":
        kernel = {"upper": pc.utf8_upper, "lower": pc.utf8_lower, "title": pc.utf8_title}[rule.case]
        column = kernel(column)
    if rule.default is not None:
        column = if_else(nonempty(column), column, rule.default)
    if rule.shorten and bound.field.max_length:
        column = pc.utf8_slice_codeunits(column, 0, bound.field.max_length)
    return column


def _as_one(parts: Sequence[pa.Array], join: str | None) -> pa.Array:
    return first_filled(parts) if join is None or len(parts) == 1 else join_nonempty(parts, join)


def first_filled(parts: Sequence[pa.Array]) -> pa.Array:
    """Return for each row the text of the first column that has one."""
    column = parts[0]
    for part in parts[1:]:
        some = nonempty(column)
        if some.all():
            break
        column = if_else(some, column, part)
    return column


def _one_of_several(text: str, rule: FieldRule) -> str:
    parts = [text]
    for mark in rule.several_at:
        parts = [piece for part in parts for piece in part.split(mark)]
    found = [part.strip() for part in parts if part.strip()]
    if rule.behind is not None:
        mark = rule.behind.casefold()
        found = [part[len(mark) :].strip() for part in found if part.casefold().startswith(mark)]
    return found[rule.take - 1] if len(found) >= rule.take else ""


def _without(column: pa.Array, nothing: Sequence[str]) -> pa.Array:
    if not nothing:
        return column
    return rework_all(column, lambda text: "" if any(matches_pattern(one, text) for one in nothing) else text)


def _gives_codes(rule: FieldRule) -> bool:
    return (bool(rule.values) and set(rule.values.values()) <= {"0", "1", ""}) or rule.constant in ("0", "1")


_Rule = TypeVar("_Rule", bound=FieldRule)


def with_proven_rules(
    mapping: MappingFile,
    fields: Iterable[BoundField],
    proofs: Mapping[str, DateProof],
    letters: Mapping[str, Mapping[str, int]],
    marks: Mapping[str, frozenset[str]],
) -> MappingFile:
    """Return the mapping with what was proved of its columns written into its rules."""
    proven = [(bound.rule, _proven(bound, proofs, letters, marks)) for bound in fields]

    def updated(rule: _Rule) -> _Rule:
        found = next((found for one, found in proven if one is rule), {})
        return replace(rule, **found) if found else rule

    return replace(
        mapping,
        fields={name: updated(rule) for name, rule in mapping.fields.items()},
        custom={name: updated(rule) for name, rule in mapping.custom.items()},
    )


def _proven(
    bound: BoundField,
    proofs: Mapping[str, DateProof],
    letters: Mapping[str, Mapping[str, int]],
    marks: Mapping[str, frozenset[str]],
) -> dict[str, Any]:
    """Return what was proved for a field, as keys of its rule."""
    if bound.has_iberian_header and bound.sources[0] in letters:
        return {"values": gender.iberian_values(letters[bound.sources[0]])}
    if bound.field.kind is FieldKind.GENDER and bound.sources[:1] and bound.sources[0] in letters:
        proved = gender.pair_values(letters[bound.sources[0]])
        return {"values": {**proved, **bound.rule.values}} if proved else {}
    if bound.field.kind is FieldKind.TAGS and not bound.rule.separators and bound.sources[:1]:
        looked_at = marks.get(bound.sources[0])
        return {} if looked_at is None else {"separators": (*tags.USUAL_SEPARATORS, *sorted(looked_at))}
    known = {proofs[source] for source in bound.sources if source in proofs}
    if len(known) != 1:
        return {}
    proof = known.pop()
    mixed = {"mixed_dates": True} if proof.order is DateOrder.CONTRADICTORY else {}
    formats = FORMATS.get(proof.order)
    calendar = None if proof.calendar is Calendar.GREGORIAN else str(proof.calendar)
    return mixed | ({"formats": formats} if formats else {}) | ({"calendar": calendar} if calendar else {})
