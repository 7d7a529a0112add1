"""Map chunks of a file's columns to chunks of API fields.

What whole columns have proved (the order of dates, the letters for genders) can be written back into the
mapping, so that a part of the file that is imported alone means the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    offsets_and_bytes,
    to_mask,
    trimmed,
    without_nulls,
)
from importer.contracts import Contract, FieldKind
from importer.mapping import custom_fields, dates, transforms
from importer.mapping.custom_fields import CustomFieldEncoder
from importer.mapping.dates import DateOrder, ReadColumn, proved
from importer.mapping.filters import RowFilter, excluded_rows
from importer.mapping.gender import iberian_values, letters_of
from importer.mapping.schema import FieldRule, MappingFile
from importer.mapping.transforms import BoundField, UnreadableValues
from importer.models import Chunk, Issue, MappedChunk, Note, Severity, Skip

EXAMPLE_MARK = "EXAMPLE 示例"
"""What the template writes into its example row, which is never imported."""
CUSTOM_FIELD = "customize_field"


@dataclass(frozen=True, slots=True)
class BoundCustomField:
    """An own field of the tenant and the step that fills it."""

    step: BoundField
    custom: CustomFieldEncoder


@dataclass(frozen=True, slots=True)
class BoundMapping:
    """A mapping tied to the header of one file."""

    mapping: MappingFile
    contract: Contract
    header: tuple[str, ...]
    steps: tuple[BoundField, ...]
    customs: tuple[BoundCustomField, ...] = ()
    filters: tuple[RowFilter, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass
class Mapper:
    """Maps the chunks of one file; chunks may come in any order and more than once.

    `look` reads a column of the whole file again; it is asked once for a column whose year-last dates need
    the proof of all others.
    """

    plan: BoundMapping
    look: ReadColumn | None = None
    _orders: dict[str, DateOrder] = field(default_factory=dict)
    _letters: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """For each API field the columns that feed it; () for a constant."""
        found = {step.field.name: step.sources for step in self.plan.steps}
        own = tuple(source for one in self.plan.customs for source in one.step.sources)
        if own:
            found[CUSTOM_FIELD] = tuple(dict.fromkeys((*found.get(CUSTOM_FIELD, ()), *own)))
        return found

    @property
    def unused(self) -> tuple[str, ...]:
        """The columns of the file that go nowhere."""
        used = {source for sources in self.columns.values() for source in sources}
        used |= {step.country_code for step in self._all_steps() if step.country_code}
        used |= {one.column for one in self.plan.filters}
        used |= {step.when.column for step in self._all_steps() if step.when}
        return tuple(name for name in self.plan.header if name not in used)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is worth telling about how the mapping fits the file."""
        return self.plan.notes

    def map(self, chunk: Chunk) -> MappedChunk:
        """The chunk's rows as API fields, with issues for what the mapping could not read.

        A value with an issue is missing in the frame. Rows that the mapping filters out, and the template's
        example row, are named in `skips` and have no issues of the mapping.
        """
        work = _ChunkMapper(self, chunk)
        skips = work.skips()
        fields = work.fields()
        index = chunk.frame.index.to_numpy()
        skipped = {row for skip in skips for row in skip.rows.tolist()} if work.issues else set()
        mapped = MappedChunk(
            sheet=chunk.sheet,
            frame=arrow.frame(fields, index),
            columns={name: self._told_as(name) for name in fields},
            issues=tuple(issue for issue in work.issues if issue.row not in skipped),
            skips=tuple(skips),
        )
        mapped.texts.update(fields)
        return mapped

    def order(self, column: str) -> DateOrder:
        """What all the year-last dates of a column prove about their order."""
        if column not in self._orders:
            self._orders[column] = DateOrder.UNPROVED if self.look is None else proved(self.look(column))
        return self._orders[column]

    def proven_mapping(self) -> MappingFile:
        """The mapping, with what whole columns have proved so far written in (the order of dates as formats,
        Spanish letters for genders as values): a part of the file, imported by it, means what it meant in
        the whole."""
        return with_proven_rules(self.plan.mapping, self._all_steps(), self._orders, self._letters)

    def _told_as(self, field: str) -> str:
        """The column that a field's issues name: the first that feeds it, "" for a constant. A full name that
        was made has those of its parts."""
        feeding = (field,) if field in self.columns else ("first_name", "last_name")
        return next((source for name in feeding for source in self.columns.get(name, ())), "")

    def letters(self, column: str) -> frozenset[str]:
        """All single letters that a column holds; none if it cannot be looked at."""
        if column not in self._letters:
            self._letters[column] = frozenset() if self.look is None else letters_of(self.look(column))
        return self._letters[column]

    def _all_steps(self) -> Iterable[BoundField]:
        yield from self.plan.steps
        yield from (one.step for one in self.plan.customs)


