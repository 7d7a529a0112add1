"""A full disk stops a round in order; once there is room, the next round goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.cli.app import invoke as cli
from importer.exit_codes import ExitCode
from importer.journal.job_history import RoundResult
from tests.support.jobs import Bench, lines


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes: a journal with its log fits, and is soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    if os.name != "posix" or os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    filler = folder / ".filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def test_a_full_disk_under_the_inbox(bench: Bench, small_disk: Path) -> None:
    bench.table = {"inbox": str(small_disk)}
    assert bench.round().good  # makes the folders
    path = small_disk / "x.csv"
    path.write_bytes(bench.drop("a.csv", lines(250)).read_bytes())
    bench.touch(path, 3600)
    filler = _fill(small_disk)
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.AWAY)
    assert len(list(small_disk.rglob("x.csv"))) == 1
    filler.unlink()
    bench.round()
    assert [file.parent.parent.name for file in small_disk.rglob("x.csv")] == ["done"]
    assert len(bench.emails()) == 250


def test_a_full_disk_under_the_journal_is_told_by_notice_too(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NXLINK_STATE_DIR", str(small_disk))
    (bench.root / "importer.toml").write_text(
        f'[job.nightly]\ninbox = "{bench.inbox}"\nnotices.command = "touch {bench.root}/told"\n'
    )
    bench.drop("a.csv", lines(250))
    filler = _fill(small_disk)
    assert cli(["job", "run", "nightly", "--settings", str(bench.root / "importer.toml")]) == 5
    assert "journal" in capsys.readouterr().err
    assert (bench.root / "told").exists()
    assert bench.places("a.csv") == ["inbox"]
    filler.unlink()
    assert bench.round().good
    assert len(bench.emails()) == 250


def test_a_disk_that_fills_up_while_a_run_is_at_work(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.drop("a.csv", lines(2500))
    bench.state.symlink_to(small_disk)
    fillers: list[Path] = []
    reach = bench.checkpoint

    def fill(step: str) -> None:
        if step == "BatchFinished" and not fillers:
            fillers.append(_fill(small_disk))
        reach(step)

    monkeypatch.setattr(bench, "checkpoint", fill)
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.AWAY)
    assert bench.places("a.csv") == ["working"]
    fillers[0].unlink()
    monkeypatch.setattr(bench, "checkpoint", reach)
    assert bench.round().good
    assert bench.places("a.csv") == ["done"]
    assert len(bench.emails()) == 2500
