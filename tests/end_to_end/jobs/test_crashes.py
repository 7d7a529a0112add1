"""A crash between any two steps leaves each file in exactly one place, and the next round goes on with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from importer.exit_codes import ExitCode
from importer.journal.job_history import FileFate, RoundResult
from importer.models import Status
from tests.support.jobs import Bench, Crash, lines

ROWS = 230


def _crash(bench: Bench, step: int, **more: object) -> str:
    """A round that dies after so many steps. Returns the step's name, empty if the round came to its end."""
    bench.crash_at = step
    try:
        bench.round(None, **more)
    except Crash as crash:
        return str(crash)
    finally:
        bench.crash_at = None
    return ""


def _conserved(bench: Bench, name: str, rows: int) -> None:
    """The file is in done/, its run finished, every row imported, every customer there once."""
    assert bench.places(name) == ["done"]
    with bench.journal() as journal:
        (record,) = journal.jobs.with_fate("nightly", FileFate.DONE)
        run = journal.run(record.run)
        assert Path(run.path) == bench.file(name)
        assert sum(run.counts.values()) == rows == run.counts[Status.IMPORTED]
        assert not journal.jobs.open_files("nightly")
    assert len(bench.emails()) == rows == len(set(bench.emails()))
    assert not list((bench.inbox / "working").iterdir())


def test_a_crash_between_any_two_steps_leaves_the_file_in_one_place(bench: Bench) -> None:
    died, step = [], 0
    while True:
        name, first = f"n{step}.csv", 1000 * step
        bench.drop(name, lines(4, first))
        at = _crash(bench, step)
        if not at:
            break
        died.append(at)
        assert len(bench.places(name)) == 1, at
        assert bench.round().good, at
        assert bench.places(name) == ["done"], at
        step += 1
    wanted = {
        "noted",
        "directory-made",
        "taken",
        "tried",
        "looked-ahead",
        "RunStarted",
        "RunEnded",
        "run-over",
    }
    assert wanted | {"decided", "reports-renamed", "put-away", "settled", "round-over"} <= set(died)
    assert len(bench.emails()) == 4 * (step + 1)
    with bench.journal() as journal:
        assert not journal.jobs.open_files("nightly")
        done = journal.jobs.with_fate("nightly", FileFate.DONE)
        assert len(done) == step + 1
        assert all(sum(journal.run(record.run).counts.values()) == 4 for record in done)


@pytest.mark.parametrize("step", range(8))
def test_a_crash_while_a_marked_file_is_taken_never_leaves_its_marker_alone(bench: Bench, step: int) -> None:
    bench.drop("m.csv", lines(3), age=5)
    bench.touch(bench.drop("m.csv.done", []), 1)
    _crash(bench, step)
    assert len(bench.places("m.csv")) == 1
    if bench.places("m.csv") != ["inbox"]:
        assert bench.places("m.csv.done") == []
    bench.round()
    bench.round()
    _conserved(bench, "m.csv", 3)


@pytest.mark.parametrize("step", range(0, 24, 2))
def test_a_crash_while_a_copy_is_made_leaves_the_source_alone(bench: Bench, step: int) -> None:
    export = bench.drop("export.csv", lines(3))
    before = export.read_bytes()
    _crash(bench, step, source=str(export))
    assert export.read_bytes() == before
    bench.round(source=str(export))
    assert export.read_bytes() == before
    assert len(bench.emails()) == 3
    assert len(list((bench.inbox / "done").iterdir())) == 1
    assert not list((bench.inbox / "working").iterdir())


def test_a_crash_between_any_two_steps_of_a_release_leaves_the_file_in_one_place(bench: Bench) -> None:
    for step in (*range(7), 11, 15, 16, 17, 18, 40):
        name = f"h{step}.csv"
        bench.drop(name, lines(4, 1000 * step, spoilt=3))
        assert bench.round().exit_code is ExitCode.TRIPWIRE
        bench.crash_at = step
        try:
            bench.round(release=name)
        except Crash:
            assert len(bench.places(name)) == 1
            bench.crash_at = None
            bench.round()
            if bench.places(name) == ["held"]:
                bench.round(release=name)
        else:
            break
        finally:
            bench.crash_at = None
        assert bench.places(name) == ["done"], step
    assert len(bench.emails()) == 13


