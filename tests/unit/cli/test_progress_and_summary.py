"""Summary and progress: what a person, a log and a program read."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from importer import arrow
from importer.cli.output import PipePrinter, TerminalPrinter
from importer.cli.progress import (
    BarView,
    JsonView,
    LineView,
    ProgressView,
    destination_line,
    progress_view,
)
from importer.cli.summary import issue_line, show, show_issues
from importer.exit_codes import ExitCode
from importer.models import (
    Chunk,
    Destination,
    Issue,
    IssueGroup,
    Mode,
    Note,
    Outcome,
    RunSummary,
    Severity,
    Status,
    UnusedColumn,
)
from importer.options import RunOptions
from importer.reports import ReasonGroup, ReportResult, Tally, WrittenReport
from importer.reports.next_steps import next_steps, run_arguments

THERE = Destination("https://api-hk.nxlink.ai", "7", "app", "sea")
ADDRESS = tuple(
    Issue(
        "too-long",
        Severity.ERROR,
        row,
        column="address",
        field="address",
        found="Zürich…",
        limit=100,
        length=161,
    )
    for row in (17, 203, 988)
)
GROUP = IssueGroup("too-long", Severity.ERROR, "address", 41, ADDRESS, 161, 100)
WARNING = IssueGroup("no-contact", Severity.WARNING, "", 1, (Issue("no-contact", Severity.WARNING, 5),))


def a_summary(
    counts: dict[Status, int], exit_code: ExitCode = ExitCode.ROWS_LEFT, *, dry_run: bool = False
) -> RunSummary:
    return RunSummary(
        run_id="run-1",
        source="客户 list.xlsx",
        sha256="",
        mode=Mode.UPDATE,
        dry_run=dry_run,
        destination=None if dry_run else THERE,
        mapping="headers",
        rows=sum(counts.values()),
        counts=counts,
        issues=(GROUP, WARNING),
        exit_code=exit_code,
        report_dir="reports/run-1",
        seconds=2.0,
    )


def a_closed(lang: str = "en") -> ReportResult:
    summary = a_summary({Status.IMPORTED: 12_000, Status.INVALID: 41, Status.REJECTED: 2})
    files = (WrittenReport("rejects.xlsx", Path("reports/run-1/rejects.xlsx"), 1, 43),)
    return ReportResult(
        summary=summary,
        files=files,
        reasons=(ReasonGroup(Status.REJECTED, "1002", "no, thanks", 2, (("", 3), ("", 9))),),
        steps=next_steps(summary, files, lang),
        notes=(Note("workbook-cut", (("file", "a"), ("most", 1), ("rows", 2), ("other", "b"))),),
    )


def shown(lang: str = "en", width: int = 100, *, terminal: bool = False, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="")
    console = Console(file=stream, width=width, force_terminal=terminal, highlight=False, markup=False)
    printer = TerminalPrinter(console) if terminal else PipePrinter(stream, width)
    show(printer, a_closed(lang), lang)
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_a_group_of_issues_is_one_line() -> None:
    text = "too-long in address: 41 rows, first at rows 17, 203, 988; longest 161 of 100"
    assert issue_line(GROUP, "en") == text
    assert issue_line(WARNING, "en") == "no-contact: 1 row, at row 5"
    assert issue_line(GROUP, "zh").startswith("“address”列 too-long：41 行")


def test_the_summary_counts_groups_and_says_what_to_do() -> None:
    text = shown()
    assert "客户 list.xlsx → https://api-hk.nxlink.ai, mode update" in text
    assert re.search(r"imported +12,000", text)
    assert "41 rows, first at rows 17, 203, 988" in text
    assert "rejected, 1002: 2 rows, first at rows 3, 9" in text
    assert "importer run reports/run-1/rejects.xlsx" in text
    assert "contains the first 1 of 2 rows" in text


def test_a_log_gets_no_customers_data_and_a_terminal_does() -> None:
    assert "Zürich" not in shown()
    assert "Zürich" in shown(terminal=True)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [30, 60, 200])
def test_no_line_is_wider_than_the_terminal_but_commands_stay_whole(lang: str, width: int) -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(lang, width, terminal=True))
    lines = text.splitlines()
    assert "    importer run reports/run-1/rejects.xlsx" in lines
    assert all(cell_len(line) <= width for line in lines if "importer run" not in line)


def test_counts_are_aligned_whatever_the_script() -> None:
    lines = [line for line in shown("zh").splitlines() if re.match(r"  (已导入|无效|被拒绝) ", line)]
    ends = {cell_len(re.match(r"  \S+ +[\d,]+", line)[0]) for line in lines}
    assert len(lines) == 3
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("lang", "headings"),
    [("en", ["To be corrected", "Worth a look", "Good to know"]), ("zh", ["需要更正", "建议检查", "供参考"])],
)
def test_issues_stand_under_their_level_the_gravest_first(lang: str, headings: Sequence[str]) -> None:
    stream = io.StringIO()
    groups = [replace(GROUP, severity=severity) for severity in Severity]
    show_issues(PipePrinter(stream), groups, lang)
    text = stream.getvalue()
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == list(headings)
    assert text.count("too-long") == 3


def test_what_to_do_about_several_columns_is_said_once() -> None:
    stream = io.StringIO()
    groups = [replace(GROUP, column=column) for column in ("Address", "Remark")]
    show_issues(PipePrinter(stream), groups, "en")
    assert stream.getvalue().count("too-long in ") == 2
    assert stream.getvalue().count("Shorten it") == 1


def test_no_color_leaves_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", shown(terminal=True))


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii", "gbk"])
def test_a_console_of_another_code_page_is_no_error(encoding: str) -> None:
    assert "too-long" in shown(encoding=encoding)


def test_the_destination_is_told_with_all_that_matters() -> None:
    line = destination_line(THERE, Mode.REPLACE, "in.csv", 1200, "en")
    there = "https://api-hk.nxlink.ai, tenant 7, application app"
    assert line == f"Sending to {there}, mode replace: up to 1,200 rows"
    assert "the rows of in.csv" in destination_line(THERE, Mode.KEEP, "in.csv", None, "en")


@pytest.mark.parametrize(
    ("counts", "exit_code", "dry_run", "wanted"),
    [
        ({Status.IMPORTED: 3}, ExitCode.DONE, False, []),
        ({Status.VALID: 3}, ExitCode.DONE, True, ["run 'my list.csv' --mode keep"]),
        (
            {Status.VALID: 3, Status.INVALID: 1},
            ExitCode.ROWS_LEFT,
            True,
            ["rejects.xlsx", "run 'my list.csv'"],
        ),
        ({Status.INVALID: 1}, ExitCode.ROWS_LEFT, False, ["run d/rejects.xlsx"]),
        ({Status.FAILED: 1}, ExitCode.ROWS_LEFT, False, ["retry run-1"]),
        ({Status.UNKNOWN: 1}, ExitCode.ROWS_LEFT, False, ["retry run-1", "--resend-unknown"]),
        ({Status.NOT_SENT: 1}, ExitCode.AWAY, False, ["resume run-1"]),
        ({Status.NOT_SENT: 1}, ExitCode.INTERRUPTED, False, ["resume run-1"]),
        ({Status.NOT_SENT: 1}, ExitCode.REFUSED, False, ["doctor", "resume run-1"]),
        (
            {Status.NOT_SENT: 2, Status.INVALID: 1},
            ExitCode.TRIPWIRE,
            False,
            ["rejects.xlsx", "run 'my list.csv' --mode keep --max-invalid 34"],
        ),
    ],
)
def test_the_next_steps_fit_the_end(
    counts: dict[Status, int], exit_code: ExitCode, dry_run: bool, wanted: Sequence[str]
) -> None:
    summary = replace(a_summary(counts, exit_code, dry_run=dry_run), source="my list.csv")
    files = (WrittenReport("rejects.xlsx", Path("d/rejects.xlsx"), 1, 1),)
    arguments = ("--mode", "keep", "--max-invalid", "5", *(["--dry-run"] if dry_run else []))
    steps = next_steps(summary, files, "en", arguments)
    assert len(steps) == len(wanted)
    assert all(piece in step.command for piece, step in zip(wanted, steps, strict=True))


def test_a_check_that_leaves_columns_out_does_not_call_everything_valid() -> None:
    checked = a_summary({Status.VALID: 3}, ExitCode.DONE, dry_run=True)
    (step,) = next_steps(checked, (), "en")
    assert step.message.startswith("Everything is valid")
    lost = (UnusedColumn("Level", filled=3), UnusedColumn("Notes"))
    (step,) = next_steps(replace(checked, not_imported=lost), (), "en")
    assert "1 filled column is not imported" in step.message


def test_rows_that_newer_ones_have_overtaken_are_not_to_be_retried() -> None:
    summary = a_summary({Status.NOT_SENT: 2, Status.UNKNOWN: 1, Status.IMPORTED: 1}, ExitCode.ROWS_LEFT)
    files = (WrittenReport("rejects.xlsx", Path("d/rejects.xlsx"), 1, 1),)
    (step,) = next_steps(summary, files, "en", (), held=3)
    assert step.command == "importer run d/rejects.xlsx --overwrite-newer"
    assert step.message.startswith("3 rows were held back")
    (step,) = next_steps(summary, (), "en", (), held=3)
    assert step.command == "importer retry run-1 --overwrite-newer"
    commands = [step.command for step in next_steps(summary, files, "en", (), held=2)]
    assert commands[0] == "importer retry run-1"
    assert "--overwrite-newer" in commands[1]


def test_a_csv_is_not_said_to_have_coloured_cells() -> None:
    summary = a_summary({Status.INVALID: 100_001}, ExitCode.ROWS_LEFT)
    files = tuple(WrittenReport(name, Path("d") / name, 1, 1) for name in ("rejects.xlsx", "rejects.csv"))
    (step,) = next_steps(summary, files, "en", ())
    assert step.command == "importer run d/rejects.csv"
    assert "coloured" not in step.message


@pytest.mark.parametrize("place", [["--sandbox"], ["--sandbox-store", "/d/crm.db"]])
def test_the_next_steps_lead_to_the_same_sandbox(place: list[str]) -> None:
    counts = {Status.NOT_SENT: 2, Status.INVALID: 1}
    store = Destination("http://127.0.0.1:1", "1000", "sandbox-app", "sea", store="s-1")
    summary = replace(a_summary(counts, ExitCode.INTERRUPTED), source="my list.csv", destination=store)
    files = (WrittenReport("rejects.xlsx", Path("d/rejects.xlsx"), 1, 1),)
    given = place if len(place) > 1 else []
    on, fix = (step.command for step in next_steps(summary, files, "en", ("--mode", "keep", *given)))
    assert fix == " ".join(["importer run d/rejects.xlsx", *place])
    # What was thrown away cannot be gone on with.
    anew = " ".join(["importer run 'my list.csv' --mode keep", *place])
    assert on == ("importer resume run-1" if given else anew)


def a_tally(rows: int) -> Tally:
    tally = Tally(("a",))
    frame = arrow.frame({"a": arrow.array(["x"] * rows)}, np.arange(2, 2 + rows))
    tally.add(Chunk("", frame), ())
    tally.count(Outcome("", tuple(range(2, 52)), Status.IMPORTED))
    return tally


def drive(shown: ProgressView) -> None:
    shown.looked(10)
    shown.started("in.csv", "run-1", 200, dry_run=False)
    shown.moved(a_tally(100))
    shown.said("paused", "the server asks to wait")
    shown.close()
    shown.ended(a_summary({Status.IMPORTED: 100}))
    shown.close()


def test_a_log_gets_one_line_at_the_start_and_one_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    drive(LineView("en"))
    told = capsys.readouterr()
    assert told.out == ""
    first, last = told.err.splitlines()
    assert first == "in.csv: import started, run run-1"
    assert last.endswith("imported 100; 2.0 s")


def test_a_program_gets_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    now = iter((0.0, 0.0, 11.0, 12.0, 30.0))
    drive(JsonView(clock=lambda: next(now)))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == ["started", "progress", "paused", "ended"]
    assert events[1]["counts"] == {"imported": 50}
    assert events[1]["waiting"] == 50
    assert events[3]["exit_code"] == 1


def test_what_the_server_said_takes_no_place_of_a_log_line() -> None:
    stream = io.StringIO()
    found = {"message": "busy", "event": "its own", "time": "now", "sentence": "another", "code": "9001"}
    JsonView(stream).said("sending-retrying", "failed with 9001 (busy)", **found)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["message"]) == ("sending-retrying", "failed with 9001 (busy)")
    assert line["time"] != "now"
    assert (line["sentence"], line["code"]) == ("another", "9001")


@pytest.mark.parametrize("width", [20, 50, 120])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_terminal_gets_a_bar_that_goes_away(width: int, lang: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=20, force_terminal=True)
    drive(BarView(console, lang))
    text = stream.getvalue()
    assert ("imported 50" if lang == "en" else "已导入 50") in text
    assert text.endswith("\x1b[?25h") or "\x1b[2K" in text


def test_the_console_decides_what_is_shown() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    assert isinstance(progress_view(lambda: terminal, "en"), BarView)
    assert isinstance(progress_view(None, "en"), LineView)
    assert isinstance(progress_view(lambda: terminal, "en", log_json=True), JsonView)
    assert not isinstance(progress_view(lambda: terminal, "en", quiet=True), BarView | LineView)


def test_the_next_steps_name_the_profile_of_the_run() -> None:
    counts = {Status.NOT_SENT: 2, Status.INVALID: 1}
    summary = replace(a_summary(counts, ExitCode.INTERRUPTED), source="list.csv")
    files = tuple(WrittenReport(name, Path("d") / name, 1, 1) for name in ("rejects.xlsx", "doubtful.xlsx"))
    given = run_arguments(RunOptions(mode=Mode.KEEP), "acme")
    assert [step.command for step in next_steps(summary, files, "en", given)] == [
        "importer resume run-1 --profile acme",
        "importer run d/rejects.xlsx --profile acme",
        "importer run d/doubtful.xlsx --profile acme",
    ]
    over = replace(summary, exit_code=ExitCode.ROWS_LEFT)
    told = [step.command for step in next_steps(over, files, "en", run_arguments(RunOptions(), "acme"))]
    assert told
    assert all(command.endswith(" --profile acme") for command in told)
    assert run_arguments(RunOptions(), "default") == run_arguments(RunOptions()) == ()
