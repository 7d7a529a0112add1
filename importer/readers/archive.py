"""Zip archives read with suspicion: names as they should be, sizes as they really are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Self

from importer.errors import InputError

PIECE = 1 << 20
FREE_SIZE = 1 << 26
"""Bytes an archive may always unpack to."""
MOST_RATIO = 150
"""Beyond FREE_SIZE it may grow by so much; tables of customers grow by 5 to 40, zip bombs by 1000."""
MOST_SIZE = 1 << 33
"""Bytes it may never exceed."""
_ENCRYPTED = 0x1
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
"""What zipfile raises for archives that are damaged, cut off, encrypted or packed in an unknown way."""


class Archive:
    """A zip archive open for reading. A context manager. Every method raises InputError."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._packed = path.stat().st_size
        self._unpacked = 0
        self._open: list[IO[bytes]] = []
        try:
            self._zip = zipfile.ZipFile(path)
        except BROKEN:
            raise InputError("archive-damaged", name=name) from None
        self._members = {
            _plain(info.filename): info for info in self._zip.infolist() if not info.filename.endswith("/")
        }
        self._folded = {member.casefold(): member for member in self._members}

    def names(self) -> tuple[str, ...]:
        """The members' names, with forward slashes and no leading one."""
        return tuple(self._members)

    def find(self, member: str) -> str | None:
        """The member's name as it is in the archive; upper and lower case don't matter."""
        return self._folded.get(_plain(member).casefold())

    def size(self, member: str) -> int:
        """The bytes that a member says it unpacks to; 0 if there is none."""
        found = self.find(member)
        return self._members[found].file_size if found else 0

    def pieces(self, member: str) -> Iterator[bytes]:
        """The member's bytes, piece by piece."""
        found = self.find(member)
        if found is None:
            raise InputError("archive-damaged", name=self._name)
        info = self._members[found]
        if info.flag_bits & _ENCRYPTED:
            raise InputError("password", name=self._name)
        try:
            with self._zip.open(info) as file:
                self._open.append(file)
                while piece := file.read(PIECE):
                    self._count(len(piece))
                    yield piece
        except BROKEN:
            raise InputError("archive-damaged", name=self._name) from None

    def read(self, member: str) -> bytes:
        """A whole member."""
        return b"".join(self.pieces(member))

    def check_sizes(self) -> None:
        """Refuses an archive that says of itself that it is a bomb, before anything else unpacks it."""
        self._refuse(sum(info.file_size for info in self._members.values()))

    def _count(self, size: int) -> None:
        self._unpacked += size
        self._refuse(self._unpacked // 4)

    def _refuse(self, size: int) -> None:
        if size > FREE_SIZE and (size > MOST_RATIO * self._packed or size > MOST_SIZE):
            raise InputError("zip-bomb", name=self._name)

    def close(self) -> None:
        """Closes the archive, and members that were not read to their ends."""
        for file in self._open:
            file.close()
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _plain(member: str) -> str:
    """Some writers use backslashes, or begin with a slash (ECMA-376 part 2 wants neither)."""
    return str(PurePosixPath(member.replace("\\", "/"))).lstrip("/")
