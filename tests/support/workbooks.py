"""What tests ask of a workbook's sheets, and tables written in every format."""

from __future__ import annotations

import csv
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import openpyxl


def header(sheet: Any, row: int = 1) -> dict[str, int]:
    """The columns of an openpyxl sheet, counted from 1, by the texts in its header's row."""
    return {str(cell.value): cell.column for cell in sheet[row]}


Spans = Sequence[tuple[int, int, int]]
"""Merged cells: their column (counted from 1), first and last row."""


def write_table(path: Path, rows: Sequence[Sequence[str]], merged: Spans = ()) -> None:
    """Write rows of text as the format that the path's ending names: .csv, .xlsx, .ods or .xls.

    Only workbooks have merged cells.
    """
    writers = {".xlsx": _write_xlsx, ".ods": _write_ods, ".xls": _write_xls}
    if path.suffix == ".csv":
        _write_csv(path, rows)
    else:
        writers[path.suffix](path, rows, merged)


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def _write_xlsx(path: Path, rows: Sequence[Sequence[str]], merged: Spans) -> None:
    book = openpyxl.Workbook()
    for row, cells in enumerate(rows, start=1):
        for column, cell in enumerate(cells, start=1):
            if cell:
                book.active.cell(row, column).value = cell
                book.active.cell(row, column).data_type = "s"
    for column, first, last in merged:
        book.active.merge_cells(None, first, column, last, column)
    book.save(path)


def _write_ods(path: Path, rows: Sequence[Sequence[str]], merged: Spans) -> None:
    spans = {
        (first, column): f' table:number-rows-spanned="{last - first + 1}"' for column, first, last in merged
    }
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    lines = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"{spans.get((row, column), "")}>'
            f"<text:p>{escape(cell)}</text:p></table:table-cell>"
            if cell
            else "<table:covered-table-cell/>"
            for column, cell in enumerate(cells, start=1)
        )
        + "</table:table-row>"
        for row, cells in enumerate(rows, start=1)
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content{names}><office:body><office:spreadsheet>"
            f'<table:table table:name="Sheet1">{lines}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )


def _write_xls(path: Path, rows: Sequence[Sequence[str]], merged: Spans) -> None:
    """Write a sheet of LABEL records, and one of merged cells, in a compound file ([MS-XLS] 2.4.148 and
    2.4.168, [MS-CFB] 2)."""

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0x0DBB, 1996, 0, 6))

    cells = b"".join(
        record(0x204, struct.pack("<HHHHB", row, column, 0, len(cell), 1) + cell.encode("utf-16-le"))
        for row, line in enumerate(rows)
        for column, cell in enumerate(line)
        if cell
    )
    spans = [
        struct.pack("<4H", first - 1, last - 1, column - 1, column - 1) for column, first, last in merged
    ]
    cells += record(0xE5, struct.pack("<H", len(spans)) + b"".join(spans)) if spans else b""
    width = max(map(len, rows))
    sheet = (
        begin(0x10) + record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0)) + cells + record(0x0A)
    )
    name = "Sheet1".encode("utf-16-le")
    globals_ = begin(5) + record(0x42, struct.pack("<H", 1200)) + record(0xE0, bytes(20))
    entry = len(globals_) + 4 + 6 + 2 + len(name) + 4
    globals_ += record(0x85, struct.pack("<IBBBB", entry, 0, 0, 6, 1) + name) + record(0x0A)
    stream = (globals_ + sheet).ljust(4096, b"\0")
    stream += bytes(-len(stream) % 512)
    sectors = len(stream) // 512
    table = [*range(1, sectors), 0xFFFFFFFE, 0xFFFFFFFE]
    fat_sectors = -(-(len(table) + 1) // 128)
    while -(-(len(table) + fat_sectors) // 128) > fat_sectors:
        fat_sectors += 1
    table += [0xFFFFFFFD] * fat_sectors
    table += [0xFFFFFFFF] * (128 * fat_sectors - len(table))

    def directory(name: str, kind: int, child: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le")
        length = len(text) + 2 if text else 0
        links = struct.pack("<BBIII", kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
        return (
            text.ljust(64, b"\0")
            + struct.pack("<H", length)
            + links
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    entries = directory("Root Entry", 5, 1, 0xFFFFFFFE, 0) + directory(
        "Workbook", 2, 0xFFFFFFFF, 0, len(stream)
    )
    entries += directory("", 0, 0xFFFFFFFF, 0, 0) * 2
    places = [sectors + 1 + at for at in range(fat_sectors)]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, fat_sectors, sectors, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += b"".join(struct.pack("<I", place) for place in places)
    fat = b"".join(struct.pack("<I", entry) for entry in table)
    path.write_bytes(header.ljust(512, b"\xff") + stream + entries + fat)


_FIRST = ("Anna", "Boris", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Irene", "Jonas")
_LAST = ("Keller", "Lindner", "Maier", "Novak", "Olsen", "Peters", "Richter")


def write_spring_fair(path: Path) -> None:
    """Write a workbook with a cover sheet, title rows, two header rows, national phones and bad cells."""
    book = openpyxl.Workbook()
    cover = book.active
    cover.title = "Notes"
    cover.append(["Contacts of the spring fair"])
    sheet = book.create_sheet("Customers")
    for line in (["Spring fair 2026 – customers"], ["exported by reception"], []):
        sheet.append(line)
    sheet.append(["Name", "", "Contact", "", "Person", "", ""])
    sheet.append(["First name", "Last name", "Mobile", "E-mail", "Birthday", "Gender", "Remarks"])
    for n in range(12):
        first, last = _FIRST[n % 10], _LAST[n % 7]
        mail, day = f"{first.lower()}{n}@leefamily.net", f"{1 + n:02d}/{13 + n:02d}/1990"
        sheet.append([first, last, f"0170 12345{n:02d}", mail, day, "2" if n % 2 else "1", "vip"])
    sheet["E8"] = "31/02/1990"
    sheet["D10"] = "emma4@gmial,com"
    sheet["B12"] = ""
    sheet["D15"] = "jonas9(at)hotmail.com"
    book.save(path)
