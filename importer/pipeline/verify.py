"""Read customers of a run back from the CRM, and compare what was sent with what is there.

“Imported” is what the server said. Here customers are asked for by a contact, one query each, and compared
field by field. Rows of the run that share a contact are one customer: what it should hold is what they bring,
one after the other, as the run's mode says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from importer.api.client import Client
from importer.contact_keys import forms
from importer.contracts import Contract, FieldKind
from importer.errors import UsageError
from importer.journal import RowStates, RunRecord
from importer.journal.contents import groups
from importer.models import Mode, Status
from importer.options import RunOptions
from importer.pipeline.customers_query import (
    FILTERS,
    SeenCustomer,
    UnknownAnswerError,
    digits_of,
    find_customers,
)
from importer.pipeline.flow import RunContext, checked_chunks
from importer.pipeline.plan import RunPlan

if TYPE_CHECKING:
    from importer.pipeline.session import Session

MOST_NOT_UNDERSTOOD = 3
"""Answers that may not be understood before one is: then the form is unknown, and asking on is no use."""


class Found(StrEnum):
    """What the CRM has of a customer."""

    SAME = "same"
    DIFFERENT = "different"
    NOT_FOUND = "not_found"
    SEVERAL = "several"
    """More than one customer has the contact."""
    NOT_UNDERSTOOD = "not_understood"


class QueryWatcher:
    """Is told how queries go on. Subclasses override what they need."""

    def begin(self, queries: int, rate: float | None) -> None:
        """So many queries follow, at so many a second at most; None: no bound."""

    def step(self, done: int) -> None:
        """So many queries are done."""


@dataclass(slots=True)
class SentCustomer:
    """What a customer should hold after the run."""

    sheet: str
    row: int
    """The last of its rows."""
    fields: dict[str, object]
    wanted: bool
    """Whether it belongs to the sample."""
    joined: SentCustomer | None = None
    """The customer that this one turned out to be, once a row had contacts of both."""
    doubtful: bool = False
    """Whether it was several before a row joined them: all that is known is what its last row brought."""

    @property
    def last(self) -> SentCustomer:
        """The customer that stands for this one."""
        return self if self.joined is None else self.joined.last


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that the CRM shows otherwise than it was sent."""

    name: str
    sent: str
    there: str


@dataclass(frozen=True, slots=True)
class CheckedCustomer:
    """One customer that was asked for."""

    sent: SentCustomer
    found: Found
    differences: tuple[FieldDifference, ...] = ()
    keys: str = ""
    """The names of the keys of an answer that was not understood."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of all customers that were asked for."""

    customers: tuple[CheckedCustomer, ...]
    not_shown: tuple[str, ...]
    """Fields that were sent and that no answer shows: nobody knows what they hold."""
    without_contact: int
    """Rows with neither phone nor e-mail, which cannot be asked for."""

    def count(self, found: Found) -> int:
        """Return how many customers were found so."""
        return sum(one.found is found for one in self.customers)

    @property
    def good(self) -> bool:
        """Whether every customer is there as it was sent, as far as the answers show."""
        return all(one.found is Found.SAME for one in self.customers)


@dataclass(slots=True)
class SentCustomers:
    """The customers of a run as they should be, put together row by row."""

    mode: Mode
    wanted: Mapping[str, frozenset[int]] | None
    """The rows of the sample by sheet; None: all."""
    tracked: Set[int] | None = None
    """The contacts of the customers to whom rows of the sample belong; None: all."""
    without_contact: int = 0
    _by_contact: dict[int, SentCustomer] = field(default_factory=dict)
    _customers: list[SentCustomer] = field(default_factory=list)

    def add(self, sheet: str, row: int, contacts: Sequence[int], sent: Mapping[str, object]) -> None:
        """Add an imported row; in the order of the file."""
        chosen = self.wanted is None or row in self.wanted.get(sheet, ())
        if not contacts:
            self.without_contact += chosen
            return
        if self.tracked is not None and self.tracked.isdisjoint(contacts):
            return
        found = (self._by_contact[key].last for key in contacts if key in self._by_contact)
        known = list({id(one): one for one in found}.values())
        if not known:
            customer = SentCustomer(sheet, row, dict(sent), chosen)
            self._customers.append(customer)
        else:
            customer = known[0]
            for other in known[1:] if self.mode is not Mode.KEEP else ():
                # Which of them the CRM took this row for is not documented.
                customer.wanted |= other.wanted
                customer.doubtful = True
                other.joined = customer
            customer.sheet, customer.row = sheet, row
            customer.wanted |= chosen
            _bring(customer.fields, sent, Mode.REPLACE if customer.doubtful else self.mode)
        for key in contacts:
            # Whoever had it keeps it; the customers that were joined lead here.
            self._by_contact.setdefault(key, customer)

    def chosen(self) -> list[SentCustomer]:
        """Return the customers to be asked for."""
        return [customer for customer in self._customers if customer.wanted and customer.joined is None]


