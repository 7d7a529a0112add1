"""Texts whose cells are quoted in unusual ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.mapping import is_known_name
from importer.readers import ReadOptions, open_source

OPTIONS = ReadOptions(is_known=is_known_name)


def cells(path: Path, text: bytes) -> dict[int, list[str]]:
    path.write_bytes(text)
    with open_source(path, OPTIONS) as source:
        assert source.header == ("First Name", "Last Name", "Address")
        return {
            int(number): line
            for chunk in source.chunks()
            for number, line in zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True)
        }


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            b'"First Name","Last Name","Address"\n"Ann","Lee \\"A\\"","1 Road, \\"B\\""\n',
            ["Ann", 'Lee "A"', '1 Road, "B"'],
        ),
        (
            b"First Name\tLast Name\tAddress\nAnn\tO\\'Lee\t1 Road\\\nX\\\tY\n",
            ["Ann", "O'Lee", "1 Road\nX\tY"],
        ),
        (
            b"'First Name','Last Name','Address'\n'Ann','O''Lee','1 Road, \"B\"'\n",
            ["Ann", "O'Lee", '1 Road, "B"'],
        ),
        (
            "“First Name”,“Last Name”,“Address”\n“Ann”,“Lee”,“1 Road, X”\n".encode(),
            ["Ann", "Lee", "1 Road, X"],
        ),
        (
            b'""First Name"",""Last Name"",""Address""\n""Ann"",""Lee"",""1 Road, X""\n',
            ["Ann", "Lee", "1 Road, X"],
        ),
        (b'"First Name,Last Name,Address"\n"Ann,Lee,""1 Road, X"""\n', ["Ann", "Lee", "1 Road, X"]),
        (b'First Name;Last Name;Address\n="Ann";"=""Lee""";="1; X"\n', ["Ann", "Lee", "1; X"]),
        (b'First Name,Last Name,Address\nAnn,Lee,"C:\\Users\\"\n', ["Ann", "Lee", "C:\\Users\\"]),
    ],
)
def test_cells_come_as_they_were_meant(tmp_path: Path, text: bytes, want: list[str]) -> None:
    assert cells(tmp_path / "customers.csv", text) == {2: want}


def test_end_marks_and_byte_order_marks_between_lines_are_no_text(tmp_path: Path) -> None:
    text = b'First Name,Last Name,Address\r\nAnn,Lee,x\r\n\xef\xbb\xbf"Bo",Wu,y\r\n\x1a'
    assert cells(tmp_path / "customers.csv", text) == {2: ["Ann", "Lee", "x"], 3: ["Bo", "Wu", "y"]}


@pytest.mark.parametrize("cell", ['"Road 1" gate 2', '"a"b"c"', '"Ann "Annie" Lee"'])
def test_text_behind_a_quote_keeps_the_row_back(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(f'First Name,Last Name,Address\nAnn,Lee,{cell}\nBo,Wu,"x"" y"\n', encoding="utf-8")
    with open_source(path, OPTIONS) as source:
        issues = [issue for chunk in source.chunks() for issue in chunk.issues]
    assert [(issue.row, issue.code) for issue in issues] == [(2, "text-after-quote")]


@pytest.mark.parametrize("cell", ["JosÃ©", "Pe�a", "O&#39;Neil", "???", "å¼ ä¸‰"])
def test_garbled_text_is_a_warning(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        f"First Name,Last Name,Address\nAnn,{cell},x\nÂngela,Gonçalves,Why? R&D\n", encoding="utf-8"
    )
    with open_source(path, OPTIONS) as source:
        issues = [issue for chunk in source.chunks() for issue in chunk.issues]
    assert [(issue.row, issue.code, issue.severity.value) for issue in issues] == [
        (2, "garbled-text", "warning")
    ]
