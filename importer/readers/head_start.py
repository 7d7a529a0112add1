"""The cells of a workbook are being read while the program that wants them still gets ready."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from importer.readers.detect import Kind, kind_of

_HEAD = 8


@contextlib.contextmanager
def head_start(file: str, sheet: str | None) -> Iterator[None]:
    """While it lasts, a workbook's cells are being read for whoever opens this file with this `sheet`.

    For any other file it does nothing; what is wrong with the file is left to the opening to tell.
    """
    if not _is_zip(Path(file)):
        yield
        return
    from importer.readers.begun import wait_for_opening, wait_no_longer

    begun = wait_for_opening(Path(file), sheet)
    try:
        yield
    finally:
        if begun is not None:
            wait_no_longer(begun)


def _is_zip(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return kind_of(file.read(_HEAD)) is Kind.ZIP
    except OSError:
        return False
