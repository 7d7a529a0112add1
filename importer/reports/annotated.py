"""Write annotated.xlsx: what was imported, each bad cell coloured and explained.

The importer's columns stand at the end; the last sheet is the summary. An .xlsx source is annotated in
place (`annotate_source`); any other becomes a plain workbook. Imports openpyxl, so only runs that ask
for this report import this module.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from importer.models import Note, Severity
from importer.reports import wording
from importer.reports.annotate_source import (
    DOUBTFUL_FILL,
    HEAD_FILL,
    HEAD_FONT,
    MOST_COMMENTS,
    NOTED_FILL,
    WRONG_FILL,
    NotAnnotatableError,
    annotate,
    lost_parts,
    open_workbook,
)
from importer.reports.annotations import Annotations, SheetAnnotations
from importer.reports.files import ANNOTATED_XLSX, REJECTS_XLSX, ReportFile, WrittenReport
from importer.reports.model import OWN_COLUMNS, WORKBOOK_ROWS, ReportPlan
from importer.reports.ownership import report_identity
from importer.reports.run_info import RunInfo
from importer.reports.tally import Tally
from importer.reports.wording import word
from importer.reports.xlsx import TextSheet
from importer.reports.xlsx_template import (
    COLUMN_WIDTHS,
    MAX_COLUMNS,
    SHEET_PART,
    ReportCellStyle,
    column_width,
    fit_cell,
)
from importer.workbook_zip import WorkbookZip

_CELL_STYLES = (
    (PatternFill(), Font()),
    (HEAD_FILL, HEAD_FONT),
    (WRONG_FILL, Font()),
    (DOUBTFUL_FILL, Font()),
    (NOTED_FILL, Font()),
    (PatternFill(), Font()),
)
_SEVERITY_STYLES = {
    Severity.ERROR: ReportCellStyle.WRONG,
    Severity.WARNING: ReportCellStyle.DOUBTFUL,
    Severity.NOTE: ReportCellStyle.NOTED,
}


def around_rows(xml: str) -> tuple[str, str]:
    """A sheet's XML before and after its rows, without `dimension`: the sheet was saved empty."""
    before, _, rest = xml.partition("<sheetData>")
    before = re.sub(r"<dimension [^>]*/>", "", before)
    return f"{before}<sheetData>", f"</sheetData>{rest.partition('</sheetData>')[2]}"


def workbook_bytes(book: Workbook) -> io.BytesIO:
    """The workbook as bytes. Raises OSError, because openpyxl uses temporary files."""
    content = io.BytesIO()
    # Not Workbook.save, which leaves its archive open when the disk is full.
    with WorkbookZip(content) as archive:
        ExcelWriter(book, archive).save()
    return content


def register_cell_styles(sheet: Worksheet) -> None:
    """Register the styles in the order of `ReportCellStyle`: openpyxl numbers them by first use."""
    for style, (fill, font) in zip(ReportCellStyle, _CELL_STYLES, strict=True):
        cell = sheet.cell(1, style)
        cell.number_format = "@"
        wraps = True if style is ReportCellStyle.WRAPPED else None
        cell.alignment = Alignment(vertical="top", wrap_text=wraps)
        cell.fill = fill
        cell.font = font


_NOT_IN_TITLES = str.maketrans(dict.fromkeys("[]:*?/\\", " "))


def write_annotated(
    plan: ReportPlan, run_info: RunInfo, tally: Tally, annotations: Annotations
) -> tuple[WrittenReport | None, list[Note]]:
    """Write the workbook. Returns the file, or None if the rows are too many, and notes for the user.

    Raises OSError.
    """
    if annotations.over_limit or len(OWN_COLUMNS) + len(plan.source.header) > MAX_COLUMNS:
        numbers = (("rows", annotations.rows), ("most", WORKBOOK_ROWS))
        found = (
            *((name, wording.number(number, plan.lang)) for name, number in numbers),
            ("other", REJECTS_XLSX),
        )
        return None, [Note("annotated-too-many", found)]
    file = ReportFile(plan, ANNOTATED_XLSX)
    try:
        own, cut = _fill(file.stream, plan, run_info, tally, annotations)
    except BaseException:
        file.drop()
        raise
    note = file.finish()
    notes = [note] if note is not None else []
    if cut:
        notes.append(Note("annotated-comments", (("file", ANNOTATED_XLSX), ("most", MOST_COMMENTS))))
    lost = lost_parts(plan.source.path, file.path) if own else ()
    if lost:
        names = word("summary-and", plan.lang).join(word(f"lost-{name}", plan.lang) for name in lost)
        notes.append(Note("annotated-lost", (("file", ANNOTATED_XLSX), ("names", names))))
    return WrittenReport(ANNOTATED_XLSX, file.path, file.path.stat().st_size, annotations.rows), notes


def _fill(
    stream: BinaryIO, plan: ReportPlan, run_info: RunInfo, tally: Tally, annotations: Annotations
) -> tuple[bool, bool]:
    """Write the bytes. Returns whether it is the user's own workbook, and whether comments were left out."""
    try:
        book = open_workbook(plan)
        cut = annotate(book, annotations.sheets, plan)
    except NotAnnotatableError:
        return False, _plain(stream, plan, run_info, tally, annotations)
    _add_summary(book, plan, run_info, tally)
    book.properties.identifier = report_identity(plan.run_id)
    stream.write(workbook_bytes(book).getbuffer())
    return True, cut


