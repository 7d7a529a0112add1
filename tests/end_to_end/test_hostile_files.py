"""Files made to hurt: each gives a clean reading or a clean error, within a minute and 1 GiB."""

from __future__ import annotations

import gzip
import io
import random
import re
import struct
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.errors import InputError
from importer.readers import ReadOptions, open_source

INDEX = tomllib.loads((Path(__file__).parents[1] / "data" / "hostile.toml").read_text("utf-8"))
OPTIONS = ReadOptions(is_known=frozenset({"first_name", "last_name"}).__contains__)
SHEET = "xl/worksheets/sheet1.xml"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
CSV = b"first_name,last_name\nAnn,Bo\n"
ROWS = [["first_name", "last_name"], ["Ann", "Bo"], ["Cy", "Do"]]


def sheet_xml(rows: list[list[str]], more: str = "") -> str:
    body = ""
    for at, cells in enumerate(rows, 1):
        inside = "".join(
            f'<c r="{column_letters(column)}{at}" t="inlineStr"><is><t>{cell}</t></is></c>'
            for column, cell in enumerate(cells)
        )
        body += f'<row r="{at}">{inside}</row>'
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}{more}</sheetData></worksheet>'


def column_letters(at: int) -> str:
    letters = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def parts(sheet: str | bytes) -> dict[str, str | bytes]:
    link = '<Relationships xmlns="{}"><Relationship Id="r1" Type="{}/{}" Target="{}"/></Relationships>'
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": link.format(PACKAGE, OFFICE, "officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">'
        '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": link.format(PACKAGE, OFFICE, "worksheet", "worksheets/sheet1.xml"),
        SHEET: sheet,
    }


