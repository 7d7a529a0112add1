"""Rounds: tripwires, faults of the server, locks, limits, notices."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from importer.errors import TerminatedRun
from importer.exit_codes import ExitCode
from importer.jobs.status import CheckStatus, job_status
from importer.journal.job_history import FileFate, RoundResult
from importer.journal.locks import LockHolder
from importer.models import Status
from importer.pipeline.run import StopToken
from importer.sandbox.faults import Fault
from tests.support.jobs import HEADER, Bench, lines


def _good_nights(bench: Bench, count: int = 3, rows: int = 10) -> None:
    for night in range(count):
        bench.drop(f"good{night}.csv", lines(rows, 100 * night))
        assert bench.round().good


def _held(bench: Bench, code: str, **more: object) -> None:
    sent = len(bench.box.requests)
    report = bench.round(None, **more)
    assert (report.result, report.exit_code, report.code) == (RoundResult.HELD, ExitCode.TRIPWIRE, code)
    assert len(bench.box.requests) == sent
    (file,) = report.files
    assert file.place.parent.parent == bench.inbox / "held"
    assert "--release" in file.message
    assert file.reports is not None
    assert json.loads((file.reports / "summary.json").read_text("utf-8"))["exit_code"] == 6


def test_a_changed_header_is_held(bench: Bench) -> None:
    _good_nights(bench, 1)
    bench.drop("x.csv", [f"{line},8613900000000" for line in lines(10, 500)], HEADER + ",SMS")
    _held(bench, "tripwire-columns")


def test_the_order_of_columns_makes_no_difference(bench: Bench) -> None:
    _good_nights(bench, 1)
    rows = [",".join(reversed(line.split(","))) for line in lines(10, 500)]
    bench.drop("x.csv", rows, ",".join(reversed(HEADER.split(","))))
    assert bench.round().good


def test_a_mapped_column_gone_empty_is_held(bench: Bench) -> None:
    _good_nights(bench, 1)
    bench.drop("x.csv", [line.rpartition(",")[0] + "," for line in lines(10, 500)])
    _held(bench, "tripwire-empty-column")


def test_more_than_a_fifth_invalid_is_held_without_any_history(bench: Bench) -> None:
    bench.drop("x.csv", lines(10, spoilt=3))
    _held(bench, "tripwire-invalid")


def test_a_fifth_invalid_is_let_through(bench: Bench) -> None:
    bench.drop("x.csv", lines(10, spoilt=2))
    assert bench.round().good


@pytest.mark.parametrize(("rows", "code"), [(5, "tripwire-fewer-rows"), (20, "tripwire-more-rows")])
def test_half_or_double_the_usual_rows_is_held_after_three_good_nights(
    bench: Bench, rows: int, code: str
) -> None:
    _good_nights(bench)
    bench.drop("x.csv", lines(rows, 500))
    _held(bench, code)


def test_two_good_nights_make_no_usual_number(bench: Bench) -> None:
    _good_nights(bench, 2)
    bench.drop("x.csv", lines(40, 500))
    assert bench.round().good


def test_fixed_bounds(bench: Bench) -> None:
    bench.drop("x.csv", lines(11))
    _held(bench, "tripwire-max-rows", tripwires={"max_rows": 10})
    bench.drop("y.csv", lines(3, 500))
    _held(bench, "tripwire-min-rows", tripwires={"min_rows": 4})


def test_every_tripwire_can_be_switched_off(bench: Bench) -> None:
    _good_nights(bench)
    off = {"changed_columns": False, "empty_columns": False, "max_invalid": False}
    off |= {"rows_below": False, "rows_above": False}
    bench.drop("x.csv", ["A,B"] * 1 + [",C"] * 3, "First name,Last name")
    assert bench.round(tripwires=off).good


def test_a_released_file_is_imported_and_becomes_what_is_usual(bench: Bench) -> None:
    _good_nights(bench)
    bench.drop("x.csv", lines(40, 500))
    _held(bench, "tripwire-more-rows")
    report = bench.round(release="x.csv")
    assert report.good
    assert bench.places("x.csv") == ["done"]
    assert len(bench.emails()) == 70
    unknown = bench.round(release="x.csv")
    assert (unknown.exit_code, unknown.code) == (ExitCode.USAGE, "job-no-held-file")


def test_held_files_do_not_keep_others_waiting(bench: Bench) -> None:
    bench.drop("bad.csv", lines(10, spoilt=9), age=5000)
    bench.drop("good.csv", lines(10, 100), age=100)
    report = bench.round()
    assert [file.fate for file in report.files] == [FileFate.HELD, FileFate.DONE]
    assert report.exit_code is ExitCode.TRIPWIRE


def test_a_wrong_secret_stops_the_round_and_the_next_one_goes_on(bench: Bench) -> None:
    bench.box.misbehave("code code=1003 requests=1-")
    bench.drop("a.csv", lines(5), age=5000)
    bench.drop("b.csv", lines(5, 100), age=100)
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.REFUSED)
    assert bench.places("a.csv") == ["working"]
    assert bench.places("b.csv") == ["inbox"]
    bench.box.misbehave()
    assert [file.name for file in bench.round().files] == ["a.csv", "b.csv"]
    assert len(bench.emails()) == 10


def test_an_absent_server_stops_the_round_and_the_next_one_goes_on(bench: Bench) -> None:
    bench.box.misbehave("status status=429 requests=2-")
    bench.drop("a.csv", lines(250))
    report = bench.round(patience=0)
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.AWAY)
    assert bench.places("a.csv") == ["working"]
    bench.box.misbehave()
    assert bench.round().good
    assert len(bench.emails()) == 250


def test_rows_that_never_got_through_make_the_file_fail(bench: Bench) -> None:
    bench.box.misbehave("code code=1002 rows.email=c1@*")
    bench.drop("a.csv", lines(5))
    report = bench.round()  # one of five is refused: that is no more than a fifth
    assert report.good
    bench.box.misbehave("code code=1002 rows.email=c10*")
    bench.drop("b.csv", lines(5, 100))
    report = bench.round()
    assert (report.result, report.code) == (RoundResult.FAILED, "job-rows-refused")
    assert bench.places("b.csv") == ["failed"]


def test_a_signal_stops_the_round_in_order(bench: Bench) -> None:
    bench.stopper = StopToken()
    bench.stopper.stop(TerminatedRun("terminated"))
    bench.drop("a.csv", lines(5))
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.TERMINATED)
    assert bench.places("a.csv") == ["inbox"]


def test_a_signal_while_the_file_is_looked_through_costs_no_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.stopper = StopToken()
    reach, stopper = bench.checkpoint, bench.stopper

    def signal(step: str) -> None:
        if step == "tried":
            stopper.stop(TerminatedRun("terminated"))
        reach(step)

    monkeypatch.setattr(bench, "checkpoint", signal)
    bench.drop("a.csv", lines(5))
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.TERMINATED)
    assert bench.places("a.csv") == ["working"]
    monkeypatch.setattr(bench, "checkpoint", reach)
    bench.stopper = None
    assert bench.round().good
    assert (bench.places("a.csv"), len(bench.emails())) == (["done"], 5)


def test_a_time_limit_stops_the_round_and_the_next_one_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[threading.Timer] = []
    rung: list[float] = []

    def ring(endpoint: str, customers: Sequence[object]) -> list[Fault]:
        while timers:
            timer = timers.pop()
            rung.append(timer.interval)
            timer.function(*timer.args)
        return []

    # However busy the machine is, the time is up at the first request.
    monkeypatch.setattr(threading.Timer, "start", lambda timer: timers.append(timer))
    monkeypatch.setattr(bench.box.application.script, "next", ring)
    bench.drop("a.csv", lines(900))
    report = bench.round(time_limit=0.4, concurrency=1)
    assert rung == [0.4]
    # The batch behind it may have been on its way when the time was up.
    assert len(bench.emails()) in (100, 200)
    assert (report.result, report.code) == (RoundResult.STOPPED, "job-time-limit")
    assert bench.places("a.csv") == ["working"]
    bench.box.misbehave()
    assert bench.round().good
    assert len(bench.emails()) == 900


def test_an_overlapping_round_ends_quietly_and_is_noted(bench: Bench) -> None:
    bench.drop("a.csv", lines(5))
    with bench.journal() as journal:
        lock = journal.job_lock("nightly")
        lock.acquire(LockHolder.current("nightly", bench.clock.now), "job-locked")
        try:
            report = bench.round()
        finally:
            lock.release()
        assert (report.exit_code, report.result) == (ExitCode.LOCKED, RoundResult.OVERLAPPED)
        assert [record.result for record in journal.jobs.rounds("nightly")] == [RoundResult.OVERLAPPED]
    assert bench.places("a.csv") == ["inbox"]
    assert bench.round().good


def test_two_rounds_at_once_import_every_file_once(bench: Bench) -> None:
    for number in range(4):
        bench.drop(f"n{number}.csv", lines(20, 100 * number))
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(bench.round())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(report.exit_code for report in reports)
    assert codes in ([ExitCode.DONE, ExitCode.LOCKED], [ExitCode.DONE, ExitCode.DONE])
    assert len(bench.emails()) == 80
    assert sum(len(report.files) for report in reports) == 4


def test_the_lock_of_a_killed_round_is_stale(bench: Bench) -> None:
    script = (
        "import os, sys\nfrom datetime import datetime\nfrom pathlib import Path\n"
        "from importer.journal import Journal\nfrom importer.journal.locks import LockHolder\n"
        "lock = Journal.open(Path(sys.argv[1])).job_lock('nightly')\n"
        "lock.acquire(LockHolder.current('nightly', datetime.now()), 'job-locked'); os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(bench.state / "journal.db")], check=False)
    assert done.returncode == 9
    bench.drop("a.csv", lines(5))
    assert bench.round().good


def test_two_jobs_do_not_work_in_one_folder_at_a_time(bench: Bench) -> None:
    import filelock

    with filelock.FileLock(bench.inbox / ".importer.lock"):
        report = bench.round()
    assert (report.exit_code, report.code) == (ExitCode.LOCKED, "job-folder-locked")


@dataclass
class Hearer:
    """Somebody's webhook."""

    url: str
    answers: list[int] = field(default_factory=list)
    heard: list[tuple[str, str, bytes]] = field(default_factory=list)