def test_a_round_that_died_while_sending_is_resumed_before_anything_new(bench: Bench) -> None:
    bench.drop("big.csv", lines(ROWS))
    bench.steps = []
    bench.crash_at = 14  # after the first requests
    with pytest.raises(Crash):
        bench.round()
    bench.crash_at = None
    bench.drop("new.csv", lines(3, 5000), age=10_000)  # older than the interrupted one
    report = bench.round()
    assert [file.name for file in report.files] == ["big.csv", "new.csv"]
    assert len(bench.emails()) == ROWS + 3


def test_a_file_that_died_before_its_first_request_still_meets_the_tripwires(bench: Bench) -> None:
    bench.drop("bad.csv", lines(10, spoilt=5))
    bench.crash_at = 7
    with pytest.raises(Crash):
        bench.round()
    bench.crash_at = None
    report = bench.round()
    assert report.exit_code is ExitCode.TRIPWIRE
    assert bench.places("bad.csv") == ["held"]
    assert bench.box.requests == ()


def test_a_file_that_kills_three_rounds_is_put_away(bench: Bench) -> None:
    bench.drop("killer.csv", lines(3))
    for _ in range(3):
        bench.crash_at = 6
        with pytest.raises(Crash):
            bench.round()
    bench.crash_at = None
    report = bench.round()
    assert report.result is RoundResult.FAILED
    assert [file.code for file in report.files] == ["job-file-kills"]
    assert bench.places("killer.csv") == ["failed"]


_DRIVER = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from importer.jobs.tables import load_job
from importer.jobs.log import open_log
from importer.jobs.runner import Round
from importer.jobs.config import JobEnvironment
from importer.journal import Journal
from importer.config import Profile, load_config
left = int(sys.argv[3])
def checkpoint(step):
    global left
    left -= 1
    if left < 0:
        print(step, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
around = JobEnvironment(sleep=lambda seconds: None, checkpoint=checkpoint)
job = load_job(load_config(Path(sys.argv[2])), "nightly")
with Journal.open() as journal:
    report = Round(job, Profile(), journal, open_log(job, around.clock), around).go()
sys.exit(int(report.exit_code))
"""


@pytest.mark.soak
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_kill_9_at_every_step_of_a_real_process_loses_nothing(bench: Bench) -> None:
    settings = bench.root / "importer.toml"
    settings.write_text(f'[job.nightly]\ninbox = "{bench.inbox}"\n', "utf-8")
    connection = bench.box.connection
    environment = {
        **os.environ,
        "NXLINK_STATE_DIR": str(bench.state),
        "NXLINK_BASE_URL": str(connection.base_url),
        "NXLINK_ACCESS_KEY": connection.access_key.reveal(),
        "NXLINK_ACCESS_SECRET": connection.access_secret.reveal(),
        "NXLINK_TENANT_ID": connection.tenant_id,
        "NXLINK_APP_KEY": connection.app_key,
    }
    rows, step, killed = 0, 0, []
    while True:
        name = f"n{step}.csv"
        bench.drop(name, lines(ROWS, 1000 * step))
        os.utime(bench.inbox / name, (1, 1))
        rows += ROWS
        for steps in (step, 10_000):
            words = [sys.executable, "-c", _DRIVER, str(Path.cwd()), str(settings), str(steps)]
            done = subprocess.run(words, env=environment, capture_output=True, text=True)
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
            assert len(bench.places(name)) == 1
            if steps == step:
                killed.append(done.stdout.strip())
        assert bench.places(name) == ["done"]
        step += 1
        if not killed[-1]:
            break
    assert len(bench.emails()) == rows
    print(f"killed at {len(killed) - 1} steps: {sorted(set(killed))}; {rows} rows, each stored once")
