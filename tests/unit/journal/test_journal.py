"""Runs: begun, looked up, taken up again, forgotten."""

from __future__ import annotations

import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from importer.errors import JournalError
from importer.exit_codes import ExitCode
from importer.journal import (
    BatchState,
    Journal,
    RowsOfRun,
    RunJournal,
    RunKind,
    RunState,
    SettledEntry,
    new_run_id,
)
from importer.models import Batch, Destination, Mode, Outcome, Status
from tests.support.journal import MakeBatch, MakeRecord, OpenJournal, newest_interrupted


def accept(run: RunJournal, batch: Batch) -> None:
    entry = run.begin(batch, b"hash")
    outcome = Outcome(batch.sheet, batch.rows, Status.IMPORTED, batch.ordinal, 1)
    run.write((), [SettledEntry(entry, (outcome,), BatchState.ACCEPTED, whole=True, attempts=1)])


def finish(
    run: RunJournal, counts: Mapping[Status, int] | None = None, code: ExitCode = ExitCode.DONE
) -> None:
    run.finish(RunState.FINISHED, code, counts or {Status.IMPORTED: 2})
    run.close()


def test_a_run_is_read_back_as_it_was_written(journal: Journal, make_record: MakeRecord) -> None:
    texts = {
        "settings": '{"rate": 10}',
        "read_options": '{"sheet": "A"}',
        "report_dir": "/r",
        "job": "nightly",
    }
    record = make_record(kind=RunKind.RETRY, parent="run-0", mode=Mode.REPLACE, **texts)
    with journal.start(record) as run:
        found = journal.run("run-1")
        assert replace(found, started=None, machine="") == record
        assert found.machine == socket.gethostname()
        assert found.started is not None
        assert found.started.tzinfo is not None
        finish(run)
    found = journal.run("run-1")
    assert (found.state, found.exit_code, found.counts) == (
        RunState.FINISHED,
        ExitCode.DONE,
        {Status.IMPORTED: 2},
    )
    assert run.record == found


def test_what_the_whole_file_proved_is_kept_beside_the_mapping(
    journal: Journal, make_record: MakeRecord
) -> None:
    with journal.start(make_record()) as run:
        assert journal.run("run-1").settled == ""
        run.keep_mapping("proved")
        finish(run)
    found = journal.run("run-1")
    assert found == run.record
    assert (found.mapping, found.mapping_digest, found.settled) == ('name = "headers"\n', "digest", "proved")


def test_a_dry_run_has_no_destination(journal: Journal, make_record: MakeRecord) -> None:
    finish(journal.start(make_record(destination=None, dry_run=True)))
    assert journal.run("run-1").destination is None
    assert newest_interrupted(journal) is None


def test_runs_are_listed_newest_first(journal: Journal, make_record: MakeRecord) -> None:
    for number in range(3):
        finish(journal.start(make_record(f"run-{number}")))
    assert [record.id for record in journal.runs()] == ["run-2", "run-1", "run-0"]
    assert [record.id for record in journal.runs(limit=1)] == ["run-2"]


def test_an_unknown_run_is_named(journal: Journal) -> None:
    for look in (journal.run, journal.reopen, journal.row_states):
        with pytest.raises(JournalError, match="run-9"):
            look("run-9")


