"""Tell two people with one contact, such as children with their mother's phone, from one who was entered
twice: by their names and birthdays. The CRM keeps one customer for a contact, so the later of two would take
the place of the other.
"""

from __future__ import annotations

import contextlib
import json
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path

import numpy as np

from importer import arrow
from importer.batching import Customers
from importer.contact_keys import contact_keys, without_contact
from importer.contracts import Contract
from importer.dataclass import dataclass
from importer.errors import ImporterError
from importer.journal import Journal
from importer.mapping import Mapper
from importer.models import Chunk, Issue, RepeatedIssue, Severity
from importer.options import RunOptions
from importer.pipeline.table import open_table
from importer.readers.overlay import CorrectedCell
from importer.reports import reimport
from importer.reports.files import own_files
from importer.reports.reimport import PriorRows

SAME_CONTACT = "same-contact"
TAKEN = "place-taken"
"""The code of the warning on a row whose place in the CRM a later row takes."""
_NAMES = ("first_name", "last_name", "full_name")
_RESULTS = "results"
"""What the name of the report with all rows begins with."""
_MOST = 1000
"""So many rows of a chunk are compared with those before them by name."""
MOST_HOLDERS = 200_000
"""So many contacts of a file are kept with whom they belong to, where a person is asked."""
_ALIKE = 0.6
"""First names that are more alike than this may be two ways to write one: Jon and John."""


@dataclass(frozen=True, slots=True)
class NamedPerson:
    """Who a row is about, as it is sent."""

    first: str = ""
    last: str = ""
    birthday: str = ""

    @classmethod
    def of(cls, sent: dict[str, object]) -> NamedPerson:
        """Return the person of a customer's JSON object."""
        first, last, full = (str(sent.get(name) or "") for name in _NAMES)
        return cls(first or full, last if first else "", str(sent.get("birthday") or ""))

    @property
    def name(self) -> str:
        """First and last name, as far as they are known."""
        return f"{self.first} {self.last}".strip()


def are_two(one: NamedPerson, other: NamedPerson) -> bool:
    """Return whether two persons plainly are two people: neither name holds the other, and the first names
    are not alike, unless the birthdays differ, too."""
    words, others = _words(one.name), _words(other.name)
    if not words or not others or words <= others or others <= words:
        return False
    first, second = (" ".join(sorted(_words(person.first))) for person in (one, other))
    if not first or not second or first == second or _is_initial(first, second) or _is_initial(second, first):
        return False
    if one.birthday and other.birthday and one.birthday != other.birthday:
        return True
    return SequenceMatcher(None, first, second).ratio() < _ALIKE


def warnings(
    customers: Customers, same: np.ndarray, *, keeps: bool = False
) -> Iterator[Issue | RepeatedIssue]:
    """Yield the warnings on rows that share a contact with an earlier one: with both names if that is in the
    same chunk and another person's. Then the earlier row has one, too. `same`: bool for each row. `keeps`:
    the CRM keeps what it has, so nobody takes a place."""
    rows, sheet = customers.rows, customers.sheet
    two = dict[int, int]()
    for place, before in _earlier(customers, np.flatnonzero(same)[: 0 if keeps else _MOST]).items():
        if are_two(person_at(customers, place), person_at(customers, before)):
            two[place] = before
    rest = same.copy()
    rest[list(two)] = False
    for place, before in two.items():
        mine, theirs = person_at(customers, place).name, person_at(customers, before).name
        for code, at, there, found, other in (
            (SAME_CONTACT, place, before, mine, theirs),
            (TAKEN, before, place, theirs, mine),
        ):
            yield Issue(
                *(code, Severity.WARNING, int(rows[at]), sheet),
                found=found,
                expected=other,
                other_row=int(rows[there]),
                wording="same-contact-another" if code == SAME_CONTACT else None,
            )
    if rest.any():
        wording = "same-contact-keep" if keeps else None
        yield RepeatedIssue(SAME_CONTACT, Severity.WARNING, rows[rest], sheet, wording=wording)


@dataclass(frozen=True, slots=True)
class SharedContact:
    """A row with a phone or e-mail of another person further up in the file."""

    row: int
    name: str
    other_row: int
    other: str
    """The name of the other person."""
    cells: tuple[CorrectedCell, ...]
    """What takes the contact out of the row."""


