"""Compare rows of a report with rows of the same file that are in: hold back what these have overtaken or
what would go over another customer, and tell the rest.

The rows of a file count in its order, whenever they come in. What a report of a report brings is as old as
the row of the first file. In mode `keep` the first wins: nothing is held.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field

import numpy as np

from importer.batching import Customers
from importer.dataclass import dataclass
from importer.journal import SentRows, join_sheets
from importer.mapping import Mapper
from importer.messages import join_sentences, sentence
from importer.models import Issue, Issues, Outcome, RepeatedIssue, Severity, Status
from importer.option_types import Duplicates
from importer.pipeline.check import CheckedChunk
from importer.pipeline.corrections import CORRECTED
from importer.pipeline.newer_rows import NEWER_IMPORT
from importer.pipeline.people import SAME_CONTACT, NamedPerson, are_two, person_at
from importer.pipeline.row_history import PriorImports

_IMPORTED = "same-contact-imported"
_ON_SHEET = "-sheet"
"""What the code of a sentence about a row of another sheet ends with."""
_SHEET = 1 << 40
"""How far the places of two sheets lie apart."""
_ANOTHER = "newer-import-another"
"""The row got a contact that it was not sent with, and that an earlier row of the file has."""
_PERSON = "newer-import-person"
"""The row was not sent before, and an earlier row of the file, of another person, has a contact of it."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """The places of rows of a file that are in and share a contact with a row; 0 for none."""

    later: int
    """The last one behind it."""
    earlier: int
    """The last one before it."""
    added: int
    """The last one before it that has a contact which the row was not sent with; 0, too, if it is not in."""


@dataclass(frozen=True, slots=True)
class ContactRows:
    """The rows of each contact that a file has brought in, ascending by contact, then place.

    The place of a row is its number, and that of its sheet times `_SHEET`. Sheets count from 1 in the order
    in which they were sent. One that has brought in nothing comes before all: whatever is in may be newer.
    """

    sheets: tuple[str, ...]
    sent: SentRows
    """By place."""
    keys: np.ndarray
    """Contacts, int64."""
    rows: np.ndarray
    """Places, int64."""

    @classmethod
    def of(cls, sent: Mapping[str, SentRows]) -> ContactRows:
        whole = join_sheets(list(sent.values()), _SHEET)
        places, columns = np.nonzero(whole.contacts)
        keys, rows = whole.contacts[places, columns], whole.rows[places]
        order = np.lexsort((rows, keys))
        return cls(tuple(sent), whole, keys[order], rows[order])

    def place(self, sheet: str, row: int) -> int:
        """Return the place of a row."""
        return row + _SHEET * (self.sheets.index(sheet) + 1 if sheet in self.sheets else 0)

    def found(self, place: int, sheet: str) -> tuple[int, str]:
        """Return the row at a place, and its sheet if that is not `sheet`."""
        there = self.sheets[place // _SHEET - 1]
        return place % _SHEET, "" if there == sheet else there

    def sharing(self, own: int, contacts: np.ndarray, given_up: Collection[tuple[int, int]] = ()) -> Sharing:
        """Return what shares a contact with the row at the place `own`; `contacts`: those that it has now.
        `given_up`: contacts that rows have no more since a correction that is about to be sent, by place."""
        was = self.sent.look_up(np.array([own], dtype=np.int64))
        there, had = bool(was.lines[0]), was.contacts[0]
        later = earlier = added = 0
        for key in contacts[contacts != 0].tolist():
            rows = self.rows[np.searchsorted(self.keys, key) : np.searchsorted(self.keys, key, "right")]
            if given_up:
                rows = rows[[(key, place) not in given_up for place in rows.tolist()]]
            if not rows.size:
                continue
            later = max(later, int(rows[-1]) if rows[-1] > own else 0)
            place = int(np.searchsorted(rows, own))
            before = int(rows[place - 1]) if place else 0
            earlier = max(earlier, before)
            if there and key not in had:
                added = max(added, before)
        return Sharing(later, earlier, added)


class FileMates:
    """The rows that are in of the files that the rows of a report come from."""

    def __init__(self, prior: PriorImports, mapper: Mapper) -> None:
        """`mapper` reads who the rows are about."""
        self._prior = prior
        self._known: dict[str, ContactRows | None] = {}
        self._people = prior.people(mapper)

    def of(self, run: str) -> ContactRows | None:
        """Return what a run has brought in; None for nothing."""
        if run not in self._known:
            sent = self._prior.sent_by(run)
            self._known[run] = ContactRows.of(sent) if sent else None
        return self._known[run]

    def persons(self, run: str, places: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], NamedPerson]:
        """Return who these rows of a run, by sheet and number, are about, as far as its reports say it."""
        return self._people.of(run, places)

    def tell(self, checked: CheckedChunk, duplicates: Duplicates, lang: str, *, strict: bool) -> CheckedChunk:
        """Return the chunk with the issue `same-contact` at rows behind others that are in, and with what
        becomes of them for it."""
        customers = checked.customers
        origins = self._prior.noted_origins(customers.sheet, customers.rows)
        if not origins:
            return checked
        told = {
            issue.row for part in checked.issues.parts if part.code == SAME_CONTACT for issue in _each(part)
        }
        found: dict[int, tuple[int, str]] = {}
        asked: dict[int, tuple[str, str, int]] = {}
        for place, row in enumerate(customers.rows.tolist()):
            if row not in origins or row in told:
                continue
            for run, sheet, own in self._prior.lineage(origins[row]):
                there = self.of(run)
                if there is None:
                    continue
                earlier = there.sharing(there.place(sheet, own), customers.contacts[place]).earlier
                if earlier:
                    found[row] = other, on = there.found(earlier, sheet)
                    asked[row] = run, on or sheet, other
        if not found:
            return checked
        names = self._names(customers, asked)
        if strict and duplicates is Duplicates.SEND:
            duplicates = Duplicates.ERROR
        severity = Severity.ERROR if duplicates is Duplicates.ERROR else Severity.WARNING
        issues = [
            Issue(
                SAME_CONTACT,
                severity,
                row,
                customers.sheet,
                other_row=other,
                found=names[row][0] if row in names else None,
                expected=names[row][1] if row in names else sheet or None,
                wording=_IMPORTED + ("-another" if row in names else _ON_SHEET * bool(sheet)),
            )
            for row, (other, sheet) in found.items()
        ]
        if duplicates is Duplicates.SEND:
            return dataclasses.replace(checked, issues=Issues((*checked.issues.parts, *issues)))
        rows = np.array(list(found), dtype=np.int64)
        kept = ~np.isin(customers.rows, rows)
        parts = [
            part.where(~np.isin(part.rows, rows))
            if part.code == CORRECTED and isinstance(part, RepeatedIssue)
            else part
            for part in checked.issues.parts
        ]
        skip = duplicates is Duplicates.SKIP
        status, code = (Status.DUPLICATE, SAME_CONTACT) if skip else (Status.INVALID, "")
        why = {
            row: sentence(_IMPORTED + _ON_SHEET * bool(on), {"other_row": other, "expected": on}, lang)
            for row, (other, on) in found.items()
        }
        outcomes = [
            Outcome(customers.sheet, (row,), status, code=code, message=why[row] if skip else "")
            for row in found
        ]
        return dataclasses.replace(
            checked,
            issues=Issues(
                (*(part for part in parts if not isinstance(part, RepeatedIssue) or len(part)), *issues)
            ),
            outcomes=(*checked.outcomes, *outcomes),
            customers=customers.where(kept),
        )

    def _names(
        self, customers: Customers, asked: Mapping[int, tuple[str, str, int]]
    ) -> dict[int, tuple[str, str]]:
        """Return by row the name of its person and of the other row's, where these are two people. `asked`:
        by row the run, sheet and number of the other one."""
        found = {}
        for place, row in enumerate(customers.rows.tolist()):
            if row in asked:
                run, sheet, other = asked[row]
                person = person_at(customers, place)
                there = self.persons(run, [(sheet, other)]).get((sheet, other), NamedPerson())
                if are_two(person, there):
                    found[row] = person.name, there.name
        return found


def _each(part: Issue | RepeatedIssue) -> tuple[Issue, ...]:
    return (part,) if isinstance(part, Issue) else tuple(part)


@dataclass(slots=True)
class OvertakenRows:
    """Finds rows that would put older values of their own file over newer ones, or one customer of it over
    another."""

    prior: PriorImports
    lang: str
    mapper: Mapper
    named: bool = True
    """Whether what is said of a row may name people."""
    mates: FileMates = field(init=False)

    def __post_init__(self) -> None:
        self.mates = FileMates(self.prior, self.mapper)

    def hold(
        self, customers: Customers, unanswered: np.ndarray, stale: np.ndarray
    ) -> tuple[list[Outcome], list[Outcome], Customers]:
        """Return what becomes of the rows that are held back, the same without names for the journal, and the
        customers that may be sent.

        `unanswered`: bool for each row, true where a request with it went out and nobody answered. `stale`:
        the numbers of rows whose values are older than what is in.
        """
        origins = self.prior.noted_origins(customers.sheet, customers.rows)
        if not origins:
            return [], [], customers
        old = frozenset(stale.tolist())
        given_up = self._given_up(customers, origins)
        held = np.zeros(len(customers), dtype=bool)
        outcomes, nameless = [], []
        for place, row in enumerate(customers.rows.tolist()):
            if row not in origins:
                continue
            who, why = self._why(origins[row], customers, place, given_up, stale=row in old)
            if not why:
                continue
            held[place] = True
            status = Status.UNKNOWN if unanswered[place] else Status.NOT_SENT
            told = sentence("newer-import-unanswered", {}, self.lang) if unanswered[place] else ""
            message = join_sentences(self.lang, why, told)
            bare = Outcome(customers.sheet, (row,), status, code=NEWER_IMPORT, message=message)
            nameless.append(bare)
            named = join_sentences(self.lang, who, message) if self.named else message
            outcomes.append(dataclasses.replace(bare, message=named))
        return outcomes, nameless, customers.where(~held)

    def _given_up(
        self, customers: Customers, origins: Mapping[int, tuple[str, str, int]]
    ) -> dict[str, set[tuple[int, int]]]:
        """Return by run the contacts, with the places of their rows, that rows were sent with and have no
        more."""
        found: dict[str, set[tuple[int, int]]] = {}
        for place, row in enumerate(customers.rows.tolist()):
            for run, sheet, own in self.prior.lineage(origins[row]) if row in origins else ():
                there = self.mates.of(run)
                if there is not None:
                    me = there.place(sheet, own)
                    had = there.sent.look_up(np.array([me], dtype=np.int64)).contacts[0]
                    gone = set(had[had != 0].tolist()) - set(customers.contacts[place].tolist())
                    found.setdefault(run, set()).update((key, me) for key in gone)
        return found

    def _why(
        self,
        origin: tuple[str, str, int],
        customers: Customers,
        at: int,
        given_up: Mapping[str, Collection[tuple[int, int]]],
        *,
        stale: bool,
    ) -> tuple[str, str]:
        """Return who would take whose place, empty if nobody knows, and why a row is held back, empty if it
        is not. `at`: its place among the customers."""
        lineage, contacts = self.prior.lineage(origin), customers.contacts[at]
        runs = {run for run, _, _ in lineage}
        came_in = False
        for generation, (run, sheet, own) in enumerate(lineage):
            there = self.mates.of(run)
            if there is None:
                continue
            me = there.place(sheet, own)
            sent, found = there.sent, there.sharing(me, contacts, given_up.get(run, ()))
            mine = sent.sender(me) if sent.has(me) else ""
            if found.later and not (generation and mine and sent.after(me, found.later)):
                return "", self._of_row("newer-import-row", there, found.later, sheet)
            other = found.added or (0 if mine else found.earlier)
            if other:
                row, on = there.found(other, sheet)
                one, two = person_at(customers, at), self._person(run, on or sheet, row)
                both = two is not None and are_two(one, two)
                who = (one.name, two.name) if two is not None and both else ()
                if found.added or two is None or both:
                    return self._takes_place(*who), self._of_row(
                        _ANOTHER if found.added else _PERSON, there, other, sheet
                    )
            if (stale and not generation) or (generation and mine and not came_in and mine not in runs):
                return "", sentence(NEWER_IMPORT, {"run": mine}, self.lang)
            came_in |= bool(mine)
        return "", ""

    def _person(self, run: str, sheet: str, row: int) -> NamedPerson | None:
        return self.mates.persons(run, [(sheet, row)]).get((sheet, row))

    def _takes_place(self, one: str = "", other: str = "") -> str:
        return sentence("newer-import-names", {"one": one, "other": other}, self.lang) if one else ""

    def _of_row(self, code: str, there: ContactRows, place: int, sheet: str) -> str:
        row, other = there.found(place, sheet)
        told = {"row": row, "run": there.sent.sender(place), "sheet": other}
        return sentence(code + _ON_SHEET * bool(other), told, self.lang)
