"""What openpyxl does for annotated.xlsx: the looks of cells, and room for rows that come as text."""

from __future__ import annotations

import io
import re
import zipfile

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from importer.reports.textsheet import DOUBTFUL_RGB, HEAD_RGB, WRONG_RGB, Look

WRONG = PatternFill("solid", start_color=WRONG_RGB)
DOUBTFUL = PatternFill("solid", start_color=DOUBTFUL_RGB)
HEAD = PatternFill("solid", start_color=HEAD_RGB)
HEAD_FONT = Font(bold=True, color="FFFFFFFF")
_LOOKS = ((PatternFill(), Font()), (HEAD, HEAD_FONT), (WRONG, Font()), (DOUBTFUL, Font()))


def around_rows(xml: str) -> tuple[str, str]:
    """A sheet's XML before and after its rows; without its extent, which is that of an empty one."""
    before, _, rest = xml.partition("<sheetData>")
    before = re.sub(r"<dimension [^>]*/>", "", before)
    return f"{before}<sheetData>", f"</sheetData>{rest.partition('</sheetData>')[2]}"


def stored(book: Workbook) -> io.BytesIO:
    """The workbook as bytes. Raises OSError: openpyxl works on temporary files."""
    content = io.BytesIO()
    # Not Workbook.save, which leaves its archive open when the disk is full.
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        ExcelWriter(book, archive).save()
    return content


def register_looks(sheet: Worksheet) -> None:
    """Make the workbook know the styles of `Look`, under their numbers: openpyxl counts them by first use."""
    for look, (fill, font) in zip(Look, _LOOKS, strict=True):
        cell = sheet.cell(1, look)
        cell.number_format = "@"
        cell.alignment = Alignment(vertical="top")
        cell.fill = fill
        cell.font = font