def archive(members: dict[str, str | bytes], rename: Callable[[str], str] = str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.filename = rename(name)
            member.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(member, content)
    return file.getvalue()


def xlsx(sheet: str | bytes | None = None, **changed: str | bytes) -> bytes:
    return archive({**parts(sheet if sheet is not None else sheet_xml(ROWS)), **changed})


def shared(count: int) -> str:
    strings = "".join(f"<si><t>{cell}</t></si>" for row in ROWS for cell in row)
    return f'<sst xmlns="{MAIN}">{strings}</sst>' if count else ""


def shared_sheet(first: int = 0) -> str:
    cells = iter(range(first, first + 6))
    body = "".join(
        f'<row r="{row}"><c r="A{row}" t="s"><v>{next(cells)}</v></c>'
        f'<c r="B{row}" t="s"><v>{next(cells)}</v></c></row>'
        for row in (1, 2, 3)
    )
    return f'<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData></worksheet>'


def compound(streams: dict[str, bytes], loop: bool = False) -> bytes:
    """A compound file ([MS-CFB]) of 512-byte sectors: table, directory, then the streams."""
    table = [0xFFFFFFFD, 0xFFFFFFFE]
    entries = [("Root Entry", 5, 0xFFFFFFFE, 0)]
    data = b""
    for name, content in streams.items():
        content = content.ljust(4096, b"\0")
        count = -(-len(content) // 512)
        first = len(table)
        table += [*range(first + 1, first + count), first if loop else 0xFFFFFFFE]
        entries.append((name, 2, first, len(content) if not loop else 1 << 30))
        data += content.ljust(count * 512, b"\0")
    if loop:
        table[1] = 1
    directory = b""
    for at, (name, kind, first, size) in enumerate(entries):
        text = (name + "\0").encode("utf-16-le")
        directory += text.ljust(64, b"\0") + struct.pack("<HBB", len(text), kind, 1)
        child = 1 if at == 0 and len(entries) > 1 else 0xFFFFFFFF
        after = at + 1 if 0 < at < len(entries) - 1 else 0xFFFFFFFF
        directory += (
            struct.pack("<III", 0xFFFFFFFF, after, child) + bytes(36) + struct.pack("<IQ", first, size)
        )
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6)
    head += bytes(10) + struct.pack("<IIIIIIIII", 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    head += b"\xff\xff\xff\xff" * 108
    sectors = struct.pack(f"<{len(table)}I", *table).ljust(512, b"\xff")
    return head + sectors + directory.ljust(512, b"\0") + data


def names(width: int) -> list[str]:
    return ["first_name", "last_name", *(f"c{at}" for at in range(width - 2))]


def wide(width: int) -> bytes:
    return xlsx(sheet_xml([names(width), ["x"] * width]))


def table(width: int, rows: int) -> bytes:
    return "\n".join([",".join(names(width)), *[",".join("x" * width)] * (rows - 1)]).encode()


def formatted_rows() -> str:
    return "".join(f'<row r="{at}" s="1"><c r="A{at}" s="1"/></row>' for at in range(4, 1_048_577, 4))


def long_text() -> str:
    return "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=1_000_000)) * 20


def far_cell(reference: str, row: int) -> str:
    return f'<row r="{row}"><c r="{reference}" t="inlineStr"><is><t>x</t></is></c></row>'


def without_references() -> str:
    return re.sub(r'(<c|<row) r="[^"]*"', r"\1", sheet_xml(ROWS))


def prefixed() -> str:
    return re.sub(r"<(/?)(\w)", r"<\1x:\2", sheet_xml(ROWS)).replace("xmlns=", "xmlns:x=")


def strict() -> bytes:
    purl = "http://purl.oclc.org/ooxml/"
    names = {MAIN: purl + "spreadsheetml/main", OFFICE: purl + "officeDocument/relationships"}
    members = parts(sheet_xml(ROWS))
    for name, content in members.items():
        for usual, own in names.items():
            content = str(content).replace(usual, own)
        members[name] = content
    return archive(members)


def repeated_ods() -> bytes:
    return ods(
        '<t:table-row t:number-rows-repeated="1048576"><t:table-cell t:number-columns-repeated="16384" '
        'o:value-type="string"><x:p>x</x:p></t:table-cell></t:table-row>'
    )


def wide_ods() -> bytes:
    rows = [names(16_385), ["Ann"] * 16_385]
    cell = '<t:table-cell o:value-type="string"><x:p>{}</x:p></t:table-cell>'
    return ods("".join(f"<t:table-row>{''.join(map(cell.format, row))}</t:table-row>" for row in rows))


def ods(rows: str) -> bytes:
    content = (
        '<o:document-content xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:t="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
        'xmlns:x="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><o:body><o:spreadsheet><t:table t:name="S">'
        f"{rows}</t:table></o:spreadsheet></o:body></o:document-content>"
    )
    mimetype = "application/vnd.oasis.opendocument.spreadsheet"
    return archive({"mimetype": mimetype, "content.xml": content})


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
WORKBOOK = str(parts("")["xl/workbook.xml"])
XOR_STREAM = struct.pack("<HHHHHHII", 0x809, 16, 0x600, 5, 0, 0, 0, 0) + struct.pack(
    "<HHHHH", 0x2F, 6, 0, 1, 2
)
DIMENSION = sheet_xml(ROWS).replace("<sheetData>", '<dimension ref="{}"/><sheetData>')

FILES: dict[str, Callable[[], bytes]] = {
    "zip-bomb": lambda: xlsx(sheet_xml(ROWS).replace("<sheetData>", " " * 200_000_000 + "<sheetData>")),
    "gzip-bomb": lambda: gzip.compress(bytes(200_000_000)),
    "xml-entities-in-sheet": lambda: xlsx(ENTITIES + sheet_xml([*ROWS, ["&b;"]])),
    "xml-entities-in-workbook": lambda: xlsx(**{"xl/workbook.xml": EXTERNAL + WORKBOOK}),
    "formatted-empty-rows": lambda: xlsx(sheet_xml(ROWS, formatted_rows())),
    "columns-16385-csv": lambda: table(16_385, 2),
    "columns-30000-csv": lambda: table(30_000, 20),
    "columns-16385-xlsx": lambda: wide(16_385),
    "columns-16385-ods": wide_ods,
    "cells-beyond-the-header": lambda: CSV + b"Cy,Do" + b"," * 195_000 + b"x\nEd,Fy\n",
    "columns-16384": lambda: wide(16_384),
    "long-cell": lambda: xlsx(sheet_xml([*ROWS, [], [long_text()]])),
    "long-cell-csv": lambda: CSV + b"Cy," + b"x" * 50_000_000 + b"\n",
    "endless-line": lambda: CSV[:-1] + b"x" * 80_000_000,
    "nul-bytes": lambda: b"first_name,last_name\nA\0nn,Bo\nCy,\0\n",
    "only-nul-bytes": lambda: bytes(5000),
    "used-range-to-the-last-cell": lambda: xlsx(sheet_xml(ROWS, far_cell("XFD1048576", 1_048_576))),
    "wrong-dimension": lambda: xlsx(DIMENSION.format("A1")),
    "huge-dimension": lambda: xlsx(DIMENSION.format("A1:XFD1048576")),
    "strict": strict,
    "own-prefix": lambda: xlsx(prefixed()),
    "sheets-without-number": lambda: xlsx(
        sheet_xml(ROWS),
        **{"xl/workbook.xml": re.sub("<sheet [^>]*/>", lambda found: found[0] * 6000, WORKBOOK)},
    ),
    "impossible-reference": lambda: xlsx(sheet_xml(ROWS).replace('r="A2"', 'r="ZZZZZ2"')),
    "no-references": lambda: xlsx(without_references()),
    "backslashes": lambda: archive(parts(sheet_xml(ROWS)), rename=lambda name: name.replace("/", "\\")),
    "no-shared-strings": lambda: xlsx(shared_sheet()),
    "short-shared-strings": lambda: xlsx(shared_sheet(3), **{"xl/sharedStrings.xml": shared(6)}),
    "repeated-row": lambda: xlsx(sheet_xml(ROWS, far_cell("A3", 3))),
    "row-number-out-of-range": lambda: xlsx(sheet_xml(ROWS, far_cell("A99999999999", 99_999_999_999))),
    "cut-archive": lambda: xlsx()[:700],
    "cut-sheet": lambda: xlsx(sheet_xml(ROWS)[:300]),
    "password": lambda: compound({"EncryptionInfo": b"\4\0\4\0", "EncryptedPackage": b"x" * 5000}),
    "xor-password": lambda: compound({"Workbook": XOR_STREAM}),
    "random-ole": lambda: compound({})[:8] + random.Random(1).randbytes(5000),
    "looping-ole": lambda: compound({"Workbook": XOR_STREAM[:20]}, loop=True),
    "repeated-ods": repeated_ods,
    "deep-xml": lambda: xlsx(sheet_xml(ROWS, "<a>" * 1_000_000)),
    "quote-storm": lambda: b"first_name,last_name\n" + b'"a","b\n' * 20_000,
    "many-quotes": lambda: b"first_name,last_name\n" + b'"' * 1_000_000 + b"\n",
    "html": lambda: b"\n <!DOCTYPE html><html><table><tr><td>first_name</td></tr></table></html>",
    "truncated-gzip": lambda: gzip.compress(CSV * 1000 + random.Random(1).randbytes(999))[:600],
}


def test_the_index_names_every_file() -> None:
    assert set(INDEX) == set(FILES)


def read(path: Path) -> tuple[list[int], list[tuple[str, int]]]:
    """The rows' numbers, and the issues as code and row."""
    rows: list[int] = []
    issues: list[tuple[str, int]] = []
    with open_source(path, OPTIONS) as source:
        for chunk in source.chunks():
            rows.extend(int(row) for row in chunk.frame.index)
            issues.extend((issue.code, issue.row) for issue in chunk.issues)
    return rows, issues


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_gives_what_its_index_says(tmp_path: Path, name: str) -> None:
    expected: dict[str, Any] = INDEX[name]
    path = tmp_path / "customers.xls"
    path.write_bytes(FILES[name]())
    if "error" in expected:
        with pytest.raises(InputError) as caught:
            read(path)
        assert caught.value.code == expected["error"]
        assert str(path) in caught.value.sentence()
        return
    rows, issues = read(path)
    if "rows" in expected:
        assert rows == expected["rows"]
    if "issues_counted" in expected:
        assert dict(Counter(code for code, _ in issues)) == expected["issues_counted"]
    elif "issues" in expected:
        assert [list(issue) for issue in issues] == expected["issues"]
