"""What a person sees of a run: nothing left out is silent; a log for programs is JSON to its last line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from importer import ImporterError, RunOptions, import_file, validate_file
from importer.config import Connection
from importer.delivery.events import Attempted
from importer.exit_codes import ExitCode
from importer.models import Mode, Status
from importer.sandbox import Sandbox
from tests.support.commands import Command, summary

TABLE = """\
First Name,Last Name,Phone,Mail me at,Points
Ann,Ames,+8613800000001,ann@example.com,7
Bo,Berg,+8613800000002,,
"""
TWO_FIELDS = """\
[fields.first_name]
from = "First Name"
[fields.last_name]
from = "Last Name"
"""


@pytest.fixture
def table(work: Path) -> Path:
    path = work / "customers.csv"
    path.write_text(TABLE, "utf-8")
    (work / "two.toml").write_text(TWO_FIELDS, "utf-8")
    return path


def test_columns_that_go_nowhere_are_named_with_their_filled_cells(
    importer: Command, settings: Connection, table: Path, work: Path
) -> None:
    done = importer("validate", table, "--mapping", "two.toml", "--report-dir", "out")
    shown = done.out[done.out.index("Columns not imported") :]
    assert "“Phone” (filled in 2 rows), usually sms_phone, which no column fills" in shown
    assert "“Mail me at” (filled in 1 row), “Points” (filled in 1 row)" in shown
    assert summary(work / "out")["not_imported"] == [
        {"column": "Phone", "filled": 2, "usual_field": "sms_phone"},
        {"column": "Mail me at", "filled": 1, "usual_field": None},
        {"column": "Points", "filled": 1, "usual_field": None},
    ]
    page = (work / "out" / "report.html").read_text("utf-8")
    assert "Columns not imported" in page
    assert "usually sms_phone, which no column fills" in page


def test_a_column_that_is_imported_is_not_among_them(
    importer: Command, settings: Connection, table: Path, work: Path
) -> None:
    importer("validate", table, "--report-dir", "out")
    assert "Phone" not in {column["column"] for column in summary(work / "out")["not_imported"]}


def test_settings_in_the_summary_are_values(
    importer: Command, settings: Connection, table: Path, work: Path
) -> None:
    importer("validate", table, "--strict", "--rate", "2.5", "--report-dir", "out")
    kept = summary(work / "out")["settings"]
    assert (kept["strict"], kept["rate"], kept["mode"]) == (True, 2.5, "update")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["run", "missing.csv"], 3),
        (["run", "customers.csv", "--mode", "nonsense"], 2),
        (["run", "customers.csv", "--mapping", "none.toml"], 3),
        (["validate", "customers.csv"], 0),
        (["run", "customers.csv"], 0),
        (["run", "customers.csv", "--mode", "replace"], 2),
        (["resume", "nobody-knows-it"], 2),
    ],
)
def test_a_log_for_programs_is_json_to_its_last_line(
    importer: Command, settings: Connection, table: Path, words: list[str], code: int
) -> None:
    done = importer(*words, "--log-json")
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert done.code == code
    last = lines[-1]
    assert last["event"] == ("error" if code else "ended")
    assert last["exit_code"] == code
    if code:
        assert last["code"]
        assert last["message"]


def test_a_mistyped_file_is_told_before_missing_credentials(importer: Command, work: Path) -> None:
    done = importer("run", "mistyped.csv")
    assert done.code == 3
    assert "mistyped.csv does not exist" in done.err


def test_a_run_that_imported_nothing_does_not_say_that_all_rows_are_in(
    importer: Command, settings: Connection, work: Path
) -> None:
    (work / "only.toml").write_text(TWO_FIELDS + '[[only]]\ncolumn = "Points"\nis = ["99"]\n', "utf-8")
    (work / "customers.csv").write_text(TABLE, "utf-8")
    done = importer("run", "customers.csv", "--mapping", "only.toml", "--report-dir", "out")
    assert done.code == 0
    assert "All rows are in" not in done.out
    assert "Nothing was imported" in done.out
    assert "rows are in" not in (work / "out" / "report.html").read_text("utf-8")


def test_the_python_api_takes_a_profile_and_its_errors_read_as_sentences(table: Path, work: Path) -> None:
    (work / "importer.toml").write_text('[profile.acme]\nmode = "keep"\n', "utf-8")
    (work / "importer.toml").chmod(0o600)
    checked = validate_file(table, profile="acme")
    assert checked.mode is Mode.KEEP
    with pytest.raises(
        ImporterError, match=r"there is no \[profile.other\] in .*Profiles in this file: acme"
    ):
        import_file(table, profile="other")
    with pytest.raises(ImporterError, match=r"the file .*missing.csv does not exist\. Check the path\."):
        import_file(work / "missing.csv", options=RunOptions(dry_run=True))


def test_the_python_api_takes_choices_as_words_and_names_a_wrong_one(table: Path, work: Path) -> None:
    options: dict[str, object] = {"mode": "keep", "duplicates": "skip", "report_dir": "out", "rate": 5}
    checked = validate_file(table, options=RunOptions(**options))  # type: ignore[arg-type]
    assert checked.mode is Mode.KEEP
    assert Path(checked.report_dir).name == "out"
    for name, value, reason in (
        ("mode", "upsert", "it must be one of: replace, update, keep"),
        ("duplicates", "drop", "it must be one of: send, skip, error"),
        ("rate", -1, "it must be 0 or more"),
        ("concurrency", "4", "it must be a whole number"),
    ):
        with pytest.raises(ImporterError, match=f"options.{name} cannot be used: {reason}") as refused:
            validate_file(table, options=RunOptions(**{name: value}))  # type: ignore[arg-type]
        assert refused.value.code == "bad-option"


def test_a_file_that_grew_after_it_was_read_is_said(table: Path, settings: Connection, work: Path) -> None:
    def append(event: object) -> None:
        if isinstance(event, Attempted):  # the file's one request is on its way, so it was read to its end
            with table.open("a", encoding="utf-8") as file:
                file.write("Cy,Cole,+8613800000003,,\n")

    found = import_file(table, options=RunOptions(report_dir=work / "out"), observer=append)
    assert found.counts[Status.IMPORTED] == 2
    (said,) = [note for note in summary(work / "out")["notes"] if "was written to after it was read" in note]
    assert "what was added is not imported" in said


def test_a_file_that_stays_as_it_is_is_not_said_to_have_grown(
    importer: Command, settings: Connection, table: Path, work: Path
) -> None:
    done = importer("run", table, "--report-dir", "out")
    assert done.code == ExitCode.DONE
    assert "was written to" not in done.out + done.err + str(summary(work / "out"))


def test_a_run_of_standard_input_keeps_its_copy_and_can_be_retried(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    own_surroundings: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box.misbehave("code code=9001 requests=1-")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    import_file("-", options=RunOptions(attempts=1, report_dir=work / "out"))
    (copy,) = (own_surroundings / "spool").glob("*/stdin.csv")
    assert copy.read_text("utf-8") == TABLE
    assert copy.stat().st_mode & 0o077 == 0
    box.misbehave()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    run = importer("runs", "--json").json[0]["id"]
    assert importer("retry", run).code == ExitCode.DONE
    assert len(box.customers()) == 2


def test_a_check_of_standard_input_leaves_a_copy_only_for_its_report(
    importer: Command, work: Path, own_surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TABLE.encode())))
    done = importer("inspect", "-")
    assert done.code == ExitCode.DONE
    assert not list(own_surroundings.glob("spool/*"))
