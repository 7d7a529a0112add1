"""Define what every reader shares: the options for reading a file, the source it becomes, and the choice
of sheets.

Imports nothing heavy, since a workbook is prefetched before the heavy libraries are loaded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from importer.errors import InputError
from importer.models import Chunk, Note

NO_HEADER = ("no-header", "no-header-in-sheet")
"""The errors that say that no row is a header."""


def _nothing_known(name: str) -> bool:
    return False


def _none_optional(name: str) -> bool:
    return False


@dataclass(frozen=True)
class ReadOptions:
    """What the user, or the mapping, knows about a file; None leaves it to detection."""

    sheet: str | None = None
    """A sheet's name, or `all` for every visible sheet with data."""
    header_row: int | Literal["none"] | None = None
    """The row number (1-based, as a person sees it) of the header; `none` names the columns A, B, C…"""
    encoding: str | None = None
    delimiter: str | None = None
    """One character, or `tab`, `comma`, `semicolon`, `pipe`."""
    known: Callable[[str], bool] = _nothing_known
    """Whether a header cell is a name that some mapping or the contract knows."""
    named: Callable[[str], bool] = _nothing_known
    """Whether a header cell is a name that the mapping in use reads: where no row holds two known names, a
    row with one of these is the header."""
    any_table: bool = False
    """Whether a table without known names is read too: its first row of two cells or more is the header."""
    optional: Callable[[str], bool] = _none_optional
    """Whether a sheet of this name may hold no table: read with `all`, it is left out instead of refused."""
    chunk_rows: int = 14336
    """The most rows a chunk may have."""


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """One sheet of a workbook; `rows` and `columns` span the cells that hold something."""

    name: str
    visible: bool
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which bytes were opened."""

    path: Path
    """Where the bytes lie: for standard input the private file they were spooled to."""
    name: str
    """The file as the user named it."""
    sha256: str
    """Lowercase hex over the bytes as they were given, compressed or not."""
    size: int
    """In bytes."""


class Source(ABC):
    """An open file: its header is known, its rows come as chunks. A context manager.

    `header` holds unique names; with several sheets it is their union, in order of appearance. `sheet` is
    the one that is read, None for delimited text and for several sheets.
    """

    format: str
    encoding: str | None = None
    encoding_confidence: float | None = None
    """0 to 1; None where nothing had to be detected."""
    delimiter: str | None = None
    sheets: tuple[SheetInfo, ...] = ()
    sheet: str | None = None
    header_row: int | None = None
    header: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    estimated_rows: int | None = None
    """How many rows lie below the header, at most: blank ones and line breaks in cells are counted too."""

    rows_read: int = 0
    """Rows below the header that the last complete reading went through, blank ones included."""

    def __init__(self, origin: FileIdentity) -> None:
        self.path = origin.path
        self.name = origin.name
        self.sha256 = origin.sha256
        self.size = origin.size
        self._cleanup = ExitStack()

    @property
    def sheet_headers(self) -> Mapping[str, tuple[str, ...]]:
        """The header of each sheet that is read, by the sheet's name; that of delimited text is ""."""
        return {self.sheet or "": self.header}

    @abstractmethod
    def chunks(self) -> Iterator[Chunk]:
        """The rows below the header, in order, blank ones left out; each call reads again, identically.

        Raises InputError if the file changed since it was opened, or cannot be read to its end.
        """

    def on_close(self, cleanup: ExitStack) -> None:
        """What else there is to let go of when the source is closed."""
        self._cleanup = cleanup

    def close(self) -> None:
        """Lets go of the file and of whatever was unpacked from it."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


ALL_SHEETS = "all"


def choose_sheets(sheets: Sequence[SheetInfo], wanted: str | None, name: str) -> list[SheetInfo]:
    """The sheets to read. Raises InputError `no-sheet` or `empty-workbook`; `name` is the file's."""
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
