"""Serve one workbook's cells from calamine; the process that `importer.readers.excel.calamine_client`
starts.

Reads one JSON line with the file and the limits, and answers with the workbook's sheets. Then reads one with
the sheets wanted, and answers with their rows as text, a block at a time. If only the first rows are wanted,
the last answer is the sheet's XML without the others. Every answer is a length (8 bytes, big-endian), that
many bytes of JSON, and the bytes the JSON announces: for each column the lengths of the cells in bytes
(32-bit, native order) and their UTF-8 text. Imports nothing but `cell_text` before the limits are set.
"""

from __future__ import annotations

import gc
import io
import json
import signal
import struct
import sys
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import BinaryIO, cast

from importer.readers.excel.cell_text import Value, value_text
from importer.readers.excel.xlsx_head import SheetHead

BLOCK_ROWS = 4096
MOST_BLOCK_CELLS = 1 << 19
"""The most cells in a block, so that a sheet of 16,384 columns comes in blocks of fewer rows."""
_BROKEN = (OSError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError)


def main() -> None:
    """Serve one workbook, then end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    gc.disable()  # millions of cells, none in a circle
    commands, answers = sys.stdin.buffer, sys.stdout.buffer
    job = json.loads(commands.readline())
    limit_memory(job["memory"])
    import python_calamine as calamine

    try:
        head = SheetHead(job["path"], **job["head"]) if job["head"] else None
        file = io.BytesIO(head.workbook()) if head else job["path"]
        with calamine.CalamineWorkbook.from_object(file) as book:
            _send(answers, {"sheets": _sheets(book)})
            wanted = json.loads(commands.readline() or b"[]")
            for name in wanted:
                _send_sheet(answers, book.get_sheet_by_name(name))
        if head:
            xml, last_row = head.whole()
            _send(answers, {"head": wanted[0], "last_row": last_row, "sizes": [len(xml)]}, [xml])
    except calamine.PasswordError:
        _send(answers, {"error": "password"})
    except (calamine.CalamineError, *_BROKEN) as error:
        _send(answers, {"error": "unreadable", "reason": str(error)})
    else:
        _send(answers, {"end": True})


def limit_memory(most: int) -> None:
    """Limit this process to so many bytes of memory, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        _, hard = resource.getrlimit(kind)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            continue
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _sheets(book: object) -> list[list[object]]:
    import python_calamine as calamine

    assert isinstance(book, calamine.CalamineWorkbook)  # noqa: S101
    return [
        [meta.name, meta.visible == calamine.SheetVisibleEnum.Visible]
        for meta in book.sheets_metadata
        if meta.typ in (calamine.SheetTypeEnum.WorkSheet, calamine.SheetTypeEnum.DialogSheet)
    ]


def _send_sheet(answers: BinaryIO, sheet: object) -> None:
    import python_calamine as calamine

    assert isinstance(sheet, calamine.CalamineSheet)  # noqa: S101
    width = sheet.end[1] + 1 if sheet.end else 0
    rows = sheet.iter_rows() if sheet.end else iter(())
    size = max(1, min(BLOCK_ROWS, MOST_BLOCK_CELLS // max(width, 1)))
    while block := list(islice(rows, size)):
        _send_block(answers, sheet.name, block)
    last = sheet.end[0] + 1 if sheet.end else 0
    _send(answers, {"sheet": sheet.name, "rows": 0, "extent": [last, width]})


def _send_block(answers: BinaryIO, name: str, block: Sequence[Sequence[Value]]) -> None:
    columns = [pack(column) for column in zip(*block, strict=True)]
    head = {"sheet": name, "rows": len(block), "sizes": [len(column) for column in columns]}
    _send(answers, head, columns)


def pack(values: Sequence[Value]) -> bytes:
    """Return a column of cells as text: the length of each in bytes (32-bit), then all their bytes."""
    texts, joined = _texts(values)
    if joined.isascii():
        return array("i", map(len, texts)).tobytes() + joined.encode()
    encoded = list(map(str.encode, texts))
    return array("i", map(len, encoded)).tobytes() + b"".join(encoded)


def _texts(values: Sequence[Value]) -> tuple[Sequence[str], str]:
    """Return the values as texts, and these joined; the attempt to join tells whether all are text."""
    try:
        return cast("Sequence[str]", values), "".join(cast("Sequence[str]", values))
    except TypeError:
        texts = [value if type(value) is str else value_text(value) for value in values]
        return texts, "".join(texts)


def _send(answers: BinaryIO, head: object, parts: Iterable[bytes] = ()) -> None:
    line = json.dumps(head).encode()
    answers.write(struct.pack(">Q", len(line)) + line)
    answers.writelines(parts)
    answers.flush()


if __name__ == "__main__":
    main()
