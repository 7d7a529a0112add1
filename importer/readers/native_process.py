"""The parent's side of `importer.readers.native`: a workbook read by a process that may die."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from importer.columns import TEXT
from importer.errors import InputError

LEAST_MEMORY = 1 << 29
"""Bytes the process may always have."""
MOST_MEMORY = 3 << 30
LEAST_SECONDS = 40.0
SECONDS_PER_MEGABYTE = 2.0


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Consecutive rows of a sheet: one column of text for each of its columns."""

    rows: int
    columns: list[pa.Array]


class NativeWorkbook:
    """A workbook open in another process. A context manager.

    Raises InputError: `password`, `workbook-damaged` if the file cannot be read, or if the process died of
    it or took too long.
    """

    def __init__(self, path: Path, name: str, memory: int = LEAST_MEMORY) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "importer.readers.native"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        size = path.stat().st_size
        self._timer = threading.Timer(LEAST_SECONDS + size / 1e6 * SECONDS_PER_MEGABYTE, self._process.kill)
        self._timer.daemon = True
        self._timer.start()
        job = {"path": str(path.resolve()), "memory": min(max(memory, LEAST_MEMORY), MOST_MEMORY)}
        self._tell(job)

    def sheets(self) -> list[tuple[str, bool]]:
        """Names, and whether people see them. To be called once, first."""
        return [(name, visible) for name, visible in self._head()["sheets"]]

    def read(self, sheets: Sequence[str]) -> Iterator[tuple[str, RowBlock | tuple[int, int]]]:
        """The rows of these sheets, in order; at the end of each its last row and its number of columns.

        Blank rows above and blank columns left of all others may be missing.
        """
        self._tell(list(sheets))
        while "end" not in (head := self._head()):
            if not head["rows"]:
                last_row, width = head["extent"]
                yield head["sheet"], (last_row, width)
                continue
            sizes = head["sizes"]
            columns = [
                pa.LargeStringArray.from_buffers(
                    head["rows"], pa.py_buffer(self._bytes(ends)), pa.py_buffer(self._bytes(data))
                ).cast(TEXT)
                for ends, data in zip(sizes[0::2], sizes[1::2], strict=True)
            ]
            yield head["sheet"], RowBlock(head["rows"], columns)

    def close(self) -> None:
        """Ends the process."""
        self._timer.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    continue
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _tell(self, command: object) -> None:
        assert self._process.stdin  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise InputError("workbook-damaged", name=self._name) from None

    def _head(self) -> dict[str, Any]:
        (size,) = struct.unpack(">Q", self._bytes(8))
        head: dict[str, Any] = json.loads(self._bytes(size))
        if "error" in head:
            code = "password" if head["error"] == "password" else "workbook-damaged"
            raise InputError(code, name=self._name)
        return head

    def _bytes(self, size: int) -> bytes:
        assert self._process.stdout  # noqa: S101
        data = self._process.stdout.read(size)
        if len(data) < size:
            raise InputError("workbook-damaged", name=self._name)
        return data