class _ChunkMapper:
    """One chunk on its way through the mapping."""

    def __init__(self, mapper: Mapper, chunk: Chunk) -> None:
        self.mapper = mapper
        self.chunk = chunk
        self.rows = len(chunk.frame)
        self.issues: list[Issue] = []
        self._trimmed: dict[str, pa.Array] = {}

    def raw(self, column: str) -> pa.Array:
        if column not in self.chunk.frame.columns:
            # A sheet of several that lacks this column.
            return constant("", self.rows)
        return without_nulls(arrow.text_column(self.chunk, column))

    def cell(self, column: str) -> pa.Array:
        if column not in self._trimmed:
            self._trimmed[column] = trimmed(self.raw(column))
        return self._trimmed[column]

    def skips(self) -> list[Skip]:
        index = self.chunk.frame.index.to_numpy()
        found = [
            Skip(index[out], "filtered", one.reason())
            for one, out in excluded_rows(self.mapper.plan.filters, self.cell, self.rows)
        ]
        example = self._example_rows()
        if example.any():
            found.append(
                Skip(
                    np.setdiff1d(index[example], [row for skip in found for row in skip.rows]), "example-row"
                )
            )
        return [skip for skip in found if len(skip.rows)]

    def fields(self) -> dict[str, pa.Array]:
        """The contract's fields, in its order, "" as missing unless it is to be sent."""
        found = {step.field.name: self._value(step) for step in self.mapper.plan.steps}
        if self.mapper.plan.customs:
            parts = [(one.custom.key, self._own_value(one)) for one in self.mapper.plan.customs]
            found[CUSTOM_FIELD] = custom_fields.packed(found.get(CUSTOM_FIELD), parts)
        if "full_name" in self.mapper.plan.contract.names:
            first, last = found.get("first_name"), found.get("last_name")
            if first is not None or last is not None:
                nobody = constant("", self.rows)
                whole = found.get("full_name")
                found["full_name"] = transforms.full_names(
                    whole, nobody if first is None else first, nobody if last is None else last
                )
        # An empty text is no gender: the API has a number there, and none for “not said”.
        sent = {
            step.field.name
            for step in self.mapper.plan.steps
            if step.rule.empty == "send" and step.field.kind is not FieldKind.GENDER
        }
        return {
            name: found[name] if name in sent else empty_as_null(found[name])
            for name in self.mapper.plan.contract.names
            if name in found
        }

    def _value(self, step: BoundField) -> pa.Array:
        cell = self.cell if step.rule.trim else self.raw
        column = transforms.gathered(step, cell, self.rows)
        if step.field.kind is FieldKind.DATE:
            column, faults = self._dates(step, column)
        else:
            letters = partial(self.mapper.letters, *step.sources[:1])
            column, faults = transforms.read(step, column, self.cell, letters)
        for fault in faults:
            self._report(fault, step, column)
            column = if_else(fault.where, "", column)
        column = transforms.finished(step, column)
        if step.name_rule and step.field.required:
            self._report_unsplit(step, column)
        return column

    def _report_unsplit(self, step: BoundField, column: pa.Array) -> None:
        """A full name of which nothing is left for this part of it: the cell is filled, so it is no use to
        ask for it to be filled in."""
        empty = ~nonempty(column)
        if empty.any():
            whole = transforms.gathered(replace(step, name_rule=None), self.cell, self.rows)
            where = empty & nonempty(whole)
            self._report(UnreadableValues("required", where, wording="name-not-split"), step, column)

    def _own_value(self, one: BoundCustomField) -> pa.Array:
        cell = self.cell if one.step.rule.trim else self.raw
        column = transforms.finished(one.step, transforms.gathered(one.step, cell, self.rows))
        faults: list[UnreadableValues] = []
        if one.custom.type == "date":
            column, faults = self._dates(one.step, column)
            for fault in faults:
                column = if_else(fault.where, "", column)
        values, bad = one.custom.as_json(column)
        if bad.any():
            faults.append(UnreadableValues("bad-custom-field", bad, lambda _: one.custom.expected))
        for fault in faults:
            self._report(fault, one.step, column)
        return values

    def _dates(self, step: BoundField, column: pa.Array) -> tuple[pa.Array, list[UnreadableValues]]:
        """Dates as yyyy-MM-dd, each in the order that the column it came from proves."""
        if len(step.sources) < 2 or not dates.unread(column).any():
            return transforms.read_dates(column, step.rule.formats, lambda: self._order(step.sources))
        faults: list[UnreadableValues] = []
        for own, sources in self._fed(step):
            order = partial(self._order, sources)
            part, found = transforms.read_dates(if_else(own, column, ""), step.rule.formats, order)
            column = if_else(own, part, column)
            faults += found
        return column, faults

    def _fed(self, step: BoundField) -> Iterator[tuple[np.ndarray, tuple[str, ...]]]:
        """The rows (bool) that each of a step's columns feeds; joined columns feed all rows together."""
        left = np.ones(self.rows, dtype=bool)
        if step.rule.join is None:
            for source, cells in zip(step.sources, transforms.parts(step, self.cell), strict=True):
                own = left & nonempty(cells)
                left &= ~own
                yield own, (source,)
        yield left, step.sources

    def _order(self, sources: Sequence[str]) -> DateOrder:
        orders = {self.mapper.order(source) for source in sources}
        return orders.pop() if len(orders) == 1 else DateOrder.UNPROVED

    def _report(self, fault: UnreadableValues, step: BoundField, column: pa.Array) -> None:
        places = np.flatnonzero(fault.where)
        rows = self.chunk.frame.index.to_numpy()[places].tolist()
        found = zip(rows, *self._found(step, column, places), strict=True)
        for row, source, text in found:
            self.issues.append(
                Issue(
                    code=fault.code,
                    severity=Severity.ERROR,
                    row=row,
                    sheet=self.chunk.sheet,
                    column=source,
                    field=step.field.name,
                    found=text,
                    expected=fault.expected(text),
                    wording=fault.wording,
                )
            )

    def _found(
        self, step: BoundField, column: pa.Array, places: np.ndarray
    ) -> tuple[list[str | None], list[str]]:
        """For each place the column whose cell fed it (the first filled one) and that cell as it was read."""
        if not step.sources:
            return [None] * len(places), column.take(pa.array(places)).to_pylist()
        sources: list[str | None] = [step.sources[0]] * len(places)
        texts: list[str] = [""] * len(places)
        for source in reversed(step.sources):
            cells = self.cell(source).take(pa.array(places)).to_pylist()
            raw = self.raw(source).take(pa.array(places)).to_pylist()
            for number, cell in enumerate(cells):
                if cell:
                    sources[number], texts[number] = source, raw[number]
        return sources, texts

    def _example_rows(self) -> np.ndarray:
        names = [step for step in self.mapper.plan.steps if step.field.name.endswith("_name")] or [
            step for step in self.mapper.plan.steps if step.field.kind is FieldKind.TEXT
        ]
        found = np.zeros(self.rows, dtype=bool)
        for source in {source for step in names for source in step.sources}:
            column = self.cell(source)
            if EXAMPLE_MARK.encode() in offsets_and_bytes(column)[1].tobytes():
                found |= to_mask(pc.match_substring(column, EXAMPLE_MARK)) & nonempty(column)
        return found


