"""The workbook around the rows of rejects.xlsx: styles, widths, header notes, frozen header, filter."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass, replace

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from importer import messages
from importer.reports.plan import OWN_COLUMNS, Plan
from importer.reports.textsheet import Look

SHEET_PART = "xl/worksheets/sheet1.xml"

WIDTHS = {
    "_row": 7,
    "_sheet": 12,
    "_status": 11,
    "_batch": 8,
    "_attempts": 9,
    "_code": 14,
    "_message": 60,
    "_trace_id": 16,
    "_issues": 28,
    "_run": 12,
}
WRONG = PatternFill("solid", start_color="FFF9D0CB")
DOUBTFUL = PatternFill("solid", start_color="FFFBE6BF")
HEAD = PatternFill("solid", start_color="FF334155")
HEAD_FONT = Font(bold=True, color="FFFFFFFF")
_LOOKS = ((PatternFill(), Font()), (HEAD, HEAD_FONT), (WRONG, Font()), (DOUBTFUL, Font()))
_CJK = 0x2E80


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The sheet's XML before and after its rows, and all other parts of the workbook."""

    before: str
    after: str
    parts: tuple[tuple[str, bytes], ...]
    last_column: str

    def ended(self, rows: int) -> Skeleton:
        """The same around so many rows: the filter reaches to the last of them."""
        column, last = self.last_column, rows + 1
        after = self.after.replace(f'ref="A1:{column}1"', f'ref="A1:{column}{last}"')
        old, new = f"$A$1:${column}$1".encode(), f"$A$1:${column}${last}".encode()
        return replace(
            self, after=after, parts=tuple((name, xml.replace(old, new)) for name, xml in self.parts)
        )


def skeleton(plan: Plan, names: tuple[str, ...]) -> Skeleton:
    """An empty workbook for columns of these names."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "rejects"
    sheet.freeze_panes = "B2"
    last_column = get_column_letter(len(names))
    sheet.auto_filter.ref = f"A1:{last_column}1"
    register_looks(sheet)
    fields = dict(plan.fields)
    for place, name in enumerate(names, start=1):
        sheet.column_dimensions[get_column_letter(place)].width = WIDTHS.get(name) or width(name)
        note = _note(name, fields.get(name, ""), plan.lang)
        if note:
            comment = Comment(note, "importer")
            comment.width, comment.height = 320, 90
            sheet.cell(1, place).comment = comment
    with zipfile.ZipFile(stored(book)) as parts:
        xml = parts.read(SHEET_PART).decode()
        rest = tuple((name, parts.read(name)) for name in parts.namelist() if name != SHEET_PART)
    before, after = around_rows(xml)
    return Skeleton(before, after, rest, last_column)


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


def width(name: str) -> float:
    wide = sum(2 if ord(character) >= _CJK else 1 for character in name)
    return float(min(max(wide + 3, 14), 40))


def _note(name: str, field: str, lang: str) -> str:
    if name in OWN_COLUMNS:
        return messages.sentence(f"column{name.replace('_', '-')}", {}, lang)
    if field:
        return messages.sentence("column-goes-to", {"field": field}, lang)
    return ""
