"""Find a person on this machine, in what the importer keeps, and clear it; what was counted stays.

Reports keep their rows with number and status, without cells. A page is deleted: it can be drawn again. A
piece of work of the page in the browser goes as a whole. A file that a user keeps is named and left alone.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from importer.errors import InputError
from importer.journal import Journal, RunRecord, RunState
from importer.option_layers import options_from_json
from importer.pipeline.person import Person
from importer.private_files import replace_private_file
from importer.readers import ReadOptions, open_source
from importer.readers.base import ALL_SHEETS
from importer.reports.files import REPORT_HTML, own_files
from importer.reports.verification import is_verification
from importer.sources.spool import is_spooled
from importer.user_folders import state_folder

_JOB_FOLDERS = ("working", "done", "failed", "held")
_TABLES = (".csv", ".tsv", ".txt")
_WORKBOOKS = (".xlsx", ".xlsm")
_BEFORE = re.compile(r"before(-[0-9]+)?\.csv")
_FEWEST_LETTERS = 4
"""Of a cell of the person, to be looked for in a page."""
_OWN = ("_run", "_sheet", "_row", "_status", "_code", "_batch", "_attempts", "_trace_id")


class TraceKind(StrEnum):
    """What is found, and what becomes of it."""

    JOURNAL = "journal"
    REPORT = "report"
    """Rows lose their cells."""
    PAGE = "page"
    """The page is deleted."""
    COPY = "copy"
    """A file that the importer keeps: rows lose their cells."""
    WORK = "work"
    """A piece of work of the page in the browser, which is deleted."""
    YOURS = "yours"
    """A file that a user keeps: left alone."""
    UNFINISHED = "unfinished"
    """A file that a run still needs: left alone."""
    STUCK = "stuck"
    """Nothing that the importer can change a row in: left alone."""

    @property
    def cleared(self) -> bool:
        """Whether it is cleared."""
        return self not in (TraceKind.YOURS, TraceKind.UNFINISHED, TraceKind.STUCK)


@dataclass(frozen=True, slots=True)
class Trace:
    """One place where the person is found."""

    kind: TraceKind
    place: str
    rows: int = 0
    run: str = ""


@dataclass(slots=True)
class PersonRows:
    """What is known of a person's rows in the reports of one run."""

    cells: set[str] = field(default_factory=set)
    """Cells by which a page would show the person."""
    places: set[tuple[str, str]] = field(default_factory=set)
    """Sheet and number of each row."""

    def has(self, header: Sequence[str], row: Sequence[str]) -> bool:
        """Whether a report's row is of a row that is known to be the person's."""
        return self._place(header, row) in self.places

    def note(self, header: Sequence[str], row: Sequence[str]) -> None:
        """Learn from a row of the person."""
        place = self._place(header, row)
        self.places |= {place} if place else set()
        for number, cell in enumerate(row):
            if len(cell) >= _FEWEST_LETTERS and not _is_own(header, number):
                self.cells.add(cell)

    def _place(self, header: Sequence[str], row: Sequence[str]) -> tuple[str, str] | None:
        if "_row" not in header or len(row) < len(header):
            return None
        sheet = row[header.index("_sheet")] if "_sheet" in header else ""
        return sheet, row[header.index("_row")]


def find_traces(journal: Journal, person: Person) -> tuple[Trace, ...]:
    """Return every place where the person is found. Changes nothing."""
    return tuple(_walk(journal, person, clear=False))


def clear_traces(journal: Journal, person: Person) -> tuple[Trace, ...]:
    """Clear every place, and return them. Raises JournalError; OSError for a file that cannot be written."""
    return tuple(_walk(journal, person, clear=True))


def _walk(journal: Journal, person: Person, *, clear: bool) -> Iterator[Trace]:
    found = journal.erase(person.keys(journal.fingerprint_key), person.cleared, clear=clear)
    if found:
        yield Trace(TraceKind.JOURNAL, str(journal.path), found.fingerprints + found.sentences)
    seen: set[Path] = set()
    for record in journal.runs():
        yield from _reports(record, person, clear=clear)
        path = Path(record.path)
        if record.path and path not in seen and path.is_file():
            seen.add(path)
            yield from _source(record, path, person, clear=clear)
    yield from _works(journal, person, seen, clear=clear)


def _reports(record: RunRecord, person: Person, *, clear: bool) -> Iterator[Trace]:
    folder = Path(record.report_dir)
    if not record.report_dir or not folder.is_dir():
        return
    files = own_files(folder, record.id)
    files += [path for path in sorted(folder.glob("verify*.csv")) if is_verification(path)]
    if options_from_json(record.settings).keep_before:
        files += [path for path in sorted(folder.glob("before*.csv")) if _BEFORE.fullmatch(path.name)]
    pages = [path for path in files if path.suffix == Path(REPORT_HTML).suffix]
    known = PersonRows()
    for path in (path for path in files if path not in pages):
        _clear_file(path, person, known, clear=False)
    for path in (path for path in files if path not in pages):
        rows = _clear_file(path, person, known, clear=clear)
        if rows:
            yield Trace(TraceKind.REPORT, str(path), rows, record.id)
    for path in pages:
        text = path.read_text("utf-8", "replace")
        if person.is_in(text) or any(cell in text for cell in known.cells):
            if clear:
                path.unlink()
            yield Trace(TraceKind.PAGE, str(path), 1, record.id)


