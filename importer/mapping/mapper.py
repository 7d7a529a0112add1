"""Map chunks of a file's columns to chunks of API fields.

What whole columns have proved can be written back into the mapping, for a part of the file to mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import date, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import (
    constant,
    empty_as_null,
    if_else,
    nonempty,
    to_mask,
    trimmed,
    without_nulls,
)
from importer.contracts import Contract, FieldKind
from importer.dataclass import dataclass
from importer.mapping import (
    custom_fields,
    gender,
    person_names,
    phones,
    placeholders,
    regions,
    tags,
    transforms,
)
from importer.mapping.base import CUSTOM_FIELD, ColumnIssue, ReadColumn
from importer.mapping.date_columns import DateProof, DateReader, prove
from importer.mapping.filters import RowFilter, example_rows, excluded_rows
from importer.mapping.nothing import without_nothing
from importer.mapping.phones import PhoneProof
from importer.mapping.rules import MappingFile
from importer.mapping.transforms import BoundCustomField, BoundField, lunar
from importer.models import Chunk, Issues, MappedChunk, Note, RepeatedIssue, Severity, Skip


@dataclass(frozen=True, slots=True)
class BoundMapping:
    """A mapping, bound to the header of one file."""

    mapping: MappingFile
    contract: Contract
    header: tuple[str, ...]
    fields: tuple[BoundField, ...]
    custom_fields: tuple[BoundCustomField, ...] = ()
    filters: tuple[RowFilter, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass
class Mapper:
    """Maps the chunks of one file; chunks may come in any order and more than once.

    `read_column` reads a column of the whole file again. It is called at most twice for a column: for dates
    whose order, and for letters whose meaning only the whole column can prove.
    """

    bound: BoundMapping
    read_column: ReadColumn | None = None
    today: date = field(default_factory=lambda: date.today() + timedelta(days=1))
    """The last day that has come somewhere on earth. Birthdays after it are in the future."""
    _proofs: dict[str, DateProof] = field(default_factory=dict)
    _carrying: dict[str, PhoneProof] = field(default_factory=dict)
    _marks: dict[str, frozenset[str]] = field(default_factory=dict)
    _letters: dict[str, Mapping[str, int]] = field(default_factory=dict)
    _overused: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that feed each API field; () for a constant."""
        found = {bound.field.name: bound.sources for bound in self.bound.fields}
        packed = tuple(source for one in self.bound.custom_fields for source in one.field.sources)
        if packed:
            found[CUSTOM_FIELD] = tuple(dict.fromkeys((*found.get(CUSTOM_FIELD, ()), *packed)))
        return found

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns of the file that go nowhere."""
        used = {source for sources in self.columns.values() for source in sources}
        used |= {name for bound in self._all_fields() for name in bound.beside}
        used |= {one.column for one in self.bound.filters}
        return tuple(name for name in self.bound.header if name not in used)

    @property
    def named_by(self) -> frozenset[str]:
        """The columns with names, or else those with texts: an example says there that it is one."""
        fields = self.bound.fields
        names = [one for one in fields if one.field.name.endswith("_name")]
        texts = [one for one in fields if one.field.kind is FieldKind.TEXT]
        return frozenset(source for one in names or texts for source in one.sources)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a person should know about how the mapping fits the file."""
        return self.bound.notes

    def map(self, chunk: Chunk) -> MappedChunk:
        """Return the chunk's rows as API fields, with issues for what the mapping could not read.

        A value with an issue is missing in the frame. Rows that the mapping filters out, and the template's
        example row, are in `skips`; the mapping reports no issues for them.
        """
        work = _ChunkMapper(self, chunk)
        skips = work.skips()
        fields = work.fields()
        index = chunk.frame.index.to_numpy()
        issues: Iterable[RepeatedIssue] = work.issues
        if skips:
            skipped = np.concatenate([skip.rows for skip in skips])
            issues = (issue.where(~np.isin(issue.rows, skipped)) for issue in work.issues)
        mapped = MappedChunk(
            sheet=chunk.sheet,
            frame=arrow.frame(fields, index),
            columns={name: self._issue_column(name) for name in fields},
            issues=Issues(issue for issue in issues if len(issue)),
            skips=tuple(skips),
        )
        mapped.texts.update(fields)
        return mapped

    def date_proof(self, column: str) -> DateProof:
        """Return what all dates of a column prove: the order of day and month, the calendar."""
        if column not in self._proofs:
            read = self.read_column
            self._proofs[column] = prove(read(column), self.today) if read else DateProof()
        return self._proofs[column]

    def phone_proof(self, column: str) -> PhoneProof:
        """Return what the bare digits at the beginning of a column prove."""
        if column not in self._carrying:
            look = self.read_column
            self._carrying[column] = phones.prove(look(column)) if look else PhoneProof()
        return self._carrying[column]

    def overused(self, column: str) -> frozenset[str]:
        """Return the contacts of a column that stand beside so many customers that they are nobody's."""
        if column not in self._overused:
            bound = [one for one in self.bound.fields if one.field.name in person_names.FIELDS]
            names = tuple(dict.fromkeys(source for one in bound for source in one.sources))
            look = self.read_column
            self._overused[column] = placeholders.overused(look, column, names) if look else frozenset()
        return self._overused[column]

    def tag_marks(self, column: str = "") -> frozenset[str]:
        """Return which of ; and | a column proves to stand between its tags."""
        if column not in self._marks:
            look = self.read_column if column else None
            self._marks[column] = tags.proven_marks(look(column)) if look else frozenset()
        return self._marks[column]

    def proven_mapping(self) -> MappingFile:
        """Return the mapping with what whole columns have proved so far: the order of dates as `formats`,
        their calendar, single letters for genders as `values`, what separates tags.

        A part of the file that is imported with it means what it meant in the whole file.
        """
        return transforms.with_proven_rules(
            self.bound.mapping, self._all_fields(), self._proofs, self._letters, self._marks
        )

    def _issue_column(self, field: str) -> str:
        """Return the column that a field's issues name: the first that feeds it, "" for a constant.

        A full name that was made of its parts has their columns.
        """
        feeding = (field,) if field in self.columns else ("first_name", "last_name")
        return next((source for name in feeding for source in self.columns.get(name, ())), "")

    def letters(self, column: str) -> Mapping[str, int]:
        """Return the single letters that a column holds, with their rows; none if it cannot be read again."""
        if column not in self._letters:
            look = self.read_column
            self._letters[column] = gender.single_letters(look(column), column) if look else {}
        return self._letters[column]

    def _all_fields(self) -> Iterable[BoundField]:
        yield from self.bound.fields
        yield from (one.field for one in self.bound.custom_fields)


