"""One command takes a real spreadsheet into the CRM: the whole flow, over real HTTP."""

from __future__ import annotations

import csv
import socket
from functools import partial
from pathlib import Path

import openpyxl
import pytest

from importer import ImporterError, RunOptions, Status, import_file, validate_file
from importer.config import Connection
from importer.delivery import Policy
from importer.models import Mode
from importer.sandbox import Sandbox
from importer.sandbox.faults import Fault, FaultKind
from tests.support.commands import Command, results, summary, use
from tests.support.workbooks import header

SAMPLES = Path(__file__).parents[2] / "sample_data"
SPOILT = {
    "17": "required:Last Name",
    "58": "too-long:Address",
    "131": "bad-date:Birthday",
    "203": "lossy-number:SMS Phone",
}
HEADER = ["first_name", "last_name", "sms_phone", "email", "country"]


def write(path: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_of_250_rows_with_four_spoilt_ones_246_are_imported_in_three_requests(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    done = importer("run", SAMPLES / "customers.xlsx", "--report-dir", "out")
    assert done.code == 1
    assert len(box.customers()) == 246
    assert len(box.requests) == 3
    rows = results(work / "out")
    assert len(rows) == 250
    assert {row["_row"]: row["_issues"] for row in rows if row["_status"] == "invalid"} == SPOILT
    assert {row["_status"] for row in rows} == {"imported", "invalid"}
    counts = summary(work / "out")["counts"]
    assert (counts["imported"], counts["invalid"]) == (246, 4)


def test_the_dry_run_names_the_same_four_and_sends_nothing(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    for name, words in (("a", ["validate"]), ("b", ["run", "--dry-run"])):
        done = importer(*words, SAMPLES / "customers.xlsx", "--report-dir", name)
        assert done.code == 1
        rows = results(work / name, "rejects.csv")
        assert {row["_row"]: row["_issues"] for row in rows} == SPOILT
    assert not box.requests


def test_what_the_dry_run_calls_valid_is_what_the_real_run_imports(
    importer: Command, settings: Connection, work: Path
) -> None:
    importer("validate", SAMPLES / "customers.xlsx", "--report-dir", "dry")
    importer("run", SAMPLES / "customers.xlsx", "--report-dir", "real")
    valid = [row["_row"] for row in results(work / "dry") if row["_status"] == "valid"]
    imported = [row["_row"] for row in results(work / "real") if row["_status"] == "imported"]
    assert valid == imported


def test_the_workbooks_numbers_and_dates_arrive_as_digits_and_days(
    settings: Connection, box: Sandbox, work: Path
) -> None:
    import_file(SAMPLES / "customers.xlsx", connection=settings)
    first = openpyxl.load_workbook(SAMPLES / "customers.xlsx").active[3]
    stored = next(c.fields for c in box.customers() if c.fields["last_name"] == first[1].value)
    assert stored["sms_phone"] == str(first[2].value)
    assert stored["birthday"] == first[7].value.strftime("%Y-%m-%d")


def test_chinese_labels_are_understood(settings: Connection, box: Sandbox, work: Path) -> None:
    done = import_file(SAMPLES / "customers.csv", connection=settings)
    assert done.exit_code == 0
    assert done.counts[Status.IMPORTED] == 120
    customers = [customer.fields for customer in box.customers()]
    assert {c["first_name"] for c in customers} <= set("王李张刘陈杨黄赵吴周")
    assert all(str(c["sms_phone"]).isdigit() for c in customers)
    assert {c.get("gender") for c in customers} == {None, 0, 1}


def test_the_three_modes_leave_three_different_correct_states(work: Path) -> None:
    old = write(work / "old.csv", ["Ana", "Li", "8613800138000", "ana@example.com", "Brazil"])
    new = write(
        work / "new.csv", ["Anna", "Li", "8613800138000", "", "Peru"], ["Bo", "Ma", "8613800138001", "", ""]
    )
    left = {}
    for mode in Mode:
        with Sandbox() as box:
            import_file(old, connection=box.connection)
            done = import_file(new, connection=box.connection, options=RunOptions(mode=mode))
            assert done.counts[Status.IMPORTED] == 2
            left[mode] = {str(c.fields["sms_phone"]): dict(c.fields) for c in box.customers()}
    second = {"first_name": "Bo", "last_name": "Ma", "sms_phone": "8613800138001"}
    phone = {"last_name": "Li", "sms_phone": "8613800138000"}
    for mode, first in {
        Mode.REPLACE: {"first_name": "Anna", "country": "Peru"},
        Mode.UPDATE: {"first_name": "Anna", "country": "Peru", "email": "ana@example.com"},
        Mode.KEEP: {"first_name": "Ana", "country": "Brazil", "email": "ana@example.com"},
    }.items():
        assert left[mode] == {"8613800138000": phone | first, "8613800138001": second}


def test_importing_the_same_file_again_works_and_says_so(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    first = importer("run", SAMPLES / "customers.csv", "--report-dir", "a")
    second = importer("run", SAMPLES / "customers.csv", "--report-dir", "b")
    assert (first.code, second.code) == (0, 0)
    assert "already been imported" not in first.err
    assert "already been imported" in second.err
    assert summary(work / "a")["run"] in second.err
    assert len(box.customers()) == 120


def test_before_the_first_request_one_line_says_where_it_goes(
    importer: Command, settings: Connection, box: Sandbox
) -> None:
    done = importer("run", SAMPLES / "customers.csv")
    line = next(line for line in done.err.splitlines() if box.base_url in line)
    for part in (settings.tenant_id, settings.app_key, "update", "120"):
        assert part in line


def test_replace_needs_yes_where_nobody_can_be_asked(
    importer: Command, settings: Connection, box: Sandbox
) -> None:
    refused = importer("run", SAMPLES / "customers.csv", "--mode", "replace")
    assert (refused.code, len(box.requests)) == (2, 0)
    assert "replace-needs-yes" in refused.err
    assert importer("run", SAMPLES / "customers.csv", "--type", "0", "--yes").code == 0


def test_several_files_are_several_runs_and_the_worst_code_counts(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    done = importer(
        "run", SAMPLES / "customers.csv", "missing.csv", SAMPLES / "customers.xlsx", "--report-dir", "out"
    )
    assert done.code == 3
    assert len(box.customers()) == 366
    assert (work / "out" / "customers" / "results.csv").exists()
    assert (work / "out" / "customers-2" / "results.csv").exists()


def test_a_row_equal_to_an_earlier_one_is_a_duplicate_and_not_sent(
    settings: Connection, box: Sandbox, work: Path
) -> None:
    row = ["Ana", "Li", "8613800138000", "", ""]
    file = write(work / "twice.csv", row, row, ["Ben", "Li", "8613800138000", "", ""])
    done = import_file(file, connection=settings, options=RunOptions(report_dir=work / "out"))
    assert [(row["_status"], row["_issues"]) for row in results(work / "out")] == [
        ("imported", "place-taken:"),
        ("duplicate", ""),
        ("imported", "same-contact:"),
    ]
    assert done.exit_code == 0


@pytest.mark.parametrize(("policy", "status", "code"), [("skip", "duplicate", 0), ("error", "invalid", 1)])
def test_duplicates_option(
    importer: Command, settings: Connection, work: Path, policy: str, status: str, code: int
) -> None:
    file = write(
        work / "a.csv", ["Ana", "Li", "+86 138-0013-8000", "", ""], ["Ben", "Li", "8613800138000", "", ""]
    )
    done = importer("run", file, "--duplicates", policy, "--report-dir", "out")
    assert done.code == code
    assert [row["_status"] for row in results(work / "out")] == ["imported", status]


def test_strict_makes_warnings_errors(importer: Command, settings: Connection, work: Path) -> None:
    file = write(
        work / "a.csv", ["Ana", "Li", "8613800138000", "nobody", ""], ["Ben", "Li", "8613800138001", "", ""]
    )
    assert importer("run", file, "--strict", "--report-dir", "out").code == 1
    assert [row["_status"] for row in results(work / "out")] == ["invalid", "imported"]


def test_limit_takes_the_first_rows_only(settings: Connection, box: Sandbox, work: Path) -> None:
    done = import_file(SAMPLES / "customers.csv", connection=settings, options=RunOptions(limit=7))
    assert (done.rows, len(box.customers())) == (7, 7)


def test_max_invalid_stops_before_the_first_request(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    done = importer("run", SAMPLES / "customers.xlsx", "--max-invalid", "1", "--report-dir", "out")
    assert (done.code, len(box.requests)) == (6, 0)
    assert {row["_status"] for row in results(work / "out")} == {"invalid", "not_sent"}
    assert importer("run", SAMPLES / "customers.xlsx", "--max-invalid", "2").code == 1


def test_a_header_without_rows_is_done_with_a_note(
    importer: Command, settings: Connection, work: Path
) -> None:
    done = importer("run", write(work / "empty.csv"), "--report-dir", "out")
    assert done.code == 0
    assert "no rows" in done.err + done.out
    assert results(work / "out") == []


def test_a_wrong_secret_stops_with_no_more_requests_than_workers(
    importer: Command, box: Sandbox, monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    use(monkeypatch, box.connection)
    monkeypatch.setenv("NXLINK_ACCESS_SECRET", "wrong")
    done = importer("run", SAMPLES / "customers.xlsx", "--concurrency", "2", "--report-dir", "out")
    assert done.code == 4
    assert 1 <= len(box.requests) <= 2
    assert not box.customers()
    assert {row["_status"] for row in results(work / "out")} <= {"invalid", "not_sent", "failed"}
    assert "importer resume" in done.out + done.err


def test_a_server_that_is_not_there_stops_after_the_patience(
    importer: Command, box: Sandbox, monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    use(monkeypatch, box.connection)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("NXLINK_BASE_URL", f"http://127.0.0.1:{port}")
    done = importer("run", SAMPLES / "customers.csv", "--patience", "0.2", "--report-dir", "out")
    assert done.code == 5
    assert "importer resume" in done.out + done.err
    assert {row["_status"] for row in results(work / "out")} <= {"not_sent", "failed"}


def test_resume_goes_on_once_the_fault_is_mended(
    importer: Command, box: Sandbox, monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    use(monkeypatch, box.connection)
    monkeypatch.setenv("NXLINK_ACCESS_SECRET", "wrong")
    assert importer("run", SAMPLES / "customers.xlsx", "--report-dir", "out").code == 4
    use(monkeypatch, box.connection)
    assert importer("resume").code == 1
    assert len(box.customers()) == 246
    assert summary(work / "out")["counts"]["imported"] == 246
    again = importer("resume")
    assert (again.code, "nothing to resume" in again.out) == (0, True)


def test_a_faulty_row_is_isolated_and_the_others_are_in(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(faults=[Fault(FaultKind.CODE, code=1002, rows={"first_name": "Eve"})]) as box:
        use(monkeypatch, box.connection)
        rows = [[f"Ana{n}" if n != 42 else "Eve", "Li", f"86138001{n:05}", "", ""] for n in range(100)]
        done = importer("run", write(work / "a.csv", *rows), "--report-dir", "out")
        assert done.code == 1
        assert len(box.customers()) == 99
        assert len(box.requests) <= 15
    (rejected,) = [row for row in results(work / "out") if row["_status"] != "imported"]
    assert (rejected["_row"], rejected["_status"], rejected["_code"]) == ("44", "rejected", "1002")


def test_a_corrected_rejects_file_brings_in_the_rest(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    importer("run", SAMPLES / "customers.xlsx", "--mode", "keep", "--report-dir", "out")
    book = openpyxl.load_workbook(work / "out" / "rejects.xlsx")
    sheet = book.active
    names = header(sheet)
    mended = {
        "17": ("Last Name", "Mended"),
        "58": ("Address", "Building 7"),
        "131": ("Birthday", "1990-03-01"),
        "203": ("SMS Phone", "18600000000"),
    }
    for row in range(2, sheet.max_row + 1):
        column, value = mended[str(sheet.cell(row, names["_row"]).value)]
        sheet.cell(row, names[column]).value = value
    book.save(work / "mended.xlsx")
    done = importer("run", "mended.xlsx", "--report-dir", "again")
    assert done.code == 0
    assert len(box.customers()) == 250
    assert summary(work / "again")["mode"] == "keep"


def test_a_results_file_sends_only_what_is_not_in_yet(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    importer("run", SAMPLES / "customers.xlsx", "--report-dir", "out")
    before = len(box.requests)
    assert importer("run", "out/results.csv", "--report-dir", "again").code == 1
    assert len(box.requests) == before
    statuses = [row["_status"] for row in results(work / "again")]
    assert (statuses.count("skipped"), statuses.count("invalid")) == (246, 4)
    header = (work / "again" / "results.csv").read_text("utf-8-sig").splitlines()[0]
    assert header.count("_row") == 1


def test_a_report_made_against_one_place_skips_nothing_at_another(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    importer("run", SAMPLES / "customers.csv", "--sandbox", "--report-dir", "out")
    assert importer("run", "out/results.csv").code == 0
    assert len(box.customers()) == 120


def test_reports_can_be_drawn_again(importer: Command, settings: Connection, work: Path) -> None:
    importer("run", SAMPLES / "customers.xlsx", "--report-dir", "out")
    before = (work / "out" / "results.csv").read_bytes()
    (work / "out" / "results.csv").unlink()
    assert importer("report", summary(work / "out")["run"]).code == 0
    assert (work / "out" / "results.csv").read_bytes() == before


def test_reports_drawn_again_stay_as_they_were_asked_for(importer: Command, work: Path) -> None:
    file = work / "a.csv"
    file.write_text("First Name,Last Name,Mobile\nAna,Li,SECRET-77\n", "utf-8")
    importer("validate", file, "--mask", "--excel-report", "--report-dir", "out")
    assert importer("report", summary(work / "out")["run"], "--report-dir", "again").code == 0
    assert (work / "again" / "annotated.xlsx").exists()
    for folder in ("out", "again"):
        assert "SECRET-77" not in (work / folder / "report.html").read_text("utf-8")


def test_retry_sends_what_was_left(
    importer: Command, box: Sandbox, monkeypatch: pytest.MonkeyPatch, work: Path
) -> None:
    use(monkeypatch, box.connection)
    monkeypatch.setenv("NXLINK_ACCESS_SECRET", "wrong")
    importer("run", SAMPLES / "customers.xlsx", "--report-dir", "reports/first")
    use(monkeypatch, box.connection)
    first = summary(work / "reports/first")["run"]
    done = importer("retry", first)
    assert done.code == 0
    assert len(box.customers()) == 246
    (folder,) = [path for path in (work / "reports").iterdir() if path.name != "first"]
    assert {row["_status"] for row in results(folder)} == {"imported"}
    shown = importer("runs", "show", folder.name, "--json").json
    assert (shown["kind"], shown["parent"]) == ("retry", first)
    assert importer("retry", folder.name).code == 0


def test_a_dry_run_needs_no_credentials(importer: Command, work: Path) -> None:
    assert importer("validate", SAMPLES / "customers.csv").code == 0
    refused = importer("run", SAMPLES / "customers.csv")
    assert refused.code == 4
    assert "NXLINK_ACCESS_KEY" in refused.err


def test_the_python_api_raises_what_the_command_line_prints(work: Path) -> None:
    with pytest.raises(ImporterError) as error:
        validate_file(work / "missing.csv")
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", 3),
        (b"\x00\x01\x02\x03" * 100, 3),
        (b"colour,size\nred,1\n", 3),
        (b"first_name,sms_phone\nAna,1\n", 3),
        (b"First name,FirstName,last_name\nAna,Ana,Li\n", 3),
    ],
)
def test_what_is_no_customer_table_is_one_sentence(
    importer: Command, work: Path, content: bytes, code: int
) -> None:
    (work / "bad.csv").write_bytes(content)
    done = importer("validate", "bad.csv")
    assert done.code == code
    assert done.err.startswith("error: ")
    assert done.err.rstrip().endswith("]")


def test_a_malformed_settings_file_is_named_with_its_line(importer: Command, work: Path) -> None:
    (work / "importer.toml").write_text("[profile.default]\nbase_ulr = 'x'\n")
    done = importer("run", SAMPLES / "customers.csv")
    assert done.code == 4
    assert "profile.default.base_ulr" in done.err
    assert "base_url" in done.err


def test_a_retry_holds_back_what_a_later_row_has_overtaken(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))
    with Sandbox(faults=[Fault(FaultKind.CODE, code=9001, rows={"first_name": "Old"})]) as box:
        use(monkeypatch, box.connection)
        others = [[f"Ana{n}", "Li", f"86138002{n:05}", "", ""] for n in range(99)]
        old, new = ["Old", "Li", "8613800138000", "", ""], ["New", "Li", "8613800138000", "", ""]
        write(work / "a.csv", old, *others, new)
        assert importer("run", "a.csv", "--report-dir", "reports/a").code == 1
        statuses = {row["_row"]: row["_status"] for row in results(work / "reports/a")}
        assert (statuses["2"], statuses["102"]) == ("failed", "imported")
        box.misbehave()
        assert importer("retry", summary(work / "reports/a")["run"]).code == 1
        (folder,) = [path for path in (work / "reports").iterdir() if path.name != "a"]
        left = [row for row in results(folder) if row["_status"] != "imported"]
        assert [(row["_row"], row["_status"], row["_code"]) for row in left] == [
            ("2", "not_sent", "held-back")
        ]
        assert [c.fields["first_name"] for c in box.customers() if c.fields["sms_phone"] == old[2]] == ["New"]


def test_a_retry_leaves_unknown_what_could_be_stored_twice(
    importer: Command, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.pipeline.run.Policy", partial(Policy, first_wait=0.001))
    with Sandbox(faults=[Fault(FaultKind.LOST, requests="1")]) as box:
        use(monkeypatch, box.connection)
        rows = [["Ana", "Li", "8613800138000", "", ""], ["Bo", "Li", "", "", ""]]
        assert importer("run", write(work / "a.csv", *rows), "--report-dir", "reports/a").code == 1
        assert [row["_status"] for row in results(work / "reports/a")] == ["imported", "unknown"]
        first = summary(work / "reports/a")["run"]
        assert importer("retry", first).code == 1
        assert len(box.customers()) == 2
        assert importer("retry", first, "--resend-unknown").code == 0
        assert len(box.customers()) == 3


def test_what_follows_a_run_into_a_kept_sandbox_leads_there_again(importer: Command, work: Path) -> None:
    options = ("--sandbox-store", "crm.db", "--max-invalid", "1", "--report-dir", "out")
    done = importer("run", SAMPLES / "customers.xlsx", *options)
    assert done.code == 6
    assert f"rejects.xlsx --sandbox-store {work / 'crm.db'}" in done.out
    run = str(summary(work / "out")["run"])
    assert importer("retry", run).code == 0
    assert len(list(work.glob("20*/results.csv"))) == 1, "beside the reports of its run"
    with Sandbox(work / "crm.db") as kept:
        assert len(kept.customers()) == 246
    (work / "crm.db").unlink()
    assert "sandbox-gone" in importer("retry", run).err


def test_a_report_whose_run_nobody_knows_says_so(
    importer: Command, settings: Connection, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importer("run", SAMPLES / "customers.csv", "--report-dir", "out")
    assert "are sent again only where" in importer("run", "out/results.csv").out
    monkeypatch.setenv("NXLINK_STATE_DIR", str(work / "elsewhere"))
    assert "which the journal of this machine does not have" in importer("run", "out/results.csv").err


def test_nothing_to_retry_is_said(importer: Command, settings: Connection, work: Path) -> None:
    importer("run", SAMPLES / "customers.xlsx", "--report-dir", "out")
    done = importer("retry", summary(work / "out")["run"])
    assert (done.code, "nothing to retry" in done.out) == (1, True)


@pytest.mark.parametrize("command", ["report", "retry", "resume"])
def test_an_unknown_run_is_wrong_usage(importer: Command, settings: Connection, command: str) -> None:
    assert importer(command, "nope").code == 2


def test_another_destination_is_a_matter_of_settings(
    importer: Command, settings: Connection, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NXLINK_ACCESS_SECRET", "wrong")
    importer("run", SAMPLES / "customers.csv", "--report-dir", "out")
    monkeypatch.setenv("NXLINK_TENANT_ID", "7")
    done = importer("resume", summary(work / "out")["run"])
    assert (done.code, "other-destination" in done.err) == (4, True)