def _bring(fields: dict[str, object], sent: Mapping[str, object], mode: Mode) -> None:
    """Change what a customer holds as a row does that is sent to it: `keep` drops the new."""
    if mode is Mode.REPLACE:
        fields.clear()
    if mode is not Mode.KEEP:
        fields.update(sent)


def sent_customers(plan: RunPlan, states: RowStates, sample: int | None) -> SentCustomers:
    """Return what the customers of a run should hold; with a `sample`, so many of its rows, spread evenly.

    Reads the whole file, and twice with a sample: what a customer holds, rows outside the sample say as well.
    """
    wanted = None if sample is None else _sample(states, sample)
    found = SentCustomers(plan.mode, wanted, None if wanted is None else _contacts_of(plan, states, wanted))
    for checked in checked_chunks(plan, RunContext(suppresses=False)):
        customers = checked.customers
        imported = states.has_status(customers.sheet, customers.rows, Status.IMPORTED)
        for place in np.flatnonzero(imported).tolist():
            contacts = [key for key in customers.contacts[place].tolist() if key]
            sent = json.loads(customers.encoded[place])
            found.add(customers.sheet, int(customers.rows[place]), contacts, sent)
    return found


def _contacts_of(plan: RunPlan, states: RowStates, wanted: Mapping[str, frozenset[int]]) -> frozenset[int]:
    """Return all contacts of the customers to whom these rows belong, through whatever rows."""
    tables: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    owners: list[np.ndarray] = [np.empty(0, dtype=np.int64)]
    chosen: list[np.ndarray] = [np.empty(0, dtype=bool)]
    rows = 0
    for checked in checked_chunks(plan, RunContext(suppresses=False)):
        customers = checked.customers
        imported = states.has_status(customers.sheet, customers.rows, Status.IMPORTED)
        places, columns = np.nonzero(customers.contacts * imported[:, None])
        tables.append(customers.contacts[places, columns])
        owners.append(places + rows)
        chosen.append(np.isin(customers.rows[places], list(wanted.get(customers.sheet, ()))))
        rows += len(customers)
    keys, nodes = np.unique(np.concatenate(tables), return_inverse=True)
    found = groups(nodes, np.concatenate(owners), keys.size)
    those = np.unique(found[nodes[np.concatenate(chosen)]])
    return frozenset(keys[np.isin(found, those)].tolist())


def _sample(states: RowStates, size: int) -> dict[str, frozenset[int]]:
    rows = [
        (sheet, row)
        for sheet in states.sheets
        for row in states.rows_with_status(sheet, Status.IMPORTED).tolist()
    ]
    places = np.unique(np.linspace(0, max(len(rows) - 1, 0), min(size, len(rows))).astype(np.int64))
    found: dict[str, set[int]] = {}
    for place in places.tolist() if rows else ():
        sheet, row = rows[place]
        found.setdefault(sheet, set()).add(row)
    return {sheet: frozenset(rows) for sheet, rows in found.items()}


