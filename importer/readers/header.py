"""Find the header among the first rows of a table, and name the columns.

Of all rows that hold names of fields the best wins. A header of two rows has a row of group titles above the
row of names: “Contact” over “Mobile” and “E-mail”. The lower row then gives the names, and the upper one
helps where these are not enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

from importer.arrow import column_letter
from importer.dataclass import dataclass
from importer.errors import InputError
from importer.escaping import as_argument
from importer.models import Note
from importer.patterns import late_pattern
from importer.readers.base import ReadOptions

MOST_HEADER_ROWS = 20
"""So many rows from the top may hold the header."""
NAMES_NEEDED = 2
MOST_COLUMNS = 16_384
"""The columns of a sheet in Excel. More are no table of customers, and each takes memory in every step."""
_INVISIBLE = " \t\r\n\v\f\u00a0\u202f\u3000\u200b\u200c\u200d\u2060\ufeff"
_VALUE = re.compile(r"@|\d{5}|\d[-/.]\d+[-/.]\d|^[\d.,+-]+$")
"""What no name of a column holds: an e-mail, a phone, a date, a number."""
_LONGEST_NAME = 100
_TOLD_COLUMNS = 5
_SHOWN_ROWS = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cells of a row become columns: the i-th cell belongs to `names[i]`, to no column if None."""

    header_row: int | None
    names: tuple[str | None, ...]
    notes: tuple[Note, ...] = ()
    top_cells: tuple[tuple[str, ...], ...] = ()
    """The cells of the header and of the filled rows above it, which a file may repeat further down."""
    quoted: tuple[bool, ...] = ()
    """Whether all cells of a column stand in quotation marks, which then belong to no cell."""

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(name for name in self.names if name is not None)

    @property
    def least_cells(self) -> int:
        """How many cells a row needs to reach the last named column."""
        return max((at + 1 for at, name in enumerate(self.names) if name is not None), default=0)

    def is_quoted(self, at: int) -> bool:
        """Return whether all cells of the column with this index, a named one, stand in quotation marks."""
        return at < len(self.quoted) and self.quoted[at] and self.names[at] is not None

    def widened(self, width: int) -> Layout:
        """Return the same columns, extended to at least `width` cells by cells that belong to no column."""
        return replace(self, names=self.names + (None,) * (width - len(self.names)))


@dataclass(frozen=True, slots=True)
class TopRow:
    """One of the first rows of a table: its number as a person sees it, and its cells as read."""

    number: int
    cells: tuple[str, ...]


def clean_name(cell: str) -> str:
    """Return a header cell without blanks, invisible characters and quotation marks around it."""
    found = cell.strip(_INVISIBLE)
    return found if found[:1].isalnum() else without_quotes(found).strip(_INVISIBLE)


_QUOTED = re.compile(r"""\s*(?:"(?!").+(?<!")"|'(?!').+(?<!')'|[“„].+[”“]|«.+»|‘.+’|「.+」)\s*""", re.DOTALL)
_FEWEST_QUOTED = 3
_QUOTATION_MARKS = frozenset("\"'“„«‘「")
_FIRST_LOOK = 5
"""Rows."""


def without_quotes(cell: str) -> str:
    """Return a cell without the quotation marks that it stands in."""
    return cell.strip()[1:-1] if _QUOTED.fullmatch(cell) else cell