@pytest.fixture
def hearer() -> Iterator[Hearer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.heard.append((self.command, self.path, body))
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Hearer(f"http://127.0.0.1:{server.server_port}/hook?token=hush")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_in_gbk_stay_names(bench: Bench) -> None:
    for number, name in enumerate((os.fsdecode("客户.csv".encode("gbk")), "caf\udce9.csv")):
        bench.drop(name, lines(5, 1000 * number))
    report = bench.round()
    assert {file.name for file in report.files} == {"客户.csv", "caf\\xe9.csv"}
    for file in report.files:
        assert file.place.name == file.name
        assert file.place.is_file()


def test_a_failure_is_told_by_webhook_with_counts_and_no_customers_data(bench: Bench, hearer: Hearer) -> None:
    hearer.answers = [503, 500, 200]
    bench.drop("x.csv", lines(10, spoilt=3))
    report = bench.round(notices={"webhook": hearer.url})
    assert report.warnings == ()
    assert len(hearer.heard) == 3
    body = hearer.heard[-1][2]
    told = json.loads(body)
    assert (told["job"], told["result"], told["exit_code"], told["code"]) == (
        *("nightly", "held", 6),
        "tripwire-invalid",
    )
    assert told["files"][0]["counts"] == {"invalid": 3, "not_sent": 7}
    for secret in (b"@example.com", b"Family", b"86138", b"hush"):
        assert secret not in body


def test_nobody_hears_of_a_good_round_unless_asked_for(bench: Bench, hearer: Hearer) -> None:
    bench.round(notices={"webhook": hearer.url})
    assert not hearer.heard
    bench.round(notices={"webhook": hearer.url, "when": "always"})
    assert len(hearer.heard) == 1


def test_a_change_is_told_once_each_way(bench: Bench, hearer: Hearer) -> None:
    told: list[int] = []
    for spoilt in (0, 5, 5, 0, 0):
        bench.drop("x.csv", lines(10, 1000 * len(told), spoilt=spoilt))
        bench.round(notices={"webhook": hearer.url, "when": "change"})
        told.append(len(hearer.heard))
    assert told == [0, 1, 1, 2, 2]


def test_a_failing_notice_never_fails_the_import(bench: Bench, hearer: Hearer) -> None:
    hearer.answers = [500] * 9
    bench.drop("x.csv", lines(5))
    notices = {"webhook": hearer.url, "when": "always", "command": "/no/such/program"}
    report = bench.round(notices=notices)
    assert report.good
    assert len(report.warnings) == 2
    assert "hush" not in "".join(report.warnings)
    assert len(hearer.heard) == 4


@pytest.mark.parametrize("command", ["  ", "'", "\\"])
def test_a_notice_command_that_is_none_is_told(bench: Bench, command: str) -> None:
    bench.drop("x.csv", lines(5))
    report = bench.round(notices={"command": command, "when": "always"})
    assert report.good
    assert [warning.partition(":")[0] for warning in report.warnings] == ["command"]


def test_a_webhook_that_never_comes_to_an_end_holds_no_round_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.jobs.notify.POST_TIMEOUT", 0.3)

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.05):
                connection.sendall(b".")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        bench.drop("x.csv", lines(5))
        webhook = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        report = bench.round(notices={"webhook": webhook, "when": "always"})
        over.set()
    assert report.good
    assert report.warnings == ("webhook: 127.0.0.1: read timeout",)


