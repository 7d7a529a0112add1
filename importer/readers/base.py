"""Define what every reader shares: the options for reading a file, the source it becomes, and the choice
of sheets.

Imports nothing heavy, since a workbook is prefetched before the heavy libraries are loaded.
"""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from importer.dataclass import dataclass
from importer.errors import InputError
from importer.models import Chunk, Note

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 14336
ROWS_ABOVE = 240
"""So many rows may stand above the first chunk."""
NO_HEADER = ("no-header", "no-header-in-sheet")
"""The codes of errors that say that no row is a header."""


def _never(name: str) -> bool:
    return False


@dataclass(frozen=True)
class ReadOptions:
    """What the user or the mapping says about a file; None leaves it to detection."""

    sheet: str | None = None
    """A sheet's name, or `all` for every visible sheet with data."""
    header_row: int | Literal["none"] | None = None
    """The header's row number (1-based, as a person sees it). `none` names the columns A, B, C…"""
    encoding: str | None = None
    delimiter: str | None = None
    """One character, or `tab`, `comma`, `semicolon`, `pipe`."""
    name: str | None = None
    """What its owner calls the file, where it lies under another name; None: as it was given."""
    password: Callable[[], str] | None = None
    """Returns the password of a file that has one; None: nobody said it."""
    is_known: Callable[[str], bool] = _never
    """Tells whether some mapping or the contract knows a header cell's name."""
    is_mapped: Callable[[str], bool] = _never
    """Tells whether the mapping in use reads a column of this name. Where no row holds two known names, a row
    with one of these is the header."""
    any_table: bool = False
    """Whether a table without known names is read too. Its header is its first row of two cells or more."""
    may_be_skipped: Callable[[str], bool] = _never
    """Tells whether a sheet of this name may hold no table. With `all` it is then left out without a note."""
    first_rows: int | None = None
    """So many rows are probably enough: where that saves time, those behind the first chunk are read only
    when somebody asks for them. None: all are wanted."""
    chunk_rows: int = CHUNK_ROWS
    """The most rows a chunk may have."""


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """One sheet of a workbook. `rows` and `columns` count from the first to the last that hold something."""

    name: str
    visible: bool
    rows: int
    columns: int


def not_read(name: str) -> Note:
    """Return the note that a sheet, or a file of an archive, holds no table and is left out."""
    return Note("sheet-without-header", (("sheet", name),))


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which bytes were opened."""

    path: Path
    """Where the bytes lie. For standard input, the private file that they were copied to."""
    name: str
    """The file as the user named it."""
    sha256: str
    """Lowercase hex, over the bytes as they were given, compressed or not."""
    size: int
    """In bytes."""
    packed_in: Path | None = None
    """The archive or encrypted workbook that the bytes were taken out of; None: they lie as given."""


class Source(ABC):
    """An open file whose header is known and whose rows come as chunks. A context manager.

    `header` holds unique names. With several sheets it is their union, in order of appearance. `sheet` is the
    one that is read; None for delimited text and for several sheets.
    """

    format: str
    encoding: str | None = None
    encoding_confidence: float | None = None
    """0 to 1; None where nothing had to be detected."""
    delimiter: str | None = None
    rest_of: str = ""
    """The run of which only the rest is to be imported: what corrections may say. Empty for the whole."""
    sheets: tuple[SheetInfo, ...] = ()
    sheet: str | None = None
    header_row: int | None = None
    header: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    estimated_rows: int | None = None
    """The most rows that can lie below the header: blank ones and line breaks in cells count too."""

    rows_read: int = 0
    """Rows below the header in the last complete reading, blank ones included."""

    def __init__(self, origin: FileIdentity) -> None:
        self.path = origin.path
        self.given_path = origin.packed_in or origin.path
        """The file as it was given: what a later run opens again."""
        self.name = origin.name
        self.sha256 = origin.sha256
        self.size = origin.size
        self._cleanup = ExitStack()

    @property
    def sheet_headers(self) -> Mapping[str, tuple[str, ...]]:
        """The header of each sheet that is read, by the sheet's name. Delimited text has the name ""."""
        return {self.sheet or "": self.header}

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows below the header in order, without blank ones. Each call reads the same again.

        Raises InputError if the file changed since it was opened, or cannot be read to its end.
        """

    def column(self, name: str) -> Iterator[pd.Series]:
        """Yield the cells of a column as `chunks` has them, in pieces; a sheet without it is passed over.

        Reads less than `chunks` where the format allows it, and raises what that raises.
        """
        for chunk in self.chunks():
            if name in chunk.frame.columns:
                yield chunk.frame[name]

    def notes_at_end(self, opened: float) -> tuple[Note, ...]:
        """Say whether the file was written to after it was read. `opened` is when that began (Unix time)."""
        try:
            now = Path(self.name).stat()
        except (OSError, ValueError):  # gone, or it never was a file
            return ()
        if not stat.S_ISREG(now.st_mode) or (now.st_size == self.size and now.st_mtime <= opened):
            return ()
        found = (("file", self.name), ("before", f"{self.size:,}"), ("now", f"{now.st_size:,}"))
        return (Note("source-written-since", found),)

    def on_close(self, cleanup: ExitStack) -> None:
        """Close these resources together with the source."""
        self._cleanup = cleanup

    def close(self) -> None:
        """Close the file and delete what was unpacked from it."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def rows_to_begin(first_rows: int | None, chunk_rows: int = CHUNK_ROWS) -> int | None:
    """Return how many rows of a sheet to read, if so many first ones are probably enough; None: all."""
    return None if first_rows is None or first_rows > chunk_rows else chunk_rows + ROWS_ABOVE


ALL_SHEETS = "all"


def choose_sheets(sheets: Sequence[SheetInfo], wanted: str | None, name: str) -> list[SheetInfo]:
    """Return the sheets to read. Raises InputError `no-sheet` or `empty-workbook`; `name` is the file's."""
    if wanted is not None and wanted != ALL_SHEETS:
        for info in sheets:
            if info.name == wanted:
                return [info]
        for info in sheets:
            if info.name.strip().casefold() == wanted.strip().casefold():
                return [info]
        raise InputError("no-sheet", name=name, sheet=wanted, sheets=", ".join(info.name for info in sheets))
    visible = [info for info in sheets if info.visible and info.rows]
    if not visible:
        raise InputError("empty-workbook", name=name)
    return visible if wanted == ALL_SHEETS else visible[:1]
