"""`retry_failed`: a round begins with what earlier ones could not deliver."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path

import pytest

from importer.delivery import Policy
from importer.exit_codes import ExitCode
from importer.jobs.status import CheckStatus, job_status
from importer.journal import RunKind
from importer.journal.job_history import FileFate
from importer.models import Status
from importer.sandbox import Sandbox
from tests.support.jobs import Bench, Crash, lines


@pytest.fixture
def bench(tmp_path: Path, box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))
    found = Bench(tmp_path, box, table={"retry_failed": True}, attempts=2)
    found.inbox.mkdir()
    return found


def test_rows_that_failed_are_sent_first_and_the_file_moves_to_done(bench: Bench) -> None:
    bench.drop("a.csv", lines(3))
    bench.box.misbehave("code code=9001")
    assert bench.round().exit_code == ExitCode.ROWS_LEFT
    assert bench.places("a.csv") == ["failed"]
    again = bench.round()
    assert again.exit_code == ExitCode.ROWS_LEFT
    assert "sent again 1 times" in again.files[0].message
    assert bench.places("a.csv") == ["failed"]
    bench.box.misbehave()
    bench.drop("b.csv", lines(2, first=10))
    report = bench.round()
    assert [file.name for file in report.files] == ["a.csv", "b.csv"]
    assert report.exit_code == ExitCode.DONE
    assert bench.places("a.csv") == ["done"]
    assert bench.emails() == sorted(f"c{n}@example.com" for n in (1, 2, 3, 10, 11))
    assert bench.round().files == ()


def test_only_what_is_left_goes_again(bench: Bench) -> None:
    bench.drop("a.csv", lines(150))
    bench.box.misbehave("code code=9001 requests=2-")
    bench.round(concurrency=1)
    bench.box.misbehave()
    report = bench.round()
    assert (report.files[0].counts or {})[Status.IMPORTED] == 50
    assert len(bench.emails()) == 150


def test_what_a_later_file_brought_in_is_not_overwritten(bench: Bench) -> None:
    bench.drop("a.csv", ["Old,Li,8613800000001,c@example.com,note"])
    bench.box.misbehave("code code=9001")
    bench.round()
    bench.box.misbehave()
    bench.drop("b.csv", ["New,Li,8613800000001,c@example.com,note"])
    bench.round(retry_failed=False)
    report = bench.round()
    assert [customer.fields["first_name"] for customer in bench.box.customers()] == ["New"]
    assert (report.files[0].counts or {})[Status.NOT_SENT] == 1


@pytest.mark.parametrize("step", range(1, 21))
def test_a_round_that_dies_in_a_retry_is_taken_up(bench: Bench, step: int) -> None:
    bench.drop("a.csv", lines(3))
    bench.box.misbehave("code code=9001")
    bench.round()
    bench.box.misbehave()
    bench.crash_at = step
    with contextlib.suppress(Crash):
        bench.round()
    bench.crash_at = None
    assert bench.round().exit_code == ExitCode.DONE
    assert bench.places("a.csv") == ["done"]
    assert len(bench.emails()) == 3
    with bench.journal() as journal:
        assert {run.kind for run in journal.runs()} == {RunKind.RUN, RunKind.RETRY}


def test_a_retry_that_died_before_its_first_request_is_no_file_that_looks_too_small(bench: Bench) -> None:
    """Three rows are left of a hundred: what is usual for the job's files says nothing of a retry."""
    bench.table |= {"tripwires": {"rows_below": 0.5}, "concurrency": 1}
    for night in range(5):
        bench.drop(f"n{night}.csv", lines(100, first=1000 * (night + 1)))
        assert bench.round().exit_code == ExitCode.DONE
    bench.drop("a.csv", lines(103))
    bench.box.misbehave("code code=9001 requests=2-")
    bench.round()
    bench.box.misbehave()
    for step in range(1, 30):
        bench.crash_at = step
        with contextlib.suppress(Crash):
            bench.round()
        with bench.journal() as journal:
            kinds = [run.kind for run in journal.runs(1)]
        if kinds == [RunKind.RETRY]:
            break
    assert kinds == [RunKind.RETRY]
    assert bench.places("a.csv") == ["working"]
    bench.crash_at = None
    report = bench.round()
    assert report.exit_code == ExitCode.DONE
    assert bench.places("a.csv") == ["done"]
    assert len(bench.emails()) == 603


def test_the_reports_of_a_retry_lie_where_the_job_wants_its_reports(bench: Bench) -> None:
    reports = bench.root / "reports"
    bench.drop("a.csv", lines(3))
    bench.box.misbehave("code code=9001")
    bench.round(report_dir=str(reports))
    bench.box.misbehave()
    (file,) = bench.round(report_dir=str(reports)).files
    assert file.reports is not None
    assert reports in file.reports.parents
    assert (file.reports / "results.csv").is_file()
    assert not list(bench.inbox.rglob("results.csv"))


