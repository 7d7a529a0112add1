"""annotated.xlsx: what was imported, each bad cell coloured and explained, the importer's columns at the end,
the summary as the last sheet. From any other file than .xlsx it is a plain workbook."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from importer.models import Note
from importer.reports import wording
from importer.reports.annotations import Annotations, SheetNotes
from importer.reports.facts import Facts
from importer.reports.files import ReportFile, Written
from importer.reports.ownbook import MOST_COMMENTS, NotAnnotatableError, annotate, lost_parts, open_book
from importer.reports.plan import ANNOTATED_XLSX, OWN_COLUMNS, REJECTS_XLSX, WORKBOOK_ROWS, Plan
from importer.reports.skeleton import SHEET_PART, WIDTHS, width
from importer.reports.styling import around_rows, register_looks, stored
from importer.reports.tally import Tally
from importer.reports.textsheet import MOST_COLUMNS, Look, TextSheet, fitting
from importer.reports.wording import word

_NOT_IN_TITLES = str.maketrans(dict.fromkeys("[]:*?/\\", " "))


def write_annotated(
    plan: Plan, facts: Facts, tally: Tally, annotations: Annotations
) -> tuple[Written | None, list[Note]]:
    """Write the workbook; the file, or None if the rows are too many, and what is worth telling about it.

    Raises OSError.
    """
    if annotations.too_many or len(OWN_COLUMNS) + len(plan.origin.header) > MOST_COLUMNS:
        numbers = (("rows", annotations.rows), ("most", WORKBOOK_ROWS))
        found = (*((name, wording.number(number)) for name, number in numbers), ("other", REJECTS_XLSX))
        return None, [Note("annotated-too-many", found)]
    file = ReportFile(plan.directory, ANNOTATED_XLSX)
    try:
        own, cut = _fill(file.stream, plan, facts, tally, annotations)
    except BaseException:
        file.drop()
        raise
    note = file.finish()
    notes = [note] if note is not None else []
    if cut:
        notes.append(Note("annotated-comments", (("file", ANNOTATED_XLSX), ("most", MOST_COMMENTS))))
    lost = lost_parts(plan.origin.path, file.path) if own else ()
    if lost:
        names = word("summary-and", plan.lang).join(word(f"lost-{name}", plan.lang) for name in lost)
        notes.append(Note("annotated-lost", (("file", ANNOTATED_XLSX), ("names", names))))
    return Written(ANNOTATED_XLSX, file.path, file.path.stat().st_size, annotations.rows), notes


def _fill(
    stream: BinaryIO, plan: Plan, facts: Facts, tally: Tally, annotations: Annotations
) -> tuple[bool, bool]:
    """Write the bytes. True, if it is the person's own workbook; true, if comments were left out."""
    try:
        book = open_book(plan)
        cut = annotate(book, annotations.sheets, plan)
    except NotAnnotatableError:
        return False, _plain(stream, plan, facts, tally, annotations)
    _add_summary(book, plan, facts, tally)
    stream.write(stored(book).getbuffer())
    return True, cut


def _plain(stream: BinaryIO, plan: Plan, facts: Facts, tally: Tally, annotations: Annotations) -> bool:
    """A workbook of text: the original columns, then the importer's. True if comments were left out."""
    names = (*plan.origin.header, *OWN_COLUMNS)
    book = Workbook()
    sheets = annotations.sheets or {"": SheetNotes()}
    comments = 0
    bodies: list[list[bytes | memoryview]] = []
    for number, (name, notes) in enumerate(sheets.items()):
        sheet = book.worksheets[0] if number == 0 else book.create_sheet()
        sheet.title = (name or "rows").translate(_NOT_IN_TITLES)[:31]
        sheet.freeze_panes = "A2"
        register_looks(sheet)
        for place, column in enumerate(names, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = WIDTHS.get(column) or width(column)
        looks, comments = _marks(sheet, notes, plan, comments)
        rows = TextSheet(names, plan.lang, own_first=False)
        body: list[bytes | memoryview] = [rows.header()]
        start = 0
        for lines in notes.lines:
            some = {place: look[start : start + len(lines)] for place, look in looks.items()}
            body.append(rows.body(lines, some))
            start += len(lines)
        bodies.append(body)
    _add_summary(book, plan, facts, tally)
    _splice(book, bodies, stream)
    return comments > MOST_COMMENTS


def _marks(
    sheet: Worksheet, notes: SheetNotes, plan: Plan, comments: int
) -> tuple[Mapping[int, np.ndarray], int]:
    """The looks of the columns that have marks (int8, one entry a row); comments go into the sheet."""
    rows = np.concatenate([lines.rows for lines in notes.lines] or [np.empty(0, dtype=np.int64)])
    places = {name: place for place, name in enumerate(plan.origin.header)}
    looks: dict[int, np.ndarray] = {}
    for mark in notes.marks(plan):
        column = places.get(mark.column)
        if column is None:
            continue
        row = int(np.searchsorted(rows, mark.row))
        look = looks.setdefault(column, np.full(len(rows), Look.PLAIN, dtype=np.int8))
        look[row] = Look.WRONG if mark.wrong else Look.DOUBTFUL
        comments += 1
        if comments <= MOST_COMMENTS:
            text = fitting("\n\n".join(mark.reasons), plan.lang)
            sheet.cell(row + 2, column + 1).comment = Comment(text, "importer", height=120, width=300)
    return looks, comments


def _splice(book: Workbook, bodies: list[list[bytes | memoryview]], stream: BinaryIO) -> None:
    """Save the workbook with these rows in place of the first sheets' own."""
    saved = stored(book)
    packed = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
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


def _add_summary(book: Workbook, plan: Plan, facts: Facts, tally: Tally) -> None:
    """The last sheet: counts by status, issues by kind and column."""
    lang = plan.lang
    sheet = book.create_sheet(_free_title(book, word("sheet-summary", lang)))
    bold = Font(bold=True)
    title = word("page-title-dry" if facts.dry_run else "page-title", lang, source=plan.origin.name)
    rows: list[tuple[object, ...]] = [
        (title,),
        (facts.started.strftime("%Y-%m-%d %H:%M"), plan.run_id),
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
            cell.value = fitting(value, lang) if isinstance(value, str) else value
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
