"""Find the header row and name the columns; recognize rows at the end that are totals or footers, not
customers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from importer.arrow import column_letter
from importer.errors import InputError
from importer.models import Note
from importer.readers.base import ReadOptions

MOST_HEADER_ROWS = 20
"""So many rows from the top may hold the header."""
NAMES_NEEDED = 2
_INVISIBLE = " \t\r\n\v\f\u00a0\u202f\u3000\u200b\u200c\u200d\u2060\ufeff"
_TOLD_COLUMNS = 5
_SHOWN_ROWS = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cells of a row become columns: the i-th cell belongs to `names[i]`, to no column if None."""

    header_row: int | None
    names: tuple[str | None, ...]
    notes: tuple[Note, ...] = ()

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name is not None)

    @property
    def least_cells(self) -> int:
        """How many cells a row needs to reach the last named column."""
        return max((at + 1 for at, name in enumerate(self.names) if name is not None), default=0)

    def widened(self, width: int) -> Layout:
        """Return the same columns, extended to at least `width` cells by cells that belong to no column."""
        return replace(self, names=self.names + (None,) * (width - len(self.names)))


@dataclass(frozen=True, slots=True)
class TopRow:
    """One of the first rows of a table: its number as a person sees it, and its cells as read."""

    number: int
    cells: tuple[str, ...]


def clean_name(cell: str) -> str:
    """Return a header cell without blanks and invisible characters around it."""
    return cell.strip(_INVISIBLE)


def count_known_names(cells: Sequence[str], is_known: Callable[[str], bool]) -> int:
    """Return how many different cells are names that some mapping or the contract knows."""
    return sum(1 for name in {clean_name(cell) for cell in cells} if name and is_known(name))


def find_header(
    top: Sequence[TopRow], options: ReadOptions, name: str, *, whole: bool = True
) -> TopRow | None:
    """Find the header among the first rows; None if the user says that there is none.

    `whole` says that the table has no other rows; `name` is the file's. Raises InputError `no-header`,
    `empty-file` or `header-row-missing`.
    """
    if options.header_row == "none":
        return None
    if options.header_row is not None:
        for row in top:
            if row.number == options.header_row and any(map(clean_name, row.cells)):
                return row
        raise InputError("header-row-missing", name=name, row=options.header_row)
    blank = not any(clean_name(cell) for row in top for cell in row.cells)
    if blank and whole:
        raise InputError("empty-file", name=name)
    for row in top:
        if row.number <= MOST_HEADER_ROWS and count_known_names(row.cells, options.is_known) >= NAMES_NEEDED:
            return row
    for row in top:
        if row.number <= MOST_HEADER_ROWS and count_known_names(row.cells, options.is_mapped):
            return row
    if options.any_table and not blank:
        named = [(row, sum(map(bool, map(clean_name, row.cells)))) for row in top[:MOST_HEADER_ROWS]]
        several = (row for row, cells in named if cells >= NAMES_NEEDED)
        return next(several, next(row for row, cells in named if cells))
    raise InputError("no-header", name=name, rows=MOST_HEADER_ROWS, found=_first_cells(top))


def lay_out(
    header: TopRow | None,
    above: Sequence[TopRow],
    filled: Sequence[bool],
    column_indexes: Sequence[int] | None = None,
) -> Layout:
    """Name the columns of a table.

    `above` are the rows above the header that hold something. `filled[i]` tells whether the i-th column holds
    something in the rows looked at. A column without name and content is no column. `column_indexes` are the
    columns' positions in their sheet (0-based), if not 0, 1, 2 …
    """
    if column_indexes is None:
        column_indexes = range(max(len(filled), len(header.cells) if header else 0))
    if header is None:
        width = max((at + 1 for at, full in enumerate(filled) if full), default=0)
        letters = (column_letter(index) for index in column_indexes[:width])
        return Layout(None, (*letters, *(None for _ in column_indexes[width:])))
    notes = []
    if above:
        notes.append(Note("rows-above-header", (("rows", len(above)), ("header_row", header.number))))
        found = ((row.number, _first_cells([row])) for row in above[:_SHOWN_ROWS])
        notes += [
            Note("row-above-header", (("row", at), ("found", cells)), quotes=True) for at, cells in found
        ]
    names, renamed, lettered = _unique_names(header.cells, filled, column_indexes)
    if renamed:
        notes.append(Note("duplicate-header", (("names", _listed(renamed)),)))
    if lettered:
        notes.append(Note("empty-header", (("names", _listed(lettered)),)))
    return Layout(header.number, names, tuple(notes))