def test_people_who_must_not_be_sent_by_now_are_no_reason_to_fail_for_ever(bench: Bench) -> None:
    """Nobody knows whether they are in, so they stay unknown; but nothing will send them again."""
    bench.drop("a.csv", lines(3))
    bench.box.misbehave("lost requests=1-")
    assert bench.round(concurrency=1).exit_code == ExitCode.ROWS_LEFT
    bench.box.misbehave()
    listed = bench.root / "dnc.csv"
    listed.write_text("E-mail\nc1@example.com\nc2@example.com\n", "utf-8")
    requests = len(bench.box.requests)
    report = bench.round(suppress=[str(listed)])
    (file,) = report.files
    assert (report.exit_code, file.code, file.fate) == (ExitCode.DONE, "job-rows-stay", FileFate.DONE)
    assert file.message.startswith("2 of 3 rows are not sent again")
    assert (file.counts or {})[Status.UNKNOWN] == 2
    assert not report.quiet
    assert len(bench.box.requests) == requests + 1
    assert bench.places("a.csv") == ["done"]
    assert bench.round(suppress=[str(listed)]).files == ()


def test_a_file_that_fails_again_keeps_its_folder(bench: Bench) -> None:
    bench.drop("a.csv", lines(3))
    bench.box.misbehave("code code=9001")
    bench.round()
    folder = bench.file("a.csv").parent
    for _ in range(3):
        bench.round()
        assert bench.file("a.csv").parent == folder
    bench.box.misbehave()
    bench.round()
    assert bench.file("a.csv").parent.name == folder.name


def test_who_takes_note_of_a_file_that_failed_again_has_seen_it(bench: Bench) -> None:
    bench.drop("a.csv", lines(3))
    bench.box.misbehave("code code=9001")
    bench.round()
    bench.round()
    with bench.journal() as journal:
        (lies,) = journal.jobs.lying("nightly")
        assert job_status(bench.job(), journal, bench.clock.now).health is CheckStatus.CRITICAL
        journal.jobs.acknowledge(lies.number, bench.clock.now)
        assert job_status(bench.job(), journal, bench.clock.now).health is CheckStatus.OK


def test_rows_that_only_a_person_can_judge_are_told_once_and_not_tried_every_night(bench: Bench) -> None:
    bench.drop("a.csv", ["Ann,Li,,,note", *lines(2)])
    bench.box.misbehave("lost requests=1-")
    bench.round()
    bench.box.misbehave()
    (file,) = bench.round().files
    assert (file.code, file.fate) == ("job-rows-doubtful", FileFate.FAILED)
    assert "importer retry " in file.message
    assert "--resend-unknown" in file.message
    assert bench.round().files == ()
    assert bench.places("a.csv") == ["failed"]


def test_rows_that_wait_for_a_correction_are_still_told_when_the_others_are_in(bench: Bench) -> None:
    bench.drop("a.csv", lines(10, spoilt=1))
    bench.box.misbehave("code code=9001")
    bench.round()
    bench.box.misbehave()
    report = bench.round()
    (file,) = report.files
    assert (report.exit_code, file.code) == (ExitCode.DONE, "job-rows-left")
    assert report.rows_left == 1
    assert (bench.file("a.csv").parent / "rejects.xlsx").is_file()
    assert str(bench.file("a.csv").parent) in file.message
    with bench.journal() as journal:
        assert "1 row of a.csv wait" in job_status(bench.job(), journal, bench.clock.now).said()


def test_a_retry_that_ends_before_its_first_request_is_no_reason_to_import_the_file_anew(
    bench: Bench,
) -> None:
    """Else what later files have brought in would be overwritten by all of the old one."""
    bench.table |= {"keep_before": True, "concurrency": 1}
    bench.drop("a.csv", lines(150))
    bench.box.misbehave("code code=9001 requests=2- endpoint=batch_create")
    bench.round()
    bench.box.misbehave()
    bench.drop("b.csv", [line.replace("Given", "Newer") for line in lines(20)])
    bench.round(retry_failed=False)
    for _ in range(2):
        bench.box.misbehave("code code=1005 endpoint=query")
        assert bench.round().exit_code == ExitCode.REFUSED
    bench.box.misbehave()
    report = bench.round()
    assert report.exit_code == ExitCode.DONE
    assert (report.files[-1].counts or {})[Status.IMPORTED] == 50
    assert bench.places("a.csv") == ["done"]
    names = [str(customer.fields["first_name"]) for customer in bench.box.customers()]
    assert len(names) == 150
    assert sum(name.startswith("Newer") for name in names) == 20