def verify(
    client: Client,
    customers: SentCustomers,
    contract: Contract,
    told: Callable[[int], None] = lambda done: None,
) -> Verification:
    """Ask for each customer and compare. `told` gets how many are done.

    Raises UnknownAnswerError if the first answers are not understood, RefusedError, UnreachableError.
    """
    checked: list[CheckedCustomer] = []
    shown: set[str] = set()
    compared: list[tuple[SentCustomer, SeenCustomer]] = []
    for number, sent in enumerate(customers.chosen(), 1):
        try:
            seen = _found(client, sent)
        except UnknownAnswerError as error:
            checked.append(CheckedCustomer(sent, Found.NOT_UNDERSTOOD, keys=str(error.found["keys"])))
            if number >= MOST_NOT_UNDERSTOOD and all(one.found is Found.NOT_UNDERSTOOD for one in checked):
                raise
        else:
            for one in seen:
                shown.update(one.fields)
            if len(seen) == 1:
                compared.append((sent, seen[0]))
            else:
                checked.append(CheckedCustomer(sent, Found.SEVERAL if seen else Found.NOT_FOUND))
        told(number)
    hidden = {name for sent, _ in compared for name in sent.fields} - shown
    for sent, one in compared:
        differences = tuple(_differences(sent.fields, one, contract, hidden))
        found = Found.DIFFERENT if differences else Found.SAME
        checked.append(CheckedCustomer(sent, found, differences))
    checked.sort(key=lambda one: (one.sent.sheet, one.sent.row))
    order = tuple(name for name in contract.names if name in hidden)
    return Verification(tuple(checked), order, customers.without_contact)


def _found(client: Client, sent: SentCustomer) -> tuple[SeenCustomer, ...]:
    """Return who is found by one of the customer's contacts: a correction may have changed the first ones."""
    asked = ((name, str(sent.fields[name])) for name in FILTERS if sent.fields.get(name))
    answers = (find_customers(client, name, value).customers for name, value in asked)
    return next((seen for seen in answers if seen), ())


def _differences(
    sent: Mapping[str, object], seen: SeenCustomer, contract: Contract, hidden: set[str]
) -> Iterator[FieldDifference]:
    for one in contract.fields:
        if one.name not in sent or one.name in hidden:
            continue
        value, there = sent[one.name], seen.fields.get(one.name)
        if not _same(one.kind, value, there):
            yield FieldDifference(one.name, _text(value), _text(there))


def _same(kind: FieldKind, sent: object, there: object) -> bool:
    one, other = _text(sent), _text(there)
    if one == other:
        return True
    match kind:
        case FieldKind.PHONE | FieldKind.DIGITS:
            return digits_of(other) in forms(digits_of(one)) and bool(other)
        case FieldKind.EMAIL:
            return one.lower() == other.lower()
        case FieldKind.TAGS:
            return _tags(one) <= _tags(other)
        case FieldKind.DATE:
            return other[:10] == one
        case FieldKind.GENDER:
            return _GENDERS.get(other.lower()) == one
        case FieldKind.JSON:
            return _holds(other, one)
        case _:
            return False


_GENDERS = {"male": "1", "m": "1", "男": "1", "female": "0", "f": "0", "女": "0"}


def _tags(text: str) -> set[str]:
    return {tag.strip() for tag in text.split(",") if tag.strip()}


def _holds(there: str, sent: str) -> bool:
    """Whether a JSON object holds all that another one does."""
    try:
        whole, part = json.loads(there or "{}"), json.loads(sent or "{}")
    except ValueError:
        return False
    if not isinstance(whole, dict) or not isinstance(part, dict):
        return False
    return all(_text(whole.get(name)) == _text(value) for name, value in part.items())


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value).strip()


def verify_run(
    session: Session, record: RunRecord, options: RunOptions, sample: int | None, watcher: QueryWatcher
) -> Verification:
    """Ask the CRM for the customers that a run imported, or for a sample of them, and compare.

    Raises UsageError `verify-dry-run`, RefusedError, UnreachableError, and what `resume` raises.
    """
    from importer.delivery.account_client import AccountClient
    from importer.pipeline.run import delivery_policy

    if record.dry_run:
        raise UsageError("verify-dry-run", run=record.id)
    with session.planned_again(record, replace(options, suppress=()), session.observer) as plan:
        assert plan.connection is not None  # noqa: S101 - it would have been refused
        customers = sent_customers(plan, session.journal.row_states(record.id), sample)
        rate = delivery_policy(options, plan.connection).rate
        with AccountClient(plan.connection, rate=rate, journal=session.journal) as client:
            watcher.begin(len(customers.chosen()), rate)
            return verify(client, customers, plan.contract, watcher.step)
