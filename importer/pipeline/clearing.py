"""Clear a person's rows out of one file: a table, a workbook, a text.

A row keeps its place and, in a report, the importer's own columns; its other cells are emptied. Nothing is
written unless the person is proved to be gone from the bytes that would be.
"""

from __future__ import annotations

import csv
import html
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from importer.errors import InputError
from importer.models import Note
from importer.pipeline.person import Person
from importer.private_files import replace_private_file
from importer.readers import ReadOptions, open_source
from importer.readers.base import ALL_SHEETS
from importer.reports import ReportResult
from importer.reports.files import ANNOTATED_XLSX, RESULTS_CSV, WrittenReport

if TYPE_CHECKING:
    from openpyxl import Workbook

TABLES = (".csv", ".tsv", ".txt")
WORKBOOKS = (".xlsx", ".xlsm")
BETWEEN_CELLS = "\x00"
"""Stands between the cells of a row while a contact is looked for: no blank, so none reaches over it."""
_FEWEST_LETTERS = 4
"""Of a cell of the person, to be looked for in a page."""
_OWN = ("_run", "_sheet", "_row", "_status", "_code", "_batch", "_attempts", "_trace_id")
_PART = re.compile(r"\.[0-9]{8}-[0-9]{6}-[a-z0-9]+\.part$")
_EMPTY = ("empty-file", "empty-workbook", "header-row-missing")
_MOST_TEXT = 1 << 26
"""Bytes of one part of a workbook that are looked through afterwards."""
_NOT_WORKED = (
    OSError, ValueError, KeyError, AttributeError, TypeError, IndexError,
    csv.Error, zipfile.BadZipFile, zlib.error, SyntaxError, InputError,
)  # fmt: skip
"""What libraries raise for files that they cannot read or change: XML errors are SyntaxErrors."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was found in a file."""

    rows: int = 0
    """In how many rows the person is."""
    stuck: bool = False
    """Whether the person is, or may be, in it, and no row can be cleared."""


@dataclass(slots=True)
class PersonRows:
    """What is known of a person's rows in the reports of one run."""

    cells: set[str] = field(default_factory=set)
    """Cells by which a page would show the person."""
    places: set[tuple[str, int]] = field(default_factory=set)
    """Sheet and number of each row."""

    def has(self, header: Sequence[str], row: Sequence[str]) -> bool:
        """Return whether a report's row is of a row that is known to be the person's."""
        return self._place(header, row) in self.places

    def note(self, header: Sequence[str], row: Sequence[str]) -> None:
        """Learn from a row of the person."""
        place = self._place(header, row)
        self.places |= {place} if place else set()
        for number, cell in enumerate(row):
            if len(cell) >= _FEWEST_LETTERS and not _is_own(header, number):
                self.cells.add(cell)

    def shown_in(self, text: str) -> bool:
        """Return whether a text shows one of the person's cells."""
        return any(cell in text for cell in self.cells)

    def _place(self, header: Sequence[str], row: Sequence[str]) -> tuple[str, int] | None:
        if "_row" not in header or len(row) < len(header):
            return None
        sheet = row[header.index("_sheet")] if "_sheet" in header else ""
        number = row[header.index("_row")]
        return (sheet, int(number)) if number.isdecimal() else None


def cleared_rows(reports: Sequence[Path]) -> PersonRows:
    """Return the rows of a run whose cells are empty in its results: those of people who were cleared."""
    found = PersonRows()
    for path in reports:
        if not (path.name.startswith(Path(RESULTS_CSV).stem) and suffix_of(path) in TABLES):
            continue
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            for row in rows:
                if row and not _empties(header, row):
                    found.note(header, row)
    return found


def clear_again(result: ReportResult, cleared: PersonRows) -> ReportResult:
    """Take the cells of rows that were cleared out of reports that were drawn again, and say so in a note.

    A report in which they cannot be found is deleted: a page that shows them, a copy of the workbook.
    """
    if not cleared.places:
        return result
    tables = [file for file in result.files if suffix_of(file.path) in TABLES + WORKBOOKS]
    gone = [file for file in tables if not _cleared_again(file, cleared)]
    texts = [file for file in result.files if file not in tables]
    gone += [file for file in texts if cleared.shown_in(file.path.read_text("utf-8", "replace"))]
    for file in gone:
        file.path.unlink()
    kept = tuple(file for file in result.files if file not in gone)
    names = ", ".join(sorted(file.name for file in gone))
    found = (("rows", len(cleared.places)), ("files", names or "–"))
    return replace(result, files=kept, notes=(*result.notes, Note("report-without-cleared", found)))


