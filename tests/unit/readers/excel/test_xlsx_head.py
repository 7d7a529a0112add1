"""A workbook opened for its first rows: they read as in all of it, and the others come when asked for."""

from __future__ import annotations

import io
import random
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from importer.errors import InputError
from importer.readers import ReadOptions, Source, open_source
from importer.readers.excel.source import WorkbookSource
from importer.readers.prefetch import prefetch_workbook

HEADER = ("first_name", "last_name", "sms_phone", "birthday", "remark")
WHOLE = ReadOptions(is_known=frozenset(HEADER).__contains__, chunk_rows=40)
HEAD = replace(WHOLE, first_rows=5)
ROWS = 200
SHEET, STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"


@pytest.fixture(autouse=True)
def few_rows_above(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty rows are read first."""
    monkeypatch.setattr("importer.readers.base.ROWS_ABOVE", 10)


only_where_limits_hold = pytest.mark.skipif(sys.platform != "linux", reason="no limits, no head start")


def workbook(path: Path, change: Callable[[Worksheet], object] = lambda sheet: None, first: int = 1) -> Path:
    """Two hundred customers, seeded, with gaps, dates, numbers, formats, errors and formulas."""
    chance = random.Random(22)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for at, name in enumerate(HEADER, 1):
        sheet.cell(first, at, name)
    for row in range(first + 1, first + ROWS):
        values: tuple[Any, ...] = (
            chance.choice(["Ann", "Bo", " Cy ", "Dé", None]),
            chance.choice(["Smith", "=1+1", "#N/A", None, "Total"]),
            chance.choice([8613812345678 + row, f"+86 138 {row:08}", 138, None]),
            chance.choice([chance.randrange(20_000, 40_000), 60, "1990-05-07", None]),
            chance.choice(["x", True, 0.1 + 0.2, None, None, None]),
        )
        for at, value in enumerate(values, 1):
            if value is not None and chance.random() < 0.9:
                sheet.cell(row, at, value)
        sheet.cell(row, 3).number_format = chance.choice(["General", "00000000"])
        sheet.cell(row, 4).number_format = "yyyy-mm-dd"
        sheet.row_dimensions[row].hidden = chance.random() < 0.05
    sheet.cell(first + ROWS - 1, 1, "Last")
    change(sheet)
    book.save(path)
    return path


def rewritten(path: Path, part: str, change: Callable[[str], str]) -> Path:
    """The workbook with the XML of a part changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, change(text.decode()) if name == part else text)
    path.write_bytes(file.getvalue())
    return path


def facts(source: Source) -> list[object]:
    return [
        source.header,
        source.header_row,
        source.sheet,
        source.sheets,
        source.notes,
        source.estimated_rows,
    ]


def content(source: Source) -> list[object]:
    return [
        (
            chunk.sheet,
            chunk.frame.index.tolist(),
            chunk.frame.to_dict("list"),
            chunk.issues,
            [(skip.code, skip.rows.tolist()) for skip in chunk.skips],
        )
        for chunk in source.chunks()
    ]


def is_begun(source: Source) -> bool:
    assert isinstance(source, WorkbookSource)
    return any(table.begun for table, _ in source._tables)


def same(path: Path, whole: ReadOptions = WHOLE, head: ReadOptions = HEAD) -> bool:
    """Whether only the first rows were read on opening; asserts that everything is the same all the same."""
    with open_source(path, whole) as one, open_source(path, head) as other:
        begun = is_begun(other)
        assert facts(other) == facts(one)
        first = next(other.chunks())
        assert content(other) == content(one)
        assert first.frame.equals(next(other.chunks()).frame)
        assert other.rows_read == one.rows_read
    return begun


def merge(*spans: str) -> Callable[[Worksheet], None]:
    def change(sheet: Worksheet) -> None:
        for span in spans:
            sheet.merge_cells(span)

    return change


