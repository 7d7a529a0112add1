"""What a journal has lost is noticed, and told until it is acknowledged."""

from __future__ import annotations

import os
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.errors import JournalError, UnknownRunError
from importer.exit_codes import ExitCode
from importer.journal import Journal, RunState
from importer.journal.sqlite import SqliteDatabase
from importer.losses import add_loss, read_losses
from importer.models import Note, Outcome, Status
from tests.support.journal import MakeRecord

GARBAGE = b"this is no database, and never was one" * 100


def codes(journal: Journal) -> list[str]:
    return [loss.code for loss in journal.losses]


def copy(folder: Path, to: Path) -> Path:
    """Copy a journal that is in use, as a crash leaves it. The count first, as it is never ahead."""
    to.mkdir()
    for ending in (".count", "", "-wal"):
        shutil.copy(folder / f"journal.db{ending}", to)
    return to / "journal.db"


def fill(journal: Journal, record: MakeRecord) -> None:
    with journal.start(record()) as run:
        for row in range(2, 42):
            run.settle([Outcome("", (row,), Status.FAILED)])


def test_a_log_that_lost_its_tail_is_noticed(tmp_path: Path, make_record: MakeRecord) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        fill(journal, make_record)
        damaged = copy(tmp_path, tmp_path / "crashed")
    log = damaged.with_name("journal.db-wal")
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    for _ in range(2):
        with Journal.open(damaged) as journal:
            assert codes(journal) == ["journal-history-lost"]
            found = dict(journal.losses[0].found)
            assert 0 < int(str(found["lost"])) < int(str(found["count"]))
    with Journal.open(damaged) as journal:
        assert len(journal.acknowledge_losses()) == 1
    with Journal.open(damaged) as journal:
        assert codes(journal) == []


