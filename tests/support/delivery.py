"""A server that answers as a test says, a clock that passes in no time, and a delivery between them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from importer.delivery import Delivery, DeliveryEvent, Policy
from importer.journal import Journal, RunJournal, RunRecord
from importer.models import Action, Batch, Destination, Mode, Outcome, Status, Verdict

Rows = tuple[int, ...]
MakeBatches = Callable[..., list[Batch]]
"""`make_batches(rows, size=100, contacts=None)`: see `batches`."""

ACCEPTED = Verdict(Action.DONE, maybe_processed=False, code="0", trace_id="t-ok", http_status=200)


class FakeClock:
    """Sleeping takes no time, but is counted."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float, until: threading.Event) -> None:
        if not until.is_set():
            with self._lock:
                self.time += seconds
                self.slept.append(seconds)


class FakeEnvelope:
    def body(self, customers: Sequence[bytes]) -> bytes:
        return b"[" + b",".join(customers) + b"]"


class FakeServer:
    """A Sender. `answer(rows, number)` judges each request: its row numbers, and which request it is."""

    def __init__(self, answer: Callable[[tuple[int, ...], int], Verdict], clock: FakeClock) -> None:
        self.answer = answer
        self.requests: list[tuple[int, ...]] = []
        self.times: list[float] = []
        self.accepted: Counter[int] = Counter()
        self.in_flight: Counter[int] = Counter()
        self.overlaps = 0
        self.contacts: dict[int, tuple[int, ...]] = {}
        self.order: dict[int, list[int]] = {}
        self.offset = 0
        self._clock = clock
        self._lock = threading.Lock()

    def attempt(self, body: bytes) -> Verdict:
        rows = tuple(json.loads(body))
        held = {contact for row in rows for contact in self.contacts.get(row, ())}
        with self._lock:
            self.requests.append(rows)
            self.times.append(self._clock.now())
            number = len(self.requests)
            self.overlaps += sum(1 for contact in held if self.in_flight[contact])
            self.in_flight.update(held)
        try:
            verdict = self.answer(rows, number)
        finally:
            with self._lock:
                self.in_flight.subtract(held)
        if verdict.action is Action.DONE:
            with self._lock:
                self.accepted.update(rows)
                for row in rows:
                    for contact in self.contacts.get(row, ()):
                        self.order.setdefault(contact, []).append(row)
        return verdict

    def correct_clock(self, server_time_ms: int) -> int:
        self.offset = server_time_ms
        return server_time_ms


@dataclass
class Result:
    """What became of a delivery."""

    outcomes: list[Outcome]
    server: FakeServer
    clock: FakeClock
    events: list[DeliveryEvent]
    delivery: Delivery
    run: RunJournal
    rows: dict[int, Outcome] = field(init=False)

    def __post_init__(self) -> None:
        told = Counter(row for outcome in self.outcomes for row in outcome.rows)
        assert set(told.values()) <= {1}, "a row was told twice"
        self.rows = {row: outcome for outcome in self.outcomes for row in outcome.rows}

    def counts(self) -> dict[Status, int]:
        return dict(Counter(outcome.status for outcome in self.rows.values()))

    def having(self, status: Status) -> list[int]:
        return sorted(row for row, outcome in self.rows.items() if outcome.status is status)

    def told(self, kind: type) -> list[DeliveryEvent]:
        return [event for event in self.events if isinstance(event, kind)]


def batches(
    rows: int, size: int = 100, contacts: Callable[[int], tuple[int, ...]] | None = None
) -> list[Batch]:
    """Rows 2 … in batches; by default each row is a customer of its own."""
    contacts = contacts or (lambda row: (row,))
    numbers = range(2, rows + 2)
    found = []
    for ordinal, start in enumerate(range(0, rows, size), 1):
        part = tuple(numbers[start : start + size])
        found.append(Batch(ordinal, "", part, tuple(b"%d" % row for row in part), tuple(map(contacts, part))))
    return found


class Rig:
    """Runs deliveries against made-up servers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal.open(folder / "journal.db")
        self.clock = FakeClock()
        self._runs = 0
        self._open: list[RunJournal] = []

    @property
    def envelope(self) -> FakeEnvelope:
        return FakeEnvelope()

    def server(self, answer: Callable[[tuple[int, ...], int], Verdict]) -> FakeServer:
        return FakeServer(answer, self.clock)

    def start(self) -> RunJournal:
        self._runs += 1
        # A lane of its own for each run: those before it are closed at the end only.
        destination = Destination("https://crm.example", str(self._runs), "app", "sea")
        name = f"run-{self._runs}"
        record = RunRecord(
            name, "a.csv", "/a.csv", name, 1, Mode.UPDATE, "sea", "", "headers", "digest", destination
        )
        run = self.journal.start(record)
        self._open.append(run)
        return run

    @contextmanager
    def delivering(
        self, answer: Callable[[tuple[int, ...], int], Verdict], policy: Policy | None = None
    ) -> Iterator[tuple[Delivery, FakeServer, RunJournal, list[DeliveryEvent]]]:
        run = self.start()
        server = FakeServer(answer, self.clock)
        events: list[DeliveryEvent] = []
        # Nobody carries a request out later here, and the clock's time passes in sleep only.
        policy = replace(policy or Policy(concurrency=2), settle=0)
        with Delivery(
            server, FakeEnvelope(), run, policy, notify=events.append, clock=self.clock
        ) as delivery:
            yield delivery, server, run, events

    def deliver(
        self,
        given: Iterable[Batch],
        answer: Callable[[tuple[int, ...], int], Verdict],
        policy: Policy | None = None,
    ) -> Result:
        with self.delivering(answer, policy) as (delivery, server, run, events):
            outcomes: list[Outcome] = []
            for batch in given:
                server.contacts.update(zip(batch.rows, batch.contacts, strict=True))
                delivery.submit(batch)
                outcomes += delivery.outcomes()
            outcomes += delivery.finish()
            return Result(outcomes, server, self.clock, events, delivery, run)

    def close(self) -> None:
        for run in self._open:
            run.close()
        self.journal.close()
