"""Two and three processes at once or one after the other: what stands in the end is the latest row's."""

from __future__ import annotations

import csv
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from importer.api.account import create_app
from importer.api.client import Client
from importer.journal.contacts import STAMP_EVERY
from tests.support.commands import results, summary
from tests.support.forks import Stage

LATE = 0.3
"""Seconds after which the sandbox carries a late request out."""
SETTLE = 1.0
QUICK = ("--settle", "0", "--concurrency", "1")


def write(path: Path, name: str, rows: range, extra: str = "") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["first_name", "last_name", "sms_phone", *([extra] if extra else [])])
        writer.writerows([f"{name} {n}", "x", f"86139{n:08}", *(["y"] if extra else [])] for n in rows)


def names(stage: Stage) -> dict[int, str]:
    """The first word of each customer's name, by its number."""
    stored = (customer.fields for customer in stage.box.customers())
    return {int(str(one["sms_phone"])[5:]): str(one["first_name"]).split()[0] for one in stored}


def states(folder: Path) -> set[tuple[str, str]]:
    return {(row["_status"], row["_code"]) for row in results(folder)}


def test_two_files_at_once_end_with_the_later_one_although_the_first_meets_faults(stage: Stage) -> None:
    write(stage.folder / "old.csv", "old", range(600))
    write(stage.folder / "new.csv", "new", range(500))
    stage.box.misbehave("code code=9001 requests=1-2", "lost requests=4", "truncated requests=6")
    old = stage.begin("run", "old.csv", "--report-dir", "old", "--settle", "0.1")
    stage.wait_for(lambda: stage.box.application.total > 0)
    new = stage.begin("run", "new.csv", "--report-dir", "new", "--settle", "0.1")
    assert (old.wait(), new.wait()) == (0, 0)
    assert names(stage) == {n: "new" if n < 500 else "old" for n in range(600)}
    bodies = [request.body.decode() for request in stage.box.requests]
    kinds = ["new" if '"new ' in body else "old" for body in bodies]
    assert kinds == sorted(kinds, reverse=True), "one sender at a time"


