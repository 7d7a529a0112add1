"""Check one chunk on its way from the reader to the batches: map, validate, find duplicates.

The dry run, the real run, `resume`, `retry` and `report` all take this path.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from importer import arrow
from importer.batching import Customers, encode
from importer.contracts import Contract
from importer.dataclass import dataclass
from importer.fingerprints import NO_KEY, FingerprintKey
from importer.mapping import Mapper, addresses, merged_cells, person_names
from importer.models import Chunk, Issue, Issues, MappedChunk, Mode, Outcome, RepeatedIssue, Severity, Status
from importer.option_types import Duplicates
from importer.pipeline import people
from importer.pipeline.corrections import (
    CORRECTED,
    KEPT,
    RUINED,
    Differences,
    ImportedRows,
    as_warnings,
    differences,
    doubts_of_corrections,
    ruined_rows,
)
from importer.pipeline.duplicates import DuplicateDetector, DuplicateVerdict, SharedContacts
from importer.pipeline.suppression import Suppression
from importer.pipeline.unused_columns import UnusedColumns, columns_that_decide, trimmed_cells
from importer.validation import NO_CONTACT, filled_contacts, validate

_Part = Issue | RepeatedIssue
_CONTACT_LEFT_OUT = "contact-left-out"


@dataclass(frozen=True, slots=True)
class CheckedChunk:
    """A chunk with all that is known before the server answers."""

    chunk: Chunk
    """The rows as they were read, without the importer's own columns."""
    issues: Issues
    outcomes: tuple[Outcome, ...]
    """Rows that are final already: skipped, invalid, duplicate."""
    customers: Customers
    """Rows to be sent."""
    corrected: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Row numbers (int64) of those among them that are in already, with other values."""
    stale: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Row numbers (int64) of those among them whose values are older than what is in."""
    restored: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Row numbers (int64) of those among them that have not changed, and take their place again."""


@dataclass(frozen=True, slots=True)
class CheckRules:
    """The options that decide which rows are sent."""

    duplicates: Duplicates = Duplicates.SEND
    strict: bool = False
    mode: Mode = Mode.UPDATE
    """What becomes of what the CRM has. In `keep` no row that is in is sent again."""


class Checker:
    """Checks chunks in file order; remembers what earlier rows claimed."""

    def __init__(
        self,
        mapper: Mapper,
        contract: Contract,
        rules: CheckRules,
        key: FingerprintKey = NO_KEY,
        shared: SharedContacts | None = None,
        suppression: Suppression | None = None,
        content_key: str = "",
        tag: str = "",
        sent_key: str = "",
    ) -> None:
        """`key`: for the fingerprints of contacts that the journal keeps. `shared` counts rows by contact.
        `suppression`: who must not be sent. `content_key`: for the fingerprints of what is sent.
        `tag`: what every row gets. `sent_key`: for the fingerprints by which corrections are found."""
        self._tag = tag
        self._sent_key = sent_key
        self._mode = rules.mode
        identifiers = (field.name for field in contract.fields if field.identifier)
        self._identifiers = frozenset(
            column for name in identifiers for column in mapper.columns.get(name, ())
        )
        self._content_key = content_key
        self._suppression = suppression
        contacts = (one for one in mapper.bound.fields if one.field.name in contract.contact_fields)
        self._firsts = {one.field.name: one.sources for one in contacts if one.rule.join is None}
        self._contacts = frozenset(
            name for field in contract.contact_fields for name in mapper.columns.get(field, ())
        )
        self._names = frozenset(
            name for field in person_names.FIELDS for name in mapper.columns.get(field, ())
        )
        self._addresses = tuple(mapper.columns.get("address", ()))
        self._carrying = (*self._addresses, *columns_that_decide(mapper))
        self._unused = frozenset(mapper.unused)
        self._left_out = UnusedColumns(mapper.unused, mapper.columns.get("remark", ()))
        self._sources = {name: sources for name, sources in mapper.columns.items() if len(sources) > 1}
        self._joined = {one.field.name for one in mapper.bound.fields if one.rule.join is not None}
        self._used = tuple(dict.fromkeys(name for sources in mapper.columns.values() for name in sources))
        self._mapper = mapper
        self._contract = contract
        self._key = key
        self._strict = rules.strict
        self._duplicates = rules.duplicates
        if rules.strict and rules.duplicates is Duplicates.SEND:
            self._duplicates = Duplicates.ERROR  # the warning same-contact counts as an error
        self._claims = DuplicateDetector(self._duplicates, shared)

    def check(self, chunk: Chunk, imported: ImportedRows | None = None) -> CheckedChunk:
        """`imported`: the rows that an earlier run imported to the same place."""
        chunk = merged_cells.settled(chunk, self._names, self._contacts, self._used)
        chunk = merged_cells.without_dittos(chunk, self._carrying)
        mapped = self._mapper.map(chunk)
        sheet, rows = chunk.sheet, chunk.frame.index.to_numpy()
        before = np.zeros(len(rows), dtype=bool) if imported is None else imported.mask
        differ = self._differences(mapped, rows, imported)
        as_before = before if differ is None else before & ~differ.values
        outcomes = [*_outcome(sheet, rows[as_before], Status.SKIPPED, "imported-before")]
        outcomes += _skipped(mapped, rows[as_before])
        skipped = np.isin(rows, [row for outcome in outcomes for row in outcome.rows])
        if self._suppression is not None:
            outcomes += self._listed(self._suppression, chunk, mapped, skipped)
            skipped |= np.isin(rows, [row for outcome in outcomes for row in outcome.rows])
        issues = self._issues(chunk, mapped, rows[skipped])
        corrected, stale = np.zeros((2, len(rows)), dtype=bool)
        if differ is not None and differ.values.any():
            ruined = ruined_rows(rows, differ, issues, self._identifiers) & ~skipped
            corrected = differ.values & ~ruined & ~skipped
            if not self._strict:  # under --strict they are invalid, so that nobody takes them for sent
                issues = Issues(as_warnings(issues, rows[ruined]))
                outcomes += _outcome(sheet, rows[ruined], Status.SKIPPED, RUINED)
                skipped |= ruined
            if self._mode is Mode.KEEP:
                outcomes += _outcome(sheet, rows[corrected], Status.SKIPPED, KEPT)
                skipped |= corrected
                corrected &= False
            stale = corrected & differ.stale
            issues = Issues((*issues.parts, *self._doubts(sheet, rows, differ, corrected & ~stale)))
        errors = Issues.rows_of(part for part in issues.parts if part.severity is Severity.ERROR)
        invalid = ~skipped & np.isin(rows, errors)
        corrected &= ~invalid
        outcomes += _outcome(sheet, rows[invalid], Status.INVALID)
        customers = encode(
            mapped,
            self._contract,
            ~skipped & ~invalid,
            self._key,
            self._content_key,
            self._tag,
            self._sent_key,
        )
        if differ is not None:
            told = RepeatedIssue(CORRECTED, Severity.NOTE, rows[corrected & ~stale & ~differ.restored], sheet)
            issues = Issues((*issues.parts, *([told] if len(told) else [])))
        judged = self._claims.judge(customers)
        checked = self._settled(chunk, issues, outcomes, customers, judged)
        again = rows[corrected & differ.restored] if differ is not None else rows[:0]
        return dataclasses.replace(checked, corrected=rows[corrected], stale=rows[stale], restored=again)

    def _listed(
        self, suppression: Suppression, chunk: Chunk, mapped: MappedChunk, already: np.ndarray
    ) -> list[Outcome]:
        """Return the outcomes of rows of people who must not be sent. No correction takes anybody off a list:
        the contacts that a row had before count, too. `already`: bool for each row."""
        beside = {
            name: [arrow.text_column(chunk, one) for one in sources if one in chunk.frame.columns]
            for name, sources in self._firsts.items()
            if len(sources) > 1
        }
        found = suppression.outcomes(mapped, self._contract, already, beside)
        if chunk.as_read is not None:
            done = [row for outcome in found for row in outcome.rows]
            left = chunk.frame.index[~already].difference(done).intersection(chunk.as_read.index)
            if len(left):
                before = Chunk(chunk.sheet, chunk.as_read.loc[left])
                nobody = np.zeros(len(left), dtype=bool)
                found += self._listed(suppression, before, self._mapper.map(before), nobody)
        return found

    def _differences(
        self, mapped: MappedChunk, rows: np.ndarray, imported: ImportedRows | None
    ) -> Differences | None:
        """Return what differs in rows that are in from what was sent; the others claim their contacts."""
        if imported is None or not imported.mask.any():
            return None
        mask = imported.mask & self._sendable(mapped)
        again = encode(mapped, self._contract, mask, self._key, tag=self._tag, sent_key=self._sent_key)
        found = differences(imported, rows, again, restores=self._mode is not Mode.KEEP)
        self._claims.claim(again.where(~found.values[np.searchsorted(rows, again.rows)]))
        return found

    def _doubts(
        self, sheet: str, rows: np.ndarray, differ: Differences, corrected: np.ndarray
    ) -> Iterator[_Part]:
        """The warnings on corrections that are to be sent."""
        empties, names = self._mode is Mode.REPLACE, [field.name for field in self._contract.fields]
        parts = doubts_of_corrections(rows, differ, sheet, names, self._mapper.columns, empties=empties)
        for part in parts:
            left = part.where(np.isin(part.rows, rows[corrected]))
            if len(left):
                yield self._graded(left)

    def _issues(self, chunk: Chunk, mapped: MappedChunk, skipped: np.ndarray) -> Issues:
        """Of the reading issues only those that concern a row to be sent and a column that is used, be it to
        decide who is sent."""
        read = (
            issue
            for issue in chunk.issues
            if issue.code == merged_cells.DITTO or self._concerns(chunk, issue.column)
        )
        written = (issue for name in self._used for issue in _written_errors(chunk, name))
        checked = (
            part
            for checked in validate(mapped, self._contract).parts
            for part in self._at_its_column(chunk, checked)
        )
        told = (*read, *written, *Issues.parts_of(mapped.issues), *checked, *self._days_in_addresses(chunk))
        parts = self._left_out.issues(chunk, told)
        found = (
            parts if chunk.as_read is None else self._noting_left_out_contacts(chunk, chunk.as_read, parts)
        )
        return Issues(self._graded(part) for part in _one_a_cell(_beside_errors(found), skipped))

    def _days_in_addresses(self, chunk: Chunk) -> Iterator[RepeatedIssue]:
        for name in self._addresses:
            if name in chunk.frame.columns:
                cells = trimmed_cells(chunk, name)
                where = addresses.days(cells)
                if where.any():
                    rows, found = chunk.frame.index.to_numpy()[where], cells.filter(where)
                    yield RepeatedIssue(
                        *("date-in-address", Severity.WARNING, rows, chunk.sheet, name, "address"),
                        cells=found,
                        expected=addresses.before_excel,
                    )

    def _noting_left_out_contacts(
        self, chunk: Chunk, as_read: pd.DataFrame, parts: Sequence[_Part]
    ) -> Sequence[_Part]:
        """Return the issues; for rows that have no contact since a correction took it out, a note in place of
        the warning. `as_read`: the corrected rows as the file has them."""
        rows = Issues.rows_of(one for one in parts if one.code == NO_CONTACT)
        bare = as_read.index.intersection(pd.Index(rows))
        if not len(bare):
            return parts
        before = self._mapper.map(Chunk(chunk.sheet, as_read.loc[bare]))
        had = bare.to_numpy()[filled_contacts(before, self._contract)]
        if not had.size:
            return parts
        rest = (part if part.code != NO_CONTACT else _but(part, had) for part in parts)
        told = RepeatedIssue(_CONTACT_LEFT_OUT, Severity.NOTE, had, chunk.sheet)
        return [*(part for part in rest if part is not None), told]

    def _concerns(self, chunk: Chunk, column: str | None) -> bool:
        """Whether an issue concerns a column that the mapping uses, or the whole row."""
        return column is None or (column not in self._unused and column in chunk.frame.columns)

    def _at_its_column(self, chunk: Chunk, found: _Part) -> Iterator[_Part]:
        """The issue at the column that the value came from, where several feed its field: the first filled
        one, or the longest cell of a text that is too long because it was joined."""
        sources = [name for name in self._sources.get(found.field or "", ()) if name in chunk.frame.columns]
        if not sources:
            yield found
            return
        for issue in (found,) if isinstance(found, Issue) else found:
            cells = {name: str(chunk.frame.at[issue.row, name]).strip() for name in sources}
            filled = [name for name, cell in cells.items() if cell]
            if issue.code in _TOO_LONG and issue.field in self._joined:
                filled.sort(key=lambda name: -len(cells[name]))
            yield dataclasses.replace(issue, column=next(iter(filled), issue.column))

    def _graded(self, found: _Part) -> _Part:
        if self._strict and found.severity is Severity.WARNING:
            return dataclasses.replace(found, severity=Severity.ERROR)
        return found

    def _sendable(self, mapped: MappedChunk) -> np.ndarray:
        first = arrow.text_column(mapped, self._contract.fields[0].name)
        return np.asarray(first.is_valid().to_numpy(zero_copy_only=False), dtype=bool)

    def _settled(
        self,
        chunk: Chunk,
        issues: Issues,
        outcomes: list[Outcome],
        customers: Customers,
        judged: DuplicateVerdict,
    ) -> CheckedChunk:
        sheet, rows = chunk.sheet, customers.rows
        outcomes += _outcome(sheet, rows[judged.duplicate], Status.DUPLICATE, "same-row")
        kept = ~judged.duplicate
        if judged.same_contact.any():
            same = rows[judged.same_contact]
            if self._duplicates is Duplicates.ERROR:
                outcomes += _outcome(sheet, same, Status.INVALID)
            elif self._duplicates is Duplicates.SKIP:
                outcomes += _outcome(sheet, same, Status.DUPLICATE, "same-contact")
            if self._duplicates is not Duplicates.SEND:
                kept &= ~judged.same_contact
            if self._duplicates is Duplicates.SEND:
                keeps = self._mode is Mode.KEEP
                told = people.warnings(customers.where(kept), judged.same_contact[kept], keeps=keeps)
                issues = Issues((*issues.parts, *told))
            else:
                severity = Severity.ERROR if self._duplicates is Duplicates.ERROR else Severity.WARNING
                issues = Issues((*issues.parts, RepeatedIssue(people.SAME_CONTACT, severity, same, sheet)))
        return CheckedChunk(chunk, issues, tuple(outcomes), customers.where(kept))


_ERRORS = ("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!")
"""What a spreadsheet program writes into a CSV for an error cell; #N/A also means “nothing”."""


