"""Annotate a copy of the user's own workbook; its sheets and formats stay.

Each bad cell is coloured and explained. Apart from the readers, only this module opens an input file.
Imports openpyxl, so only runs that ask for annotated.xlsx import it.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from importer.models import Severity
from importer.reports.annotations import CellAnnotation, SheetAnnotations
from importer.reports.model import OWN_COLUMNS, ReportPlan
from importer.reports.xlsx_template import (
    COLUMN_WIDTHS,
    DOUBTFUL_RGB,
    HEAD_RGB,
    MAX_COLUMNS,
    NOTED_RGB,
    WRONG_RGB,
    fit_cell,
)

FORMATS = frozenset({"xlsx", "xlsm"})
"""Formats that openpyxl opens and whose appearance it keeps."""
MOST_COMMENTS = 20_000
"""Further cells are only coloured: each comment is a drawing, and Excel opens many of them slowly."""
_AUTHOR = "importer"
_BLANKS = " \t\r\n\v\f\u00a0\u202f\u3000\u200b\u200c\u200d\u2060\ufeff"
_PARTS = (
    ("pictures", re.compile(r"xl/media/")),
    ("charts", re.compile(r"xl/charts/chart\d")),
    ("drawings", re.compile(r"xl/drawings/drawing\d")),
    ("pivot-tables", re.compile(r"xl/pivotTables/")),
    ("slicers", re.compile(r"xl/slicers/")),
    ("threaded-comments", re.compile(r"xl/threadedComments/")),
    ("form-controls", re.compile(r"xl/ctrlProps/")),
    ("embedded-objects", re.compile(r"xl/embeddings/")),
    ("macros", re.compile(r"xl/vbaProject\.bin")),
    ("links-to-other-files", re.compile(r"xl/externalLinks/externalLink\d")),
)


class NotAnnotatableError(Exception):
    """The workbook cannot be annotated: damaged, locked, without a header, or too wide."""


def open_workbook(plan: ReportPlan) -> Workbook:
    """Open the user's workbook, formulas as their stored values. Raises NotAnnotatableError."""
    if plan.source.format not in FORMATS or plan.source.header_row is None:
        raise NotAnnotatableError
    with warnings.catch_warnings():
        # openpyxl warns of what is lost on saving. `lost_parts` names it.
        warnings.simplefilter("ignore")
        try:
            return load_workbook(plan.source.path, data_only=True, rich_text=True, keep_links=False)
        except Exception as error:  # openpyxl raises errors of many kinds for a damaged part
            raise NotAnnotatableError from error


def annotate(book: Workbook, sheets: dict[str, SheetAnnotations], plan: ReportPlan) -> bool:
    """Write the importer's columns and comments into the sheets. Returns True if comments were left out.

    Raises NotAnnotatableError if a sheet is missing or has no room for the columns.
    """
    comments = 0
    for name, notes in sheets.items():
        if name not in book.sheetnames or not isinstance(book[name], Worksheet):
            raise NotAnnotatableError
        sheet = book[name]
        header_row = _header_row(sheet, notes, plan) if len(sheets) > 1 else plan.source.header_row or 1
        _write_own(sheet, header_row, notes, plan)
        places = _places(sheet, header_row)
        for note in notes.cell_annotations(plan):
            place = places.get(note.column)
            if place is not None:
                comments += _annotate_cell(sheet.cell(note.row, place), note, comments < MOST_COMMENTS)
    _to_the_front(book, list(sheets))
    return comments > MOST_COMMENTS


def _to_the_front(book: Workbook, names: Sequence[str]) -> None:
    """Move the annotated sheets to the front: a later import without --sheet reads the first visible one."""
    for place, name in enumerate(names):
        book.move_sheet(name, place - book.sheetnames.index(name))
    if names:
        book.active = 0


def lost_parts(before: Path, after: Path) -> tuple[str, ...]:
    """The parts that only the user's workbook has: `pictures`, `charts`, … as in the codes `lost-…`."""
    had, has = _parts(before), _parts(after)
    return tuple(name for name, _ in _PARTS if has[name] < had[name])


def _parts(path: Path) -> Counter[str]:
    with zipfile.ZipFile(path) as archive:
        return Counter(name for part in archive.namelist() for name, pattern in _PARTS if pattern.match(part))