def test_a_command_gets_the_text_and_no_secrets(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NXLINK_ACCESS_SECRET", "hush")
    script = tmp_path / "mail.py"
    script.write_text(
        "import os, sys, pathlib\n"
        "pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read() + repr(dict(os.environ)))\n"
    )
    out = tmp_path / "mail.txt"
    bench.drop("x.csv", lines(10, spoilt=3))
    command = f"{sys.executable} {script} {out} '{{job}} {{result}}'"
    assert bench.round(notices={"command": command}).warnings == ()
    mail = out.read_text()
    assert mail.startswith("nightly heldnightly: held")
    assert "NXLINK_NOTICE" in mail
    assert "hush" not in mail


def test_the_heart_beats_after_good_rounds_only(bench: Bench, hearer: Hearer, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    bench.drop("x.csv", lines(10, spoilt=3))
    bench.round(heartbeat=str(beat))
    bench.round(heartbeat=hearer.url, source=str(tmp_path / "none" / "*.csv"), folder=str(bench.inbox))
    assert not beat.exists()
    assert not hearer.heard
    bench.round(heartbeat=str(beat))
    assert beat.read_text().startswith("2026-01-03")
    bench.round(heartbeat=hearer.url)
    assert hearer.heard[0][0] == "GET"


def test_heartbeat_and_log_leave_the_files_of_others_alone(bench: Bench, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.csv"
    theirs.write_text("name,phone\nAnn,1\n")
    report = bench.round(heartbeat=str(theirs), log={"file": str(theirs)})
    assert theirs.read_text() == "name,phone\nAnn,1\n"
    assert report.good
    assert [warning.partition(":")[0] for warning in report.warnings] == ["heartbeat", "log"]
    assert "no heartbeat" in report.warnings[0]
    assert "no log" in report.warnings[1]


def test_the_log_knows_row_numbers_only_and_is_rotated(bench: Bench) -> None:
    log = bench.root / "log" / "nightly.log"
    for number in range(6):
        bench.drop(f"n{number}.csv", lines(10, 100 * number, spoilt=2))
        bench.round(log={"file": str(log), "size": 1500, "files": 3})
    files = sorted(log.parent.iterdir())
    assert [file.name for file in files] == ["nightly.log", *(f"nightly.log.{n}" for n in (1, 2, 3))]
    text = "".join(file.read_text("utf-8") for file in files)
    events = [json.loads(line) for line in text.splitlines()]
    assert {"round-started", "file-taken", "issue", "run-ended", "round-ended"} <= {
        e["event"] for e in events
    }
    assert next(e["first_rows"] for e in events if e["event"] == "issue") == [2, 3]
    assert not any(word in text for word in ("@example.com", "Family", "86138"))
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)


def test_status_says_how_the_job_is_doing(bench: Bench) -> None:
    job = bench.job(max_lag="50h")
    with bench.journal() as journal:
        assert job_status(job, journal, bench.clock.now).health is CheckStatus.UNKNOWN
    bench.drop("a.csv", lines(5))
    bench.round()
    with bench.journal() as journal:
        found = job_status(job, journal, bench.clock.now)
        assert (found.health, found.imported.rows if found.imported else 0) == (CheckStatus.OK, 5)
        assert found.lag == 86400
        assert json.loads(found.json())["last_import"]["counts"] == {"imported": 5}
    bench.drop("b.csv", lines(10, 50, spoilt=5))
    bench.round()
    with bench.journal() as journal:
        assert job_status(job, journal, bench.clock.now).health is CheckStatus.WARNING
        bench.clock.now += bench.clock.now - bench.clock.now.replace(month=1, day=1, year=2025)
        late = job_status(job, journal, bench.clock.now)
    assert late.health is CheckStatus.CRITICAL
    assert late.line().startswith("CRITICAL - nightly: no good round for")


def test_a_log_as_text(bench: Bench) -> None:
    log = bench.root / "nightly.log"
    bench.drop("a file.csv", lines(5))
    bench.round(log={"file": str(log), "format": "text"})
    line = next(line for line in log.read_text().splitlines() if "file-put-away" in line)
    assert line.startswith('2026-01-01T03:00:02+00:00 INFO    file-put-away file="a file.csv" fate=done')
    assert line.endswith("counts=imported:5")


def test_a_log_that_cannot_be_written_is_told_and_fails_nothing(bench: Bench) -> None:
    bench.drop("a.csv", lines(5))
    (bench.root / "folder").mkdir()
    report = bench.round(log={"file": str(bench.root / "folder")})
    assert report.good
    assert "folder: not a plain file" in report.warnings[0]


def test_status_warns_if_no_file_has_come_for_long(bench: Bench) -> None:
    bench.drop("a.csv", lines(5))
    for _ in range(4):
        bench.round()
    with bench.journal() as journal:
        assert job_status(bench.job(max_quiet="5d"), journal, bench.clock.now).health is CheckStatus.OK
        found = job_status(bench.job(max_quiet="50h"), journal, bench.clock.now)
    assert (found.health, found.why) == (CheckStatus.WARNING, ("no file for 4 d",))


def test_two_missed_nights_are_critical_without_any_setting(bench: Bench) -> None:
    bench.round()
    job = bench.job(schedule="0 3 * * *")
    with bench.journal() as journal:
        assert job_status(job, journal, bench.clock.now).health is CheckStatus.OK
        late = job_status(job, journal, bench.clock.now + timedelta(days=1, hours=1))
    assert late.health is CheckStatus.CRITICAL


def test_a_group_that_is_unknown_is_told_before_any_file_is_taken(bench: Bench) -> None:
    bench.drop("a.csv", lines(5))
    report = bench.round(report_group="no-such-group")
    assert (report.exit_code, report.code) == (ExitCode.REFUSED, "job-sharing-refused")
    assert bench.places("a.csv") == ["inbox"]


def test_reports_get_the_jobs_group(bench: Bench) -> None:
    grp = pytest.importorskip("grp")
    group = grp.getgrgid(os.getgid()).gr_name
    bench.drop("a.csv", lines(5))
    (file,) = bench.round(report_group=group, report_mode="0660").files
    assert file.place.with_name("rejects.xlsx").stat().st_mode & 0o777 == 0o660
    assert file.place.parent.parent.stat().st_mode & 0o777 == 0o770


def test_status_survives_a_clock_that_goes_back(bench: Bench) -> None:
    bench.drop("a.csv", lines(5))
    bench.round()
    bench.clock.now = bench.clock.now.replace(year=2025)
    with bench.journal() as journal:
        assert job_status(bench.job(max_lag=3600), journal, bench.clock.now).lag == 0
    bench.drop("b.csv", lines(5, 50))
    assert bench.round().good


def test_counts_of_a_round_add_up(bench: Bench) -> None:
    bench.drop("a.csv", [*lines(50, spoilt=5), *lines(3, 20)])
    (file,) = bench.round().files
    assert file.counts is not None
    assert file.rows == 53 == sum(file.counts.values())
    assert file.counts[Status.INVALID] == 5
    assert file.counts[Status.DUPLICATE] == 3
