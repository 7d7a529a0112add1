"""Write corrections as a workbook that a person can open and go on with, and take such a workbook back."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from importer.errors import InputError
from importer.messages import LANGUAGES, sentence
from importer.readers import ReadOptions, open_source
from importer.readers.overlay import LEFT_OUT, WHOLE_ROW, CorrectedCell
from importer.web.problems import ProblemRows

_HEADS = ("web-col-sheet", "web-col-row", "web-col-column", "web-col-was", "web-col-now")
_WIDTHS = (16, 8, 24, 36, 36)
_ALL_OF_IT = "web-whole-row"
"""The word that stands in the place of a column where a row is left out."""
MOST_BYTES = 1 << 26
"""Bytes of such a workbook."""


@dataclass(frozen=True, slots=True)
class TakenCorrections:
    """What a workbook of corrections says that fits the file."""

    cells: tuple[CorrectedCell, ...]
    refused: tuple[int, ...]
    """Lines of the workbook that do not: they name no row or column of the file, or another cell."""


def workbook(cells: Iterable[CorrectedCell], lang: str) -> bytes:
    """The corrections as a workbook in which every cell is text."""
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils.escape import escape

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(sentence("web-step-correct", {}, lang))
    for letter, width in zip("ABCDE", _WIDTHS, strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"

    def line(texts: Sequence[str], *, head: bool = False) -> None:
        made = []
        for text in texts:
            cell = WriteOnlyCell(sheet, escape(text))
            cell.data_type, cell.number_format = "s", "@"  # “=1+1” of a customer is no formula
            if head:
                cell.font = Font(name="Calibri", size=11, bold=True)
            made.append(cell)
        sheet.append(made)

    line([sentence(code, {}, lang) for code in _HEADS], head=True)
    for one in cells:
        column = sentence(_ALL_OF_IT, {}, lang) if one.whole_row else one.column
        now = sentence("web-row-left-out", {}, lang) if one.whole_row else one.now
        line([one.sheet, str(one.row), column, one.was, now])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def is_corrections(header: Sequence[str]) -> bool:
    """Whether a table is such a workbook, in whatever language it was written."""
    return any(tuple(header) == tuple(sentence(code, {}, lang) for code in _HEADS) for lang in LANGUAGES)


def read_workbook(path: Path, name: str, header: Collection[str], rows: ProblemRows) -> TakenCorrections:
    """Read a workbook of corrections of a file with this header, whose rows with problems are `rows`.

    Raises InputError: `web-no-corrections` for another table, else why it cannot be read.
    """
    reading = ReadOptions(name=name, is_known=_is_head, any_table=True)
    whole = {sentence(_ALL_OF_IT, {}, lang) for lang in LANGUAGES}
    cells: dict[tuple[str, int, str], CorrectedCell] = {}
    refused: list[int] = []
    with open_source(path, reading) as source:
        if not is_corrections(source.header):
            raise InputError("web-no-corrections", name=name)
        for chunk in source.chunks():
            lines = chunk.frame.itertuples(index=False, name=None)
            for number, texts in zip(chunk.frame.index.tolist(), lines, strict=True):
                sheet, row, column, was, now = map(str, texts)
                found = _cell(sheet, row, WHOLE_ROW if column in whole else column, was, now, header, rows)
                if found is None:
                    refused.append(int(number))
                else:
                    cells[found.sheet, found.row, found.column] = found
    return TakenCorrections(tuple(cells.values()), tuple(refused))


def _is_head(name: str) -> bool:
    return any(name == sentence(code, {}, lang) for code in _HEADS for lang in LANGUAGES)


def _cell(
    sheet: str, number: str, column: str, was: str, now: str, header: Collection[str], rows: ProblemRows
) -> CorrectedCell | None:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    row = rows.find(sheet, int(number))
    if column == WHOLE_ROW:
        return CorrectedCell(sheet, int(number), WHOLE_ROW, "", LEFT_OUT)
    if column not in header:
        return None
    if row is not None:
        original = row.cells[list(header).index(column)]
        return None if was not in ("", original) else CorrectedCell(sheet, row.row, column, original, now)
    # A row without a problem: the next check says whether its cell still reads as it did.
    return CorrectedCell(sheet, int(number), column, was, now)