def _cleared_again(file: WrittenReport, cleared: PersonRows) -> bool:
    if file.name == ANNOTATED_XLSX:
        return False  # its rows have no numbers
    nobody = Person((), (), re.compile("(?!)"))
    times = file.path.stat()
    stuck = clear_file(file.path, nobody, cleared, clear=True).stuck
    # What is younger than the summary beside it would count as edited.
    os.utime(file.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return not stuck


def suffix_of(path: Path) -> str:
    """Return what kind of file it is, for the part of a report that was never finished, too."""
    return Path(_PART.sub("", path.name)).suffix.lower()


def is_part(path: Path) -> bool:
    """Return whether a file is the part of a report that was never finished."""
    return _PART.search(path.name) is not None


def rows_with(path: Path, person: Person) -> Cleared:
    """Return in how many rows of a table the person is; `stuck` for what cannot be read as one."""
    try:
        with open_source(path, ReadOptions(sheet=ALL_SHEETS, header_row="none")) as source:
            rows = sum(
                person.is_in(BETWEEN_CELLS.join(map(str, cells)))
                for chunk in source.chunks()
                for cells in chunk.frame.itertuples(index=False, name=None)
            )
    except InputError as error:
        if error.code in _EMPTY:
            return Cleared()
        return Cleared(int(person.is_in(path.read_text("utf-8", "replace"))), stuck=True)
    if not rows and zipfile.is_zipfile(path) and suffix_of(path) in WORKBOOKS:
        # Links, comments and what else is no cell.
        rows = int(_in_archive(path.read_bytes(), person))
    return Cleared(rows)


def clear_file(path: Path, person: Person, known: PersonRows, *, clear: bool) -> Cleared:
    """Clear a file, if that is wanted, and return what was found."""
    try:
        if suffix_of(path) not in TABLES + WORKBOOKS:
            return _clear_text(path, person, clear=clear)
        if zipfile.is_zipfile(path):
            return _clear_workbook(path, person, known, clear=clear)
        return _clear_table(path, person, known, clear=clear)
    except _NOT_WORKED:
        return Cleared(rows_with(path, person).rows, stuck=True)


def _clear_text(path: Path, person: Person, *, clear: bool) -> Cleared:
    text = path.read_text("utf-8", "replace")
    if not person.is_in(text):
        return Cleared()
    left = person.cleared(text)
    if person.is_in(left):
        return Cleared(1, stuck=True)
    if clear:
        replace_private_file(path, left.encode(), path.stat().st_mode & 0o777)
    return Cleared(1)


def _clear_table(path: Path, person: Person, known: PersonRows, *, clear: bool) -> Cleared:
    with open_source(path, ReadOptions(header_row="none")) as source:
        encoding, delimiter = source.encoding or "utf-8", source.delimiter
    if delimiter is None:
        raise ValueError("no delimited text")
    raw = path.read_bytes()
    codec = "utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else encoding
    errors = "surrogateescape" if codec.startswith("utf-8") else "strict"
    text = raw.decode(codec, errors)
    ending = "\r\n" if "\r\n" in text else "\n"
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    header = rows[0] if rows else []
    found = 0
    for row in rows:
        if known.has(header, row) or person.is_in(BETWEEN_CELLS.join(row)):
            found += _empties(header, row)
            known.note(header, row)
            row[:] = [cell if _is_own(header, place) else "" for place, cell in enumerate(row)]
    if clear and found:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
        content = out.getvalue().encode(codec, errors)
        replace_private_file(path, content, path.stat().st_mode & 0o777)
    return Cleared(found)


def _clear_workbook(path: Path, person: Person, known: PersonRows, *, clear: bool) -> Cleared:
    from openpyxl import load_workbook

    raw = path.read_bytes()
    with io.BytesIO(raw) as file:
        book = load_workbook(file, keep_vba=suffix_of(path) == ".xlsm")
        found = sum(_clear_sheets(book, person, known))
        elsewhere = not found and _in_archive(raw, person)
        if not (found or elsewhere):
            return Cleared()
        out = io.BytesIO()
        book.save(out)
    content = out.getvalue()
    if elsewhere or _in_archive(content, person):
        return Cleared(max(found, 1), stuck=True)
    if clear:
        replace_private_file(path, content, path.stat().st_mode & 0o777)
    return Cleared(found)


def _clear_sheets(book: Workbook, person: Person, known: PersonRows) -> Iterator[bool]:
    """Yield for each row of the person whether there was something to clear."""
    for sheet in book.worksheets:
        header = [str(cell.value or "") for cell in next(sheet.iter_rows(max_row=1), ())]
        for line in sheet.iter_rows():
            texts = ["" if cell.value is None else str(cell.value) for cell in line]
            notes = [cell.comment.text for cell in line if cell.comment]
            links = [str(getattr(cell.hyperlink, name) or "") for cell in line if cell.hyperlink
                     for name in ("target", "location", "tooltip", "display")]  # fmt: skip
            if not (known.has(header, texts) or person.is_in(BETWEEN_CELLS.join((*texts, *notes, *links)))):
                continue
            yield bool(_empties(header, texts) or notes or links)
            known.note(header, texts)
            for place, cell in enumerate(line):
                if not _is_own(header, place):
                    cell.value = None
                cell.comment = None
                cell.hyperlink = None


def _in_archive(content: bytes, person: Person) -> bool:
    """Whether a workbook holds the person in any of its parts, whatever that is for."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any(
            person.is_in(_text_of(archive.read(part).decode("utf-8", "replace")))
            for part in archive.infolist()
            if part.filename.endswith((".xml", ".rels", ".vml")) and part.file_size <= _MOST_TEXT
        )


def _text_of(xml: str) -> str:
    """The texts and attributes of XML, each apart from the others, without those that are about the form."""
    xml = re.sub(r"<(?:c|row|sheetView|selection|pane|col|dimension|xf|font)\b[^>]*>", BETWEEN_CELLS, xml)
    texts = html.unescape(re.sub(r"[<>\"]", BETWEEN_CELLS, xml))
    return re.sub("&[LCR]", BETWEEN_CELLS, texts)  # begins a part of a header or footer


def _empties(header: Sequence[str], row: Sequence[str]) -> bool:
    """Whether a row has cells that are not the importer's own."""
    return any(cell and not _is_own(header, place) for place, cell in enumerate(row))


def _is_own(header: Sequence[str], place: int) -> bool:
    """Whether a column is the importer's own, and quotes nobody."""
    return place < len(header) and header[place] in _OWN
