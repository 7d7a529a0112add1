"""Bring back a person whose place in the CRM another row of the file took, once that row gives up the contact
of both: only where nobody else can have the place by now.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from importer.batching import Customers
from importer.dataclass import dataclass
from importer.mapping import Mapper
from importer.models import Issue, Issues, Outcome, RepeatedIssue, Severity, Status
from importer.pipeline.check import CheckedChunk
from importer.pipeline.corrections import NOT_RESTORED, RESTORED
from importer.pipeline.overtaken_rows import FileMates
from importer.pipeline.people import SAME_CONTACT, NamedPerson
from importer.pipeline.row_history import PriorImports


@dataclass(frozen=True, slots=True)
class _Freed:
    """What a row of a report was sent with, and which others of its file were."""

    run: str
    keys: frozenset[int]
    sharing: Mapping[int, frozenset[int]]
    """By the index of a row in the chunk that shared a contact with it, all that it was sent with."""
    certain: bool
    """All rows that shared one are in the chunk, and the same run sent them."""


class FreedPlaces:
    """Lets a row take its place in the CRM again only where that is certain to be free.

    That is, the file had no contact of it but in rows with the very same ones, all of these have given them
    up and are sent, no other row of the report has them, and no later run sent them.
    """

    def __init__(self, prior: PriorImports, mapper: Mapper) -> None:
        self._prior = prior
        self._mates = FileMates(prior, mapper)
        self._since: dict[str, np.ndarray | None] = {}
        """By run the contacts that later ones sent; None if nobody knows."""

    def settle(
        self, checked: CheckedChunk, customers: Customers, came_in: np.ndarray, skipped: np.ndarray
    ) -> tuple[CheckedChunk, list[Outcome], Customers]:
        """Return the chunk with what is said of `checked.restored`, what becomes of those that are not sent,
        and the customers that are.

        `came_in` and `skipped`: the numbers of rows of which this run, taken up again, knows it already.
        """
        everyone = checked.customers
        contested = Issues.rows_of(part for part in checked.issues.parts if part.code == SAME_CONTACT)
        sent = np.isin(everyone.rows, [*customers.rows.tolist(), *came_in.tolist()])
        origins = self._prior.noted_origins(everyone.sheet, everyone.rows) if checked.restored.size else {}
        doubtful, told = list[int](), list[Issue]()
        for at in np.flatnonzero(np.isin(everyone.rows, checked.restored)).tolist():
            row = int(everyone.rows[at])
            if not (row in customers.rows or row in skipped):
                continue
            freed = self._freed(everyone, at, origins)
            if row in skipped or row in contested or not self._is_free(everyone, at, freed, sent):
                doubtful.append(row)
                givers = [one for one in freed.sharing if freed.sharing[one] - _keys(everyone, one)]
                other = next((one for one in givers if one > at), None)
                told.append(
                    Issue(
                        *(NOT_RESTORED, Severity.WARNING, row, everyone.sheet),
                        found=_name(everyone, at),
                        expected=None if other is None else _name(everyone, other),
                        other_row=None if other is None else int(everyone.rows[other]),
                        wording="not-restored-refused" if other is None else None,
                    )
                )
        again = checked.restored[np.isin(checked.restored, [*everyone.rows[sent].tolist()])]
        again = again[~np.isin(again, doubtful)]
        notes = [RepeatedIssue(RESTORED, Severity.NOTE, again, everyone.sheet)] if again.size else []
        rows = tuple(row for row in doubtful if row in customers.rows)
        outcomes = [Outcome(everyone.sheet, rows, Status.SKIPPED, code="imported-before")] if rows else []
        parts = _but_shared(checked.issues, rows)
        checked = dataclasses.replace(checked, issues=Issues((*parts, *notes, *told)))
        return checked, outcomes, customers.where(~np.isin(customers.rows, rows))

    def _freed(self, everyone: Customers, at: int, origins: Mapping[int, tuple[str, str, int]]) -> _Freed:
        run, sheet, own = origins.get(int(everyone.rows[at]), ("", "", 0))
        there = self._mates.of(run) if run else None
        if there is None or len(self._prior.lineage((run, sheet, own))) > 1:
            return _Freed(run, frozenset(), {}, certain=False)
        me = there.place(sheet, own)
        keys = _filled(there.sent.look_up(np.array([me], dtype=np.int64)).contacts[0])
        others = set(there.rows[np.isin(there.keys, list(keys))].tolist()) - {me}
        wanted = {there.found(other, "") for other in others}
        places = {
            there.place(origin[1], origin[2]): int(np.searchsorted(everyone.rows, row))
            for row, origin in origins.items()
            if origin[0] == run and (origin[2], origin[1]) in wanted
        }
        sharing = {
            places[other]: _filled(there.sent.look_up(np.array([other], dtype=np.int64)).contacts[0])
            for other in sorted(others)
            if other in places
        }
        certain = others <= places.keys() and bool(keys)
        certain = certain and {there.sent.sender(one) for one in (me, *others)} == {run}
        return _Freed(run, keys, sharing, certain=certain)

    def _is_free(self, everyone: Customers, at: int, freed: _Freed, sent: np.ndarray) -> bool:
        held = np.asarray(np.isin(everyone.contacts, list(freed.keys)).any(axis=1))
        held[at] = False
        gone = all(sent[one] and had == freed.keys for one, had in freed.sharing.items())
        if not freed.certain or not gone or held.any():
            return False
        if freed.run not in self._since:
            self._since[freed.run] = self._prior.contacts_since(freed.run)
        since = self._since[freed.run]
        return since is not None and not np.isin(list(freed.keys), since).any()


def _but_shared(issues: Issues, rows: Collection[int]) -> Iterator[Issue | RepeatedIssue]:
    """Yield the issues, but none of these rows that says what sending it would do to another."""
    for part in issues.parts:
        if not rows or part.code != SAME_CONTACT:
            yield part
        else:
            yield from (one for one in ((part,) if isinstance(part, Issue) else part) if one.row not in rows)


def _filled(keys: np.ndarray) -> frozenset[int]:
    return frozenset(keys[keys != 0].tolist())


def _keys(customers: Customers, at: int) -> frozenset[int]:
    return _filled(customers.contacts[at])


def _name(customers: Customers, at: int) -> str:
    return NamedPerson.of(json.loads(customers.encoded[at])).name
