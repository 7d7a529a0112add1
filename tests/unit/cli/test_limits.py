"""Faults, clocks and limits of the system end in sentences."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from zipfile import ZipFile

import click
import pytest

from tests.support.commands import Command
from tests.support.every_command import EVERY_COMMAND, lay_out


def test_a_crash_of_any_command_is_a_fault_of_the_importer(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    lay_out(work)
    monkeypatch.setattr(click.Context, "invoke", crash)
    for name, words in EVERY_COMMAND.items():
        done = importer(*words)
        assert done.code == 70, name
        assert "[importer-failed]" in done.err, name


@pytest.mark.parametrize("now", [0.0, 1.0, 16_725_225_600.0], ids=["1970", "1970, a second later", "2500"])
def test_workbooks_are_written_whatever_the_clock_says(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    lay_out(work)
    monkeypatch.setattr(time, "time", lambda: now)
    assert importer("template").code == 0
    assert importer("validate", "customers.csv", "--excel-report", "--report-dir", "out").code == 1
    for path in (work / "customers.xlsx", work / "out" / "rejects.xlsx", work / "out" / "annotated.xlsx"):
        with ZipFile(path) as archive:
            assert archive.testzip() is None


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_limit_on_the_size_of_files_is_named(own_surroundings: Path) -> None:
    command = f'ulimit -f 8; exec "{sys.executable}" -m importer runs'
    done = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", timeout=100)
    assert done.returncode == 5
    assert "ulimit -f" in done.stderr
    assert "[journal-limit]" in done.stderr
