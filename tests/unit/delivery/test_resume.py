"""The journal is ahead of every request: whatever a crash leaves, a resumed run brings it to a true end."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.delivery import Delivery, Policy
from importer.journal import Journal
from importer.models import Action, Batch, Status, Verdict
from tests.support.delivery import FakeServer, MakeBatches, Rig, Rows

REFUSED = Verdict(Action.ISOLATE, maybe_processed=False, code="9000", message="bad")
LOST = Verdict(Action.RETRY, maybe_processed=True, code="connection-lost")
BUSY = Verdict(Action.RETRY, maybe_processed=False, code="9001")


def test_every_row_of_a_request_is_in_the_journal_before_it_leaves(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    missing = []
    with Journal.open(rig.journal.path) as other:

        def answer(rows: Rows, number: int) -> Verdict:
            missing.extend(np.array(rows)[~other.row_states("run-1").unanswered("", np.array(rows))].tolist())
            return REFUSED if 50 in rows else LOST if number == 3 else accepted

        rig.deliver(make_batches(600), answer, Policy(concurrency=1))
    assert missing == []


def test_an_outcome_is_in_the_journal_before_it_is_told(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    with (
        Journal.open(rig.journal.path) as other,
        rig.delivering(lambda rows, number: accepted) as (d, _s, _r, _e),
    ):
        for batch in make_batches(1500):
            d.submit(batch)
        for outcome in d.finish():
            assert other.row_states("run-1").final("", np.array(outcome.rows)).all()


def test_a_later_row_of_a_customer_leaves_after_the_earlier_outcome_is_in_the_journal(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict
) -> None:
    early = []
    with Journal.open(rig.journal.path) as other:

        def answer(rows: Rows, number: int) -> Verdict:
            before = np.arange(2, rows[0])
            if not other.row_states("run-1").final("", before).all():
                early.append(rows[0])
            return accepted

        rig.deliver(make_batches(1000, contacts=lambda row: (1,)), answer, Policy(concurrency=4))
    assert early == []


class Crash:
    """What a crash at one moment leaves behind: the journal as committed, and what the server has."""

    def __init__(self, path: Path, server: FakeServer) -> None:
        self.path = path
        self.accepted = Counter(server.accepted)
        self.order = {contact: list(rows) for contact, rows in server.order.items()}


def crash(folder: Path, rig: Rig, server: FakeServer, rows: Rows, stored: bool, run_id: str) -> Crash:
    """Copies journal and server in the middle of a request; `stored`: the server had it already."""
    with server._lock:
        left = Crash(folder / "crashed.db", server)
        with sqlite3.connect(rig.journal.path) as source, sqlite3.connect(left.path) as copy:
            source.backup(copy)
        source.close()
        copy.close()
    if stored:
        left.accepted.update(rows)
        for row in rows:
            for contact in server.contacts.get(row, ()):
                left.order.setdefault(contact, []).append(row)
    return left


def resume(
    rig: Rig,
    left: Crash,
    given_batches: list[Batch],
    run_id: str,
    workers: int,
    bad: set[int],
    accepted: Verdict,
) -> tuple[FakeServer, dict[int, Status]]:
    """As the pipeline does: final rows stand, bare rows without an answer stay unknown, the rest goes out."""
    server = rig.server(lambda rows, number: REFUSED if bad & set(rows) else accepted)
    server.accepted, server.order = left.accepted, left.order
    told = {}
    with Journal.open(left.path) as journal, journal.reopen(run_id) as run:
        known = run.row_states()
        ordinal = run.next_ordinal
        with Delivery(
            server, rig.envelope, run, Policy(concurrency=workers, settle=0), clock=rig.clock
        ) as delivery:
            for batch in given_batches:
                server.contacts.update(zip(batch.rows, batch.contacts, strict=True))
                rows = np.array(batch.rows)
                final, unanswered = known.final("", rows), known.unanswered("", rows)
                bare = np.array([not contacts for contacts in batch.contacts])
                stuck = unanswered & bare & ~final
                for outcome in known.outcomes("", rows[final | stuck]):
                    told.update(dict.fromkeys(outcome.rows, outcome.status))
                left_over = [i for i, keep in enumerate((~final & ~stuck).tolist()) if keep]
                if left_over:
                    delivery.submit(
                        Batch(
                            ordinal,
                            "",
                            tuple(batch.rows[i] for i in left_over),
                            tuple(batch.customers[i] for i in left_over),
                            tuple(batch.contacts[i] for i in left_over),
                        )
                    )
                    ordinal += 1
            for outcome in delivery.finish():
                assert not told.keys() & set(outcome.rows)
                told.update(dict.fromkeys(outcome.rows, outcome.status))
    return server, told


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    contacts=st.lists(st.lists(st.integers(1, 15), max_size=2).map(tuple), min_size=4, max_size=60),
    size=st.integers(1, 8),
    workers=st.integers(1, 3),
    answers=st.lists(st.sampled_from(["ok", "ok", "ok", "busy", "lost"]), min_size=1, max_size=20),
    bad=st.sets(st.integers(2, 61), max_size=4),
    moment=st.integers(1, 25),
    stored=st.booleans(),
    settled=st.booleans(),
)
def test_a_crash_at_any_request_is_resumed_to_a_true_end(
    rig: Rig,
    make_batches: MakeBatches,
    accepted: Verdict,
    contacts: list[Rows],
    size: int,
    workers: int,
    answers: list[str],
    bad: set[int],
    moment: int,
    stored: bool,
    settled: bool,
) -> None:
    verdicts = {"ok": accepted, "busy": BUSY, "lost": LOST}
    given_batches = make_batches(len(contacts), size=size, contacts=lambda row: tuple(set(contacts[row - 2])))
    crashes = []
    with (
        tempfile.TemporaryDirectory() as folder,
        rig.delivering(lambda rows, number: answer(rows, number)) as (
            delivery,
            server,
            run,
            _events,
        ),
    ):

        def answer(rows: Rows, number: int) -> Verdict:
            verdict = REFUSED if bad & set(rows) else verdicts[answers[number % len(answers)]]
            if number == moment:
                time.sleep(0.01 * settled)  # for the dispatcher to journal what is known
                held = stored and not bad & set(rows)
                crashes.append(crash(Path(folder), rig, server, rows, held, run.id))
            return verdict

        for batch in given_batches:
            server.contacts.update(zip(batch.rows, batch.contacts, strict=True))
            delivery.submit(batch)
        list(delivery.finish())
        if crashes:
            after, told = resume(rig, crashes[0], given_batches, run.id, workers, bad, accepted)
            check(after, told, contacts, bad)


def check(server: FakeServer, told: dict[int, Status], contacts: list[Rows], bad: set[int]) -> None:
    rows = range(2, len(contacts) + 2)
    assert sorted(told) == list(rows)
    for row in rows:
        if not contacts[row - 2]:
            assert server.accepted[row] <= 1
            assert told[row] in (Status.IMPORTED, Status.REJECTED, Status.UNKNOWN, Status.FAILED)
        elif row in bad:
            assert told[row] is Status.REJECTED
        if told[row] is Status.IMPORTED:
            assert server.accepted[row] >= 1
        if told[row] is Status.REJECTED:
            assert row in bad
            assert server.accepted[row] == 0
    for order in server.order.values():
        # Sent again is fine; what counts is that the customer ends with the latest row that got in.
        assert order[-1] == max(order)


def test_the_model_of_a_crash_is_not_empty(
    rig: Rig, make_batches: MakeBatches, accepted: Verdict, tmp_path: Path
) -> None:
    left = []
    with rig.delivering(lambda rows, number: answer(rows, number), Policy(concurrency=1)) as (
        d,
        server,
        run,
        _e,
    ):

        def answer(rows: Rows, number: int) -> Verdict:
            if number == 3:
                while run.row_states().rows_with_status("", Status.IMPORTED).size < 200:
                    time.sleep(0.001)
                left.append(crash(tmp_path, rig, server, rows, True, run.id))
            return accepted

        for batch in make_batches(600):
            d.submit(batch)
        list(d.finish())
    with Journal.open(left[0].path) as journal:
        known = journal.row_states("run-1")
    assert known.rows_with_status("", Status.IMPORTED).tolist() == list(range(2, 202))
    assert known.unanswered("", np.arange(202, 302)).all()
