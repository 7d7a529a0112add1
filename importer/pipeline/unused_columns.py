"""Look at columns that are not imported for what matters all the same: who has left or must not be contacted,
and other contacts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import nonempty, to_mask
from importer.mapping import consent
from importer.mapping.base import packaged_index
from importer.mapping.headers import meanings, normalize
from importer.mapping.mapper import Mapper
from importer.models import Chunk, Issue, RepeatedIssue, Severity
from importer.validation import NO_CONTACT

REFUSED = "contact-refused"
"""The code of the warning on people who must not be contacted."""
_SAID = 5
"""So many different cells are named in the condition that leaves them out."""
_CONTACTS = frozenset({"sms_phone", "whats_app_phone", "viber_phone", "email"})
_LINES = frozenset({"landline", "mobile"})
_LIKE_CONTACT = r"^[^\s@]+@[^\s@]+\.[^\s@]+$|^[+(0-9][0-9 ()/.\-]{6,}$"


class UnusedColumns:
    """Knows the columns of one file that go nowhere, and those of remarks, which may go to the CRM."""

    def __init__(self, names: Iterable[str], remarks: Iterable[str] = ()) -> None:
        self._names = tuple(names)
        self._of_leavers = tuple(name for name in self._names if says_who_left(name))
        self._of_consents = {name: kind for name in self._names if (kind := kind_of_consent(name))}
        self._of_remarks = (*remarks, *(name for name in self._names if _means_remark(name)))

    def issues(self, chunk: Chunk, found: Iterable[Issue | RepeatedIssue]) -> list[Issue | RepeatedIssue]:
        """Return what was found in a chunk, with a warning on rows whose customer has left, and with what
        stands in other columns of the rows without a contact."""
        told: list[Issue | RepeatedIssue] = []
        for part in found:
            if isinstance(part, RepeatedIssue) and part.code == NO_CONTACT:
                told += self._beside(chunk, part)
            else:
                told.append(part)
        return [*told, *self._left(chunk), *self._refused(chunk)]

    def _left(self, chunk: Chunk) -> Iterator[RepeatedIssue]:
        for name in self._of_leavers:
            if name in chunk.frame.columns:
                cells = trimmed_cells(chunk, name)
                denied = pc.is_in(pc.utf8_lower(cells), value_set=arrow.array(sorted(_denials())))
                where = nonempty(cells) & ~to_mask(denied)
                if where.any():
                    rows = chunk.frame.index.to_numpy()[where]
                    yield RepeatedIssue(
                        *("customer-left", Severity.WARNING, rows, chunk.sheet, name),
                        cells=cells.filter(where),
                    )

    def _refused(self, chunk: Chunk) -> Iterator[RepeatedIssue]:
        """Yield warnings on rows of people who must not be contacted, by a column of that or a remark."""
        for name, kind in self._of_consents.items():
            if name in chunk.frame.columns:
                cells = trimmed_cells(chunk, name)
                where = consent.refusing(kind, cells)
                if where.any():
                    wording = "contact-refused-refused" if kind == "refused" else None
                    yield _refusal(chunk, name, where, cells.filter(where), wording)
        for name in self._of_remarks:
            if name in chunk.frame.columns:
                cells = trimmed_cells(chunk, name)
                where = consent.telling_remarks(cells)
                if where.any():
                    yield _refusal(chunk, name, where, cells.filter(where), "contact-refused-remark")

    def _beside(self, chunk: Chunk, found: RepeatedIssue) -> list[Issue | RepeatedIssue]:
        """Return the issue of rows without a contact; those with one in a column that is not imported, with
        this column."""
        told: list[Issue | RepeatedIssue] = []
        for name in _contacts_among(self._names):
            if name not in chunk.frame.columns or not len(found):
                continue
            here = np.isin(chunk.frame.index.to_numpy(), found.rows)
            cells = trimmed_cells(chunk, name).filter(here)
            filled = to_mask(pc.match_substring_regex(cells, _LIKE_CONTACT))
            if filled.any():
                rows = chunk.frame.index.to_numpy()[here][filled]
                told.append(
                    RepeatedIssue(
                        *(NO_CONTACT, found.severity, rows, chunk.sheet, name),
                        cells=cells.filter(filled),
                        wording="contact-not-imported",
                    )
                )
                found = found.where(~np.isin(found.rows, rows))
        return [*told, found] if len(found) else told


def columns_that_decide(mapper: Mapper) -> tuple[str, ...]:
    """Return the columns that say who is sent, or who must not be: of the mapping's conditions, of consents
    and of who has left. A ditto sign there is what stands above: “No” and below it “ídem”."""
    telling = (name for name in mapper.unused if says_who_left(name) or consent.kind_of(name))
    return tuple(dict.fromkeys((*(one.column for one in mapper.bound.filters), *telling)))


def trimmed_cells(chunk: Chunk, name: str) -> pa.Array:
    """Return the cells of a column without blanks around them."""
    return arrow.trimmed(arrow.without_nulls(arrow.text_column(chunk, name)))


def kind_of_consent(header: str) -> consent.Kind | None:
    """Return what a column says of who may be contacted; None: nothing, or who has left."""
    return None if says_who_left(header) else consent.kind_of(header)


def _refusal(
    chunk: Chunk, name: str, where: np.ndarray, cells: pa.Array, wording: str | None
) -> RepeatedIssue:
    texts = list(dict.fromkeys(cells.to_pylist()))[:_SAID]
    said = ", ".join(json.dumps(text, ensure_ascii=False) for text in texts)
    return RepeatedIssue(
        *(REFUSED, Severity.WARNING, chunk.frame.index.to_numpy()[where], chunk.sheet, name),
        cells=cells,
        expected=lambda _: said,
        wording=wording,
    )


def _means_remark(header: str) -> bool:
    return any(alias.field == "remark" for alias in meanings(header))


def says_who_left(header: str) -> bool:
    """Return whether a column is called like one that says who is no customer any more: Austritt, 离会."""
    return normalize(header) in _leaving_headers()


@cache
def _leaving_headers() -> frozenset[str]:
    return frozenset(map(normalize, packaged_index("words.json")["leaving"]["headers"]))


@cache
def _denials() -> frozenset[str]:
    """Return what says in such a column that somebody has not left, in lower case."""
    return frozenset(packaged_index("words.json")["leaving"]["denials"])


@cache
def _contacts_among(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that are called like phones or e-mails of the customer."""
    from importer.mapping import vocabulary  # its index is large, and few rows need it

    found = []
    for name in names:
        reading = vocabulary.read(name)
        labels = {label.field for phrase in reading.phrases for label in phrase.labels}
        roles = reading.roles()
        if (labels & _CONTACTS or roles & _LINES) and not roles & set(vocabulary.VETO):
            found.append(name)
    return tuple(found)
