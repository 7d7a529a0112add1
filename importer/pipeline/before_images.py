"""Keep what the CRM has of the customers that a run is about to change, as a file that can be imported again.

One query for each customer, before the first row is sent. Rows that share a contact are one customer. An
answer that is not understood stops the run before anything is sent.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from importer.batching import Customers
from importer.contracts import Contract
from importer.delivery.account_client import AccountClient
from importer.errors import ReportError
from importer.fingerprints import FingerprintSet
from importer.models import Note
from importer.pipeline.customers_query import FILTERS, SeenCustomer, find_customers
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

    def note(self) -> Note:
        """Return what to say of them."""
        found = (("file", str(self.path)), ("kept", self.kept), ("new", self.new))
        return Note("before-kept", (*found, ("rows", self.without_contact)))


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
    contacts, without_contact = _contacts(plan, memory, pulse)
    told(QueriesAhead(len(contacts), rate))
    kept: list[SeenCustomer] = []
    new = 0
    with AccountClient(plan.connection, rate=rate) as client:
        for field, value in contacts:
            found = find_customers(client, field, value)
            kept += found
            new += not found
            pulse()
    path = directory / BEFORE_CSV
    while os.path.lexists(path):
        path = next_name(path)
    try:
        replace_private_file(path, _as_csv(kept, plan.contract).encode("utf-8-sig"))
    except OSError as error:
        raise ReportError("report-not-written", file=path, reason=reason_of(error), run="–") from error
    return BeforeImages(path, len(kept), new, without_contact)


def _contacts(
    plan: RunPlan, memory: RunContext, pulse: Callable[[], None]
) -> tuple[list[tuple[str, str]], int]:
    """Return a contact of each customer that changes, as (field, value), and how many rows have none."""
    contacts: list[tuple[str, str]] = []
    without_contact = 0
    seen = FingerprintSet()
    for checked in checked_chunks(plan, memory):
        customers = checked.customers
        if memory.replay is not None:
            customers = memory.replay.open(customers)[1]
        if memory.changes is not None:
            customers = memory.changes.leave_out(customers)[1]
        for place in _first_of_each(customers, seen):
            sent = json.loads(customers.encoded[place])
            contacts.append(next((name, str(sent[name])) for name in FILTERS if sent.get(name)))
        without_contact += int((~customers.contacts.any(axis=1)).sum())
        pulse()
    return contacts, without_contact


def _first_of_each(customers: Customers, seen: FingerprintSet) -> Iterator[int]:
    """Yield the places of rows none of whose contacts was met before."""
    met = seen.contains(customers.contacts.ravel()).reshape(customers.contacts.shape)
    known = np.asarray(met.any(axis=1))
    here: set[int] = set()
    for place in np.flatnonzero(customers.contacts.any(axis=1)).tolist():
        own = {key for key in customers.contacts[place].tolist() if key}
        if not known[place] and here.isdisjoint(own):
            yield place
        here |= own
    seen.add(customers.contacts.ravel())


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
