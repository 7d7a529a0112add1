"""OpenDocument spreadsheets: what their cells show is what is read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from importer.errors import InputError
from importer.readers import ReadOptions, open_source

OPTIONS = ReadOptions(is_known=frozenset({"first_name", "last_name"}).__contains__)
NAMES = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)
HEADER = "".join(
    f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>'
    for name in ("first_name", "last_name", "remark")
)
ROWS = f"""<table:table-row>{HEADER}</table:table-row>
<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="99"/></table:table-row>
<table:table-row><table:table-cell office:value-type="float" office:value="7"><text:p>007</text:p></table:table-cell>
<table:table-cell office:value-type="date" office:date-value="1990-05-07T00:00:00"><text:p>7 May</text:p></table:table-cell>
<table:table-cell><text:p>a<text:s text:c="2"/>b</text:p><text:p>c</text:p>
<office:annotation><text:p>aside</text:p></office:annotation></table:table-cell></table:table-row>
<table:table-row table:visibility="filter">
<table:table-cell office:value-type="boolean" office:boolean-value="true"><text:p>WAHR</text:p></table:table-cell>
<table:table-cell table:formula="of:=NA()" office:value-type="string"><text:p>#N/A</text:p></table:table-cell>
<table:table-cell table:formula="of:=A1"/></table:table-row>"""  # noqa: E501


def content(rows: str, more: str = "") -> str:
    styles = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    return (
        f"<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{more}"
        f'<table:table table:name="S">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )


def ods(xml: str | bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", xml)
    return file.getvalue()


def test_cells_come_as_they_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "customers.ods"
    path.write_bytes(ods(content(ROWS)))
    with open_source(path, OPTIONS) as source:
        (chunk,) = source.chunks()
    rows = dict(zip(chunk.frame.index, chunk.frame.to_numpy().tolist(), strict=True))
    assert rows == {4: ["007", "1990-05-07", "a  b\nc"], 5: ["TRUE", "#N/A", ""]}
    assert [(issue.row, issue.code, issue.column) for issue in chunk.issues] == [
        (5, "cell-error", "last_name"),
        (5, "formula-without-value", "remark"),
        (5, "hidden-rows", None),
    ]


def test_a_truth_value_made_by_a_formula_is_no_number(tmp_path: Path) -> None:
    cell = '<table:table-cell table:formula="of:=TRUE()" office:value-type="float" office:value="{}">{}'
    shown = "<text:p>{}</text:p></table:table-cell>"
    row = "".join(cell.format(*pair) for pair in ((1, shown.format("TRUE")), (0, shown.format("False"))))
    path = tmp_path / "customers.ods"
    path.write_bytes(
        ods(content(f"<table:table-row>{HEADER}</table:table-row><table:table-row>{row}</table:table-row>"))
    )
    with open_source(path, OPTIONS) as source:
        (chunk,) = source.chunks()
    assert chunk.frame.to_numpy().tolist() == [["TRUE", "FALSE", ""]]


def test_a_hidden_sheet_is_read_by_name_only(tmp_path: Path) -> None:
    hidden = f'<table:table table:name="H" table:style-name="h">{ROWS}</table:table>'
    path = tmp_path / "customers.ods"
    path.write_bytes(ods(content(ROWS, hidden)))
    with open_source(path, OPTIONS) as source:
        assert source.sheet == "S"
        assert [(sheet.name, sheet.visible) for sheet in source.sheets] == [("H", False), ("S", True)]
    with open_source(path, ReadOptions(is_known=OPTIONS.is_known, sheet="H")) as source:
        assert source.sheet == "H"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000), st.binary(max_size=4), st.integers(0, 40))
def test_damaged_xml_gives_a_clean_reading_or_a_clean_error(
    tmp_path: Path, at: int, instead: bytes, dropped: int
) -> None:
    raw = content(ROWS).encode()
    path = tmp_path / "customers.ods"
    path.write_bytes(ods(raw[:at] + instead + raw[at + dropped :]))
    try:
        with open_source(path, OPTIONS) as source:
            rows = [int(number) for chunk in source.chunks() for number in chunk.frame.index]
    except InputError:
        return
    assert rows == sorted(set(rows))
    assert not rows or rows[0] > (source.header_row or 0)


def test_an_encrypted_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "customers.ods"
    path.write_bytes(ods(content(ROWS)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("META-INF/manifest.xml", "<manifest><encryption-data/></manifest>")
    with pytest.raises(InputError) as caught:
        open_source(path, OPTIONS)
    assert caught.value.code == "password"
