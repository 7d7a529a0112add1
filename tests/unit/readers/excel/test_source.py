"""Workbooks: cells as a person sees them, rows under their numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from importer.errors import InputError
from importer.readers import ReadOptions, open_source

KNOWN = frozenset({"first_name", "last_name", "sms_phone", "birthday", "remark"})
OPTIONS = ReadOptions(is_known=KNOWN.__contains__)


def workbook(path: Path, rows: list[list[Any]], first_row: int = 1) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for at, cells in enumerate(rows):
        for column, value in enumerate(cells):
            sheet.cell(first_row + at, column + 1, value)
    book.save(path)
    return path


def cells_of(path: Path, options: ReadOptions = OPTIONS) -> dict[int, list[str]]:
    with open_source(path, options) as source:
        return {
            int(number): cells
            for chunk in source.chunks()
            for number, cells in zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True)
        }


def test_cells_come_as_a_person_sees_them(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "customers.xlsx",
        [
            ["first_name", "sms_phone", "birthday", "remark"],
            ["Ann", 8613812345678, dt.date(1990, 5, 7), True],
            ["Bo", "007", dt.datetime(1990, 5, 7, 13, 4, 5), 1.5],
            ["Cy", 186123456789012345, "1990-05-07", 0.1 + 0.2],
        ],
    )
    assert cells_of(path) == {
        2: ["Ann", "8613812345678", "1990-05-07", "TRUE"],
        3: ["Bo", "007", "1990-05-07 13:04:05", "1.5"],
        4: ["Cy", "1.86123456789012E+17", "1990-05-07", "0.3"],
    }


def test_rows_have_the_numbers_their_owner_sees(tmp_path: Path) -> None:
    rows: list[list[object]] = [["first_name", "last_name"], ["Ann", "Bo"], [], ["Cy", "Do"]]
    path = workbook(tmp_path / "customers.xlsx", rows, first_row=3)
    assert cells_of(path) == {4: ["Ann", "Bo"], 6: ["Cy", "Do"]}


def test_the_first_visible_sheet_with_data_is_read_and_the_others_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    hidden, more = book.create_sheet("Secret"), book.create_sheet("More")
    hidden.sheet_state = "hidden"
    for sheet in (hidden, more):
        sheet.append(["first_name", "last_name", sheet.title])
        sheet.append(["Ann", "Bo", sheet.title])
    extra = book.create_sheet("Extra")
    extra.append(["last_name", "first_name", "remark"])
    extra.append(["Cy", "Do", "x"])
    path = tmp_path / "customers.xlsx"
    book.save(path)
    with open_source(path, OPTIONS) as source:
        assert source.sheet == "More"
        assert source.sheets[1].visible is False
        assert [note.code for note in source.notes] == ["other-sheets"]
    with open_source(path, ReadOptions(is_known=KNOWN.__contains__, sheet="secret")) as source:
        assert source.header == ("first_name", "last_name", "Secret")
    with open_source(path, ReadOptions(is_known=KNOWN.__contains__, sheet="all")) as source:
        assert source.sheet is None
        assert source.header == ("first_name", "last_name", "More", "remark")
        assert [chunk.sheet for chunk in source.chunks()] == ["More", "Extra"]
    with pytest.raises(InputError, match="Extra"):
        open_source(path, ReadOptions(is_known=KNOWN.__contains__, sheet="Nowhere"))


def rows_with_issues(path: Path) -> list[tuple[int, str, str | None, str | None]]:
    with open_source(path, OPTIONS) as source:
        return [
            (issue.row, issue.code, issue.column, issue.found)
            for chunk in source.chunks()
            for issue in chunk.issues
        ]


def test_error_cells_and_formulas_without_value_are_told_even_in_the_last_row(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "customers.xlsx",
        [["first_name", "last_name"], ["Ann", "#N/A"], ["Bo", "=1+1"], [None, "#REF!"]],
    )
    assert cells_of(path) == {2: ["Ann", "#N/A"], 3: ["Bo", ""], 4: ["", "#REF!"]}
    assert rows_with_issues(path) == [
        (2, "cell-error", "last_name", "#N/A"),
        (3, "formula-without-value", "last_name", None),
        (4, "cell-error", "last_name", "#REF!"),
    ]


def test_leading_zeros_of_a_number_format_are_kept_and_none_put_before_a_text(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["first_name", "sms_phone"], ["Ann", 138], [7, 1234567], ["Bo", "138"]]
    path = workbook(tmp_path / "customers.xlsx", rows)
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    sheet["B2"].number_format = "00000"
    sheet["B3"].number_format = "000-00-0000"
    sheet["B4"].number_format = "00000"
    book.save(path)
    assert cells_of(path) == {2: ["Ann", "00138"], 3: ["7", "001-23-4567"], 4: ["Bo", "138"]}


def test_hidden_rows_are_read_and_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "customers.xlsx", [["first_name", "last_name"], ["Ann", "Bo"], ["Cy", "Do"]])
    book = openpyxl.load_workbook(path)
    sheet = book.active
    assert sheet is not None
    sheet.row_dimensions[3].hidden = True
    sheet.row_dimensions[9].hidden = True
    book.save(path)
    assert cells_of(path) == {2: ["Ann", "Bo"], 3: ["Cy", "Do"]}
    assert rows_with_issues(path) == [(3, "hidden-rows", None, None)]


def test_both_date_systems_give_the_same_days(tmp_path: Path) -> None:
    path = workbook(tmp_path / "customers.xlsx", [["first_name", "birthday"], ["Ann", dt.date(1990, 5, 7)]])
    book = openpyxl.load_workbook(path)
    book.epoch = dt.datetime(1904, 1, 1)
    book.save(tmp_path / "mac.xlsx")
    assert cells_of(path) == cells_of(tmp_path / "mac.xlsx") == {2: ["Ann", "1990-05-07"]}


def test_a_sheet_without_header_is_named_beside_the_others(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    front = book.active
    assert front is not None
    front["A1"] = "How to fill in this workbook"
    sheet = book.create_sheet("Customers")
    sheet.append(["own", "names"])
    path = tmp_path / "customers.xlsx"
    book.save(path)
    with pytest.raises(InputError, match="--sheet") as caught:
        open_source(path, OPTIONS)
    assert caught.value.code == "no-header-in-sheet"
    assert "Sheet, Customers" in caught.value.hint()


def test_a_cover_sheet_is_passed_over(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    front = book.active
    assert front is not None
    front["A1"] = "How to fill in this workbook"
    sheet = book.create_sheet("Customers")
    sheet.append(["first_name", "last_name"])
    sheet.append(["Ann", "Bo"])
    path = tmp_path / "customers.xlsx"
    book.save(path)
    with open_source(path, OPTIONS) as source:
        assert source.sheet == "Customers"
        assert source.notes[0].code == "sheet-passed-over"
        assert [len(chunk.frame) for chunk in source.chunks()] == [1]


def test_of_all_sheets_one_without_header_is_left_out_and_named(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    front = book.active
    assert front is not None
    front["A1"], front["B2"] = "How to fill in this workbook", "Ask Ann"
    for name, header in (("A", ["first_name", "last_name", "Mobile"]), ("B", ["first_name", "Phone"])):
        sheet = book.create_sheet(name)
        sheet.append([*header, *["last_name"] * (name == "B")])
        sheet.append(["Ann", "1", "2"])
    path = tmp_path / "customers.xlsx"
    book.save(path)
    options = ReadOptions(is_known=KNOWN.__contains__, sheet="all")
    for one in (options, replace(options, any_table=True), replace(options, is_mapped="Ask Ann".__eq__)):
        with open_source(path, one) as source:
            assert [(note.code, note.found) for note in source.notes] == [
                ("sheet-without-header", (("sheet", "Sheet"),))
            ]
            assert source.sheet_headers == {
                "A": ("first_name", "last_name", "Mobile"),
                "B": ("first_name", "Phone", "last_name"),
            }
            assert [chunk.sheet for chunk in source.chunks()] == ["A", "B"]
    with open_source(path, replace(options, may_be_skipped="Sheet".__eq__)) as source:
        assert source.notes == ()


def test_all_sheets_without_a_header_are_an_error_unless_any_table_will_do(tmp_path: Path) -> None:
    path = workbook(tmp_path / "customers.xlsx", [["Planet", "Moons"], ["Mars", "2"]])
    options = ReadOptions(is_known=KNOWN.__contains__, sheet="all")
    with pytest.raises(InputError) as caught:
        open_source(path, options)
    assert caught.value.code == "no-header"
    with open_source(path, replace(options, any_table=True)) as source:
        assert list(source.sheet_headers.values()) == [("Planet", "Moons")]


def test_one_name_of_the_mapping_makes_a_header_where_no_row_has_two_known_ones(tmp_path: Path) -> None:
    named = ReadOptions(is_known=KNOWN.__contains__, is_mapped="kd".__eq__)
    path = workbook(tmp_path / "own.xlsx", [["Customers"], ["kd", "beta"], ["1", "Ann"]])
    with open_source(path, named) as source:
        assert source.header_row == 2
        assert source.header == ("kd", "beta")
    path = workbook(tmp_path / "known.xlsx", [["kd", "beta"], ["first_name", "last_name"], ["Ann", "Bo"]])
    with open_source(path, named) as source:
        assert source.header == ("first_name", "last_name")


def test_blank_rows_and_columns_before_the_table_keep_their_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for at, cells in enumerate((["first_name", "last_name"], ["Ann", "Bo"]), 4):
        for column, value in enumerate(cells, 3):
            sheet.cell(at, column, value)
    path = tmp_path / "customers.xlsx"
    book.save(path)
    with open_source(path, OPTIONS) as source:
        assert (source.header_row, source.header) == (4, ("first_name", "last_name"))
    assert cells_of(path) == {5: ["Ann", "Bo"]}
    lettered = ReadOptions(header_row="none")
    with open_source(path, lettered) as source:
        assert source.header == ("A", "B", "C", "D")
