"""A journal that is damaged, locked, full, newer, or not ours to write."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from importer.errors import JournalError, JournalPlaceError
from importer.journal import Journal, schema
from importer.journal.sqlite import SqliteDatabase
from importer.models import Outcome, Status
from tests.support.journal import MakeBatch, MakeRecord


def test_a_file_that_is_no_database_is_moved_aside_and_named(tmp_path: Path, make_record: MakeRecord) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    path.write_bytes(b"this is no database, and never was one" * 100)
    with Journal.open(path) as journal:
        assert journal.moved_aside is not None
        assert journal.moved_aside.read_bytes().startswith(b"this is no database")
        assert journal.runs() == ()
        journal.start(make_record()).close()
    with Journal.open(path) as journal:
        assert journal.moved_aside is None
        assert len(journal.runs()) == 1


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    with Journal.open(path) as journal:
        assert journal.moved_aside is None


def test_damage_in_the_middle_is_told_and_the_next_opening_begins_anew(
    tmp_path: Path, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal, journal.start(make_record()) as run:
        for ordinal in range(300):
            run.begin(make_batch(ordinal, *range(2, 200, 2)), b"h" * 32)
    damaged = bytearray(path.read_bytes())
    half = len(damaged) // 2
    damaged[half:] = os.urandom(len(damaged) - half)
    path.write_bytes(damaged)
    with Journal.open(path) as journal:
        assert journal.moved_aside is None
        with pytest.raises(JournalError, match="damaged"):
            journal.row_states("run-1")
    with Journal.open(path) as journal:
        assert journal.moved_aside.read_bytes() == damaged
        assert journal.runs() == ()


def test_a_journal_of_a_newer_importer_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    Journal.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(JournalError, match="newer"):
        Journal.open(path)


@pytest.mark.file_journal
def test_a_locked_journal_is_waited_for_and_then_told(journal: Journal, make_record: MakeRecord) -> None:
    with Journal.open(journal.path, busy_seconds=0.05) as hurried, hurried.start(make_record()) as run:
        other = sqlite3.connect(journal.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="has been using"):
            run.settle([Outcome("", (2,), Status.FAILED)])
        other.execute("ROLLBACK")
        other.close()
        run.settle([Outcome("", (2,), Status.FAILED)])
        assert len(run.row_states()) == 1


@pytest.mark.file_journal
def test_a_full_disk_is_told_and_what_was_written_before_is_kept(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        run.settle([Outcome("", (2,), Status.IMPORTED)])
        pages = journal._database.query("PRAGMA page_count")[0][0]
        journal._database.query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(JournalError) as raised:  # noqa: PT012 - some write fails, not the first
            for ordinal in range(1000):
                run.begin(make_batch(ordinal, *range(2, 202, 2)), b"h" * 32)
        assert raised.value.code == "journal-full"
        assert "resume" in raised.value.hint()
        known = run.row_states()
        assert (
            known.has_status("", np.array([2]), Status.IMPORTED).all()
            or known.unanswered("", np.array([2])).all()
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(JournalError, match="NXLINK_STATE_DIR"):
        Journal.open(folder / "journal.db")


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(JournalError, match="NXLINK_STATE_DIR"):
        Journal.open(tmp_path / "state" / "journal.db")


@pytest.mark.file_journal
def test_a_failed_write_leaves_nothing_behind(
    journal: Journal, make_record: MakeRecord, make_batch: MakeBatch
) -> None:
    with journal.start(make_record()) as run:
        from importer.journal import BegunEntry

        entry = run.entry()
        twice = [BegunEntry(entry, make_batch(1, 2), 0, b""), BegunEntry(entry, make_batch(2, 3), 0, b"")]
        with pytest.raises(JournalError):
            run.write(twice, ())
        assert len(run.row_states()) == 0


def test_several_openers_of_a_new_journal_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    problems = []

    def work() -> None:
        try:
            Journal.open(tmp_path / "journal.db").close()
        except BaseException as error:
            problems.append(error)

    for _ in range(5):
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for file in tmp_path.iterdir():
            file.unlink()
    assert problems == []


def test_every_code_has_its_sentence_and_names_no_empty_place() -> None:
    for code in ("damaged", "moved-aside", "locked", "full", "unwritable", "failed", "newer"):
        error = JournalError(f"journal-{code}", path="/p", problem="x", seconds=1)
        for lang in ("en", "zh"):
            assert "<" not in error.sentence(lang) + error.hint(lang)
            assert "/p" in error.sentence(lang)


@pytest.mark.parametrize(
    ("table", "what", "value"),
    [
        ("runs", "state", "finishfd"),
        ("runs", "counts", '{"imporued": 1}'),
        ("runs", "counts", "{"),
        ("runs", "started", "2026-13-01"),
        ("runs", "mode", 99),
        ("runs", "source", b"\xff"),
        ("batches", "rows", "2-4;9"),
        ("batches", "rows", "9-2"),
        ("outcomes", "status", "gone"),
        ("outcomes", "message", b"\xe1("),
    ],
)
def test_a_value_that_no_importer_has_written_is_damage(
    tmp_path: Path,
    make_record: MakeRecord,
    make_batch: MakeBatch,
    table: str,
    what: str,
    value: object,
) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal, journal.start(make_record()) as run:
        run.begin(make_batch(1, 2, 3, 4), b"x" * 32)
        run.settle([Outcome("", (2,), Status.FAILED)])
    raw = sqlite3.connect(path)
    text = f"CAST(X'{value.hex()}' AS TEXT)" if isinstance(value, bytes) else "?"
    raw.execute(f"UPDATE {table} SET {what} = {text}", () if text != "?" else (value,))
    raw.commit()
    raw.close()
    with Journal.open(path) as journal, pytest.raises(JournalError) as error:
        _ = [journal.row_states(found.id) for found in journal.runs()]
    assert error.value.code == "journal-damaged"
    with Journal.open(path) as journal:
        assert journal.moved_aside is not None
        assert journal.runs() == ()


def test_a_folder_in_the_place_of_the_mark_moves_nothing(tmp_path: Path, make_record: MakeRecord) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        journal.start(make_record()).close()
    (tmp_path / "journal.db.is-damaged").mkdir()
    with Journal.open(path) as journal:
        assert len(journal.runs()) == 1


def test_no_place_for_locks_is_told(tmp_path: Path, make_record: MakeRecord) -> None:
    (tmp_path / "locks").write_text("a file")
    with Journal.open(tmp_path / "journal.db") as journal, pytest.raises(JournalError) as error:
        journal.start(make_record())
    assert error.value.code == "journal-unwritable"


def foreign_database(path: Path, application: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (distance REAL)")
        connection.execute(f"PRAGMA application_id = {application}")
        connection.commit()


@pytest.mark.parametrize("kind", ["text", "empty archive", "database", "numbered database", "link"])
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path = real = tmp_path / "thesis.docx"
    if kind == "link":
        real = tmp_path / "real.txt"
        path.symlink_to(real)
    if "database" in kind:
        foreign_database(path, 7 if kind == "numbered database" else 0)
    else:
        real.write_bytes(b"PK\5\6" if kind == "empty archive" else b"all that I wrote\n" * 1000)
    real.chmod(0o644)
    before, names = real.read_bytes(), sorted(tmp_path.iterdir())
    for _ in range(2):
        with pytest.raises(JournalPlaceError) as error:
            Journal.open(path)
        assert error.value.code == ("journal-unwritable" if kind == "link" else "journal-foreign")
    assert (real.read_bytes(), real.stat().st_mode & 0o777, sorted(tmp_path.iterdir())) == (
        before,
        0o644,
        names,
    )


def test_journals_are_known_also_those_of_older_versions(tmp_path: Path, make_record: MakeRecord) -> None:
    path = tmp_path / "journal.db"
    with Journal.open(path) as journal:
        journal.start(make_record()).close()
    assert path.read_bytes()[68:72] == b"NXLJ"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.with_name("journal.db.count").unlink()
    for _ in range(2):
        with Journal.open(path) as journal:
            assert len(journal.runs()) == 1
            assert journal.losses == ()
    empty = tmp_path / "new.db"
    with contextlib.closing(sqlite3.connect(empty)) as connection:
        connection.execute("VACUUM")
    Journal.open(empty).close()


@pytest.mark.parametrize("folder", ["fuller", "locked and busy", "malformed", "No space left", "readonly"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "journal-unwritable"),
        (errno.ENOSPC, "journal-full"),
        (errno.EFBIG, "journal-limit"),
        (errno.EIO, "journal-unwritable"),
    ],
)
def test_a_fault_of_the_system_is_told_by_its_number_whatever_its_path_says(
    tmp_path: Path, folder: str, number: int, code: str
) -> None:
    path = tmp_path / folder / "journal.db"
    with contextlib.closing(SqliteDatabase(path)) as database:
        found = database._translated(OSError(number, os.strerror(number), str(path)))
    assert found.code == code
    assert not path.with_name("journal.db.is-damaged").exists()
    Journal.open(path).close()
    assert not list(path.parent.glob("*damaged*"))