class _ChunkMapper:
    """One chunk on its way through the mapping."""

    def __init__(self, mapper: Mapper, chunk: Chunk) -> None:
        self.mapper = mapper
        self.chunk = chunk
        self.rows = len(chunk.frame)
        self.issues: list[RepeatedIssue] = []
        self._trimmed: dict[str, pa.Array] = {}
        self._regions: dict[tuple[str, ...], pa.Array] = {}
        self._phones = transforms.PhonesOfChunk()
        # By field and column, where words for nothing were emptied.
        self._emptied: dict[tuple[str, str], pa.Array] = {}

    def raw(self, column: str) -> pa.Array:
        if column not in self.chunk.frame.columns:
            # One of several sheets, which lacks this column.
            return constant("", self.rows)
        return without_nulls(arrow.text_column(self.chunk, column))

    def cell(self, column: str) -> pa.Array:
        if column not in self._trimmed:
            self._trimmed[column] = trimmed(self.raw(column))
        return self._trimmed[column]

    def regions(self, columns: tuple[str, ...]) -> pa.Array:
        """Return the region of each row, as the first filled of these columns names it."""
        if columns not in self._regions:
            self._regions[columns] = regions.regions(transforms.first_filled(list(map(self.cell, columns))))
        return self._regions[columns]

    def skips(self) -> list[Skip]:
        index = self.chunk.frame.index.to_numpy()
        found = list(self.chunk.skips)
        found += [
            Skip(index[out], "filtered", one.reason())
            for one, out in excluded_rows(self.mapper.bound.filters, self.cell, self.rows)
        ]
        example = example_rows(self.mapper.named_by, self.cell, self.rows)
        if example.any():
            found.append(Skip(index[example], "example-row"))
        return found

    def fields(self) -> dict[str, pa.Array]:
        """Return the contract's fields, in its order, with nulls for "" unless it is to be sent."""
        bound_mapping = self.mapper.bound
        found = {bound.field.name: self._value(bound) for bound in bound_mapping.fields}
        if bound_mapping.custom_fields:
            parts = [(one.encoder.key, self._custom_value(one)) for one in bound_mapping.custom_fields]
            found[CUSTOM_FIELD] = custom_fields.packed(found.get(CUSTOM_FIELD), parts)
        if "full_name" in bound_mapping.contract.names and found.keys() & {"first_name", "last_name"}:
            nobody = constant("", self.rows)
            first, last = found.get("first_name", nobody), found.get("last_name", nobody)
            found["full_name"] = person_names.full_names(found.get("full_name"), first, last)
        # The API has a number for a gender, and none for “not said”: an empty text would be no gender.
        sent = {
            bound.field.name
            for bound in bound_mapping.fields
            if bound.rule.empty == "send" and bound.field.kind is not FieldKind.GENDER
        }
        return {
            name: found[name] if name in sent else empty_as_null(found[name])
            for name in bound_mapping.contract.names
            if name in found
        }

    def _field_cells(self, bound: BoundField) -> Callable[[str], pa.Array]:
        """Return what gives a column's cells for a field: words for nothing are empty, and noted."""
        cell = self.cell if bound.rule.trim else self.raw
        if bound.rule.nothing == ():
            return cell

        def emptied(column: str) -> pa.Array:
            cells = cell(column)
            left, issues = without_nothing(bound.field, cells, contact=bound.is_contact)
            if not issues:
                return cells
            if column in bound.sources:
                for issue in issues:
                    self._add_issues(issue, replace(bound, sources=(column,)), cells)
            self._emptied[bound.field.name, column] = left
            return left

        return emptied

    def _filled_cells(self, bound: BoundField, column: str) -> pa.Array:
        """Return the cells of a column, those that mean nothing to a field as ""."""
        return self._emptied.get((bound.field.name, column), self.cell(column))

    def _value(self, bound: BoundField) -> pa.Array:
        column = self._gathered(bound)
        if bound.field.kind is FieldKind.DATE:
            column, faults = self._dates(bound, column)
        else:
            letters = partial(self.mapper.letters, *bound.sources[:1])
            proof = partial(self._phone_proof, bound.sources)
            marks = partial(self.mapper.tag_marks, *bound.sources[:1])
            countries = partial(self.regions, bound.region)
            column, faults = transforms.read(
                bound, column, self.cell, letters, proof, marks, countries, self._phones
            )
        for fault in (*faults, *self._overused(bound), *lunar(bound, self.mapper.bound.header, self.cell)):
            self._add_issues(fault, bound, column)
            if fault.left_out:
                column = if_else(fault.where, "", column)
        column = transforms.finish(bound, column)
        if bound.name_rule and bound.field.required:
            self._add_issues_for_unsplit(bound, column)
        return column

    def _overused(self, bound: BoundField) -> Iterator[ColumnIssue]:
        """Yield a note on the shop's own contact, unless the mapping says that no cell means nothing."""
        cells = {source: self._filled_cells(bound, source) for source in bound.sources if bound.is_contact}
        if not any(map(placeholders.may_be_overused, cells.values())):
            return
        for fed, (source, *_) in self._fed_rows(bound):
            texts = self.mapper.overused(source) if fed.any() else ()
            where = fed & to_mask(pc.is_in(cells[source], value_set=arrow.array(list(texts))))
            if where.any():
                yield ColumnIssue("placeholder", where, wording="shared-by-all", severity=Severity.NOTE)

    def _custom_value(self, one: BoundCustomField) -> pa.Array:
        column = transforms.finish(one.field, self._gathered(one.field))
        faults: list[ColumnIssue] = []
        if one.encoder.type == "date":
            column, faults = self._dates(one.field, column)
            for fault in faults:
                if fault.left_out:
                    column = if_else(fault.where, "", column)
        values, bad = one.encoder.as_json(column)
        if bad.any():
            faults.append(ColumnIssue("bad-custom-field", bad, lambda _: one.encoder.expected))
        lossy = custom_fields.lossy(column)
        if lossy.any():
            faults.append(ColumnIssue("lossy-number", lossy))
            values = if_else(lossy, "", values)
        for fault in faults:
            self._add_issues(fault, one.field, column)
        return values

    def _gathered(self, bound: BoundField) -> pa.Array:
        return transforms.gather(bound, self._field_cells(bound), self.rows)

    def _dates(self, bound: BoundField, column: pa.Array) -> tuple[pa.Array, list[ColumnIssue]]:
        """Return dates as yyyy-MM-dd, each read as the column that it came from proves."""
        today = self.mapper.today if bound.field.kind is FieldKind.DATE else None
        if len(bound.sources) < 2:
            return DateReader(bound.rule, lambda: self._date_proof(bound.sources), today).read(column)
        faults: list[ColumnIssue] = []
        for where, sources in self._fed_rows(bound):
            reader = DateReader(bound.rule, partial(self._date_proof, sources), today)
            part, found = reader.read(if_else(where, column, ""))
            column = if_else(where, part, column)
            faults += found
        return column, faults

    def _fed_rows(self, bound: BoundField) -> Iterator[tuple[np.ndarray, tuple[str, ...]]]:
        """Yield the rows (a mask) that each of a field's columns feeds; joined columns feed them together."""
        left = np.ones(self.rows, dtype=bool)
        if bound.rule.join is None:
            for source, cells in zip(
                bound.sources, transforms.source_cells(bound, partial(self._filled_cells, bound)), strict=True
            ):
                fed = left & nonempty(cells)
                left &= ~fed
                yield fed, (source,)
        yield left, bound.sources

    def _date_proof(self, sources: Sequence[str]) -> DateProof:
        proofs = {self.mapper.date_proof(source) for source in sources}
        return proofs.pop() if len(proofs) == 1 else DateProof()

    def _phone_proof(self, sources: Sequence[str]) -> PhoneProof:
        carrying = [self.mapper.phone_proof(source).carries_codes for source in sources]
        return PhoneProof(bool(carrying) and all(carrying))

    def _add_issues_for_unsplit(self, bound: BoundField, column: pa.Array) -> None:
        """Add an issue for each full name of which nothing is left for this part.

        The cell is filled, so a message that asks to fill it in would mislead.
        """
        empty = ~nonempty(column)
        if empty.any():
            whole = transforms.gather(
                replace(bound, name_rule=None), partial(self._filled_cells, bound), self.rows
            )
            where = empty & nonempty(whole)
            self._add_issues(ColumnIssue("required", where, wording="name-not-split"), bound, column)

    def _add_issues(self, fault: ColumnIssue, bound: BoundField, column: pa.Array) -> None:
        rows = self.chunk.frame.index.to_numpy()
        bound = replace(bound, sources=(fault.source,)) if fault.source else bound
        for source, indices, cells in self._cells_at(bound, column, np.flatnonzero(fault.where)):
            self.issues.append(
                RepeatedIssue(
                    code=fault.code,
                    severity=fault.severity,
                    rows=rows[indices],
                    sheet=self.chunk.sheet,
                    column=source,
                    field=bound.field.name,
                    cells=cells,
                    expected=fault.expected,
                    wording=fault.wording,
                )
            )

    def _cells_at(
        self, bound: BoundField, column: pa.Array, indices: np.ndarray
    ) -> Iterator[tuple[str | None, np.ndarray, pa.Array]]:
        """Yield the columns that fed the rows at these indices (each row its first filled one, else the first
        of all), with the indices of these rows and their cells as they were read."""
        if not bound.sources:
            yield None, indices, column.take(pa.array(indices))
            return
        filled = [
            nonempty(self._filled_cells(bound, source).take(pa.array(indices))) for source in bound.sources
        ]
        feeding = np.argmax(filled, axis=0)
        for number, source in enumerate(bound.sources):
            own = feeding == number
            if own.any():
                cells = self.raw(source).take(pa.array(indices[own]))
                yield source, indices[own], if_else(filled[number][own], cells, "")
