"""Read a workbook with calamine in a process of its own, since a damaged file can abort it.

The process can be started before the file is opened. Which sheet will be wanted, and how much memory it
takes, is then guessed from the archive. If the guess is wrong, or a scan finds that the sheet must be read
without calamine, the process is ended and its answers are dropped. Imports nothing heavy: the earlier the
start, the more it saves.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from importer.errors import InputError
from importer.readers.archive import Archive
from importer.readers.base import ALL_SHEETS, SheetInfo, choose_sheets
from importer.readers.detect import ZipKind, zip_kind
from importer.readers.excel.ooxml import OoxmlPackage, open_package, strings_memory
from importer.readers.excel.xlsx_head import VALUES

LEAST_MEMORY = 1 << 29
"""The memory, in bytes, that the process may always have."""
MOST_MEMORY = 3 << 30
LEAST_SECONDS = 40.0
SECONDS_PER_MEGABYTE = 2.0
_PIPE_SIZE = 1 << 20
"""Buffer of the answer pipe, in bytes. A larger one wakes the receiving thread less often."""
_MOST_QUEUED = 32
"""Answers received and not yet asked for; with more, the process has to wait."""


@dataclass(slots=True)
class RowBlock:
    """Consecutive rows of a sheet. A column is the lengths of its cells (32-bit), then their UTF-8 text."""

    rows: int
    columns: list[bytes]


@dataclass(frozen=True, slots=True)
class HeadJob:
    """Which first rows are wanted. `part` and `strings_part` are members of the archive."""

    part: str
    strings_part: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class WholeSheet:
    """What shows that the first rows of a sheet read as they do in all of it."""

    xml: bytes
    """The sheet without its other rows."""
    last_row: int
    """The number of the sheet's last row, which holds something."""


@dataclass(frozen=True, slots=True)
class _Answer:
    head: dict[str, Any]
    parts: list[bytes]


