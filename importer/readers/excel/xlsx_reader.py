"""Read .xlsx and .xlsm files: with calamine where a scan shows that it can be trusted, else cell by cell.

The cell-by-cell reader is slower, but takes what calamine refuses: cells without references, a used range
out to XFD1048576, missing shared strings, writers with forms of their own (ECMA-376 part 1, 18.3.1).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

from importer.errors import InputError
from importer.readers.archive import Archive, XmlHandlers, parse_xml
from importer.readers.base import FileIdentity, ReadOptions, SheetInfo, rows_to_begin
from importer.readers.excel.calamine_client import (
    LEAST_MEMORY,
    CalamineClient,
    file_state,
    take_prefetched,
)
from importer.readers.excel.cell_text import LAST_ROW
from importer.readers.excel.number_formats import CellRules
from importer.readers.excel.ooxml import (
    SheetPart,
    has_blank_edges,
    open_package,
    shared_strings,
    strings_memory,
    unescape,
)
from importer.readers.excel.sheet_table import (
    MOST_CELLS,
    SheetTable,
    SparseSheet,
    from_sparse,
    tables_from_worker,
    with_scan,
)
from importer.readers.excel.source import WorkbookSource
from importer.readers.excel.xlsx_scan import WIDE, SheetScan, column_number, scan_sheet

_BYTES_PER_CELL = 160


def open_xlsx(
    archive: Archive, path: Path, origin: FileIdentity, kind: str, options: ReadOptions
) -> WorkbookSource:
    """Open an .xlsx or .xlsm file. If `options` say that its first rows are enough, only these are read at
    first, unless they do not show what all of them would.

    `path` is where the archive lies. Raises InputError, OSError.
    """
    before = file_state(path)
    all_rows = replace(options, first_rows=None)

    def all_of_it() -> WorkbookSource:
        with Archive(path, origin.name) as again, XlsxBackend(again, path, origin.name, all_rows) as book:
            if file_state(path) != before:
                raise InputError("file-changed", name=origin.name)
            return WorkbookSource(origin, kind, book, all_rows)

    if options.first_rows is not None:
        with XlsxBackend(archive, path, origin.name, options) as book:
            source = WorkbookSource(origin, kind, book, options, all_of_it)
        if source.proven:
            return source
    with XlsxBackend(archive, path, origin.name, all_rows) as book:
        return WorkbookSource(origin, kind, book, all_rows)


class XlsxBackend:
    """An .xlsx or .xlsm file, whose cells are read while its XML is scanned. A context manager."""

    def __init__(self, archive: Archive, path: Path, name: str, options: ReadOptions) -> None:
        """Read the workbook's parts. `name` is the file's. Raises InputError."""
        self._archive = archive
        self._path = path
        self._name = name
        self._package = open_package(archive, name)
        self._masks = self._package.masks()
        self._scans: dict[str, SheetScan] = {}
        self._first_rows: dict[str, SheetTable] = {}
        rows = rows_to_begin(options.first_rows, options.chunk_rows)
        self._prefetched = take_prefetched(archive, self._package, path, options.sheet, rows)
        if self._prefetched is not None and self._prefetched.begun:
            self._take_first_rows(self._prefetched.client, self._prefetched.sheets[0])
            self._end_prefetch()
            if not self._first_rows:
                self._prefetched = take_prefetched(archive, self._package, path, options.sheet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end_prefetch()

    def sheets(self) -> tuple[SheetInfo, ...]:
        for part in self._package.sheets:
            if part.name in self._first_rows:
                continue
            scan = self._scans[part.name] = scan_sheet(
                self._archive.pieces(part.part), self._masks, self._package.struck
            )
            if (
                self._prefetched is not None
                and part.name in self._prefetched.sheets
                and not self._can_be_trusted(scan)
            ):
                self._end_prefetch()
        return tuple(_info(part, self._scans[part.name]) for part in self._package.sheets)

    def tables(self, names: Sequence[str]) -> list[SheetTable]:
        read = {name: table for name, table in self._first_rows.items() if name in names}
        trusted = [name for name in names if name not in read and self._can_be_trusted(self._scans[name])]
        with contextlib.suppress(InputError):
            read |= {table.sheet: table for table in self._by_calamine(trusted)}
        self._end_prefetch()
        for name in names:
            if name not in read:
                read[name] = self._cell_by_cell(name)
        return [read[name] for name in names]

    def _take_first_rows(self, client: CalamineClient, name: str) -> None:
        """Take the first rows of a sheet, if they read as they do in all of it."""
        try:
            client.sheets()
            (table,) = tables_from_worker(client, [name])
        except InputError:
            return  # told, if it is an error, when all is read
        assert client.head  # noqa: S101 - the last answer
        scan = scan_sheet([client.head.xml], self._masks, self._package.struck)
        strings = self._package.strings_part is not None or not scan.shared_strings
        if scan.plain and scan.rectangular and strings:
            table = with_scan(table, self._with_false_days(scan), self._masks, scan.last_row)
            self._first_rows[name] = replace(table, last_row=client.head.last_row)
            self._scans[name] = replace(scan, last_row=client.head.last_row)

    @cached_property
    def _loses_blanks(self) -> bool:
        return has_blank_edges(self._archive, self._package)

    def _can_be_trusted(self, scan: SheetScan) -> bool:
        """Return whether calamine reads this sheet right, and within the memory it gets."""
        lost = scan.shared_strings and (self._package.strings_part is None or self._loses_blanks)
        return scan.plain and scan.rectangular and not lost

    def _by_calamine(self, names: Sequence[str]) -> list[SheetTable]:
        """Return these sheets as calamine reads them. Raises InputError."""
        if not names:
            return []
        memory = LEAST_MEMORY + sum(self._scans[name].cells for name in names) * _BYTES_PER_CELL
        memory += strings_memory(self._archive, self._package)
        if self._prefetched is not None and set(names) <= set(self._prefetched.sheets):
            try:
                return self._with_scans(self._prefetched.client, names)
            except InputError:
                if set(names) == set(self._prefetched.sheets) and memory <= self._prefetched.memory:
                    raise  # a second try would fail in the same way
        self._end_prefetch()
        with CalamineClient(self._path, self._name, memory) as book:
            book.request(names)
            return self._with_scans(book, names)

    def _with_scans(self, book: CalamineClient, names: Sequence[str]) -> list[SheetTable]:
        book.sheets()
        return [
            with_scan(table, self._with_false_days(self._scans[table.sheet]), self._masks)
            for table in tables_from_worker(book, names)
        ]

    def _with_false_days(self, scan: SheetScan) -> SheetScan:
        """Render the serial numbers of the day that never was, which calamine takes for the one before."""
        rules = CellRules((), self._package.styles, self._package.date_1904)
        for place, (style, value) in scan.false_days.items():
            if rules.is_date(style):
                scan.texts[place] = rules.number_text(value, style)
        return scan

    def _end_prefetch(self) -> None:
        """End the prefetch, if there is one."""
        if self._prefetched is not None:
            self._prefetched.client.close()
            self._prefetched = None

    def _cell_by_cell(self, name: str) -> SheetTable:
        package = self._package
        part = next(part.part for part in package.sheets if part.name == name)
        strings = shared_strings(self._archive, package.strings_part, self._name)
        rules = CellRules(strings, package.styles, package.date_1904)
        return from_sparse(name, read_cells(self._archive.pieces(part), rules, self._name, package.struck))


def _info(part: SheetPart, scan: SheetScan) -> SheetInfo:
    if scan.plain and not scan.values:
        return SheetInfo(part.name, part.visible, 0, 0)
    return SheetInfo(part.name, part.visible, max(scan.last_row, 1), max(scan.width, 1))


_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")
_SPANS = re.compile(r"([A-Za-z]{1,3})(\d{1,7}):([A-Za-z]{1,3})(\d{1,7})")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?Z?$")


def read_cells(
    pieces: Iterable[bytes], rules: CellRules, name: str, struck: Collection[int] = ()
) -> SparseSheet:
    """Return all cells of a sheet. Raises InputError; `name` is the file's, `struck` the styles that are
    struck through."""
    reader = _Cells(rules, name, struck)
    parse_xml(pieces, reader, name)
    return reader.sheet


class _Cells(XmlHandlers):
    def __init__(self, rules: CellRules, name: str, struck: Collection[int]) -> None:
        self.sheet = SparseSheet()
        self._struck = struck
        self._rules = rules
        self._name = name
        self._count = 0
        self._seen: dict[int, dict[int, str]] = {}
        self._row = 0
        self._column = -1
        self._cells: dict[int, str] = {}
        self._type = "n"
        self._style = 0
        self._parts: list[str] = []
        self._collect = False
        self._formula = False
        self._stored = False
        self._in_data = False
        self._phonetic = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "c" and self._in_data:
            self._begin_cell(attributes)
        elif name == "row" and self._in_data:
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() else self._row + 1
            if not 0 < self._row <= LAST_ROW:
                raise InputError("workbook-damaged", name=self._name)
            self._column = -1
            self._cells = {}
            if attributes.get("hidden") in ("1", "true", "on"):
                self.sheet.hidden.append(self._row)
        elif name == "v":
            self._collect, self._stored = True, True
        elif name == "t":
            self._collect = not self._phonetic
        elif name == "f":
            self._formula = True
        elif name == "rPh":
            self._phonetic = True
        elif name == "sheetData":
            self._in_data = True
        elif name == "mergeCell" and (spans := _SPANS.fullmatch(attributes.get("ref", ""))):
            letters, first, end, last = spans.groups()
            begin, behind = (column_number(one.upper().encode()) for one in (letters, end))
            if first != last:
                self.sheet.merged.append((begin, int(first), int(last)))
            elif behind - begin >= WIDE - 1:
                self.sheet.wide.append(int(first))

    def text(self, text: str) -> None:
        if self._collect:
            self._parts.append(text)

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._collect = False
        elif name == "c" and self._in_data:
            self._end_cell()
        elif name == "row" and self._in_data and self._cells:
            self._end_row()
        elif name == "rPh":
            self._phonetic = False
        elif name == "sheetData":
            self._in_data = False

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        given = attributes.get("r", "")
        reference = _REFERENCE.fullmatch(given)
        if reference:
            self._column = column_number(reference.group(1).upper().encode())
        elif given:  # whose cell it is nobody can say
            raise InputError("workbook-damaged", name=self._name)
        else:
            self._column += 1
        self._type = attributes.get("t", "n")
        style = attributes.get("s", "0")
        self._style = int(style) if style.isdecimal() else 0
        self._parts = []
        self._formula = self._stored = False

    def _end_row(self) -> None:
        if self._row in self._seen:
            self._seen[self._row].update(self._cells)
            return
        self._seen[self._row] = self._cells
        self.sheet.rows.append(self._row)
        self.sheet.cells.append(self._cells)

    def _end_cell(self) -> None:
        raw = "".join(self._parts)
        if self._column in self._cells or self._column in self._seen.get(self._row, ()):
            raise InputError("workbook-damaged", name=self._name)
        if self._formula and not raw and not (self._stored and self._type == "str"):
            self.sheet.unvalued.append((self._row, self._column))
            self._cells.setdefault(self._column, "")
            return
        if not raw:
            return
        if self._type == "e":
            self.sheet.errors.append((self._row, self._column))
        self._cells[self._column] = self._rendered(raw)
        if self._style in self._struck:
            self.sheet.struck.append((self._row, self._column))
        self._count += 1
        if self._count > MOST_CELLS:
            raise InputError("workbook-too-large", name=self._name)

    def _rendered(self, raw: str) -> str:
        match self._type:
            case "s":
                return self._shared(raw)
            case "str" | "inlineStr":
                return unescape(raw)
            case "b":
                return "TRUE" if raw.strip() in ("1", "true") else "FALSE"
            case "d":
                return _MIDNIGHT.sub("", raw).replace("T", " ")
            case "e":
                return raw
        try:
            return self._rules.number_text(float(raw), self._style)
        except ValueError:
            return raw

    def _shared(self, raw: str) -> str:
        at = int(raw) if raw.strip().isdecimal() else -1
        if 0 <= at < len(self._rules.strings):
            return self._rules.strings[at]
        raise InputError("strings-missing", name=self._name)