def _source(record: RunRecord, path: Path, person: Person, *, clear: bool) -> Iterator[Trace]:
    rows = _rows_with(path, person)
    if not rows:
        return
    in_job = bool(record.job) and path.parent.parent.name in _JOB_FOLDERS
    if state_folder() in path.parents and not is_spooled(path):
        return  # a piece of work of the page, which is looked at as a whole
    if not (in_job or is_spooled(path)):
        yield Trace(TraceKind.YOURS, str(path), rows, record.id)
    elif record.state is not RunState.FINISHED:
        yield Trace(TraceKind.UNFINISHED, str(path), rows, record.id)
    elif path.suffix.lower() not in _TABLES + _WORKBOOKS:
        yield Trace(TraceKind.STUCK, str(path), rows, record.id)
    else:
        _clear_file(path, person, PersonRows(), clear=clear)
        yield Trace(TraceKind.COPY, str(path), rows, record.id)


def _works(journal: Journal, person: Person, seen: set[Path], *, clear: bool) -> Iterator[Trace]:
    """Copies that no run names, and pieces of work of the page."""
    root = state_folder()
    busy = [Path(run.path) for run in journal.runs() if run.state is RunState.RUNNING]
    for folder in sorted({*root.glob("web/works/*"), *root.glob("spool/*")}):
        if not folder.is_dir() or any(path in seen and is_spooled(path) for path in folder.iterdir()):
            continue
        rows = sum(_in_any_file(path, person) for path in folder.rglob("*") if path.is_file())
        if not rows:
            continue
        if any(folder in path.parents for path in busy):
            yield Trace(TraceKind.UNFINISHED, str(folder), rows)
            continue
        if clear:
            shutil.rmtree(folder)
        yield Trace(TraceKind.WORK, str(folder), rows)


def _in_any_file(path: Path, person: Person) -> int:
    if path.suffix.lower() in (".json", ".jsonl", ".toml", ".html", ".csv"):
        return int(person.is_in(path.read_text("utf-8", "replace")))
    return _rows_with(path, person)


def _rows_with(path: Path, person: Person) -> int:
    """How many rows of a table hold the person; 0 for what is no table."""
    try:
        with open_source(path, ReadOptions(sheet=ALL_SHEETS, header_row="none")) as source:
            return sum(
                person.is_in("\x1f".join(map(str, cells)))
                for chunk in source.chunks()
                for cells in chunk.frame.itertuples(index=False, name=None)
            )
    except InputError:
        return 0


def _clear_file(path: Path, person: Person, known: PersonRows, *, clear: bool) -> int:
    """Clear a file, if that is wanted. Return in how many rows the person was."""
    suffix = path.suffix.lower()
    if suffix in _WORKBOOKS:
        return _clear_workbook(path, person, known, clear=clear)
    if suffix in _TABLES:
        return _clear_table(path, person, known, clear=clear)
    text = path.read_text("utf-8", "replace")
    if not person.is_in(text):
        return 0
    if clear:
        replace_private_file(path, person.cleared(text).encode(), path.stat().st_mode & 0o777)
    return 1


def _clear_table(path: Path, person: Person, known: PersonRows, *, clear: bool) -> int:
    with open_source(path, ReadOptions(header_row="none")) as source:
        encoding, delimiter = source.encoding or "utf-8", source.delimiter or ","
    raw = path.read_bytes()
    codec = "utf-8-sig" if raw.startswith(b"\xef\xbb\xbf") else encoding
    text = raw.decode(codec, "surrogateescape" if codec.startswith("utf-8") else "strict")
    ending = "\r\n" if "\r\n" in text else "\n"
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    header = rows[0] if rows else []
    found = 0
    for row in rows:
        if known.has(header, row) or person.is_in("\x1f".join(row)):
            if any(cell and not _is_own(header, place) for place, cell in enumerate(row)):
                found += 1
            known.note(header, row)
            row[:] = [cell if _is_own(header, place) else "" for place, cell in enumerate(row)]
    if clear and found:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=delimiter, lineterminator=ending).writerows(rows)
        content = out.getvalue().encode(codec, "surrogateescape" if codec.startswith("utf-8") else "strict")
        replace_private_file(path, content, path.stat().st_mode & 0o777)
    return found


def _clear_workbook(path: Path, person: Person, known: PersonRows, *, clear: bool) -> int:
    from openpyxl import load_workbook

    book = load_workbook(path, keep_vba=path.suffix.lower() == ".xlsm")
    found = 0
    for sheet in book.worksheets:
        header = [str(cell.value or "") for cell in next(sheet.iter_rows(max_row=1), ())]
        for line in sheet.iter_rows():
            texts = ["" if cell.value is None else str(cell.value) for cell in line]
            notes = [cell.comment.text if cell.comment else "" for cell in line]
            if not person.is_in("\x1f".join(texts + notes)):
                continue
            found += 1
            known.note(header, texts)
            for place, cell in enumerate(line):
                if not _is_own(header, place):
                    cell.value = None
                cell.comment = None
    if clear and found:
        out = io.BytesIO()
        book.save(out)
        replace_private_file(path, out.getvalue(), path.stat().st_mode & 0o777)
    book.close()
    return found


def _is_own(header: Sequence[str], place: int) -> bool:
    """Whether a column is the importer's own, and quotes nobody."""
    return place < len(header) and header[place] in _OWN