def test_a_killed_import_that_is_resumed_after_a_newer_one_brings_nothing_old_back(stage: Stage) -> None:
    write(stage.folder / "old.csv", "old", range(600), "address")
    write(stage.folder / "new.csv", "new", range(500))
    stage.box.misbehave("no-answer requests=4-")
    old = stage.begin("run", "old.csv", "--report-dir", "old", *QUICK)
    stage.wait_for(lambda: stage.box.application.total >= 4)
    old.kill()
    assert old.wait() < 0
    stage.box.misbehave()
    assert stage.begin("run", "new.csv", "--report-dir", "new", *QUICK).wait() == 0
    assert set(names(stage).values()) == {"new"}
    assert stage.begin("resume", *QUICK).wait() == 1
    assert names(stage) == {n: "new" if n < 500 else "old" for n in range(600)}
    # Of what was in the journal when the process was killed nobody knows whether it left.
    assert states(stage.folder / "old") == {("unknown", "newer-import"), ("imported", "")}
    newer = summary(stage.folder / "new")["run"]
    messages = {row["_message"] for row in results(stage.folder / "old") if row["_code"]}
    assert all(newer in message and "address" in message for message in messages)


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "gave up after a timeout"])
def test_later_rows_of_a_customer_wait_for_a_request_that_the_server_still_works_on(
    stage: Stage, killed: bool
) -> None:
    write(stage.folder / "a.csv", "old", range(100))
    with (stage.folder / "a.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"new {n},x,86139{n:08}\n" for n in range(50, 150))
    stage.box.misbehave(f"late seconds={LATE} requests=1", "no-answer requests=2-")
    options = ("--settle", f"{SETTLE}", "--concurrency", "1")
    first = stage.begin("run", "a.csv", "--report-dir", "out", *options, read_timeout=None if killed else 0.4)
    stage.wait_for(lambda: stage.box.application.total >= (1 if killed else 2))
    first.kill()
    first.wait()
    late = stage.box.requests[0]
    stage.box.misbehave()
    assert stage.begin("resume", *options).wait() == 0
    stage.wait_until_idle()
    assert late.carried_out_ms
    later = next(request for request in stage.box.requests if b'"new 50"' in request.body)
    # The same rows went out again at once, and those without a tie with them.
    again = next(request for request in stage.box.requests[1:] if b'"old 50"' in request.body)
    free = next(request for request in stage.box.requests[1:] if b'"new 149"' in request.body)
    if late.carried_out_ms - (late.ended_ms or 0) < SETTLE * 900:
        assert late.carried_out_ms < later.began_ms
        assert names(stage) == {n: "old" if n < 50 else "new" for n in range(150)}
    assert max(again.began_ms, free.began_ms) < later.began_ms
    assert later.began_ms - (late.ended_ms or 0) >= SETTLE * 900
    assert any("waited" in note for note in summary(stage.folder / "out")["notes"])


@pytest.mark.parametrize("long_ago", [False, True])
def test_a_request_of_a_killed_process_is_waited_for_from_when_it_must_have_ended(
    stage: Stage, long_ago: bool
) -> None:
    """No end is on record: it is when its process was seen gone, or a read timeout after it was sent."""
    write(stage.folder / "old.csv", "old", range(10))
    write(stage.folder / "new.csv", "new", range(10))
    stage.box.misbehave("no-answer requests=1-")
    old = stage.begin("run", "old.csv", "--settle", "1.2", read_timeout=20)
    stage.wait_for(lambda: stage.box.application.total >= 1)
    old.kill()
    old.wait()
    stage.box.misbehave()
    with closing(sqlite3.connect(stage.journal)) as journal, journal:
        (sent,) = journal.execute("SELECT sent FROM runs").fetchone()
        assert abs(time.time() - sent) < 60
        if long_ago:
            journal.execute("UPDATE runs SET sent = sent - ?", (20 + STAMP_EVERY + 2,))
    begun = time.time()
    new_run = stage.begin("run", "new.csv", "--report-dir", "new", "--settle", "1.2", read_timeout=20)
    assert new_run.wait() == 0
    (new,) = (request for request in stage.box.requests if b'"new 1"' in request.body)
    waited = [note for note in summary(stage.folder / "new")["notes"] if "waited" in note]
    if long_ago:
        assert not waited
    else:
        assert waited
        assert new.began_ms / 1000 - begun >= 1.2
    assert set(names(stage).values()) == {"new"}


def test_three_processes_with_one_key_keep_the_lowest_rate_of_those_at_work(stage: Stage) -> None:
    processes, slow, concurrency = [], 10, 1
    for number, (rate, rows) in enumerate(((slow, 800), (20, 1000), (0, 1500))):
        with Client(stage.box.connection) as client:
            app = create_app(client, f"app {number}", "https://example.com/hook")
        write(stage.folder / f"{number}.csv", f"lane{number}", range(rows))
        stage.environment["NXLINK_APP_KEY"] = app.app_key
        options = ("--rate", f"{rate}", "--concurrency", f"{concurrency}")
        processes.append(stage.begin("run", f"{number}.csv", *options))
        stage.wait_for(lambda: any(b"lane0 " in request.body for request in stage.box.requests))
    assert [process.wait() for process in processes] == [0, 0, 0]
    sent = [request for request in stage.box.requests if request.customers]
    at_work = [request.began_ms for request in sent if b"lane0 " in request.body]
    arrived = sorted(one.began_ms for one in sent if at_work[0] <= one.began_ms <= at_work[-1])
    assert len(at_work) == 8
    # Each process may have one request on its way that left in the second before.
    most = slow + concurrency * len(processes)
    for first, last in zip(arrived, arrived[most:], strict=False):
        assert last - first >= 1000


def test_a_limit_that_one_process_meets_slows_the_others(stage: Stage) -> None:
    """By the state that they share, and by the sandbox's log."""
    processes = []
    for number in range(3):
        with Client(stage.box.connection) as client:
            app = create_app(client, f"app {number}", "https://example.com/hook")
        write(stage.folder / f"{number}.csv", f"lane{number}", range(1500))
        stage.environment["NXLINK_APP_KEY"] = app.app_key
        processes.append((app.app_key, f"{number}.csv"))
    stage.box.misbehave("status status=429 retry_after=1 requests=20", "slow seconds=0.05")
    begun = []
    for key, file in processes:
        stage.environment["NXLINK_APP_KEY"] = key
        begun.append(stage.begin("run", file, "--rate", "0", "--concurrency", "1"))
    assert [process.wait() for process in begun] == [0, 0, 0]
    (state,) = (stage.journal.parent / "locks").glob("rate-*.json")
    paused_until = json.loads(state.read_text().partition("\n")[0])["paused_until"]
    offset = time.time() - time.monotonic()
    arrived = [one.began_ms / 1000 - offset for one in stage.box.requests if one.customers]
    # A process looks every quarter of a second for limits of others, and one request may be on its way.
    paused = [when for when in arrived if paused_until - 1 + 0.25 < when < paused_until - 0.01]
    assert len(paused) <= len(begun)
    assert len(arrived) == 46
