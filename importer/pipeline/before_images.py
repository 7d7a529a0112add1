"""Keep what the CRM has of the customers that a run is about to change, as a file that can be imported again.

Each contact is asked for before the first row is sent, unless an answer has shown it already: a row may
bring a phone to a customer whom the CRM knows by e-mail alone. Customers who come in answer and do not show
the contact are kept, too: the CRM may know them by it, and change them. An answer that is not understood
stops the run before anything is sent.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from importer.batching import Customers
from importer.contact_keys import forms
from importer.contracts import Contract
from importer.delivery.account_client import AccountClient
from importer.errors import ReportError
from importer.models import Note
from importer.pipeline.customers_query import FILTERS, SeenCustomer, digits_of, find_customers
from importer.pipeline.events import QueriesAhead
from importer.pipeline.flow import RunContext, checked_chunks
from importer.pipeline.plan import RunPlan
from importer.private_files import replace_private_file
from importer.reasons import reason_of
from importer.reports.csv import escape
from importer.reports.verification import next_name

BEFORE_CSV = "before.csv"


@dataclass(frozen=True, slots=True)
class BeforeImages:
    """What was kept."""

    path: Path
    kept: int
    """Customers that the CRM had."""
    new: int
    """Customers that it did not have. Nothing takes them out again: the API has no call that deletes one."""
    without_contact: int
    """Rows with neither phone nor e-mail, which cannot be asked for."""
    others: int = 0
    """Contacts that the CRM answered with customers who do not show them."""
    not_shown: tuple[str, ...] = ()
    """Fields that the run brings and no answer shows: nobody knows what they held."""

    def notes(self) -> tuple[Note, ...]:
        """Return what to say of them."""
        file = ("file", str(self.path))
        counts = (("kept", self.kept), ("new", self.new), ("rows", self.without_contact))
        found = [Note("before-kept", (file, *counts))]
        if self.others:
            found.append(Note("before-others", (file, ("contacts", self.others))))
        if self.not_shown:
            found.append(Note("before-not-shown", (file, ("fields", ", ".join(self.not_shown)))))
        return tuple(found)


def keep_before(
    plan: RunPlan,
    memory: RunContext,
    directory: Path,
    rate: float | None,
    told: Callable[[QueriesAhead], None],
    pulse: Callable[[], None],
) -> BeforeImages:
    """Ask for the customers of the rows that are about to go, and write before.csv, for its owner alone.

    `rate`: queries a second at most. `told` gets how many follow. `pulse` is called after each; it may raise.
    Reads the whole file. Raises UnknownAnswerError, RefusedError, UnreachableError, ReportError.
    """
    assert plan.connection is not None  # noqa: S101 - a run that sends has one
    asked = _asked(plan, memory, pulse)
    told(QueriesAhead(sum(len(contacts) for contacts, _ in asked.rows), rate))
    seen = _Seen()
    new = others = 0
    with AccountClient(plan.connection, rate=rate) as client:
        for contacts, known in asked.rows:
            for field, value in contacts:
                if not seen.has(field, value):
                    answer = find_customers(client, field, value)
                    seen.add(answer.customers or answer.others)
                    others += len(answer.others) > 0
                    known |= len(answer.others) > 0
                    pulse()
                known |= seen.has(field, value)
            new += not known
    path = directory / BEFORE_CSV
    while os.path.lexists(path):
        path = next_name(path)
    try:
        replace_private_file(path, _as_csv(seen.customers, plan.contract).encode("utf-8-sig"))
    except OSError as error:
        raise ReportError("report-not-written", file=path, reason=reason_of(error), run="–") from error
    shown = {name for one in seen.customers for name in one.fields}
    brought = [
        name for bit, name in enumerate(plan.contract.names) if asked.fields >> bit & 1 and name not in shown
    ]
    not_shown = tuple(brought) if seen.customers else ()
    return BeforeImages(path, len(seen.customers), new, asked.without_contact, others, not_shown)


@dataclass(slots=True)
class _Seen:
    """The customers that answers have shown, each once."""

    customers: list[SeenCustomer] = dataclasses.field(default_factory=list)
    _contacts: set[str] = dataclasses.field(default_factory=set)
    _texts: set[str] = dataclasses.field(default_factory=set)

    def has(self, field: str, value: str) -> bool:
        """Return whether one of them has this contact."""
        return not self._contacts.isdisjoint(_ways(field, value))

    def add(self, customers: Sequence[SeenCustomer]) -> None:
        """Add customers; whoever was shown before is known."""
        for one in customers:
            text = json.dumps(one.fields, sort_keys=True, default=str)
            if text in self._texts:
                continue
            self._texts.add(text)
            self.customers.append(one)
            for name in FILTERS:
                if one.fields.get(name):
                    self._contacts.update(_ways(name, str(one.fields[name])))


def _ways(field: str, value: str) -> tuple[str, ...]:
    """A contact as it is compared: which kind of phone it is does not count."""
    return (value.strip().lower(),) if field == "email" else forms(digits_of(value))


@dataclass(slots=True)
class _Asked:
    """The contacts of the rows that are about to go."""

    rows: list[tuple[list[tuple[str, str]], bool]] = dataclasses.field(default_factory=list)
    """Of each row those that no row before it has, as (field, value), and whether it has others, too."""
    without_contact: int = 0
    """Rows with neither phone nor e-mail."""
    fields: int = 0
    """Which fields the rows bring, as bits of `Customers.fields`."""
    _before: set[str] = dataclasses.field(default_factory=set)

    def add(self, customers: Customers) -> None:
        """Add rows."""
        self.fields |= int(np.bitwise_or.reduce(customers.fields)) if len(customers) else 0
        for encoded in customers.encoded:
            sent = json.loads(encoded)
            values = ((name, str(sent[name])) for name in FILTERS if sent.get(name))
            contacts = {min(_ways(name, value)): (name, value) for name, value in values}
            fresh = [contact for way, contact in contacts.items() if way not in self._before]
            self.without_contact += not contacts
            if fresh:
                self.rows.append((fresh, len(fresh) < len(contacts)))
            self._before.update(contacts)


def _asked(plan: RunPlan, memory: RunContext, pulse: Callable[[], None]) -> _Asked:
    found = _Asked()
    for checked in checked_chunks(plan, memory):
        customers = checked.customers
        if memory.replay is not None:
            customers = memory.replay.open(customers)[1]
        if memory.changes is not None:
            customers = memory.changes.leave_out(customers)[1]
        found.add(customers)
        pulse()
    return found


def _as_csv(customers: list[SeenCustomer], contract: Contract) -> str:
    """The customers as a table with the API's own names, which an import takes as they are.

    An empty column `_run` makes it one of our tables, whose cells lose the ' of `escape` when they are read;
    its rows are those of no run.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    shown = {name for one in customers for name in one.fields}
    names = [name for name in contract.names if name in shown]
    writer.writerow([*map(escape, names or [contract.names[0]]), "_run"])
    for one in customers:
        writer.writerow([*(escape(_cell(one.fields.get(name))) for name in names), ""])
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