def _places(sheet: Worksheet, header_row: int) -> dict[str, int]:
    """Column numbers (from 1) by name, as the reader names them.

    A repeated name gets a number, an empty one its letter.
    """
    seen: Counter[str] = Counter()
    places: dict[str, int] = {}
    for column, cell in enumerate(sheet[header_row], start=1):
        name = "" if cell.value is None else str(cell.value).strip(_BLANKS)
        seen[name] += 1
        if not name:
            name = f"column {get_column_letter(column)}"
        elif seen[name] > 1:
            name = f"{name} ({seen[name]})"
        places.setdefault(name, column)
    return places


def _header_row(sheet: Worksheet, notes: SheetAnnotations, plan: ReportPlan) -> int:
    """The header row of one of several sheets: of the rows above the first, the one with most names."""
    above = int(notes.rows[0].rows[0]) if notes.rows else 2
    names = set(plan.source.header)
    return max(range(1, max(above, 2)), key=lambda row: len(names & _places(sheet, row).keys()))


def _write_own(sheet: Worksheet, header_row: int, notes: SheetAnnotations, plan: ReportPlan) -> None:
    places = _places(sheet, header_row)
    used = max((column for (_, column), cell in _cells(sheet).items() if cell.value is not None), default=0)
    # Only the first of merged cells can hold a value. Cells above the header, such as a title, may be merged.
    merged = (found.max_col for found in sheet.merged_cells.ranges if found.max_row >= header_row)
    used = max(used, *merged, 0)
    for name in OWN_COLUMNS:
        if name not in places:
            used += 1
            places[name] = used
    if used > MAX_COLUMNS:
        raise NotAnnotatableError
    columns = [places[name] for name in OWN_COLUMNS]
    for name, column in zip(OWN_COLUMNS, columns, strict=True):
        head = sheet.cell(header_row, column)
        _put(head, name, plan)
        head.fill, head.font = HEAD_FILL, HEAD_FONT
        sheet.column_dimensions[get_column_letter(column)].width = COLUMN_WIDTHS[name]
    filled = _cells(sheet)
    for row, texts in _own_texts(notes):
        for column, text in zip(columns, (str(row), *texts), strict=True):
            if text or (row, column) in filled:
                _put(sheet.cell(row, column), text, plan)


def _cells(sheet: Worksheet) -> Mapping[tuple[int, int], Cell | MergedCell]:
    """The cells that exist, by row and column: openpyxl's public methods would create all others."""
    found: Mapping[tuple[int, int], Cell | MergedCell] = sheet._cells
    return found


def _own_texts(notes: SheetAnnotations) -> Iterator[tuple[int, Sequence[str]]]:
    """Row number and the own columns after `_row`, for every row."""
    for part in notes.rows:
        columns = []
        for column in part.own:
            texts = column.texts.to_pylist()
            numbers = [0] * len(part) if column.numbers is None else column.numbers.tolist()
            columns.append([texts[number] for number in numbers])
        yield from zip(part.rows.tolist(), zip(*columns, strict=True), strict=True)


def _put(cell: Cell | MergedCell, text: str, plan: ReportPlan) -> None:
    if isinstance(cell, MergedCell):
        return
    cell.value = fit_cell(text, plan.lang) or None
    if text:
        # A text that begins with = is no formula.
        cell.data_type = "s"
    cell.number_format = "@"


def _annotate_cell(cell: Cell | MergedCell, note: CellAnnotation, commented: bool) -> int:
    """Colour a cell and comment it. Returns the number of comments: 0 for a merged cell, else 1."""
    if isinstance(cell, MergedCell):
        return 0
    cell.fill = SEVERITY_FILLS[note.severity]
    if commented:
        before = [cell.comment.text] if cell.comment and cell.comment.author != _AUTHOR else []
        text = fit_cell("\n\n".join([*before, *note.reasons]), "en")
        cell.comment = Comment(text, _AUTHOR, height=30 + 22 * (1 + len(text) // 40), width=300)
    return 1


WRONG_FILL = PatternFill("solid", start_color=WRONG_RGB)
DOUBTFUL_FILL = PatternFill("solid", start_color=DOUBTFUL_RGB)
NOTED_FILL = PatternFill("solid", start_color=NOTED_RGB)
SEVERITY_FILLS = {Severity.ERROR: WRONG_FILL, Severity.WARNING: DOUBTFUL_FILL, Severity.NOTE: NOTED_FILL}
HEAD_FILL = PatternFill("solid", start_color=HEAD_RGB)
HEAD_FONT = Font(name="Calibri", size=11, bold=True, color="FFFFFFFF")