def may_be_quoted(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a cell of the first rows begins with a quotation mark: only then more are looked at."""
    return any(cell.lstrip()[:1] in _QUOTATION_MARKS for row in rows[:_FIRST_LOOK] for cell in row if cell)


def quoted_columns(rows: Sequence[Sequence[str]]) -> tuple[bool, ...]:
    """Return for each column whether all its cells in these rows stand in quotation marks.

    One column of few cells proves nothing: somebody may have quoted something.
    """
    if not may_be_quoted(rows):
        return ()
    width = max(map(len, rows), default=0)
    columns = [[row[at] for row in rows if at < len(row) and row[at].strip()] for at in range(width)]
    found = [bool(cells) and all(map(_QUOTED.fullmatch, cells)) for cells in columns]
    cells = sum(len(column) for column, quoted in zip(columns, found, strict=True) if quoted)
    return tuple(found) if cells >= _FEWEST_QUOTED else ()


def count_known_names(cells: Sequence[str], is_known: Callable[[str], bool]) -> int:
    """Return how many different cells are names that some mapping or the contract knows."""
    return sum(1 for name in {clean_name(cell) for cell in cells} if name and is_known(name))


@dataclass(frozen=True, slots=True)
class Header:
    """The row with the names, and the row of group titles above it, if the two are read together."""

    row: TopRow
    group: TopRow | None = None
    cells: tuple[str, ...] = ()
    """The names that the two rows give."""

    @property
    def number(self) -> int:
        """The number of the row with the names; the first customer stands below it."""
        return self.row.number


def find_header(
    top: Sequence[TopRow], options: ReadOptions, name: str, *, whole: bool = True
) -> Header | None:
    """Find the header among the first rows; None if the user says that there is none.

    `whole` says that the table has no other rows; `name` is the file's. Raises InputError `no-header`,
    `empty-file` or `header-row-missing`.
    """
    if options.header_row == "none":
        return None
    if options.header_row is not None:
        for at, row in enumerate(top):
            if row.number == options.header_row and any(map(clean_name, row.cells)):
                return _with_group(top, at, options)
        raise InputError("header-row-missing", name=name, row=options.header_row)
    blank = not any(clean_name(cell) for row in top for cell in row.cells)
    if blank and whole:
        raise InputError("empty-file", name=name)
    top = [row for row in top if row.number <= MOST_HEADER_ROWS]
    found = _best_header(top, options)
    if found is not None:
        return found
    tag = _common_tag(top)
    if tag:
        raise InputError("rows-in-tags", name=name, tag=tag)
    if options.any_table and not blank:
        named = [sum(map(bool, map(clean_name, row.cells))) for row in top]
        several = (at for at, cells in enumerate(named) if cells >= NAMES_NEEDED)
        at = next(several, next(at for at, cells in enumerate(named) if cells))
        if _is_group_of(top, at + 1) and _filled(top[at + 1]) >= _filled(top[at]):
            at += 1
        return _with_group(top, at, options)
    raise InputError(
        "no-header", name=name, file=as_argument(name), rows=MOST_HEADER_ROWS, found=_first_cells(top)
    )


_TAG = late_pattern(r"\s*<([A-Za-z][\w.-]*)(?:\s[^<>]*)?>.*</\1>\s*", re.DOTALL)


def _common_tag(top: Sequence[TopRow]) -> str:
    """Return the tag in which nearly all rows stand: <row>…</row>; "" if they don't."""
    texts = ["".join(row.cells) for row in top if any(map(clean_name, row.cells))]
    tags = [found[1] for text in texts if (found := _TAG.fullmatch(text))]
    return f"<{tags[-1]}>" if texts and len(tags) >= max(len(texts) - 1, 1) else ""


def _best_header(top: Sequence[TopRow], options: ReadOptions) -> Header | None:
    """Return the row, or pair of rows, with the most names that the mapping in use or any other knows.

    The first of equals wins, unless it holds the group titles of the next.
    """
    best, most = None, (False, 0, 0)
    for at, row in enumerate(top):
        for header in {_with_group(top, at, options), Header(row, cells=row.cells)}:
            rated = _rated(header.cells, options)
            below = best is not None and best.number == row.number and header.group is not None
            group = best is not None and header.group == best.row and _filled(row) >= _filled(best.row)
            if rated > most or (rated == most and (below or group)):
                best, most = header, rated
    return best if most[0] or most[1] else None


def _filled(row: TopRow) -> int:
    """Return how many different names a row holds."""
    return len({clean_name(cell) for cell in row.cells} - {""})


def _rated(cells: Sequence[str], options: ReadOptions) -> tuple[bool, int, int]:
    """Return whether two names are known, how many the mapping in use reads, and how many are known."""
    known = count_known_names(cells, options.is_known)
    return known >= NAMES_NEEDED, count_known_names(cells, options.is_mapped), known


def _with_group(top: Sequence[TopRow], at: int, options: ReadOptions) -> Header:
    """Return the header in row `at`, together with the group titles above it, if there are some."""
    row = top[at]
    if not _is_group_of(top, at):
        return Header(row, cells=row.cells)
    group = top[at - 1]
    return Header(row, group, _names_of_both(group.cells, row.cells, options.is_known))


def _is_group_of(top: Sequence[TopRow], at: int) -> bool:
    """Return whether the row directly above row `at` holds titles for groups of its cells.

    It then leaves cells empty, or repeats its titles, where the lower row has names. Both hold labels only.
    """
    if not 0 < at < len(top) or top[at - 1].number != top[at].number - 1:
        return False
    upper, lower = (list(map(clean_name, row.cells)) for row in (top[at - 1], top[at]))
    if not (_are_labels(upper) and _are_labels(lower)):
        return False
    spans = [
        place
        for place in range(1, min(len(upper), len(lower)))
        if lower[place] and upper[place] in ("", upper[place - 1])
    ]
    return bool(spans)


def _are_labels(cells: Sequence[str]) -> bool:
    """Return whether these cells can be names of columns: two different ones at least, none like a value."""
    filled = {cell for cell in cells if cell}
    short = all(len(cell) <= _LONGEST_NAME for cell in filled)
    return short and len(filled) >= NAMES_NEEDED and not any(map(_VALUE.search, filled))


def _names_of_both(
    upper: Sequence[str], lower: Sequence[str], is_known: Callable[[str], bool]
) -> tuple[str, ...]:
    """Return the name of each column of a header of two rows.

    The lower row's name, if it is known and not given twice; else both together. A title above an empty cell
    is a name by itself.
    """
    width = max(len(upper), len(lower))
    titles, names = ([*map(clean_name, cells), *[""] * (width - len(cells))] for cells in (upper, lower))
    found: list[str] = []
    group = ""
    for title, name in zip(titles, names, strict=True):
        group = title or (group if name else "")
        pairs = [f"{name} {group}", f"{group} {name}"] if name and group else []
        if name and not is_known(name):
            name = next((pair for pair in pairs if is_known(pair)), name)
        if name in found and group and group != name:
            name = f"{group} / {name}"
        found.append(name or title)
    return tuple(found)


def lay_out(
    header: Header | None,
    above: Sequence[TopRow],
    filled: Sequence[bool],
    column_indexes: Sequence[int] | None = None,
    sample: Sequence[Sequence[str]] = (),
    *,
    name: str,
) -> Layout:
    """Name the columns of a table. `sample` are the first rows below the header.

    Raises InputError `too-many-columns`, which names the file: `name`.

    `above` are the rows above the header that hold something. `filled[i]` tells whether the i-th column holds
    something in the rows looked at. A column without name and content is no column. `column_indexes` are the
    columns' positions in their sheet (0-based), if not 0, 1, 2 …
    """
    if column_indexes is None:
        column_indexes = range(max(len(filled), len(header.cells) if header else 0))
    named = [bool(clean_name(cell)) for cell in header.cells] if header else []
    columns = sum(map(any, zip_longest(named, filled)))
    if columns > MOST_COLUMNS:
        raise InputError("too-many-columns", name=name, columns=columns, most=MOST_COLUMNS)
    if header is None:
        width = max((at + 1 for at, full in enumerate(filled) if full), default=0)
        letters = (column_letter(index) for index in column_indexes[:width])
        names = (*letters, *(None for _ in column_indexes[width:]))
        return Layout(None, names, quoted=quoted_columns(sample))
    notes = []
    if header.group is not None:
        rows = (("upper", header.group.number), ("lower", header.number))
        notes.append(Note("two-header-rows", rows))
        above = [row for row in above if row.number != header.group.number]
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
    top = (header.row, *filter(None, [header.group]), *above[-_SHOWN_ROWS:])
    top_cells = tuple(tuple(map(clean_name, row.cells)) for row in top)
    return Layout(header.number, names, tuple(notes), top_cells, quoted_columns(sample))


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


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _first_cells(top: Sequence[TopRow]) -> str:
    row = next((row for row in top if any(map(clean_name, row.cells))), TopRow(1, ()))
    cells = [_shortened(clean_name(cell)) for cell in row.cells if clean_name(cell)]
    return _listed(cells)