def _plain(
    stream: BinaryIO, plan: ReportPlan, run_info: RunInfo, tally: Tally, annotations: Annotations
) -> bool:
    """Write a plain workbook: the original columns, then the importer's. True if comments were left out."""
    names = (*plan.source.header, *OWN_COLUMNS)
    book = Workbook()
    sheets = annotations.sheets or {"": SheetAnnotations()}
    comments = 0
    bodies: list[list[bytes | memoryview]] = []
    for number, (name, notes) in enumerate(sheets.items()):
        sheet = book.worksheets[0] if number == 0 else book.create_sheet()
        sheet.title = (name or "rows").translate(_NOT_IN_TITLES)[:31]
        sheet.freeze_panes = "A2"
        register_cell_styles(sheet)
        for place, column in enumerate(names, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = COLUMN_WIDTHS.get(
                column
            ) or column_width(column)
        styles, comments = _styles(sheet, notes, plan, comments)
        rows = TextSheet(plan.source.header, plan.lang)
        body: list[bytes | memoryview] = [rows.header()]
        start = 0
        for part in notes.rows:
            some = {place: style[start : start + len(part)] for place, style in styles.items()}
            body.append(rows.body(part, some))
            start += len(part)
        bodies.append(body)
    _add_summary(book, plan, run_info, tally)
    book.properties.identifier = report_identity(plan.run_id)
    _splice(book, bodies, stream)
    return comments > MOST_COMMENTS


def _styles(
    sheet: Worksheet, notes: SheetAnnotations, plan: ReportPlan, comments: int
) -> tuple[Mapping[int, np.ndarray], int]:
    """Comment the annotated cells. Returns their columns' styles (int8, one entry a row) and the count."""
    rows = np.concatenate([part.rows for part in notes.rows] or [np.empty(0, dtype=np.int64)])
    places = {name: place for place, name in enumerate(plan.source.header)}
    styles: dict[int, np.ndarray] = {}
    for note in notes.cell_annotations(plan):
        column = places.get(note.column)
        if column is None:
            continue
        row = int(np.searchsorted(rows, note.row))
        style = styles.setdefault(column, np.full(len(rows), ReportCellStyle.PLAIN, dtype=np.int8))
        style[row] = _SEVERITY_STYLES[note.severity]
        comments += 1
        if comments <= MOST_COMMENTS:
            text = fit_cell("\n\n".join(note.reasons), plan.lang)
            sheet.cell(row + 2, column + 1).comment = Comment(text, "importer", height=120, width=300)
    return styles, comments


def _splice(book: Workbook, bodies: list[list[bytes | memoryview]], stream: BinaryIO) -> None:
    """Save the workbook with these rows as the rows of its first sheets."""
    saved = workbook_bytes(book)
    packed = WorkbookZip(stream, compresslevel=3)
    with zipfile.ZipFile(saved) as parts, packed as out:
        targets = {SHEET_PART.replace("1.xml", f"{n}.xml"): body for n, body in enumerate(bodies, start=1)}
        for name in parts.namelist():
            body = targets.get(name)
            if body is None:
                out.writestr(name, parts.read(name))
                continue
            before, after = around_rows(parts.read(name).decode())
            with out.open(name, "w", force_zip64=True) as part:
                part.write(before.encode())
                for piece in body:
                    part.write(piece)
                part.write(after.encode())


def _add_summary(book: Workbook, plan: ReportPlan, run_info: RunInfo, tally: Tally) -> None:
    """The last sheet: counts by status, issues by kind and column."""
    lang = plan.lang
    sheet = book.create_sheet(_free_title(book, word("sheet-summary", lang)))
    bold = Font(name="Calibri", size=11, bold=True)
    title = word("page-title-dry" if run_info.dry_run else "page-title", lang, source=plan.source.name)
    rows: list[tuple[object, ...]] = [
        (title,),
        (run_info.started.strftime("%Y-%m-%d %H:%M"), plan.run_id),
        (),
        (word("sheet-outcome", lang), word("sheet-count", lang)),
        *((wording.status(status, lang), count) for status, count in tally.counts.items() if count),
        (),
        (
            word("sheet-issue", lang),
            word("page-column", lang),
            word("sheet-count", lang),
            word("sheet-where", lang),
        ),
    ]
    heads = {1, 4, len(rows)}
    for group in tally.issue_groups():
        where = wording.examples(group.examples, lang)
        rows.append((wording.kind(group.code, lang), group.column, group.rows, where))
    for number, row in enumerate(rows, start=1):
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(number, place)
            cell.value = fit_cell(value, lang) if isinstance(value, str) else value
            if isinstance(value, str):
                cell.data_type = "s"
            cell.alignment = Alignment(vertical="top")
            if number in heads:
                cell.font = bold
    for letter, wide in (("A", 34), ("B", 26), ("C", 12), ("D", 30)):
        sheet.column_dimensions[letter].width = wide


def _free_title(book: Workbook, title: str) -> str:
    taken = {name.lower() for name in book.sheetnames}
    number = 1
    found = title
    while found.lower() in taken:
        number += 1
        found = f"{title} {number}"
    return found