class CalamineClient:
    """A workbook open in another process, whose answers a thread receives. A context manager.

    Raises InputError `password`, or `workbook-damaged` if the file cannot be read, the process died of it, or
    it took too long.
    """

    def __init__(
        self, path: Path, name: str, memory: int = LEAST_MEMORY, head: HeadJob | None = None
    ) -> None:
        """`head`: read the first rows of a sheet only."""
        self._name = name
        self.head: WholeSheet | None = None
        """What all of the sheet says, once its first rows are read."""
        size = path.stat().st_size
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "importer.readers.excel.calamine_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._enlarge_pipe()
        self._timer = threading.Timer(LEAST_SECONDS + size / 1e6 * SECONDS_PER_MEGABYTE, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        self._answers: queue.Queue[_Answer | None] = queue.Queue(_MOST_QUEUED)
        self._receiver = threading.Thread(target=self._receive, name="cells", daemon=True)
        self._receiver.start()
        most = min(max(memory, LEAST_MEMORY), MOST_MEMORY)
        self._send({"path": str(path.resolve()), "memory": most, "head": asdict(head) if head else None})

    def request(self, sheets: Sequence[str]) -> None:
        """Tell the process which sheets to read. To be called once."""
        self._send(list(sheets))

    def sheets(self) -> list[tuple[str, bool]]:
        """Return the sheets' names, and whether people see them. To be called once, before `rows`."""
        return [(name, visible) for name, visible in self._next().head["sheets"]]

    def rows(self) -> Iterator[tuple[str, RowBlock | tuple[int, int]]]:
        """Yield the rows of the requested sheets in order, and after each sheet its last row and width.

        Blank rows above all others, and blank columns left of them, may be missing.
        """
        while "end" not in (answer := self._next()).head:
            head = answer.head
            if "head" in head:
                self.head = WholeSheet(answer.parts[0], head["last_row"])
            elif head["rows"]:
                yield head["sheet"], RowBlock(head["rows"], answer.parts)
            else:
                last_row, width = head["extent"]
                yield head["sheet"], (last_row, width)

    def close(self) -> None:
        """End the process."""
        self._timer.cancel()
        self._process.kill()
        while self._receiver.is_alive():
            # The thread may be waiting to hand over an answer.
            with contextlib.suppress(queue.Empty):
                self._answers.get_nowait()
            self._receiver.join(0.01)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _enlarge_pipe(self) -> None:
        """Enlarge the answer pipe's buffer where the system allows it."""
        assert self._process.stdout  # noqa: S101
        with contextlib.suppress(ImportError, AttributeError, OSError):
            import fcntl

            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def _send(self, command: object) -> None:
        """Send a line. If the process is gone, `_next` finds out."""
        assert self._process.stdin  # noqa: S101
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()

    def _next(self) -> _Answer:
        answer = self._answers.get()
        if answer is None:
            self._answers.put(None)  # the next call gets the same answer
            raise InputError("workbook-damaged", name=self._name)
        if "error" in answer.head:
            code = "password" if answer.head["error"] == "password" else "workbook-damaged"
            raise InputError(code, name=self._name)
        return answer

    def _receive(self) -> None:
        """Receive every answer, on a thread; at the end of the process put None."""
        with contextlib.suppress(EOFError, OSError, ValueError, OverflowError, MemoryError):
            while True:
                (size,) = struct.unpack(">Q", self._bytes(8))
                head: dict[str, Any] = json.loads(self._bytes(size))
                parts = [self._bytes(size) for size in head.get("sizes", ())]
                self._answers.put(_Answer(head, parts))
        self._answers.put(None)

    def _bytes(self, size: int) -> bytes:
        """Return so many bytes of the answers. Raises EOFError."""
        assert self._process.stdout  # noqa: S101
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise EOFError
        return data


_MEMORY_PER_BYTE = 4
"""Memory for each byte of a sheet's XML: a cell takes 30 to 60 bytes there, and up to 160 in calamine."""
_LIMITS_HOLD = sys.platform == "linux"
"""Whether memory limits work. Elsewhere a sheet is read only after a scan found it harmless."""

FileState = tuple[str, int, int, int]
"""Path, inode, size, time of change."""
_MEMORY_OF_HEAD = 1 << 29
"""For the first rows: their XML and shared strings are short, or all of the sheet is read."""
_FEW_TIMES = 3
"""A sheet of so many times the rows that are wanted, by the size of its first ones, is not read whole."""


@dataclass(frozen=True, slots=True)
class PrefetchedWorkbook:
    """A process that is already reading sheets of a workbook."""

    client: CalamineClient
    sheets: tuple[str, ...]
    memory: int
    """Bytes that it may use."""
    key: tuple[FileState, str | None, int | None]
    """The file, the sheet that is wanted, and how many first rows of it."""
    begun: bool = False
    """Whether it reads the first rows only."""


_waiting: list[PrefetchedWorkbook] = []


def start_prefetch(path: Path, sheet: str | None, rows: int | None = None) -> PrefetchedWorkbook | None:
    """Start to read an .xlsx workbook, which `take_prefetched` then finds; None for any other file.

    `rows`: so many first ones of a sheet are enough.
    """
    try:
        with Archive(path, str(path)) as archive:
            archive.check_sizes()
            if zip_kind(archive.names(), b"")[0] is not ZipKind.XLSX:
                return None
            prefetched = _begin(archive, open_package(archive, str(path)), path, sheet, rows)
    except (InputError, OSError, ValueError):
        return None
    if prefetched is not None:
        _waiting.append(prefetched)
    return prefetched


def cancel_prefetch(prefetched: PrefetchedWorkbook) -> None:
    """Cancel a prefetch unless it was taken over."""
    if prefetched in _waiting:
        _waiting.remove(prefetched)
        prefetched.client.close()


def take_prefetched(
    archive: Archive, package: OoxmlPackage, path: Path, sheet: str | None, rows: int | None = None
) -> PrefetchedWorkbook | None:
    """Return the prefetch of this file, started now if need be; None if the sheet cannot be guessed.

    The caller closes its client.
    """
    try:
        key = (file_state(path), sheet, rows)
        for prefetched in _waiting:
            if prefetched.key == key:
                _waiting.remove(prefetched)
                return prefetched
        return _begin(archive, package, path, sheet, rows)
    except (InputError, OSError):
        return None


def _begin(
    archive: Archive, package: OoxmlPackage, path: Path, sheet: str | None, rows: int | None
) -> PrefetchedWorkbook | None:
    """Start a prefetch; None if the sheet cannot be guessed. Raises InputError and OSError."""
    names = _likely(archive, package, sheet) if _LIMITS_HOLD else ()
    if not names:
        return None
    key = (file_state(path), sheet, rows)
    parts = [part.part for part in package.sheets if part.name in names]
    head = None
    if rows is not None and sheet != ALL_SHEETS and _has_many_rows(archive, parts[0], rows):
        head, memory = HeadJob(parts[0], package.strings_part, rows), LEAST_MEMORY + _MEMORY_OF_HEAD
    else:
        memory = LEAST_MEMORY + sum(map(archive.size, parts)) * _MEMORY_PER_BYTE
        memory += strings_memory(archive, package)
    client = CalamineClient(path, str(path), memory, head)
    client.request(names)
    return PrefetchedWorkbook(client, names, memory, key, begun=head is not None)


def _likely(archive: Archive, package: OoxmlPackage, wanted: str | None) -> tuple[str, ...]:
    """Return the sheets that will be chosen, as far as can be told without a scan of all of them."""
    if wanted is not None:
        infos = [SheetInfo(part.name, part.visible, 1, 1) for part in package.sheets]
        return tuple(info.name for info in choose_sheets(infos, wanted, ""))
    for part in package.sheets:
        if part.visible and _has_cells(archive, part.part):
            return (part.name,)
    return ()


def _has_cells(archive: Archive, part: str) -> bool:
    start = next(archive.pieces(part), b"")
    return any(mark in start for mark in VALUES)


def _has_many_rows(archive: Archive, part: str, rows: int) -> bool:
    """Return whether a sheet seems to have some times as many rows as are wanted."""
    start = next(archive.pieces(part), b"")
    return archive.size(part) * start.count(b"<row ") > _FEW_TIMES * rows * max(len(start), 1)


def file_state(path: Path) -> FileState:
    """Return what changes when somebody writes to a file. Raises OSError."""
    status = path.stat()
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns
