"""The same table in every format is the same customers. LibreOffice saved the workbooks in tests/data."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest

from importer.readers import ReadOptions, open_source

DATA = Path(__file__).parents[2] / "data"
HEADER = ["first_name", "last_name", "sms_phone", "birthday", "remark", "gender", "postcode"]
ROWS = {
    2: ["张", "伟", "8613812345678", "1990-05-07", '你好, "世界"', "1", "00501"],
    3: ["李", "小明", "8613912345678", "2001-12-31", "两行\n文字", "0", "10115"],
    5: ["王", "芳", "+86 139 0000 0003", "1985-02-28", "=not a formula", "女", "02139"],
    6: ["欧阳", "娜娜", "008613800000004", "1999-09-09", "1/2", "1", "99999"],
}
DAY = {"1990-05-07": 33000, "2001-12-31": 37256, "1985-02-28": 31106, "1999-09-09": 36412}


def text(delimiter: str) -> str:
    def cell(value: str) -> str:
        quoted = any(mark in value for mark in f'"\n{delimiter}')
        return '"' + value.replace('"', '""') + '"' if quoted else value

    lines = [HEADER, *(ROWS.get(number, [""] * len(HEADER)) for number in range(2, 7))]
    return "".join(delimiter.join(map(cell, cells)) + "\r\n" for cells in lines)


def number(value: int) -> bytes:
    """A BIFF12 number: seven bits a byte."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def record(kind: int, body: bytes = b"") -> bytes:
    return number(kind) + number(len(body)) + body


def string(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode("utf-16-le")


def cell(column: int, header: str, value: str) -> bytes:
    """One cell as a spreadsheet program stores it: phones, days, codes and genders as numbers."""
    if header == "birthday" and value in DAY:
        return record(5, struct.pack("<IId", column, 1, DAY[value]))
    if header == "postcode" and value.isdecimal():
        return record(5, struct.pack("<IId", column, 2, float(value)))
    if value.isdecimal() and not value.startswith("00"):
        return record(5, struct.pack("<IId", column, 0, float(value)))
    return record(6, struct.pack("<II", column, 0) + string(value))


def xlsb() -> bytes:
    """A workbook in Excel's binary format, as far as readers need it ([MS-XLSB] 2.1.7)."""
    rows = b""
    for at, cells in {1: HEADER, **ROWS}.items():
        rows += record(0, struct.pack("<IIHHBI", at - 1, 0, 300, 0, 0, 0))
        for column, (header, value) in enumerate(zip(HEADER, cells, strict=True)):
            rows += cell(column, header if at > 1 else "", value)
    sheet = record(129) + record(148, struct.pack("<IIII", 0, 5, 0, 6)) + record(145) + rows
    formats = record(44, struct.pack("<H", 164) + string("00000"))
    styles = b"".join(record(47, struct.pack("<HH", 0, code) + bytes(12)) for code in (0, 14, 164))
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    link = '<Relationships xmlns="{}"><Relationship Id="rId1" Type="{}/{}" Target="{}"/></Relationships>'
    members = {
        "[Content_Types].xml": b"<Types/>",
        "_rels/.rels": link.format(package, office, "officeDocument", "xl/workbook.bin").encode(),
        "xl/_rels/workbook.bin.rels": link.format(
            package, office, "worksheet", "worksheets/sheet1.bin"
        ).encode(),
        "xl/workbook.bin": record(131)
        + record(143)
        + record(156, struct.pack("<II", 0, 1) + string("rId1") + string("客户"))
        + record(144)
        + record(132),
        "xl/styles.bin": record(278)
        + record(615, struct.pack("<I", 1))
        + formats
        + record(616)
        + record(617, struct.pack("<I", 3))
        + styles
        + record(618)
        + record(279),
        "xl/worksheets/sheet1.bin": sheet + record(146) + record(130),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


MADE = {
    "customers.csv": lambda: text(",").encode(),
    "customers.tsv": lambda: text("\t").encode(),
    "gbk.csv": lambda: text(";").encode("gbk"),
    "utf16.tsv": lambda: text("\t").encode("utf-16"),
    "customers.xlsb": xlsb,
    "customers.xlsx": (DATA / "customers.xlsx").read_bytes,
    "customers.xls": (DATA / "customers.xls").read_bytes,
    "customers.ods": (DATA / "customers.ods").read_bytes,
}


@pytest.mark.parametrize("name", MADE)
def test_the_same_table_reads_alike_from_every_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(MADE[name]())
    with open_source(path, ReadOptions(is_known=frozenset(HEADER).__contains__)) as source:
        assert list(source.header) == HEADER
        rows = {
            int(number): cells
            for chunk in source.chunks()
            for number, cells in zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True)
        }
        assert [issue for chunk in source.chunks() for issue in chunk.issues] == []
    assert rows == ROWS
