"""Private temporary copies: of standard input, and of what lies inside .gz and .zip files."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from importer.errors import InputError
from importer.readers.archive import FREE_SIZE, MOST_RATIO, MOST_SIZE, PIECE


class Spool:
    """A folder of one's own for temporary files, readable by its owner only; gone after `close`."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def keep(self, pieces: Iterable[bytes], name: str) -> Path:
        """Writes the pieces to a file. Raises InputError `no-room`; `name` is the source's."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="nxlink-importer-"))
        descriptor, path = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                try:
                    file.write(piece)
                except OSError as error:
                    raise InputError("no-room", name=name, reason=error.strerror or str(error)) from None
        return Path(path)

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def standard_input() -> Iterable[bytes]:
    """All of standard input, piece by piece. Raises InputError `no-standard-input` if it is closed."""
    if sys.stdin is None:
        raise InputError("no-standard-input")
    return _pieces(sys.stdin.buffer)


def pipe(path: Path) -> Iterable[bytes]:
    """All that comes out of a named pipe."""
    with path.open("rb") as file:
        yield from _pieces(file)


def gunzipped(path: Path, name: str) -> Iterable[bytes]:
    """What a .gz file holds. Raises InputError `archive-damaged` or `zip-bomb`."""
    packed = path.stat().st_size
    size = 0
    try:
        with gzip.open(path, "rb") as file:
            while piece := file.read(PIECE):
                size += len(piece)
                if size > FREE_SIZE and (size > MOST_RATIO * packed or size > MOST_SIZE):
                    raise InputError("zip-bomb", name=name)
                yield piece
    except (EOFError, OSError, zlib.error):
        raise InputError("archive-damaged", name=name) from None


def _pieces(file: BinaryIO) -> Iterable[bytes]:
    while piece := file.read(PIECE):
        yield piece