def _written_errors(chunk: Chunk, name: str) -> Iterator[Issue]:
    if name not in chunk.frame.columns:
        return
    cells = arrow.text_column(chunk, name)
    if not (arrow.offsets_and_bytes(cells)[1] == ord("#")).any():
        return
    written = pc.is_in(pc.utf8_trim_whitespace(cells), value_set=arrow.array(_ERRORS))
    for row in arrow.rows_where(chunk.frame, written).tolist():
        found = str(chunk.frame.at[row, name])
        yield Issue("cell-error", Severity.ERROR, row, chunk.sheet, name, found=found)


_TOO_LONG = ("too-long", "maybe-too-long")
_WHOLE_ROW = ("unclosed-quote", "text-after-quote", "extra-cells", "bad-json-line", "bad-encoding")
"""What puts cells of a row into other columns, the likeliest cause first, or leaves none of them."""


def _beside_errors(parts: Sequence[_Part]) -> Sequence[_Part]:
    """Return the issues without what follows from others: #REF! is no bad phone, and in a row whose cells
    have moved into other columns nothing else is to the point."""
    for code in _WHOLE_ROW:
        moved = Issues.rows_of(part for part in parts if part.code == code and part.column is None)
        if moved.size:
            parts = [left for part in parts if (left := part if part.code == code else _but(part, moved))]
    errors = [part for part in parts if part.code == "cell-error"]
    told = {
        part.column: Issues.rows_of(one for one in errors if one.column == part.column) for part in errors
    }
    found: list[_Part] = []
    for part in parts:
        rows = told.get(part.column) if part.code != "cell-error" else None
        left = part if rows is None else _but(part, rows)
        found += [left] if left else []
    return found


