"""The look at a sheet's XML: what it finds, and in which sheets it would rather not trust itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.readers.excel.xlsx_scan import MARGIN, ByteScan, SheetScan, scan_sheet

CELLS = b'<c r="A1" t="s"><v>0</v></c><c r="AB1" s="3"><v>7</v></c>'


def sheet(rows: bytes) -> bytes:
    return b'<worksheet><cols><col min="1"/></cols><sheetData>' + rows + b"</sheetData></worksheet>"


def pieces(xml: bytes, size: int) -> list[bytes]:
    return [xml[at : at + size] for at in range(0, len(xml), size)]


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_it_finds_the_same_wherever_the_pieces_end(size: int) -> None:
    xml = sheet(
        b'<row r="1" spans="1:28" hidden="1">' + CELLS + b"</row>"
        b'<row r="3"><c r="B3" t="e"><v>#N/A</v></c><c r="XFD3" s="3"><f>A1</f></c></row>'
        b'<row r="9" hidden="0"></row>'
    )
    assert scan_sheet(pieces(xml, size), (3,)) == SheetScan(
        plain=True,
        cells=4,
        last_row=9,
        width=16_384,
        values=True,
        shared_strings=True,
        errors={(3, 1): "#N/A"},
        unvalued=[(3, 16_383)],
        masked=scan_sheet([xml], (3,)).masked,
        hidden=[1],
    )
    assert {place: list(rows) for place, rows in scan_sheet([xml], (3,)).masked.items()} == {
        (27, 3): [1],
        (16_383, 3): [3],
    }


@pytest.mark.parametrize(
    "rows",
    [
        b"<row>" + CELLS + b"</row>",
        b'<row spans="1:2">' + CELLS + b"</row>",
        b'<row r="2"></row><row r="1"></row>',
        b'<row r="1"></row><row r="1"></row>',
        b'<row r="1048577"></row>',
        b'<row r="1"><c><v>1</v></c></row>',
        b'<row r="1"><c s="1" r="A1"/></row>',
        b'<row r="1"><c r="a1"/></row>',
        b'<row r="1"><c r="1"/></row>',
        b'<row r="1"><c r="AAAA1"/></row>',
        b'<row r="1"><!-- a comment --></row>',
        b'<x:row r="1"></x:row>',
    ],
)
def test_a_sheet_in_an_unusual_form_is_not_plain(rows: bytes) -> None:
    assert not scan_sheet([sheet(rows)], ()).plain


def test_a_sheet_without_its_end_is_not_plain() -> None:
    assert not scan_sheet([sheet(b"").removesuffix(b"</worksheet>")], ()).plain
    assert scan_sheet([sheet(b"")], ()) == SheetScan()


@given(
    st.text('<c r"=es>:', max_size=60).map(str.encode),
    st.sampled_from([b"<c ", b"<c", b':r="', b"<row ", b'"e"']),
    st.integers(0, 60),
)
def test_places_are_all_where_the_needle_begins(xml: bytes, needle: bytes, end: int) -> None:
    found = ByteScan(xml + MARGIN, min(end, len(xml))).positions(needle).tolist()
    assert found == [at for at in range(min(end, len(xml))) if xml.startswith(needle, at)]


@pytest.mark.parametrize("blank", [b"\t", b"\n", b"\r\n"])
def test_rows_written_with_other_blanks_are_read_with_care(blank: bytes) -> None:
    row = b"<row" + blank + b'r="3" hidden="1">' + CELLS + b"</row>"
    assert not scan_sheet([sheet(b'<row r="1"></row>' + row)], ()).plain
