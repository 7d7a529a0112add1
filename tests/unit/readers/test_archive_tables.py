"""Several tables of an archive are read like the sheets of a workbook."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from importer.errors import InputError
from importer.readers import ReadOptions, Source, open_source

HEAD = "first_name,last_name,phone\n"


def workbook(**sheets: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    del book["Sheet"]
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("2026/north/customers.csv", f"{HEAD}Ann,Lee,1\nBo,Lee,2\n")
        archive.writestr("2026/south/customers.csv", "last_name;first_name;city\nLi;Cy;X\n")
        rows = [["first_name", "last_name"], ["Di", "Lee"]]
        archive.writestr("2026/east.xlsx", workbook(One=rows, Two=rows))
        archive.writestr("readme.pdf", b"%PDF-1.7\n")
        archive.writestr("notes.txt", "exported on Monday\n")
        archive.writestr("__MACOSX/._x", b"\0")
    return tmp_path / "x.zip"


def options(sheet: str | None = None) -> ReadOptions:
    known = {"first_name", "last_name", "phone", "city"}
    return ReadOptions(sheet=sheet, is_known=known.__contains__)


def rows_of(source: Source) -> list[tuple[str, int, dict[str, str]]]:
    found = []
    for chunk in source.chunks():
        names = [str(name) for name in chunk.frame.columns]
        rows = zip(chunk.frame.index.to_list(), chunk.frame.itertuples(index=False, name=None), strict=True)
        for row, cells in rows:
            filled = {name: str(cell) for name, cell in zip(names, cells, strict=True) if cell}
            found.append((chunk.sheet, int(row), filled))
    return found


def test_nobody_guesses_which_table_is_meant(path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_source(path, options())
    assert caught.value.code == "archive-of-several"
    assert "--sheet all" in caught.value.hint()


def test_all_tables_are_read_one_after_the_other(path: Path) -> None:
    with open_source(path, options("all")) as source:
        assert source.header == ("first_name", "last_name", "phone", "city")
        assert [note.code for note in source.notes] == ["sheet-without-header"]
        assert set(source.sheet_headers) == {
            "2026/north/customers.csv",
            "2026/south/customers.csv",
            "2026/east.xlsx/One",
            "2026/east.xlsx/Two",
        }
        wanted = [
            ("2026/north/customers.csv", 2, {"first_name": "Ann", "last_name": "Lee", "phone": "1"}),
            ("2026/north/customers.csv", 3, {"first_name": "Bo", "last_name": "Lee", "phone": "2"}),
            ("2026/south/customers.csv", 2, {"first_name": "Cy", "last_name": "Li", "city": "X"}),
            ("2026/east.xlsx/One", 2, {"first_name": "Di", "last_name": "Lee"}),
            ("2026/east.xlsx/Two", 2, {"first_name": "Di", "last_name": "Lee"}),
        ]
        assert rows_of(source) == wanted
        assert rows_of(source) == wanted
        assert source.rows_read == 5


@pytest.mark.parametrize(
    ("sheet", "count"),
    [
        ("2026/north/customers.csv", 2),
        ("2026/SOUTH/customers.csv", 1),
        ("east.xlsx", 1),
        ("east.xlsx/Two", 1),
        ("2026/east.xlsx/Two", 1),
    ],
)
def test_one_table_is_read_by_its_name(path: Path, sheet: str, count: int) -> None:
    with open_source(path, options(sheet)) as source:
        assert len(rows_of(source)) == count


@pytest.mark.parametrize("sheet", ["customers.csv", "west.csv", "east.xlsx/Three"])
def test_a_name_of_none_or_of_two_is_told(path: Path, sheet: str) -> None:
    with pytest.raises(InputError) as caught:
        open_source(path, options(sheet))
    assert caught.value.code == "no-sheet"


def test_what_lies_beside_the_only_table_does_not_matter(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/b/c/customers.csv", f"{HEAD}Ann,Lee,1\n")
        archive.writestr("a/licence.html", "<html></html>")
    with open_source(tmp_path / "x.zip", options()) as source:
        assert len(rows_of(source)) == 1


PROSE = {
    "readme.txt": "Dear all,\nhere is the export of Monday, as promised.\nRegards,\nNorth Ltd\n",
    "README": "# Export\n\nThis archive holds, among others, the customers.\n\n- phone, with country\n",
    "schema.json": '{\n "a": 1,\n "b": 2\n}\n',
    "empty.txt": "",
    "data.bin": "\x00\x01\x02\x03\x04",
}


@pytest.mark.parametrize("name", PROSE)
def test_remarks_beside_a_table_are_left_out_and_named(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, PROSE[name])
        archive.writestr("in/c.csv", f"{HEAD}Ann,Lee,1\n")
    with open_source(tmp_path / "x.zip", options()) as source:
        assert [row["first_name"] for _, _, row in rows_of(source)] == ["Ann"]
        assert [dict(note.found)["sheet"] for note in source.notes] == [name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("more.txt", "Vorname;Nachname;Ort\nBo;Lee;X\n"),
        ("more.txt", 'name,address,tel\nAnn,"Main St, 5",1\nBo,"X, Y, 7",2\n'),
        ("more.txt", "name, tel\nAnn, 1\nBo, 2\n"),
        ("more", "a\tb\nc\td\n"),
        ("more.json", '{"a": 1}\n{"a": 2}\n'),
        ("more.csv", "exported on Monday\n"),
    ],
)
def test_what_may_be_a_second_table_is_asked_about(tmp_path: Path, name: str, text: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("c.csv", f"{HEAD}Ann,Lee,1\n")
        archive.writestr(name, text)
    with pytest.raises(InputError) as caught:
        open_source(tmp_path / "x.zip", options())
    assert caught.value.code == "archive-of-several"