def _but(part: _Part, rows: np.ndarray) -> _Part | None:
    """Return an issue without these rows; None if it has no others."""
    if isinstance(part, Issue):
        return part if part.row not in rows else None
    left = part.where(~np.isin(part.rows, rows))
    return left if len(left) else None


def _one_a_cell(parts: Sequence[_Part], skipped: np.ndarray) -> Iterator[_Part]:
    """Yield the first issue of each cell (two checks may find the same fault), but none of a skipped row."""
    left = Counter((part.code, part.column) for part in parts)
    seen: dict[tuple[str, str | None], set[int]] = {}
    none = frozenset(skipped.tolist())
    for part in parts:
        key = (part.code, part.column)
        left[key] -= 1
        before = seen.setdefault(key, set())
        if isinstance(part, RepeatedIssue):
            if before or none:
                part = part.where(~np.isin(part.rows, [*before, *none]))
            if left[key]:
                before.update(part.rows.tolist())
            if len(part):
                yield part
        elif part.row not in before and part.row not in none:
            before.add(part.row)
            yield part


def _outcome(
    sheet: str, rows: np.ndarray, status: Status, code: str = "", message: str = ""
) -> list[Outcome]:
    if not rows.size:
        return []
    return [Outcome(sheet, tuple(rows.tolist()), status, code=code, message=message)]


def _skipped(mapped: MappedChunk, already: np.ndarray) -> list[Outcome]:
    outcomes: list[Outcome] = []
    taken = already
    for skip in mapped.skips:
        rows = np.setdiff1d(skip.rows, taken)
        taken = np.union1d(taken, rows)
        outcomes += _outcome(mapped.sheet, rows, Status.SKIPPED, skip.code, skip.message)
    return outcomes
