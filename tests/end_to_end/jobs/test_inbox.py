"""Files come in, and end up where they belong."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from importer.exit_codes import ExitCode
from importer.journal.job_history import FileFate, RoundResult
from importer.models import Status
from importer.pipeline.session import Session, SessionSettings
from tests.support.jobs import HEADER, Bench, lines


def test_a_file_is_imported_and_lies_in_done_beside_its_reports(bench: Bench) -> None:
    bench.drop("customers.csv", lines(12))
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.GOOD, ExitCode.DONE)
    done = bench.file("customers.csv")
    assert done.parent.parent == bench.inbox / "done"
    assert {path.name for path in done.parent.iterdir()} >= {"results.csv", "rejects.xlsx", "summary.json"}
    assert len(bench.emails()) == 12


def test_reports_name_the_place_where_they_end_up(bench: Bench) -> None:
    bench.drop("customers.csv", lines(20, spoilt=1))
    bench.round()
    room = bench.file("customers.csv").parent
    for name in ("summary.json", "report.html"):
        text = (room / name).read_text("utf-8")
        assert str(room) in text
        assert "/working/" not in text


def test_rows_that_did_not_get_through_make_the_file_fail_and_retry_finds_it(bench: Bench) -> None:
    bench.box.misbehave("code code=9001 requests=1-")
    bench.attempts = 1
    bench.drop("customers.csv", lines(3))
    report = bench.round()
    assert (report.result, report.code) == (RoundResult.FAILED, "job-rows-not-sent")
    assert bench.places("customers.csv") == ["failed"]
    bench.box.misbehave()
    with bench.journal() as journal:
        (run,) = journal.runs()
        assert Path(run.path) == bench.file("customers.csv")
        assert Path(run.report_dir) == bench.file("customers.csv").parent
        assert run.id in report.message
        settings = SessionSettings(connection=bench.box.connection)
        with Session.open(settings, journal=journal) as session:
            closed = session.retry(run)
    assert closed is not None
    assert closed.summary.counts[Status.IMPORTED] == 3


def test_few_invalid_rows_are_a_success_and_their_rejects_lie_beside_the_file(bench: Bench) -> None:
    bench.drop("customers.csv", lines(20, spoilt=2))
    report = bench.round()
    assert report.good
    rejects = bench.file("customers.csv").with_name("rejects.csv").read_text("utf-8-sig")
    assert len(list(csv.reader(rejects.splitlines()))) == 3


def test_oldest_first(bench: Bench) -> None:
    bench.drop("new.csv", lines(2, 10), age=100)
    bench.drop("old.csv", lines(2, 20), age=9000)
    bench.drop("middle.csv", lines(2, 30), age=500)
    assert [file.name for file in bench.round().files] == ["old.csv", "middle.csv", "new.csv"]


@pytest.mark.parametrize(
    "name", ["~$book.xlsx", ".hidden.csv", "big.csv.part", "big.tmp", "x.csv.crdownload", "x.csv.done"]
)
def test_what_programs_leave_beside_real_files_is_never_taken(bench: Bench, name: str) -> None:
    bench.drop(name, lines(2))
    assert bench.round().files == ()
    assert bench.places(name) == ["inbox"]


def test_links_and_folders_are_left_alone(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.csv").write_text(HEADER + "\n" + lines(1)[0])
    (bench.inbox / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    (bench.inbox / "folder.csv").mkdir()
    assert bench.round().files == ()
    assert (bench.inbox / "link.csv").is_symlink()


def test_a_file_that_was_written_just_now_waits(bench: Bench) -> None:
    bench.drop("fresh.csv", lines(2), age=10)
    assert bench.round().files == ()
    assert bench.places("fresh.csv") == ["inbox"]
    assert len(bench.round().files) == 1  # the next night


def test_a_file_that_grows_while_it_is_looked_at_waits(bench: Bench) -> None:
    path = bench.drop("growing.csv", lines(2))

    def grow(seconds: float) -> None:
        with path.open("a") as file:
            file.write(lines(1, 50)[0] + "\n")
        bench.touch(path, 3600)  # a copying program may set the time of the original

    bench.clock.asleep = grow
    assert bench.round().files == ()
    assert bench.places("growing.csv") == ["inbox"]
    bench.clock.asleep = lambda seconds: None
    (file,) = bench.round().files
    assert file.counts == {**dict.fromkeys(Status, 0), Status.IMPORTED: 3}


def test_a_marker_says_that_the_file_is_whole_and_goes_with_it(bench: Bench) -> None:
    bench.drop("fresh.csv", lines(2), age=5)
    bench.touch(bench.drop("fresh.csv.done", []), 1)
    assert [file.name for file in bench.round().files] == ["fresh.csv"]
    assert bench.places("fresh.csv.done") == []


def test_a_marker_older_than_the_file_was_meant_for_another(bench: Bench) -> None:
    bench.drop("fresh.csv", lines(2), age=5)
    bench.touch(bench.drop("fresh.csv.done", []), 500)
    assert bench.round().files == ()


def test_a_file_from_the_future_is_watched_for_the_whole_settle_time(bench: Bench) -> None:
    bench.drop("customers.csv", lines(2), age=-3000)  # the clock went back by an hour
    assert [file.fate for file in bench.round(settle="90s").files] == [FileFate.DONE]
    assert bench.clock.slept == 90


def test_the_same_name_twice_is_kept_apart_by_time(bench: Bench) -> None:
    bench.drop("customers.csv", lines(2, 1))
    bench.round()
    bench.drop("customers.csv", lines(2, 10))
    bench.round()
    assert bench.places("customers.csv") == ["done", "done"]
    assert len(bench.emails()) == 4


def test_names_stay_apart_when_the_clock_strikes_the_same_second_again(bench: Bench) -> None:
    for number in range(3):
        bench.drop("customers.csv", lines(2, 10 * number))
        at = bench.clock.now
        bench.round()
        bench.clock.now = at
    assert len({path.parent for path in bench.inbox.rglob("customers.csv")}) == 3


def test_a_content_dropped_twice_is_not_sent_again_and_that_is_said(bench: Bench) -> None:
    bench.drop("one.csv", lines(3))
    bench.round()
    sent = len(bench.box.requests)
    bench.drop("two.csv", lines(3))
    report = bench.round()
    assert report.good
    (file,) = report.files
    assert (file.fate, file.code) == (FileFate.REPEATED, "job-file-repeated")
    assert "already imported" in file.message
    assert bench.places("two.csv") == ["done"]
    assert len(bench.box.requests) == sent


def test_another_mapping_makes_the_same_content_new(bench: Bench, tmp_path: Path) -> None:
    bench.drop("one.csv", lines(3))
    bench.round()
    mapping = tmp_path / "own.toml"
    mapping.write_text(OTHER_MAPPING, "utf-8")
    bench.drop("two.csv", lines(3))
    (file,) = bench.round(mapping=str(mapping)).files
    assert file.fate is FileFate.DONE


OTHER_MAPPING = """
name = "own"
fields.first_name.from = ["First name"]
fields.last_name.from = ["Last name"]
fields.email.from = ["E-mail"]
"""


def test_a_file_that_is_no_table_goes_to_failed_and_the_next_is_imported(bench: Bench) -> None:
    (bench.inbox / "bad.xlsx").write_bytes(b"PK\x03\x04 this is no workbook")
    bench.touch(bench.inbox / "bad.xlsx", 5000)
    bench.drop("good.csv", lines(3), age=100)
    report = bench.round()
    assert (report.result, report.exit_code) == (RoundResult.FAILED, ExitCode.INPUT)
    assert bench.places("bad.xlsx") == ["failed"]
    assert bench.places("good.csv") == ["done"]


def test_a_name_that_is_no_text_is_no_obstacle(bench: Bench) -> None:
    try:
        bench.drop("plain.csv", lines(3)).rename(bench.inbox / os.fsdecode(b"\xffkunden.csv"))
    except OSError:
        pytest.skip("this file system takes proper names only")
    (file,) = bench.round().files
    assert (file.name, file.fate) == ("\\xffkunden.csv", FileFate.DONE)
    assert file.place.exists()


def test_a_file_that_cannot_be_moved_is_told_and_keeps_no_other_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.drop("stuck.csv", lines(3), age=9000)
    bench.drop("good.csv", lines(3, 10))
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "stuck.csv":
            raise PermissionError(1, "Operation not permitted")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    report = bench.round()
    assert (report.result, report.code) == (RoundResult.FAILED, "job-file-not-taken")
    assert bench.places("stuck.csv") == ["inbox"]
    assert bench.places("good.csv") == ["done"]
    monkeypatch.setattr(Path, "rename", rename)
    assert bench.round().good


def test_a_rejects_file_keeps_its_place_beside_new_rejects(bench: Bench) -> None:
    bench.drop("customers.csv", lines(20, spoilt=2))
    bench.round()
    rejects = bench.file("customers.csv").with_name("rejects.csv").read_text("utf-8-sig")
    fixed = rejects.replace(",,Family1,", ",Given1,Family1,")
    (bench.inbox / "rejects.csv").write_text(fixed.replace('required:First name",,', 'x",A,'), "utf-8-sig")
    bench.touch(bench.inbox / "rejects.csv", 3600)
    (file,) = bench.round(tripwires={"max_invalid": False}).files
    assert file.place.name == "source-rejects.csv"
    assert file.place.exists()


def test_a_file_source_stays_where_it_is_and_is_imported_when_it_changes(bench: Bench) -> None:
    export = bench.drop("export.csv", lines(5))
    more = {"source": str(export)}
    assert [file.fate for file in bench.round(**more).files] == [FileFate.DONE]
    assert [file.fate for file in bench.round(**more).files] == [FileFate.REPEATED]
    assert export.exists()
    assert len(list(bench.inbox.rglob("export.csv"))) == 2  # the original, and what was imported
    bench.drop("export.csv", lines(6))
    assert [file.fate for file in bench.round(**more).files] == [FileFate.DONE]
    assert len(bench.emails()) == 6


def test_a_held_file_that_stays_is_held_once(bench: Bench) -> None:
    export = bench.drop("export.csv", lines(5, spoilt=4))
    more = {"source": str(export)}
    for _ in range(3):
        report = bench.round(**more)
        assert report.exit_code is ExitCode.TRIPWIRE
    assert len(list((bench.inbox / "held").iterdir())) == 1


def test_a_pattern_takes_only_what_it_names(bench: Bench) -> None:
    bench.drop("export-1.csv", lines(2))
    bench.drop("other.csv", lines(2, 10))
    report = bench.round(source=str(bench.inbox / "export-*.csv"))
    assert [file.name for file in report.files] == ["export-1.csv"]
    assert bench.places("other.csv") == ["inbox"]


def test_a_round_without_files_is_good(bench: Bench) -> None:
    assert bench.round().good


@pytest.mark.parametrize("table", [{"inbox": "gone"}, {"source": "gone/*.csv"}, {"source": "gone/x.csv"}])
def test_a_folder_that_is_not_there_is_told_and_not_made(bench: Bench, table: dict[str, str]) -> None:
    report = bench.round(**table)
    assert (report.result, report.exit_code) == (RoundResult.STOPPED, ExitCode.INPUT)
    assert report.code == "job-folder-unreadable"
    assert not (bench.root / "gone").exists()


def test_a_drive_that_is_not_mounted_is_told(bench: Bench) -> None:
    bench.drop("a.csv", lines(3))
    assert bench.round().good
    bench.inbox.rename(bench.root / "unmounted")
    bench.inbox.mkdir()  # the empty folder that a drive is mounted on
    report = bench.round()
    assert (report.result, report.code) == (RoundResult.STOPPED, "job-folder-emptied")
    assert list(bench.inbox.iterdir()) == []
    bench.inbox.rmdir()
    (bench.root / "unmounted").rename(bench.inbox)
    assert bench.round().good


def test_reports_may_go_elsewhere_with_a_mode_for_others(bench: Bench) -> None:
    bench.drop("customers.csv", lines(2))
    report = bench.round(report_dir=str(bench.root / "reports"), report_mode="0640")
    (file,) = report.files
    assert file.reports is not None
    assert file.reports.parent == bench.root / "reports"
    summary = file.reports / "summary.json"
    assert summary.stat().st_mode & 0o777 == 0o640
    assert file.reports.stat().st_mode & 0o777 == 0o750
    assert json.loads(summary.read_text("utf-8"))["counts"]["imported"] == 2
    with bench.journal() as journal:
        assert Path(journal.runs()[0].report_dir) == file.reports


def test_a_stranger_in_working_is_taken_up_when_the_journal_was_lost(bench: Bench) -> None:
    room = bench.inbox / "working" / "20250101-030000-x"
    room.mkdir(parents=True)
    bench.drop("x.csv", lines(3)).rename(room / "x.csv")
    (file,) = bench.round().files
    assert file.fate is FileFate.DONE
    assert bench.places("x.csv") == ["done"]


def test_old_files_runs_and_rounds_go_by_the_jobs_own_rule(bench: Bench) -> None:
    for number in range(5):
        bench.drop(f"n{number}.csv", lines(3, 10 * number))
        bench.round(keep="50h")
    assert len(list((bench.inbox / "done").iterdir())) == 3
    with bench.journal() as journal:
        assert len(journal.jobs.rounds("nightly")) <= 4
    bench.drop("again.csv", lines(3, 0))
    (file,) = bench.round(keep="50h").files
    assert file.fate is FileFate.REPEATED  # what was imported is remembered without its files


def test_the_journal_of_a_killed_round_knows_it_was_interrupted(bench: Bench) -> None:
    with bench.journal() as journal:
        journal.jobs.begin_round("nightly", bench.clock.now)
    bench.round()
    with bench.journal() as journal:
        results = [record.result for record in journal.jobs.rounds("nightly")]
    assert results == [RoundResult.GOOD, RoundResult.INTERRUPTED]


def test_an_unreadable_folder_is_told_and_nothing_is_touched(bench: Bench, tmp_path: Path) -> None:
    """As a user who is not allowed in; root may read everything, so another user is needed."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("needs to become another user")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o700)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from importer.jobs import inbox\nfrom importer.jobs.config import Job, SourceKind\n"
        "from importer.errors import InputError\n"
        "folder = Path(sys.argv[1])\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "job = Job('n', folder, SourceKind.INBOX, folder, False)\n"
        "try: inbox.list_inbox(job, lambda: 0.0, lambda s: None)\n"
        "except InputError as error: print(error.code, error.found['reason'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(locked)], capture_output=True, text=True)
    assert done.stdout.split() == ["job-folder-unreadable", "Permission", "denied"], done.stderr