def _unique_names(
    cells: Sequence[str], filled: Sequence[bool], column_indexes: Sequence[int]
) -> tuple[tuple[str | None, ...], list[str], list[str]]:
    """Return the names, those that were changed to be unique, and those made up for empty header cells."""
    plain = [clean_name(cell) for cell in cells]
    namer = _Namer(plain)
    names: list[str | None] = []
    renamed: list[str] = []
    lettered: list[str] = []
    for at, name in enumerate(plain):
        if not name and (at >= len(filled) or not filled[at]):
            names.append(None)
            continue
        unique = namer.unique(name or f"column {column_letter(column_indexes[at])}")
        names.append(unique)
        if not name:
            lettered.append(unique)
        elif unique != name:
            renamed.append(unique)
    return tuple(names), renamed, lettered


class _Namer:
    """Gives each name once. A made-up name never takes one that stands in the header."""

    def __init__(self, header: Sequence[str]) -> None:
        self._header = set(header)
        self._given: set[str] = set()
        self._counts: dict[str, int] = {}

    def unique(self, name: str) -> str:
        free = name
        if name in self._given:
            count = self._counts.get(name, 1)
            while free in self._given or free in self._header:
                count += 1
                free = f"{name} ({count})"
            self._counts[name] = count
        self._given.add(free)
        return free


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _TOLD_COLUMNS
    return ", ".join(names[:_TOLD_COLUMNS]) + (f" (+{more})" if more > 0 else "")


def _first_cells(top: Sequence[TopRow]) -> str:
    row = next((row for row in top if any(map(clean_name, row.cells))), TopRow(1, ()))
    cells = [clean_name(cell)[:30] for cell in row.cells if clean_name(cell)]
    return _listed(cells)


FOOTER_ROWS = 3
"""How many rows at the end may be footers."""
_FOOTER_MOST_FILLED = 0.5
"""The largest share of a footer's cells that may hold something."""
_FOOTER = re.compile(
    r"(?:grand |sub)?-?totals?\b|sums?\b|averages?\b|count\b|rows?:|records?:|page \d|copyright\b|©"
    r"|end of (?:file|report|list)|(?:generated|exported|created|printed|downloaded) (?:by|on|at|from)\b"
    r"|合计|总计|小计|共计|合計|總計|小計|總數|总数|制表|导出时间|打印时间|备注："
    r"|итого|всего|summe\b|gesamt|tổng|합계|총계|confidential\b",
    re.IGNORECASE,
)


def footer_notes(rows: Sequence[Sequence[str]]) -> tuple[Note, ...]:
    """Return the note `footer-rows` if the last rows of a table look like totals or footers."""
    found = [start for cells in rows if (start := _footer_start(cells))]
    return (Note("footer-rows", (("found", ", ".join(f"“{start}”" for start in found)),)),) if found else ()


def last_rows(tail: bytes, codec: str, delimiter: str, *, whole: bool) -> list[list[str]]:
    """Return the cells of a text's last lines. Unless `tail` is the whole text, its first line is cut."""
    lines = tail.decode(codec, "replace").splitlines()[0 if whole else 1 :]
    filled = [line for line in lines if line.strip(f' "{delimiter}')][-FOOTER_ROWS:]
    return [[cell.strip(' "') for cell in line.split(delimiter)] for line in filled]


def _footer_start(cells: Sequence[str]) -> str:
    """Return the words that show that a row is a footer; empty if it isn't one."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    match = _FOOTER.match(filled[0]) if filled else None
    if match is None or (len(cells) > 1 and len(filled) > max(_FOOTER_MOST_FILLED * len(cells), 1)):
        return ""
    return match.group().strip()
