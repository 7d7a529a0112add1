"""Read a workbook's cells while the program that wants them is still loading.

Imports only `detect`, so that a run without a workbook pays nothing for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from importer.readers.detect import FileKind, kind_of

_HEAD = 8


@contextlib.contextmanager
def prefetch_workbook(file: str, sheet: str | None, first_rows: int | None = None) -> Iterator[None]:
    """Read a workbook's cells in the background until the block ends or `open_source` takes them over.

    `file`, `sheet` and `first_rows` are what will be opened. Does nothing for a file that is no .xlsx
    workbook, and raises nothing: what is wrong with a file is told when it is opened.
    """
    if not _is_zip(Path(file)):
        yield
        return
    from importer.readers.base import rows_to_begin
    from importer.readers.excel.calamine_client import cancel_prefetch, start_prefetch

    prefetched = start_prefetch(Path(file), sheet, rows_to_begin(first_rows))
    try:
        yield
    finally:
        if prefetched is not None:
            cancel_prefetch(prefetched)


def _is_zip(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return kind_of(file.read(_HEAD)) is FileKind.ZIP
    except OSError:
        return False
