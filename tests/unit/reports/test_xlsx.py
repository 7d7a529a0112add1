"""The workbook around the rows of rejects.xlsx: whole by the format's rules, and as openpyxl reads it."""

from __future__ import annotations

import io
import posixpath
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from importer.arrow import column_letter
from importer.reports.annotated import register_cell_styles, workbook_bytes
from importer.reports.model import OWN_COLUMNS, ReportPlan, ReportSource
from importer.reports.xlsx_template import SHEET_PART, ReportCellStyle, build_template
from importer.workbook_zip import WorkbookZip

HEADER = ("Name", "Ünïcode 姓名 that is long, very, very long", "Phone")
FIELDS = (("Name", "full_name"), ("Phone", "<b>&\x01"))


def a_workbook(rows: str = "", count: int = 0) -> io.BytesIO:
    plan = ReportPlan(Path(), "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", HEADER), fields=FIELDS)
    around = build_template(plan, (*OWN_COLUMNS, *HEADER), "rejects")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(SHEET_PART, around.before + rows + around.after(count))
        for name, part in around.parts(count):
            archive.writestr(name, part)
    return content


def a_sheet(rows: str = "", count: int = 0) -> Worksheet:
    return load_workbook(a_workbook(rows, count)).worksheets[0]


def looks(sheet: Worksheet) -> list[tuple[object, ...]]:
    """How the cells of the first row look, by `Look`."""
    cells = [sheet.cell(1, look) for look in ReportCellStyle]
    return [
        (cell.number_format, cell.alignment.vertical, cell.fill.fill_type, cell.fill.fgColor.rgb, cell.font.b)
        for cell in cells
    ]


def test_every_part_is_known_and_refers_to_parts_that_are_there() -> None:
    with zipfile.ZipFile(a_workbook()) as archive:
        names = set(archive.namelist())
        parts = {name: ET.fromstring(archive.read(name)) for name in names}
    kinds = parts["[Content_Types].xml"]
    endings = {entry.get("Extension") for entry in kinds if entry.get("Extension")}
    assert {entry.get("PartName", "/")[1:] for entry in kinds if entry.get("PartName")} <= names
    assert {name.rpartition(".")[2] for name in names} <= endings
    for name in names:
        if name.endswith(".rels"):
            folder = posixpath.dirname(posixpath.dirname(name))
            targets = {
                posixpath.normpath(posixpath.join(folder, part.attrib["Target"])) for part in parts[name]
            }
            assert targets <= names


def test_cells_look_as_openpyxl_makes_them_look_in_the_annotated_workbook() -> None:
    cells = "".join(f'<c r="{column_letter(look - 1)}1" s="{look:d}"/>' for look in ReportCellStyle)
    made = Workbook()
    register_cell_styles(made.worksheets[0])
    assert looks(a_sheet(f'<row r="1">{cells}</row>')) == looks(
        load_workbook(workbook_bytes(made)).worksheets[0]
    )


def test_the_header_has_widths_and_notes_and_stays_in_sight() -> None:
    sheet = a_sheet(count=7)
    assert sheet.title == "rejects"
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == "A1:M8"
    assert [sheet.column_dimensions[letter].width for letter in "AGKLM"] == [7, 90, 16, 40, 16]
    notes = {cell.coordinate: cell.comment.text for cell in sheet[1] if cell.comment}
    assert notes["K1"] == "Goes to full_name."
    assert notes["M1"] == "Goes to <b>&\\u0001."
    assert set(notes) == {f"{letter}1" for letter in "ABCDEFGHIJKM"}


def test_each_note_has_its_box() -> None:
    with zipfile.ZipFile(a_workbook()) as archive:
        boxes = ET.fromstring(archive.read("xl/drawings/notes1.vml"))
    space = "{urn:schemas-microsoft-com:office:excel}"
    columns = [int(place.text or "") for place in boxes.iter(f"{space}Column")]
    assert columns == [*range(11), 12]


def test_columns_are_lettered_as_in_every_spreadsheet_program() -> None:
    assert [column_letter(at) for at in range(16_384)] == [get_column_letter(at + 1) for at in range(16_384)]


def test_an_archive_that_is_given_up_half_way_says_nothing() -> None:
    content = io.BytesIO()
    archive = WorkbookZip(content)
    part = archive.open(SHEET_PART, "w")
    part.write(b"<worksheet>")
    archive.__del__()  # raises, where Python's own archive would
    part.close()
    archive.close()
    with zipfile.ZipFile(content) as whole:
        assert whole.read(SHEET_PART) == b"<worksheet>"