def with_proven_rules(
    mapping: MappingFile,
    steps: Iterable[BoundField],
    orders: Mapping[str, DateOrder],
    letters: Mapping[str, frozenset[str]],
) -> MappingFile:
    """The mapping with the order of dates as formats and Spanish letters for genders as values, as far as
    `orders` and `letters` (by column) hold what whole columns proved."""
    proven = [(step.rule, _proven(step, orders, letters)) for step in steps]

    def told(rule: FieldRule) -> FieldRule:
        found = next((found for one, found in proven if one is rule), {})
        return rule.model_copy(update=found) if found else rule

    tables = {
        "fields": {name: told(rule) for name, rule in mapping.fields.items()},
        "custom": {name: told(rule) for name, rule in mapping.custom.items()},
    }
    return mapping.model_copy(update=tables)


def _proven(
    step: BoundField, orders: Mapping[str, DateOrder], letters: Mapping[str, frozenset[str]]
) -> dict[str, object]:
    """What was proved for a step, as keys of its rule."""
    if step.iberian_header and step.sources[0] in letters:
        return {"values": iberian_values(letters[step.sources[0]])}
    known = {orders[source] for source in step.sources if source in orders}
    formats = dates.FORMATS.get(known.pop()) if len(known) == 1 else None
    return {"formats": formats} if formats else {}