def test_a_garbled_log_is_noticed(tmp_path: Path, make_record: MakeRecord) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        fill(journal, make_record)
        damaged = copy(tmp_path, tmp_path / "crashed")
    log = damaged.with_name("journal.db-wal")
    content = bytearray(log.read_bytes())
    content[len(content) // 3] ^= 1
    log.write_bytes(content)
    with Journal.open(damaged) as journal:
        assert codes(journal) == ["journal-history-lost"]


def test_a_crash_alone_loses_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    with Journal.open(tmp_path / "journal.db") as journal:
        fill(journal, make_record)
        crashed = copy(tmp_path, tmp_path / "crashed")
    with Journal.open(crashed) as journal:
        assert codes(journal) == []
        assert len(journal.row_states("run-1")) == 40


@pytest.mark.parametrize("what", ["gone", "empty", "another"])
def test_a_journal_in_the_place_of_another_is_noticed(
    what: str, tmp_path: Path, make_record: MakeRecord
) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        fill(journal, make_record)
    path.unlink()
    if what == "empty":
        path.touch()
    if what == "another":
        Journal.open(tmp_path / "other.db").close()
        (tmp_path / "other.db").rename(path)
    with Journal.open(path) as journal:
        assert codes(journal) == ["journal-replaced"]
    with Journal.open(path) as journal:
        assert codes(journal) == ["journal-replaced"]


def test_an_older_copy_is_noticed(tmp_path: Path, make_record: MakeRecord) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    shutil.copy(path, tmp_path / "copy")
    with Journal.open(path) as journal:
        fill(journal, make_record)
    shutil.copy(tmp_path / "copy", path)
    with Journal.open(path) as journal:
        assert codes(journal) == ["journal-history-lost"]


@pytest.mark.parametrize("again", [False, True])
def test_an_older_copy_of_the_whole_folder_is_noticed(
    again: bool, tmp_path: Path, make_record: MakeRecord
) -> None:
    """Who puts back a backup puts back all of it, the count beside the journal, too."""
    state = tmp_path / "state"
    Journal.open(state / "journal.db").close()
    shutil.copytree(state, tmp_path / "copy")
    for _ in range(1 + again):
        with Journal.open(state / "journal.db") as journal:
            fill(journal, make_record)
        shutil.rmtree(state)
        shutil.copytree(tmp_path / "copy", state)
        with Journal.open(state / "journal.db") as journal:
            assert codes(journal) == ["journal-history-lost"]
            journal.acknowledge_losses()
        with Journal.open(state / "journal.db") as journal:
            assert codes(journal) == []


def test_a_folder_that_is_made_anew_or_lies_elsewhere_has_lost_nothing(
    tmp_path: Path, make_record: MakeRecord
) -> None:
    state = tmp_path / "state"
    with Journal.open(state / "journal.db") as journal:
        fill(journal, make_record)
    shutil.copytree(state, tmp_path / "copy")
    with Journal.open(state / "journal.db") as journal:
        journal.start(make_record("run-2")).finish(RunState.FINISHED, ExitCode.DONE, {})
    with Journal.open(tmp_path / "copy" / "journal.db") as journal:
        assert codes(journal) == []
    shutil.rmtree(state)
    for _ in range(2):
        with Journal.open(state / "journal.db") as journal:
            assert codes(journal) == []


def test_a_cache_that_cannot_be_written_does_no_harm(
    tmp_path: Path, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Journal.open(tmp_path / "journal.db") as journal:
        fill(journal, make_record)
    with Journal.open(tmp_path / "journal.db") as journal:
        assert codes(journal) == []


def test_counts_of_journals_that_nobody_uses_any_more_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Journal.open(tmp_path / "old" / "journal.db").close()
    (old,) = (tmp_path / "cache").rglob("*.count")
    os.utime(old, (0, 0))
    Journal.open(tmp_path / "new" / "journal.db").close()
    (new,) = (tmp_path / "cache").rglob("*.count")
    assert new != old


def test_several_programs_at_one_journal_lose_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as first, Journal.open(path) as second:
        fill(first, make_record)
        with first.start(make_record("run-2")) as a, second.start(make_record("run-3")) as b:
            for row in range(2, 20):
                a.settle([Outcome("", (row,), Status.FAILED)])
                b.settle([Outcome("", (row,), Status.FAILED)])
        with Journal.open(path) as third:
            assert codes(third) == []
    with Journal.open(path) as journal:
        assert codes(journal) == []


def test_the_count_is_never_ahead_of_what_is_on_the_disk(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "journal.db")
    count = tmp_path / "journal.db.count"
    with database.transaction() as connection:
        connection.execute("INSERT INTO fingerprint_key VALUES (x'00')")
        before = count.read_bytes()
        other = sqlite3.connect(tmp_path / "journal.db")
        assert other.execute("SELECT count FROM commits").fetchone()[0] == int(before.split()[1])
        other.close()
    assert int(count.read_bytes().split()[1]) == int(before.split()[1]) + 1
    with pytest.raises(JournalError), database.transaction() as connection:
        connection.execute("INSERT INTO nowhere VALUES (1)")
    assert int(count.read_bytes().split()[1]) == int(before.split()[1]) + 1
    database.close()


def test_without_the_count_the_journal_is_believed(tmp_path: Path, make_record: MakeRecord) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        fill(journal, make_record)
    (tmp_path / "journal.db.count").write_bytes(b"nonsense")
    with Journal.open(path) as journal:
        assert codes(journal) == []
    assert (tmp_path / "journal.db.count").read_bytes() != b"nonsense"


def test_each_damaged_journal_is_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    database = SqliteDatabase(path)
    moved = [database.move_aside(lambda: datetime(2026, 1, 2, tzinfo=UTC))]
    database.close()
    for _ in range(2):
        path.write_bytes(GARBAGE)
        with Journal.open(path) as journal:
            assert journal.moved_aside is not None
            moved.append(journal.moved_aside)
    assert len({*moved}) == 3
    assert all(place.exists() for place in moved)
    with Journal.open(path) as journal:
        assert [str(dict(loss.found)["path"]) for loss in journal.losses] == [str(place) for place in moved]


def test_the_second_journal_of_one_second_does_not_replace_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    moved = []
    for content in (b"first", b"second"):
        database = SqliteDatabase(path)
        database.close()
        path.write_bytes(content)
        moved.append(database.move_aside(lambda: datetime(2026, 1, 2, tzinfo=UTC)))
    assert [place.read_bytes() for place in moved] == [b"first", b"second"]


def test_losses_that_cannot_be_read_are_still_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    for content in (b"{", b"[1]", b"[[[]]]", b"\xff", b"[" * 100_000):
        (tmp_path / "journal.db.losses").write_bytes(content)
        with Journal.open(path) as journal:
            assert codes(journal) == ["journal-losses-unreadable"]
            assert "cannot be read" in journal.losses[0].sentence()
    with Journal.open(path) as journal:
        journal.acknowledge_losses()
    with Journal.open(path) as journal:
        assert codes(journal) == []


def test_losses_of_a_newer_version_are_still_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    (tmp_path / "journal.db.losses").write_text('[["journal-lost-otherwise", {"path": "x"}]]')
    with Journal.open(path) as journal:
        assert codes(journal) == ["journal-losses-unreadable"]
        assert journal.losses[0].sentence()


def test_a_run_that_is_not_found_may_be_one_that_was_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    path.write_bytes(GARBAGE)
    with Journal.open(path) as journal, pytest.raises(UnknownRunError) as caught:
        journal.find("r1")
    assert caught.value.code == "run-perhaps-lost"


def test_losses_that_cannot_be_read_are_kept_beside_a_new_one(tmp_path: Path) -> None:
    path, file = tmp_path / "journal.db", tmp_path / "journal.db.losses"
    for number in (1, 2):
        file.write_text(f"of a newer version {number}")
        add_loss(path, Note("journal-replaced", (("path", "x"),)))
        assert [loss.code for loss in read_losses(path)] == ["journal-losses-unreadable", "journal-replaced"]
    aside = [tmp_path / "journal.db.losses.unreadable", tmp_path / "journal.db.losses.unreadable-2"]
    assert [place.read_text() for place in aside] == ["of a newer version 1", "of a newer version 2"]
    assert dict(read_losses(path)[0].found)["path"] == str(aside[1])
