"""Every fault that the sandbox knows, in all three modes: what is stored and what is told at the end.

The rows share phones and e-mails across batches, so that order matters; some have neither. A run that a
fault stops is resumed once the fault is gone, as often as it takes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from importer import arrow, contracts
from importer.api.client import Client
from importer.api.transport import Timeouts
from importer.batching import Batcher, BodyTemplate, Customers, encode
from importer.delivery import Delivery, Policy
from importer.errors import ImporterError
from importer.journal import Journal, RunRecord
from importer.models import MappedChunk, Mode, Outcome, Status
from importer.pipeline.row_history import ResumeState
from importer.sandbox import Sandbox
from tests.support.commands import wait_until_over

ROWS = 240
SIZE = 20
BAD = (7, 8, 131)
POLICY = Policy(concurrency=3, first_wait=0.002, longest_wait=0.05, patience=60.0, settle=0.01)
"""`settle` is short: what the sandbox stores of a request without an answer, it stores before it hangs up."""
PATIENT = Timeouts()
"""The client does not give up because the machine is busy."""

PASSING = {
    "500": ["status status=500 requests=2-4"],
    "500 after storing": ["status status=500 requests=2-4 stored=true"],
    "503, wait a moment": ["status status=503 retry_after=0 requests=3"],
    "429": ["status status=429 requests=2-5"],
    "429, wait a second": ["status status=429 retry_after=1 requests=4"],
    "429, wait until a date": ["status status=429 retry_after=date:1 requests=4"],
    "rate limit": ["rate-limit per_second=30"],
    "-1": ["code code=-1 requests=2-4"],
    "9001": ["code code=9001 requests=1-3"],
    "9001 after storing": ["code code=9001 requests=1-3 stored=true"],
    "1004 once": ["code code=1004 requests=2"],
    "clock ahead": ["clock offset_ms=120000"],
    "clock behind": ["clock offset_ms=-3600000"],
    "reset": ["reset requests=2-3"],
    "reset after storing": ["reset requests=2-3 stored=true"],
    "answer lost": ["lost requests=2-4"],
    "every third answer lost": ["lost requests='every 3'"],
    "no answer": ["no-answer requests=2 seconds=0.6"],
    "no answer after storing": ["no-answer requests=2 seconds=0.6 stored=true"],
    "carried out late": ["late seconds=0.1 hang_up=0 requests=2"],
    "slow": ["slow seconds=0.05"],
    "truncated": ["truncated requests=2-3"],
    "not JSON": ["not-json requests=2-3"],
    "broken JSON": ["wrong-json requests=2-3"],
    "no code": ["no-code requests=2-3"],
    "away for a moment": ["away seconds=0.4 requests=3"],
    "9000 for a batch, not for its rows": ["code code=9000 requests=2"],
    "1002 for a batch, not for its rows": ["code code=1002 requests=2"],
    "undocumented, passing": ["code code=9555 requests=2-4"],
    "everything at once": [
        "lost requests='every 5'",
        "status status=502 requests='every 7'",
        "code code=9001 requests='every 11'",
        "slow seconds=0.01",
    ],
}
UNSETTLED = ("no-answer", "late")
"""Faults after which something may be stored once the client has given up, if only on a busy machine."""
STOPPING = {
    **{f"{code}": [f"code code={code} requests=4-9"] for code in (1001, 1003, 1005, 9008, 9010)},
    **{f"HTTP {status}": [f"status status={status} requests=4-9"] for status in (401, 403, 404, 302)},
    "away for good": ["away seconds=30 requests=4"],
}


def customers() -> Customers:
    """Row i: every 40th has no contact, every fifth shares its phone with an earlier row and changes it."""
    number = np.arange(ROWS)
    who = np.where(number % 5 == 4, number // 2, number)
    bare = number % 40 == 39
    given: dict[str, list[str | None]] = {
        "first_name": [f"first {n}" for n in number],
        "last_name": [f"last {n}" for n in who],
        "sms_phone": [None if b else f"86138{w:08}" for w, b in zip(who, bare, strict=True)],
        "email": [
            None if b or n % 3 else f"{w}@example.com" for n, w, b in zip(number, who, bare, strict=True)
        ],
        "address": [f"street {n}" if n % 2 else None for n in number],
        "remark": ["bad row" if n + 2 in BAD else None for n in number],
    }
    frame = arrow.frame({name: arrow.array(values) for name, values in given.items()}, number + 2)
    return encode(MappedChunk("", frame, {}), contracts.load("sea"))


class Bench:
    """One run against one sandbox, stopped and resumed as often as it takes."""

    def __init__(self, folder: Path, mode: Mode) -> None:
        self.mode = mode
        self.journal = Journal.open(folder / "journal.db")
        self.told: dict[int, Outcome] = {}
        self.stops: list[ImporterError | None] = []
        self._begun = False

    def go(self, box: Sandbox, policy: Policy = POLICY, timeouts: Timeouts = PATIENT) -> ImporterError | None:
        connection = box.connection
        record = RunRecord("run", "a", "/a", "hash", 1, self.mode, "sea", "", "m", "d", None)
        run = self.journal.reopen("run") if self._begun else self.journal.start(record)
        self._begun = True
        envelope = BodyTemplate(self.mode, connection.tenant_id, connection.app_key)
        replay = ResumeState(run.row_states())
        told: list[Outcome] = list(replay.final("", np.arange(2, ROWS + 2)))
        stuck, left = replay.open(customers())
        told += stuck
        batcher = Batcher(SIZE, run.next_ordinal - 1)
        with run, Client(connection, pool_size=policy.concurrency, timeouts=timeouts) as client:
            sender = client.sender(contracts.load("sea").endpoint)
            with Delivery(sender, envelope, run, policy) as delivery:
                for batch in (*batcher.add(left), *batcher.flush()):
                    delivery.submit(batch)
                told += delivery.finish()
                self.stops.append(delivery.stopped)
        times = Counter(row for outcome in told for row in outcome.rows)
        assert set(times) == set(range(2, ROWS + 2))
        assert set(times.values()) == {1}
        self.told = {row: outcome for outcome in told for row in outcome.rows}
        return delivery.stopped

    def having(self, status: Status) -> list[int]:
        return sorted(row for row, outcome in self.told.items() if outcome.status is status)

    def close(self) -> None:
        self.journal.close()


MakeBench = Callable[[Mode], Bench]


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[MakeBench]:
    benches = []

    def make(mode: Mode) -> Bench:
        benches.append(Bench(tmp_path, mode))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


def stored(box: Sandbox) -> tuple[list[str], Counter[str]]:
    """Customers that can be recognised, by what they hold; and how often each bare row was stored."""
    known: list[str] = []
    bare: Counter[str] = Counter()
    for customer in box.customers():
        fields = dict(customer.fields)
        if "sms_phone" in fields or "email" in fields:
            known.append(json.dumps(fields, sort_keys=True))
        else:
            bare[fields["first_name"]] += 1
    return sorted(known), bare


@cache
def undisturbed(mode: Mode) -> tuple[list[str], Counter[str]]:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder, Sandbox() as box:
        bench = Bench(Path(folder), mode)
        bench.go(box)
        assert bench.having(Status.IMPORTED) == list(range(2, ROWS + 2))
        bench.close()
        return stored(box)


def check(box: Sandbox, bench: Bench, mode: Mode) -> None:
    """The store is that of an undisturbed run; whoever is told to be imported is in, and only once."""
    known, bare = stored(box)
    wanted, wanted_bare = undisturbed(mode)
    assert known == wanted
    assert set(bare.values()) <= {1}
    assert set(bare) <= set(wanted_bare)
    by_row = {f"first {row - 2}": outcome.status for row, outcome in bench.told.items()}
    for name in wanted_bare:
        assert by_row[name] in (Status.IMPORTED, Status.UNKNOWN)
        assert name in bare or by_row[name] is Status.UNKNOWN
    unknown = {f"first {row - 2}" for row in bench.having(Status.UNKNOWN)}
    assert unknown <= set(wanted_bare)
    assert set(Counter(o.status for o in bench.told.values())) <= {Status.IMPORTED, Status.UNKNOWN}


@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.label)
@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING.keys())
def test_a_fault_that_passes_leaves_no_trace(make_bench: MakeBench, faults: list[str], mode: Mode) -> None:
    policy, timeouts = POLICY, PATIENT
    if faults[0].startswith(UNSETTLED):
        policy, timeouts = replace(POLICY, settle=0.5), Timeouts(read=0.3)
    with Sandbox(faults=faults) as box:
        bench = make_bench(mode)
        assert bench.go(box, policy, timeouts) is None
        wait_until_over(box)
        check(box, bench, mode)


@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.label)
@pytest.mark.parametrize("faults", STOPPING.values(), ids=STOPPING.keys())
def test_a_fault_that_stays_stops_the_run_and_a_resumed_one_ends_the_same(
    make_bench: MakeBench, faults: list[str], mode: Mode, tmp_path: Path
) -> None:
    impatient = replace(POLICY, longest_wait=0.02, patience=0.2)
    with Sandbox(tmp_path / "store.db", faults=faults) as box:
        bench = make_bench(mode)
        stop = bench.go(box, impatient)
        assert stop is not None
        assert "<" not in f"{stop} {stop.sentence('zh')} {stop.hint('zh')}"
        assert {outcome.status for outcome in bench.told.values()} <= {
            Status.IMPORTED,
            Status.FAILED,
            Status.NOT_SENT,
            Status.UNKNOWN,
        }
        before = len(box.requests)
        assert before <= 3 + 6 + POLICY.concurrency
    with Sandbox(tmp_path / "store.db", credentials=box.credentials) as box:
        assert bench.go(box) is None
        check(box, bench, mode)


@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.label)
@pytest.mark.parametrize("code", [9000, 1002, 9555])
def test_guilty_rows_are_rejected_and_nobody_else(make_bench: MakeBench, code: int, mode: Mode) -> None:
    fault = f"code code={code} message='bad row' rows.remark='bad*'"
    with Sandbox(faults=[fault]) as box:
        bench = make_bench(mode)
        assert bench.go(box) is None
        assert bench.having(Status.REJECTED) == list(BAD)
        assert len(bench.having(Status.IMPORTED)) == ROWS - len(BAD)
        assert {bench.told[row].code for row in BAD} == {str(code)}
        assert all(bench.told[row].trace_id for row in BAD)
        assert not any("bad row" in str(customer.fields.get("remark")) for customer in box.customers())


def test_rows_that_nothing_identifies_are_not_stored_twice(make_bench: MakeBench) -> None:
    with Sandbox(faults=["lost requests='every 2'"]) as box:
        bench = make_bench(Mode.UPDATE)
        bench.go(box)
        _known, bare = stored(box)
        assert set(bare.values()) == {1}
        assert len(bare) == ROWS // 40


def test_frames_of_the_test_share_contacts() -> None:
    found = customers()
    assert pd.Series(found.contacts[:, 0]).duplicated().sum() > 25
