"""What is known of a killed run's requests: which left, and where nobody can know."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.journal.departures import Departures
from importer.journal.locks import FileLocks, Lock


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    return FileLocks(tmp_path).run("run-1")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    def count() -> int:
        files = Path("/proc/self/fd")
        return len(list(files.iterdir())) if files.is_dir() else 0

    before = count()
    yield
    assert count() == before


def test_what_one_process_noted_another_knows(lock: Lock, tmp_path: Path) -> None:
    first = Departures(lock, 0, boot="a")
    first.note(2)
    first.close()  # as the system does for who is killed
    second = Departures(lock, 3, boot="a")
    second.note(4)
    assert [second.has_left(entry) for entry in (1, 2, 3, 4, 5)] == [False, True, False, True, False]
    second.close()
    assert [path.stat().st_mode & 0o777 for path in tmp_path.glob("*.sent")] == [0o600]


def test_after_a_restart_of_the_machine_nobody_knows(lock: Lock) -> None:
    first = Departures(lock, 0, boot="a")
    first.note(1)
    first.close()
    second = Departures(lock, 2, boot="b")
    second.note(3)
    assert [second.has_left(entry) for entry in (1, 2, 3, 4)] == [None, None, True, False]
    second.close()


@pytest.mark.parametrize("spoilt", ["", "a\n", "a x\n", "a 0\nx\n", "\u00e9"])
def test_a_file_that_is_spoilt_says_nothing(lock: Lock, tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "run-run-1.sent").write_text(spoilt, "utf-8")
    found = Departures(lock, 1, boot="a")
    assert (found.has_left(1), found.has_left(2)) == (None, False)
    found.close()


def test_where_a_start_has_no_name_nobody_knows(lock: Lock, tmp_path: Path) -> None:
    found = Departures(lock, 0, boot="")
    found.note(1)
    assert found.has_left(1) is None
    assert not list(tmp_path.iterdir())


def test_a_full_disk_makes_nothing_known(lock: Lock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Departures(lock, 0, boot="a")
    found.note(1)

    def full(file: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    found.note(2)
    assert (found.has_left(1), found.has_left(2)) == (None, None)
    assert not list(tmp_path.glob("*.sent"))


def test_it_goes_with_the_run(lock: Lock, tmp_path: Path) -> None:
    found = Departures(lock, 0, boot="a")
    found.forget()
    assert not list(tmp_path.glob("*.sent"))
    Departures(lock, 0, boot="a").close()
    FileLocks(tmp_path).forget("run-1")
    assert not list(tmp_path.glob("*.sent"))
