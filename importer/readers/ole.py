"""Compound files (.xls and encrypted workbooks), as far as it takes to say what one is.

Structures as in [MS-CFB] 2.2, 2.3 and 2.6, records as in [MS-XLS] 2.1.4. Damaged files give what can be had.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_FREE = 0xFFFFFFFA
"""From here on a sector number is a mark, not a sector."""
_HEADER_SECTORS = 109
_ENTRY = 128
_MINI_CUTOFF = 4096
_FILEPASS = 0x2F


class CompoundFile:
    """A compound file in memory. Raises ValueError if its skeleton is damaged."""

    def __init__(self, data: bytes) -> None:
        try:
            self._read(data)
        except struct.error:
            raise ValueError("damaged") from None

    @classmethod
    def from_path(cls, path: Path) -> CompoundFile:
        return cls(path.read_bytes())

    def names(self) -> tuple[str, ...]:
        """The streams' and folders' names."""
        return tuple(self._entries)

    def stream(self, name: str) -> bytes:
        """A stream's bytes, as far as the file has them; empty if there is none. Raises ValueError."""
        begin, size = self._entries.get(name, (_FREE, 0))
        if size < _MINI_CUTOFF:
            parts = [self._mini[at * 64 : at * 64 + 64] for at in _chain(begin, self._mini_table)]
        else:
            parts = [self._sector(at) for at in _chain(begin, self._table)]
        return b"".join(parts)[:size]

    def _read(self, data: bytes) -> None:
        self._data = data
        self._shift = struct.unpack_from("<H", data, 30)[0]
        if self._shift not in (9, 12):
            raise ValueError("damaged")
        directory, mini_table = struct.unpack_from("<I", data, 48)[0], struct.unpack_from("<I", data, 60)[0]
        sectors = [at for at in struct.unpack_from(f"<{_HEADER_SECTORS}I", data, 76) if at < _FREE]
        more = struct.unpack_from("<I", data, 68)[0]
        seen: set[int] = set()
        while more < _FREE and more not in seen:
            seen.add(more)
            numbers = self._numbers(self._sector(more))
            sectors.extend(at for at in numbers[:-1] if at < _FREE)
            more = numbers[-1] if numbers else _FREE
        self._table = [number for at in sectors for number in self._numbers(self._sector(at))]
        self._mini_table = [
            number for at in _chain(mini_table, self._table) for number in self._numbers(self._sector(at))
        ]
        self._entries: dict[str, tuple[int, int]] = {}
        raw = b"".join(self._sector(at) for at in _chain(directory, self._table))
        root = (_FREE, 0)
        for at in range(0, len(raw) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", raw, at + 64)
            if kind not in (1, 2, 5) or length < 2:
                continue
            name = raw[at : at + min(length, 64) - 2].decode("utf-16-le", "replace")
            place = struct.unpack_from("<II", raw, at + 116)
            if kind == 5:
                root = place
            else:
                self._entries.setdefault(name, place)
        self._mini = b"".join(self._sector(at) for at in _chain(root[0], self._table))

    def _sector(self, at: int) -> bytes:
        size = 1 << self._shift
        return self._data[(at + 1) * size : (at + 2) * size]

    def _numbers(self, sector: bytes) -> tuple[int, ...]:
        return struct.unpack(f"<{len(sector) // 4}I", sector[: len(sector) // 4 * 4])


def _chain(begin: int, table: list[int]) -> Iterator[int]:
    """The sectors of a chain; ValueError if it runs in a circle."""
    for _ in range(len(table)):
        if begin >= len(table) or begin >= _FREE:
            return
        yield begin
        begin = table[begin]
    if begin < len(table):
        raise ValueError("damaged")


def has_password(workbook: bytes) -> bool:
    """Whether a Workbook stream is encrypted, be it with the old XOR kind: FILEPASS follows its BOF."""
    at = 0
    for _ in range(64):
        if at + 4 > len(workbook):
            return False
        kind, size = struct.unpack_from("<HH", workbook, at)
        if kind == _FILEPASS:
            return True
        at += 4 + size
    return False
