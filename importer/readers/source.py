"""What every opened file offers, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from importer.model import Chunk, Note


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """One sheet of a workbook; `rows` and `columns` span the cells that hold something."""

    name: str
    visible: bool
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Origin:
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
    rows_about: int | None = None
    """How many rows lie below the header, at most: blank ones and line breaks in cells are counted too."""

    rows_passed: int = 0
    """Rows below the header that the last complete reading went through, blank ones included."""

    def __init__(self, origin: Origin) -> None:
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
