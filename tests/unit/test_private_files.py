"""Files of our own: private whatever the umask says, and planted links do nothing."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import filelock
import pytest

from importer.errors import JournalError
from importer.journal.locks import FileLocks, LockHolder
from importer.journal.sqlite import SqliteDatabase
from importer.private_files import (
    create_private_file,
    ensure_private_file,
    make_private_folder,
    open_plain_file,
    private_opener,
    replace_private_file,
)
from importer.reports.files import ReportFile
from importer.reports.model import ReportPlan, ReportSource
from importer.sandbox.store import connect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    """A umask that would let everybody read and write."""
    old = os.umask(0)
    yield
    os.umask(old)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_whatever_the_umask_says_files_are_ones_own(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private_folder(folder)
    create_private_file(folder / "new").close()
    ensure_private_file(folder / "ensured")
    replace_private_file(folder / "whole", b"content")
    with open(folder / "appended", "a", opener=private_opener) as file:
        file.write("line")
    assert _mode(folder) == 0o700
    assert {path.name: _mode(path) for path in folder.iterdir()} == dict.fromkeys(
        ("new", "ensured", "whole", "appended"), 0o600
    )


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch(0o666)
    ensure_private_file(path)
    assert _mode(path) == 0o600


def test_a_shared_file_keeps_its_mode(tmp_path: Path) -> None:
    replace_private_file(tmp_path / "report.html", b"page", 0o640)
    assert _mode(tmp_path / "report.html") == 0o640


def test_a_leftover_makes_way(tmp_path: Path) -> None:
    (tmp_path / "results.csv.part").write_text("half of an earlier run, and longer")
    with create_private_file(tmp_path / "results.csv.part") as file:
        file.write(b"new")
        file.seek(0)
        assert file.read() == b"new"
    assert (tmp_path / "results.csv.part").read_text() == "new"


def test_a_replacement_that_fails_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with pytest.raises(OSError, match="name"):
        replace_private_file(tmp_path / "name", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def _report(path: Path) -> None:
    source = ReportSource(path.parent / "in.csv", "in.csv", "csv", ())
    file = ReportFile(ReportPlan(path.parent, "run-1", source), path.name.removesuffix(".run-1.part"))
    file.stream.write(b"a report")
    file.finish()


def _append(path: Path) -> None:
    with open(path, "a", opener=private_opener) as file:
        file.write("line")


def _lock(path: Path) -> None:
    filelock.FileLock(path, mode=0o600).acquire(timeout=0)


WRITERS: tuple[tuple[str, Callable[[Path], object]], ...] = (
    ("new", lambda path: create_private_file(path).close()),
    ("ensured", ensure_private_file),
    ("whole", lambda path: replace_private_file(path, b"content")),
    ("appended", _append),
    ("results.csv.run-1.part", _report),
    ("results.csv", _report),
    ("journal.db", SqliteDatabase),
    ("store.db", connect),
    ("job-nightly.lock", _lock),
)


@pytest.mark.parametrize("dangling", [False, True], ids=["to a file", "to nothing"])
@pytest.mark.parametrize(("name", "write"), WRITERS, ids=[name for name, _ in WRITERS])
def test_a_planted_link_leads_nowhere(
    tmp_path: Path, name: str, write: Callable[[Path], object], dangling: bool
) -> None:
    victim = tmp_path / "elsewhere" / "victim"
    victim.parent.mkdir()
    if not dangling:
        victim.write_text("somebody's file")
        victim.chmod(0o644)
    (tmp_path / "ours").mkdir()
    link = tmp_path / "ours" / name
    link.symlink_to(victim)
    if name == "store.db" and not dangling:
        pytest.skip("a store is a file that the user names: a link to it is the user's own")
    with contextlib.suppress(OSError, JournalError):
        write(link)
    if dangling:
        assert not victim.exists()
    else:
        assert (victim.read_text(), _mode(victim)) == ("somebody's file", 0o644)


def test_a_linked_note_of_a_lock_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("somebody's file")
    locks = FileLocks(tmp_path / "locks")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "job-nightly.holder").symlink_to(victim)
    lock = locks.job("nightly")
    lock.acquire(LockHolder.current("nightly", datetime.now()), "job-locked")
    lock.release()
    assert victim.read_text() == "somebody's file"


def test_what_is_planted_is_not_emptied_before_it_is_looked_at(tmp_path: Path) -> None:
    mine, second = tmp_path / "mine", tmp_path / "second"
    mine.write_bytes(b"all")
    os.link(mine, second)
    with pytest.raises(OSError, match="second name"):
        open(second, "wb", opener=private_opener).close()
    assert mine.read_bytes() == b"all"
    second.unlink()
    with open(mine, "wb", opener=private_opener) as file:
        file.write(b"a")
    assert mine.read_bytes() == b"a"


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_is_no_file_to_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a plain file"):
        open_plain_file(tmp_path / "pipe")


def test_two_writers_of_a_file_leave_one_whole_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "metrics.prom"
    old = tmp_path / ".metrics.prom.1-x.part"
    old.write_bytes(b"left by one that was killed")
    os.utime(old, (0, 0))
    texts = [bytes([65 + number]) * 100_000 for number in range(8)]
    faults: list[BaseException] = []

    def write(text: bytes) -> None:
        try:
            for _ in range(20):
                replace_private_file(path, text)
                assert path.read_bytes() in texts
        except BaseException as error:
            faults.append(error)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert faults == []
    assert [one.name for one in tmp_path.iterdir()] == ["metrics.prom"]
