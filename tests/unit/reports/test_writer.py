"""The row reports: order, conservation, cells as they were."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from importer import arrow
from importer.errors import ConservationError, ReportError
from importer.exit_codes import ExitCode
from importer.models import Chunk, Issue, Mode, Outcome, Severity, Status
from importer.reports import OWN_COLUMNS, ReportPlan, ReportResult, ReportSource, ReportWriter, RunInfo
from importer.reports.csv import escape, escaped, quote, quoted, unescaped
from importer.reports.reimport import is_report, original_header, restore
from importer.reports.summary import schema
from importer.reports.xlsx import XLSX_OWN_COLUMNS

HEADER = ("Name", "Phone", "=Sum")
FACTS = RunInfo(
    mode=Mode.UPDATE,
    dry_run=False,
    destination=None,
    mapping="headers",
    exit_code=ExitCode.ROWS_LEFT,
    started=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    seconds=2.5,
)
MANY_FILES = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "=1+1",
        "'",
        "''=x",
        "+86 138",
        "-",
        "@a",
        "\tx",
        "\r",
        'say "hi", he said',
        "a\nb",
        "_x000D_",
        "\x01",
    ]
)


def a_plan(directory: Path, header: Sequence[str] = HEADER, lang: str = "en") -> ReportPlan:
    return ReportPlan(directory, "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", tuple(header)), lang)


def a_chunk(
    first: int, lines: Sequence[Sequence[str]], header: Sequence[str] = HEADER, sheet: str = ""
) -> Chunk:
    cells = {name: arrow.array([line[place] for line in lines]) for place, name in enumerate(header)}
    return Chunk(sheet, arrow.frame(cells, np.arange(first, first + len(lines))))


def too_long(row: int, column: str, field: str) -> Issue:
    return Issue("too-long", Severity.ERROR, row, column=column, field=field, found="Zoë", limit=1, length=3)


def read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def write(directory: Path, lines: Sequence[Sequence[str]], status: Status = Status.IMPORTED) -> ReportResult:
    with ReportWriter(a_plan(directory)) as reports:
        reports.add(a_chunk(2, lines), ())
        reports.settle(Outcome("", tuple(range(2, 2 + len(lines))), status, batch=1, attempts=1))
        return reports.close(FACTS)


def test_every_row_leaves_with_its_fate_and_its_cells_in_input_order(tmp_path: Path) -> None:
    issue = Issue(
        "too-long", Severity.ERROR, 3, column="Name", field="first_name", found="b", limit=1, length=9
    )
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("a", "1", "x"), ("b", "2", "y")]), [issue])
        reports.add(a_chunk(7, [("c", "3", "z")]), ())
        reports.settle(Outcome("", (7,), Status.REJECTED, 2, 3, "9000", "no, thanks", "t-1"))
        reports.settle(Outcome("", (3,), Status.INVALID))
        reports.settle(Outcome("", (2,), Status.IMPORTED, 1, 1))
        reports.close(FACTS)
    header, *lines = read_csv(tmp_path / "results.csv")
    assert tuple(header) == (*OWN_COLUMNS, "Name", "Phone", "'=Sum")
    assert lines[0] == ["2", "", "imported", "1", "1", "", "", "", "", "run-1", "a", "1", "x"]
    assert lines[1][:6] == ["3", "", "invalid", "", "0", ""]
    assert "first_name allows 1" in lines[1][6]
    assert lines[1][8:] == ["too-long:Name", "run-1", "b", "2", "y"]
    assert lines[2] == [
        "7",
        "",
        "rejected",
        "2",
        "3",
        "9000",
        "no, thanks",
        "t-1",
        "",
        "run-1",
        "c",
        "3",
        "z",
    ]
    assert read_csv(tmp_path / "rejects.csv") == [header, *lines[1:]]


def test_all_issues_of_a_row_stand_in_column_order_and_once(tmp_path: Path) -> None:
    issues = [
        Issue("no-contact", Severity.WARNING, 2),
        Issue("bad-phone", Severity.WARNING, 2, column="Phone", found="1"),
        Issue("required", Severity.ERROR, 2, column="Name"),
        Issue("bad-phone", Severity.WARNING, 2, column="Phone", found="1"),
        Issue("bad-phone", Severity.WARNING, 3, column="Phone", found="1"),
    ]
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("", "1", ""), ("b", "2", ""), ("c", "3", "")]), issues)
        reports.settle(Outcome("", (2, 3, 4), Status.NOT_SENT))
        closed = reports.close(FACTS)
    _, *lines = read_csv(tmp_path / "results.csv")
    assert [line[8] for line in lines] == [
        "required:Name; bad-phone:Phone; no-contact:",
        "bad-phone:Phone",
        "",
    ]
    assert {(g.code, g.rows) for g in closed.summary.issues} == {
        ("required", 1),
        ("bad-phone", 2),
        ("no-contact", 1),
    }


@MANY_FILES
@given(data=st.data())
def test_order_and_conservation_hold_for_any_order_of_outcomes(tmp_path: Path, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    sheets = data.draw(st.lists(st.sampled_from(["A", "B"]), min_size=len(sizes), max_size=len(sizes)))
    rows: list[tuple[str, int]] = []
    tops = {"A": 1, "B": 1}
    with ReportWriter(a_plan(tmp_path)) as reports:
        for size, sheet in zip(sizes, sheets, strict=True):
            reports.add(a_chunk(tops[sheet] + 1, [("x", "y", "z")] * size, sheet=sheet), ())
            rows += [(sheet, tops[sheet] + 1 + number) for number in range(size)]
            tops[sheet] += size
        fates = data.draw(st.lists(st.sampled_from(list(Status)), min_size=len(rows), max_size=len(rows)))
        wanted = dict(zip(rows, fates, strict=True))
        left = data.draw(st.permutations(rows))
        while left:
            sheet, status = left[0][0], wanted[left[0]]
            some = [row for row in left[:5] if row[0] == sheet and wanted[row] is status]
            left = [row for row in left if row not in some]
            reports.settle(Outcome(sheet, tuple(row for _, row in some), status))
        assert reports.tally.waiting == 0
        closed = reports.close(FACTS)
    _, *lines = read_csv(tmp_path / "results.csv")
    assert [(line[1], int(line[0]), line[2]) for line in lines] == [(*row, wanted[row].value) for row in rows]
    assert sum(closed.summary.counts.values()) == closed.summary.rows == len(rows)
    _, *rejects = read_csv(tmp_path / "rejects.csv")
    assert [(line[1], int(line[0])) for line in rejects] == [row for row in rows if not wanted[row].done]


@pytest.mark.parametrize("rows", [(2, 2), (9,), (2, 3, 4, 5)])
def test_a_row_settled_twice_or_never_read_is_a_fault(tmp_path: Path, rows: tuple[int, ...]) -> None:
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("a", "", "")] * 3), ())
        with pytest.raises(ConservationError):
            reports.settle(Outcome("", rows, Status.IMPORTED))


def test_a_row_settled_again_after_it_was_written_is_a_fault(tmp_path: Path) -> None:
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("a", "", "")]), ())
        reports.settle(Outcome("", (2,), Status.IMPORTED))
        with pytest.raises(ConservationError):
            reports.settle(Outcome("", (2,), Status.FAILED))


def test_a_row_without_status_is_a_fault_and_leaves_no_report(tmp_path: Path) -> None:
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("a", "", "")] * 2), ())
        reports.settle(Outcome("", (2,), Status.IMPORTED))
        with pytest.raises(ConservationError) as caught:
            reports.close(FACTS)
    assert caught.value.code == "rows-without-status"
    assert list(tmp_path.iterdir()) == []


@MANY_FILES
@given(cells=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_any_cell_survives_any_number_of_trips(tmp_path: Path, cells: list[tuple[str, str, str]]) -> None:
    lines: list[tuple[str, ...]] = list(cells)
    for _ in range(3):
        write(tmp_path, lines, Status.FAILED)
        header, *found = read_csv(tmp_path / "results.csv")
        assert all(not cell or cell[0] not in "=+-@\t\r" for line in [header, *found] for cell in line)
        chunk, prior = restore(a_chunk(2, found, header), escaped=True)
        assert tuple(chunk.frame.columns) == original_header(header, escaped=True) == HEADER
        assert prior.runs.to_pylist() == ["run-1"] * len(cells)
        assert prior.rows.tolist() == list(range(2, 2 + len(cells)))
        assert prior.statuses.to_pylist() == ["failed"] * len(cells)
        lines = [tuple(line) for line in chunk.frame.itertuples(index=False)]
        assert lines == cells


@MANY_FILES
@given(cells=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_any_cell_survives_the_workbook_as_text(tmp_path: Path, cells: list[tuple[str, str, str]]) -> None:
    write(tmp_path, cells, Status.FAILED)
    with CalamineWorkbook.from_path(tmp_path / "rejects.xlsx") as book:
        header, *lines = book.get_sheet_by_index(0).to_python()
    assert header == [*HEADER, *XLSX_OWN_COLUMNS]
    assert [tuple(line[: len(HEADER)]) for line in lines] == cells


def test_every_cell_of_the_workbook_is_text_and_the_bad_ones_are_coloured(tmp_path: Path) -> None:
    issue = Issue(
        "too-long", Severity.ERROR, 2, column="Phone", field="sms_phone", found="8", limit=1, length=9
    )
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("a", "8613800000000", ""), ("b", "", "=1+1")]), [issue])
        reports.settle(Outcome("", (2, 3), Status.INVALID))
        reports.close(FACTS)
    sheet = load_workbook(tmp_path / "rejects.xlsx").worksheets[0]
    assert {cell.number_format for row in sheet.iter_rows() for cell in row} == {"@"}
    assert sheet["B2"].value == "8613800000000"
    assert sheet["C3"].value == "=1+1"
    assert sheet["C3"].data_type == "s"
    assert sheet["B2"].fill.fill_type == "solid"
    assert sheet["B2"].comment.text == "“8” has 9 characters; sms_phone allows 1. Shorten it to 1 characters."
    assert sheet["B3"].fill.fill_type is None
    assert sheet["B3"].comment is None
    assert sheet.freeze_panes == "B2"
    assert sheet["D1"].value == "_message"
    assert sheet["D1"].comment is not None
    assert sheet["D2"].alignment.wrap_text
    assert sheet.auto_filter.ref == "A1:M3"
    with closing(load_workbook(tmp_path / "rejects.xlsx", read_only=True)) as streamed:
        assert len(list(streamed.worksheets[0].iter_rows(values_only=True))) == 3


def test_a_cell_beyond_excels_limit_is_cut_visibly_in_the_workbook_and_whole_in_the_csv(
    tmp_path: Path,
) -> None:
    write(tmp_path, [("😀" * 20_000, "1", "2")], Status.FAILED)
    with CalamineWorkbook.from_path(tmp_path / "rejects.xlsx") as book:
        cell = str(book.get_sheet_by_index(0).to_python()[1][0])
    assert len(cell.encode("utf-16-le")) // 2 <= 32_767
    assert cell.endswith("[cut: 40000 characters; the whole cell is in rejects.csv]")
    csv.field_size_limit(10**6)
    assert read_csv(tmp_path / "rejects.csv")[1][10] == "😀" * 20_000


def test_the_summary_follows_its_schema_and_holds_no_cell(tmp_path: Path) -> None:
    issue = Issue(
        "too-long", Severity.ERROR, 2, column="Name", field="first_name", found="Zoë", limit=1, length=3
    )
    with ReportWriter(a_plan(tmp_path)) as reports:
        reports.add(a_chunk(2, [("Zoë", "", ""), ("b", "", "")]), [issue])
        reports.settle(Outcome("", (2,), Status.INVALID))
        reports.settle(Outcome("", (3,), Status.REJECTED, 1, 1, "9000", "parameter exception"))
        reports.close(FACTS)
    text = (tmp_path / "summary.json").read_text("utf-8")
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))
    jsonschema.validate(json.loads(text), json.loads(schema()))
    assert "Zoë" not in text
    assert json.loads(text)["counts"]["rejected"] == 1


def test_a_users_column_with_one_of_our_names_is_not_written_twice(tmp_path: Path) -> None:
    header = ("Name", "_status")
    with ReportWriter(a_plan(tmp_path, header)) as reports:
        reports.add(a_chunk(2, [("a", "b")], header), ())
        reports.settle(Outcome("", (2,), Status.FAILED))
        reports.close(FACTS)
    assert read_csv(tmp_path / "results.csv")[0] == [*OWN_COLUMNS, "Name"]
    assert read_csv(tmp_path / "results.csv")[1][-1] == "a"


def test_reports_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "reports" / "run-1"
    closed = write(directory, [("a", "b", "c")])
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.path.stat().st_mode) for file in closed.files} == {0o600}


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReportError) as caught:
        ReportWriter(a_plan(tmp_path / "file" / "reports"))
    assert caught.value.code == "report-directory"


def test_only_a_run_column_makes_a_file_one_of_ours() -> None:
    assert is_report(["_row", "_run", "Name"])
    assert not is_report(["_id", "Name", "run", "_row"])


@given(cells=st.lists(CELL, max_size=8), start=st.integers(0, 3))
def test_a_column_is_dressed_for_csv_cell_by_cell_wherever_it_was_cut(cells: list[str], start: int) -> None:
    column = arrow.array(["'cut, off", *cells])[start:]
    left = ["'cut, off", *cells][start:]
    dressed = quoted(escaped(column))
    assert dressed.to_pylist() == [quote(escape(cell)) for cell in left]
    assert unescaped(escaped(column)).to_pylist() == left