class FirstHolders:
    """Sees the customers of a file in order, and finds those with a contact of another person before them."""

    def __init__(self, contract: Contract, mapper: Mapper) -> None:
        self._columns = mapper.columns
        self._kinds = {
            field.name: field.kind for field in contract.fields if field.name in contract.contact_fields
        }
        self._holders: dict[int, tuple[int, bytes]] = {}
        """By contact the row and the JSON object of whom it belongs to."""

    def look(self, chunk: Chunk, customers: Customers) -> Iterator[SharedContact]:
        """Yield the rows of a chunk that share a contact with another person."""
        for place, (row, sent) in enumerate(zip(customers.rows.tolist(), customers.encoded, strict=True)):
            keys = [key for key in customers.contacts[place].tolist() if key]
            others = [self._holders[key] for key in keys if key in self._holders]
            other = next((one for one in others if are_two(_person_of(sent), _person_of(one[1]))), None)
            if other is not None:
                mine, theirs = _person_of(sent), _person_of(other[1])
                cells = tuple(self._cells(chunk, row, sent, other[1]))
                yield SharedContact(row, mine.name, other[0], theirs.name, cells)
            elif others or len(self._holders) < MOST_HOLDERS:
                self._holders.update(dict.fromkeys(keys, (row, sent)))

    def _cells(self, chunk: Chunk, row: int, sent: bytes, other: bytes) -> Iterator[CorrectedCell]:
        theirs, mine = set(self._keys(other).values()), json.loads(sent)
        for field, key in self._keys(sent).items():
            texts = {
                name: str(chunk.frame.at[row, name]) for name in self._columns[field] if name in chunk.frame
            }
            column = next((name for name, text in texts.items() if text.strip()), None)
            if key in theirs and column is not None:
                rest = without_contact(texts[column], str(mine[field]))
                yield CorrectedCell(chunk.sheet, row, column, texts[column], rest)

    def _keys(self, sent: bytes) -> dict[str, int]:
        found = json.loads(sent)
        return {
            name: int(contact_keys(arrow.array([str(found[name])]), kind)[0])
            for name, kind in self._kinds.items()
            if found.get(name)
        }


def _person_of(sent: bytes) -> NamedPerson:
    return NamedPerson.of(json.loads(sent))


def _earlier(customers: Customers, places: np.ndarray) -> dict[int, int]:
    """Return for each of these places the nearest one before it in the chunk that shares a contact."""
    filled = customers.contacts != 0
    owners = np.nonzero(filled)[0]
    keys = customers.contacts[filled]
    order = np.argsort(keys, kind="stable")
    again = keys[order[1:]] == keys[order[:-1]]
    before = np.full(len(keys), -1, dtype=np.int64)
    before[order[1:][again]] = owners[order[:-1][again]]
    found: dict[int, int] = {}
    for at in np.flatnonzero(np.isin(owners, places) & (before >= 0)).tolist():
        found[int(owners[at])] = max(found.get(int(owners[at]), -1), int(before[at]))
    return found


def person_at(customers: Customers, place: int) -> NamedPerson:
    """Return who the customer at a place is."""
    return _person_of(customers.encoded[place])


@lru_cache(maxsize=4096)
def _words(name: str) -> frozenset[str]:
    """Return the words of a name without accents, in one case."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return frozenset("".join(char for char in letters if not unicodedata.combining(char)).split())


def _is_initial(short: str, name: str) -> bool:
    return len(short.rstrip(".")) == 1 and name.startswith(short.rstrip("."))


class ReportedPeople:
    """The people of rows of earlier runs, as their results.csv has them."""

    def __init__(self, journal: Journal, mapper: Mapper) -> None:
        self._journal = journal
        self._mapper = mapper
        self._known: dict[tuple[str, str, int], NamedPerson] = {}

    def of(self, run: str, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], NamedPerson]:
        """Return the people of these rows of a run, by sheet and row; without those that nobody knows."""
        wanted = {place for place in places if (run, *place) not in self._known}
        if wanted:
            self._look(run, wanted)
        return {place: self._known[run, *place] for place in places if (run, *place) in self._known}

    def _look(self, run: str, wanted: set[tuple[str, int]]) -> None:
        folder = Path(self._journal.run(run).report_dir)
        for path in own_files(folder, run):
            if path.stem.startswith(_RESULTS) and path.suffix == ".csv":
                # Without it the names are missing, and nothing else.
                with contextlib.suppress(ImporterError, OSError), open_table(path, RunOptions()) as source:
                    for chunk in source.chunks():
                        self._take(run, wanted, *reimport.restore(chunk, escaped=True))

    def _take(self, run: str, wanted: set[tuple[str, int]], chunk: Chunk, said: PriorRows) -> None:
        listed = zip(said.runs.to_pylist(), said.sheets.to_pylist(), said.rows.tolist(), strict=True)
        at = {
            (sheet, row): place
            for place, (there, sheet, row) in enumerate(listed)
            if (sheet, row) in wanted and there == run
        }
        if not at:
            return
        mapped = self._mapper.map(Chunk(chunk.sheet, chunk.frame.iloc[list(at.values())]))
        columns = {
            name: arrow.text_column(mapped, name).to_pylist()
            for name in (*_NAMES, "birthday")
            if name in mapped.frame.columns
        }
        for number, place in enumerate(at):
            self._known[run, *place] = NamedPerson.of(
                {name: column[number] for name, column in columns.items()}
            )
