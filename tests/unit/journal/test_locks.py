"""Who comes second is told who was first; who died holds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from importer.errors import LockedError
from importer.exit_codes import ExitCode
from importer.journal import Journal, RunState
from importer.models import Destination
from tests.support.journal import MakeRecord, OpenJournal, newest_interrupted


def test_a_second_run_of_the_same_file_to_the_same_place_is_told_who_is_at_it(
    journal: Journal, open_journal: OpenJournal, make_record: MakeRecord
) -> None:
    record = make_record()
    with journal.start(record), open_journal() as other:
        with pytest.raises(LockedError) as raised:
            other.start(make_record("run-2", sha256=record.sha256))
        assert raised.value.exit_code is ExitCode.LOCKED
        assert str(os.getpid()) in str(raised.value)
        assert "run-1" in str(raised.value)
        with pytest.raises(LockedError, match="run-1"):
            other.reopen("run-1")
        assert [found.id for found in other.runs()] == ["run-1"]


def test_other_files_and_other_places_are_free(journal: Journal, make_record: MakeRecord) -> None:
    record = make_record()
    elsewhere = Destination("https://crm.example", "2", "app", "sea")
    with journal.start(record), journal.start(make_record("run-2")):
        with journal.start(make_record("run-3", sha256=record.sha256, destination=elsewhere)):
            pass
        with journal.start(make_record("run-4", sha256=record.sha256, dry_run=True)):
            pass
        assert {run.id for run in journal.runs()} == {"run-1", "run-2", "run-3", "run-4"}


def test_a_lock_is_free_again_when_the_run_is_closed(journal: Journal, make_record: MakeRecord) -> None:
    record = make_record()
    journal.start(record).close()
    with journal.start(make_record("run-2", sha256=record.sha256)):
        pass
    with journal.reopen("run-1") as run:
        assert run.record.id == "run-1"


def test_a_failed_attempt_to_lock_gives_back_what_it_had(journal: Journal, make_record: MakeRecord) -> None:
    record = make_record()
    with journal.start(record):
        with pytest.raises(LockedError):
            journal.start(make_record("run-2", sha256=record.sha256))
        with journal.start(make_record("run-2")):
            pass


def test_the_lock_of_a_killed_process_is_stale(
    journal: Journal, place: str | Path, make_record: MakeRecord
) -> None:
    program = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from importer.journal import Journal, RunRecord
        from importer.models import Destination, Mode
        journal = Journal.open(sys.argv[1])
        where = Destination("https://crm.example", "1", "app", "sea")
        record = RunRecord("killed", "a", "/a", "hash", 1, Mode.UPDATE, "sea", "", "m", "d", where)
        run = journal.start(record)
        print("started", flush=True)
        sys.stdin.read()
        """
    )
    command = [sys.executable, "-c", program, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        assert journal.run("killed").state is RunState.RUNNING
        with pytest.raises(LockedError, match=str(process.pid)):
            journal.reopen("killed")
        process.kill()
        process.wait()
    assert newest_interrupted(journal).id == "killed"
    with journal.start(make_record("run-2", sha256="hash")):
        pass
    with journal.reopen("killed") as run:
        assert run.record.resumes == 1


def test_a_half_written_note_hides_nothing(journal: Journal, make_record: MakeRecord) -> None:
    with journal.start(make_record()):
        for note in journal.path.parent.rglob("*.holder"):
            note.write_text("{")
        with pytest.raises(LockedError):
            journal.reopen("run-1")
