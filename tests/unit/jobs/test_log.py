"""A job's log: private, rotated by size, and what fails is told instead of raised."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from importer.jobs.config import LogSettings
from importer.jobs.log import JobLog

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


def _log(path: Path, **settings: object) -> JobLog:
    return JobLog(path, LogSettings(**settings), lambda: NOW)  # type: ignore[arg-type]


def _numbers(folder: Path) -> list[int]:
    """The numbers in the log and its older files, in the order in which they were written."""
    files = [folder / name for name in ("log.2", "log.1", "log")]
    texts = [path.read_text("utf-8") for path in files if path.exists()]
    return [json.loads(line)["number"] for text in texts for line in text.splitlines()]


def test_a_line_is_one_json_object(tmp_path: Path) -> None:
    log = _log(tmp_path / "jobs" / "nightly.log")
    log.write("warning", "not-told", what="line\nbreak 客户", rows=[2, 3], counts={"imported": 2}, run=None)
    (line,) = log.path.read_text("utf-8").splitlines()
    assert json.loads(line) == {
        "time": "2026-11-20T03:00:00+00:00",
        "level": "warning",
        "event": "not-told",
        "what": "line\nbreak 客户",
        "rows": [2, 3],
        "counts": {"imported": 2},
        "run": None,
    }


def test_text_and_echo_are_one_line_for_people(tmp_path: Path) -> None:
    heard: list[str] = []
    log = JobLog(tmp_path / "log", LogSettings(format="text"), lambda: NOW, heard.append)
    log.write("info", "round-ended", files=2, what="two words", rows=[2, 3])
    log.write("error", "stopping", code="a\nb")
    wanted = [
        '2026-11-20T03:00:00+00:00 INFO    round-ended files=2 what="two words" rows=2,3',
        '2026-11-20T03:00:00+00:00 ERROR   stopping code="a\\nb"',
    ]
    assert log.path.read_text("utf-8").splitlines() == wanted
    assert heard == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
def test_the_log_and_its_older_files_are_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        log = _log(tmp_path / "jobs" / "log", size=1000, files=2)
        for number in range(100):
            log.write("info", "step", number=number, what="x" * 50)
    finally:
        os.umask(old)
    assert log.failure == ""
    kept = sorted(path.name for path in (tmp_path / "jobs").iterdir())
    assert kept == ["log", "log.1", "log.2"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "jobs").iterdir()} == {0o600}
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700
    numbers = _numbers(tmp_path / "jobs")
    assert numbers == list(range(100 - len(numbers), 100))
    assert all(path.stat().st_size <= 1000 for path in (tmp_path / "jobs").iterdir())


def test_two_rounds_can_write_to_one_log(tmp_path: Path) -> None:
    one, other = (_log(tmp_path / "log", size=2000) for _ in range(2))
    for number in range(20):
        (one if number % 2 else other).write("info", "step", number=number, what="x" * 100)
    assert _numbers(tmp_path) == list(range(20))


def test_a_log_that_cannot_be_written_says_so_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log = _log(tmp_path / "log")
    log.write("info", "step")
    assert log.failure


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
def test_a_planted_link_is_told_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("somebody's file")
    (tmp_path / "log").symlink_to(tmp_path / "victim")
    log = _log(tmp_path / "log")
    log.write("info", "step")
    assert (tmp_path / "victim").read_text() == "somebody's file"
    assert log.failure