@only_where_limits_hold
@pytest.mark.parametrize(
    ("change", "first"),
    [
        (lambda sheet: None, 1),
        (lambda sheet: sheet.cell(1, 1, "Our customers"), 4),
        (merge("E2:E9", "E38:E45", "E48:E60", "E150:E160", "A5:B5"), 1),
        (
            lambda sheet: [
                sheet._cells.pop((row, at), None) for row in (*range(20, 35), 80) for at in range(6)
            ],
            1,
        ),
        (lambda sheet: [cell.__setattr__("value", None) for row in sheet["A10:E60"] for cell in row], 1),
    ],
)
def test_the_first_rows_read_as_in_the_whole_sheet(
    tmp_path: Path, change: Callable[[Worksheet], object], first: int
) -> None:
    assert same(workbook(tmp_path / "customers.xlsx", change, first))


@only_where_limits_hold
def test_texts_within_the_cells_read_the_same(tmp_path: Path) -> None:
    def inline(xml: str) -> str:
        return re.sub(r't="s"( ?/?>)<v>(\d+)</v>', r't="inlineStr"\1<is><t>n \2</t></is>', xml)

    def named(xml: str) -> str:
        for at, name in enumerate(HEADER):
            xml = xml.replace(f">n {at}<", f">{name}<")
        return xml

    path = rewritten(workbook(tmp_path / "customers.xlsx"), SHEET, lambda xml: named(inline(xml)))
    assert same(path)


def far_below(column: int) -> Callable[[Worksheet], object]:
    return lambda sheet: sheet.cell(ROWS - 5, column, "here")


@pytest.mark.parametrize(
    "change",
    [
        far_below(6),
        far_below(27),
        far_below(703),
        lambda sheet: sheet.insert_cols(1),
        lambda sheet: sheet.cell(1, 3).__setattr__("value", None),
        lambda sheet: [sheet.insert_cols(3), far_below(3)(sheet)],
        lambda sheet: sheet.cell(ROWS + 3, 1).__setattr__("number_format", "0.0"),
        lambda sheet: sheet.delete_rows(60, ROWS),
    ],
)
def test_what_is_further_down_is_found_whatever_the_first_rows_say(
    tmp_path: Path, change: Callable[[Worksheet], object]
) -> None:
    same(workbook(tmp_path / "customers.xlsx", change))


@pytest.mark.parametrize(
    ("part", "change"),
    [
        (SHEET, lambda xml: xml.replace('<row r="190"', '<row r="9"')),
        (SHEET, lambda xml: xml.replace("</worksheet>", "")),
        (SHEET, lambda xml: xml.replace("<row ", "<x:row ").replace("</row>", "</x:row>")),
        (STRINGS, lambda xml: xml.replace("<t>Ann</t>", "<r><t>An </t></r><r><t>n</t></r>")),
    ],
)
def test_a_sheet_in_another_form_is_read_whole(
    tmp_path: Path, part: str, change: Callable[[str], str]
) -> None:
    path = rewritten(workbook(tmp_path / "customers.xlsx"), part, change)
    codes = []
    for options in (WHOLE, HEAD):
        try:
            open_source(path, options).close()
        except InputError as error:
            codes.append(error.code)
    assert codes[:1] == codes[1:] or not same(path)


@only_where_limits_hold
def test_first_rows_read_ahead_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "customers.xlsx")
    monkeypatch.setattr("importer.readers.base.CHUNK_ROWS", 40)
    with prefetch_workbook(str(path), None, 5), open_source(path, HEAD) as source:
        assert is_begun(source)


@only_where_limits_hold
def test_a_workbook_written_to_before_its_other_rows_are_read_is_an_error(tmp_path: Path) -> None:
    path = workbook(tmp_path / "customers.xlsx")
    with open_source(path, HEAD) as source:
        chunks = source.chunks()
        next(chunks)
        workbook(path, far_below(2))
        with pytest.raises(InputError) as raised:
            list(chunks)
    assert raised.value.code == "file-changed"


def test_all_sheets_or_many_rows_are_read_whole(tmp_path: Path) -> None:
    path = workbook(tmp_path / "customers.xlsx")
    for whole, head in (
        (replace(WHOLE, sheet="all"), replace(HEAD, sheet="all")),
        (WHOLE, replace(HEAD, first_rows=41)),
    ):
        assert not same(path, whole, head)