def test_what_is_written_is_there_for_the_next_process(
    journal: Journal, open_journal: OpenJournal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    run = journal.start(make_record())
    accept(run, make_batch(1, 2, 3))
    with open_journal() as other:
        assert other.row_states("run-1").has_status("", np.array([2, 3, 4]), Status.IMPORTED).tolist() == [
            True,
            True,
            False,
        ]
    run.close()


def test_a_run_at_work_is_running_and_one_that_nobody_works_on_interrupted(
    journal: Journal, make_record: MakeRecord
) -> None:
    run = journal.start(make_record())
    assert journal.run("run-1").state is RunState.RUNNING
    assert newest_interrupted(journal) is None
    run.close()
    assert journal.run("run-1").state is RunState.INTERRUPTED
    assert newest_interrupted(journal).id == "run-1"


def test_a_stopped_run_is_resumable_until_it_is_finished(journal: Journal, make_record: MakeRecord) -> None:
    run = journal.start(make_record())
    run.finish(RunState.STOPPED, ExitCode.AWAY, {}, "server-away")
    run.close()
    found = newest_interrupted(journal)
    assert (found.id, found.stop, found.exit_code) == ("run-1", "server-away", ExitCode.AWAY)
    with journal.reopen("run-1") as run:
        assert (run.record.state, run.record.stop, run.record.resumes) == (RunState.RUNNING, "", 1)
        finish(run)
    assert newest_interrupted(journal) is None


def test_a_resumed_run_goes_on_counting_batches(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    run = journal.start(make_record())
    assert run.next_ordinal == 1
    accept(run, make_batch(1, 2))
    run.begin(make_batch(2, 3), b"")
    run.close()
    with journal.reopen("run-1") as run:
        assert run.next_ordinal == 3
        assert run.entry() == 3


def test_the_same_file_to_the_same_place_in_the_same_way_is_recognised(
    journal: Journal, make_record: MakeRecord
) -> None:
    record = make_record()
    finish(journal.start(record))
    finish(journal.start(make_record("run-2", sha256=record.sha256)))
    wanted: tuple[Any, ...] = (record.sha256, record.destination_key, "digest", Mode.UPDATE)
    assert journal.imported_before(*wanted).id == "run-2"
    for place, other in enumerate(("other", "other", "other", Mode.KEEP)):
        changed = (*wanted[:place], other, *wanted[place + 1 :])
        assert journal.imported_before(*changed) is None


def test_a_run_that_got_nothing_in_has_not_imported_the_file(
    journal: Journal, make_record: MakeRecord
) -> None:
    record = make_record()
    finish(journal.start(record), {Status.REJECTED: 5}, ExitCode.ROWS_LEFT)
    assert journal.imported_before(record.sha256, record.destination_key, "digest", Mode.UPDATE) is None


def test_an_unfinished_or_dry_run_has_not_imported_the_file_before(
    journal: Journal, make_record: MakeRecord
) -> None:
    record = make_record()
    journal.start(record).close()
    finish(journal.start(make_record("dry", sha256=record.sha256, dry_run=True)))
    assert journal.imported_before(record.sha256, record.destination_key, "digest", Mode.UPDATE) is None


def test_imported_rows_are_those_of_the_run_and_its_retries_at_that_destination(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    first = make_record()
    run = journal.start(first)
    accept(run, make_batch(1, 2, 3, 4))
    run.settle([Outcome("", (5, 6), Status.FAILED, 2)])
    finish(run)
    retry = journal.start(make_record("run-2", parent="run-1", kind=RunKind.RETRY))
    accept(retry, make_batch(1, 6))
    finish(retry)
    reimport = journal.start(make_record("run-3", parent="run-1", kind=RunKind.REIMPORT))
    accept(reimport, make_batch(1, 5))
    finish(reimport)
    assert journal.imported_rows("run-1", first.destination_key)[""].tolist() == [2, 3, 4, 6]
    assert journal.imported_rows("run-1", "elsewhere") == {}
    assert journal.imported_rows("nobody knows", first.destination_key) == {}
    assert [record.id for record in journal.children("run-1")] == ["run-2", "run-3"]


def test_pruning_forgets_old_runs_and_leaves_nothing_of_them_in_the_file(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    run = journal.start(make_record("old", source="a-telling-name.csv"))
    accept(run, make_batch(1, 2, 3))
    finish(run)
    finish(journal.start(make_record("new")))
    at_work = journal.start(make_record("at-work"))
    assert journal.prunable(datetime.now().astimezone() - timedelta(days=1)) == ()
    old = journal.prunable(datetime.now().astimezone() + timedelta(days=1))
    assert journal.prune([record.id for record in old]) == 2
    assert [record.id for record in journal.runs()] == ["at-work"]
    accept(at_work, make_batch(1, 2, 3))
    at_work.close()
    assert journal.prunable(datetime.now().astimezone() + timedelta(days=1)) == (), "it can be resumed"
    assert journal.row_states("at-work").counts() == {Status.IMPORTED: 2}
    for file in journal.path.parent.rglob("*"):
        if file.is_file():
            assert b"a-telling-name" not in file.read_bytes()


@pytest.mark.file_journal
def test_nobody_else_may_read_the_journal(journal: Journal, make_record: MakeRecord) -> None:
    run = journal.start(make_record())
    files = [path for path in journal.path.parent.rglob("*") if path.is_file()]
    assert len(files) >= 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [journal.path.parent, *(path for path in journal.path.parent.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    run.close()


def test_the_state_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NXLINK_STATE_DIR", str(tmp_path / "here"))
    with Journal.open() as journal:
        assert journal.path == tmp_path / "here" / "journal.db"


def test_run_ids_sort_by_time_and_differ() -> None:
    now = datetime(2026, 11, 20, 16, 32, 5)
    assert new_run_id(now).startswith("20261120-163205-")
    assert len({new_run_id(now) for _ in range(50)}) > 45
    assert new_run_id(now) < new_run_id(now + timedelta(seconds=1))


@pytest.mark.file_journal
def test_the_journal_keeps_no_customer(journal: Journal, make_record: MakeRecord) -> None:
    from importer.models import Batch

    run = journal.start(make_record())
    run.begin(Batch(1, "", (2,), (b'{"email":"ann@example.com"}',), ((123,),)), b"hash")
    run.close()
    assert b"ann@example.com" not in journal.path.read_bytes()
    assert b"ann@example.com" not in journal.path.with_name("journal.db-wal").read_bytes()


@pytest.mark.file_journal
def test_every_step_of_the_schema_is_counted(journal: Journal) -> None:
    with sqlite3.connect(journal.path) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    from importer.journal.schema import MIGRATIONS

    assert version == len(MIGRATIONS)


def test_destinations_differ_by_store() -> None:
    first = Destination("http://127.0.0.1:1", "1", "app", "sea", store="a")
    assert first.key == Destination("http://127.0.0.1:2", "1", "app", "sea", store="a").key
    assert first.key != Destination("http://127.0.0.1:1", "1", "app", "sea", store="b").key


def _tokyo_then_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's zone before and after it was changed: as text, the later time comes first."""
    for zone in ("Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(sys.platform == "win32", reason="time.tzset is there for POSIX only")
def test_the_order_of_runs_does_not_depend_on_the_clock_or_its_zone(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    zones = _tokyo_then_new_york(monkeypatch)
    next(zones)
    record = make_record()
    finish(journal.start(record))
    report = journal.start(make_record("run-2", parent="run-1", kind=RunKind.REIMPORT))
    report.came_from("", np.array([2, 3]), RowsOfRun("run-1", "", (7, 5)))
    accept(report, make_batch(1, 2, 3))
    finish(report)
    next(zones)
    retry = journal.start(make_record("a-name-that-sorts-first", parent="run-1", kind=RunKind.RETRY))
    finish(retry)
    next(zones, None)
    by_reports = journal.imported_by_reports("run-1", record.destination_key)
    assert by_reports[""].tolist() == [5, 7]
    assert journal.imported_by_reports("run-1", record.destination_key, retry.id)[""].tolist() == [5, 7]
    assert journal.imported_by_reports("run-1", record.destination_key, "run-1") == {}
    assert journal.imported_by_reports("run-1", record.destination_key, "run-2") == {}
    assert [run.id for run in journal.family(journal.run(retry.id))] == ["run-1", retry.id]


def test_a_run_knows_whether_it_came_to_send_anything(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        assert not run.has_requests
        run.begin(make_batch(1, 2), b"hash")
        assert run.has_requests


def test_a_run_with_a_request_that_may_still_be_carried_out_is_not_forgotten(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record("late")) as run:
        run.begin(make_batch(1, 2, 3), b"digest")
    assert journal.prune(["late"]) == 0
    with journal._database.transaction() as connection:
        connection.execute("UPDATE batches SET silent = silent - 100000")
    assert journal.prune(["late"]) == 1
    assert journal.runs() == ()
