"""A job looks bad until somebody has taken note of what failed or is held."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from importer.exit_codes import ExitCode
from importer.jobs.status import CheckStatus, JobStatus, job_status
from importer.journal.locks import LockHolder
from tests.support.commands import Command
from tests.support.jobs import Bench, lines


@pytest.fixture
def command(bench: Bench, importer: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the bench's journal and job."""
    monkeypatch.setenv("NXLINK_STATE_DIR", str(bench.state))
    settings = bench.root / "importer.toml"
    settings.write_text(f'[job.nightly]\ninbox = "{bench.inbox.as_posix()}"\n', "utf-8")
    settings.chmod(0o600)

    def call(*words: object) -> object:
        return importer(*words, "--settings", settings)

    return call  # type: ignore[return-value]


def status(bench: Bench) -> JobStatus:
    with bench.journal() as journal:
        return job_status(bench.job(), journal, bench.clock.now)


def fail(bench: Bench, name: str = "broken.csv") -> None:
    path = bench.inbox / name
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode() * 10)
    bench.touch(path, 3600)


def test_a_failed_file_keeps_the_job_bad_through_later_good_rounds_until_it_is_acknowledged(
    bench: Bench, command: Command
) -> None:
    fail(bench)
    bench.round()
    assert status(bench).health is CheckStatus.CRITICAL
    bench.drop("good.csv", lines(5))
    assert bench.round().good
    found = status(bench)
    assert found.health is CheckStatus.CRITICAL
    assert "1 failed (broken.csv)" in found.line()
    assert found.line().endswith("failed=1")
    done = command("job", "acknowledge", "nightly")
    assert done.code == 0
    assert "broken.csv" in done.out
    assert str(bench.inbox / "failed") in done.out
    assert status(bench).health is CheckStatus.OK
    assert len(status(bench).failed) == 1  # it still lies there
    assert json.loads(status(bench).json())["failed"][0]["acknowledged"]
    assert "Nothing" in command("job", "acknowledge", "nightly").out


def test_an_acknowledged_file_of_the_last_round_makes_the_job_good_at_once(
    bench: Bench, command: Command
) -> None:
    fail(bench)
    bench.round()
    command("job", "acknowledge", "nightly")
    assert status(bench).health is not CheckStatus.CRITICAL


@pytest.mark.parametrize("kind", ["failed", "held"])
def test_a_file_that_is_gone_needs_no_acknowledgement(bench: Bench, kind: str) -> None:
    if kind == "failed":
        fail(bench)
    else:
        bench.drop("held.csv", lines(4, spoilt=4))
    bench.round()
    bench.drop("good.csv", lines(5, 100))
    bench.round()
    assert status(bench).health is not CheckStatus.OK
    shutil.rmtree(bench.inbox / kind)
    assert status(bench).health is CheckStatus.OK


def test_one_file_can_be_acknowledged_by_its_name_and_another_one_stays(
    bench: Bench, command: Command
) -> None:
    fail(bench, "a.csv")
    fail(bench, "b.csv")
    bench.round()
    assert "a.csv" in command("job", "acknowledge", "nightly", "a.csv").out
    assert "1 failed (b.csv)" in status(bench).line()
    wrong = command("job", "acknowledge", "nightly", "c.csv")
    assert wrong.code == ExitCode.USAGE
    assert "Files there: b.csv, a.csv" in wrong.err


def test_a_released_file_that_fails_again_has_to_be_acknowledged_again(
    bench: Bench, command: Command
) -> None:
    bench.drop("held.csv", lines(4, spoilt=4))
    bench.round()
    command("job", "acknowledge", "nightly")
    assert "held (" not in status(bench).line()
    bench.box.misbehave("code code=9001 requests=1-")
    bench.attempts = 1
    held = next((bench.inbox / "held").rglob("held.csv"))
    held.write_text(held.read_text("utf-8").replace(",Family1,", "Ann,Family1,"), "utf-8")
    bench.round(release="held.csv")
    assert "1 failed (held.csv)" in status(bench).line()


def test_the_reason_of_a_failed_file_names_the_place_where_it_is_now(bench: Bench) -> None:
    fail(bench)
    (file,) = bench.round().files
    assert "/working/" not in file.message
    assert str(file.place) in file.message
    assert file.place.exists()


def test_rows_below_the_tripwire_stand_in_notice_and_status(bench: Bench, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    bench.drop("a.csv", lines(20, spoilt=2))
    report = bench.round(notices={"command": f"cp /dev/stdin {heard}"})
    assert report.good
    assert "2 of 20 rows were not imported and wait for a correction" in heard.read_text("utf-8")
    assert str(bench.inbox / "done") in heard.read_text("utf-8")
    found = status(bench)
    assert found.health is CheckStatus.OK
    assert "2 rows of a.csv wait for a correction" in found.line()
    assert json.loads(found.json())["rows_left"] == 2


def test_a_round_that_leaves_nothing_is_not_told(bench: Bench, tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    bench.drop("a.csv", lines(20))
    bench.round(notices={"command": f"cp /dev/stdin {heard}"})
    assert not heard.exists()


def test_a_check_during_a_round_says_that_one_is_at_work(bench: Bench, command: Command) -> None:
    bench.drop("a.csv", lines(3))
    bench.clock.now += timedelta(seconds=1)
    with bench.journal() as journal:
        lock = journal.job_lock("nightly")
        lock.acquire(LockHolder.current("nightly", bench.clock.now), "job-locked")
        journal.jobs.take("nightly", 1, "b.csv", bench.inbox / "working" / "x" / "b.csv", bench.clock.now)
        done = command("job", "check", "nightly", "--json")
        lock.release()
    assert "A round of the job nightly is running now" in done.err
    assert [one["fate"] for one in done.json if one["path"].endswith("b.csv")] == ["at-work"]


def test_a_check_says_how_many_rows_of_an_interrupted_file_are_open(bench: Bench, command: Command) -> None:
    bench.box.misbehave("status status=429 requests=2-")
    bench.drop("a.csv", lines(250, spoilt=2))
    assert not bench.round(patience=0, concurrency=1).good
    (found,) = command("job", "check", "nightly", "--json").json
    known = len(bench.emails()) + found["invalid"]
    assert (found["fate"], found["rows"], found["to_send"]) == ("resume", 250, 250 - known)
    assert 0 < found["to_send"] < 250
    assert f"at most {found['to_send']} of 250 rows left, {found['invalid']} invalid so far" in (
        command("job", "check", "nightly").out
    )
