"""Read zip archives, and the XML inside them, without trusting either.

Member names are normalized, sizes are counted as they really are, and XML comes as a stream of events without
entities and namespace prefixes, so that transitional and strict OOXML look alike.
"""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self
from xml.parsers import expat

from importer.errors import InputError
from importer.escaping import decode_name
from importer.sources import extras

PIECE = 1 << 20
FREE_SIZE = 1 << 26
"""Bytes an archive may always unpack to."""
MOST_RATIO = 150
"""Beyond FREE_SIZE it may grow by so much; tables of customers grow by 5 to 40, zip bombs by 1000."""
MOST_SIZE = 1 << 33
"""Bytes it may never exceed."""
MOST_DIRECTORY = 1 << 24
"""Bytes of the directory of an archive: room for some 150,000 members. zipfile reads it whole."""
_END = struct.Struct("<4s4H2LH")
"""The end of central directory record; its length and the size of the directory (APPNOTE 4.3.16)."""
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
"""The same for Zip64, and what tells where it is (APPNOTE 4.3.14, 4.3.15)."""
_ENCRYPTED = 0x1
_AES = 99
"""The compression method of a member that is encrypted with AES (WinZip, “AES Encryption Information”)."""
_NAMED_IN_UTF_8 = 0x800
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
"""What zipfile raises for archives that are damaged, cut off, encrypted or packed in an unknown way."""


class Archive:
    """A zip archive open for reading; a context manager. Every method raises InputError."""

    def __init__(self, path: Path, name: str, password: Callable[[], str] | None = None) -> None:
        """`password` returns that of its members; None: nobody said one."""
        self._path = path
        self._name = name
        self._password = password
        self._packed = path.stat().st_size
        self._unpacked = 0
        self._sizes: dict[str, int] = {}
        """Of members, as far as they were read."""
        self._open: list[IO[bytes]] = []
        self._broken: tuple[type[Exception], ...] = BROKEN
        self._strong: Any = None
        """The same archive as the package sees it that knows AES, once a member needs it."""
        try:
            if _directory_size(path) > MOST_DIRECTORY:
                raise InputError("too-many-members", name=name)
            self._zip = zipfile.ZipFile(path)
        except BROKEN:
            raise InputError("archive-damaged", name=name) from None
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            if not info.filename.endswith("/"):
                self._add(_plain(_legible(info)), info)
        self._folded = {member.casefold(): member for member in self._members}

    def _add(self, member: str, info: zipfile.ZipInfo) -> None:
        """Raise InputError where two members have one name, of which nobody knows which is meant."""
        before = self._members.get(member)
        if before and (before.CRC, before.file_size) != (info.CRC, info.file_size):
            self._zip.close()
            raise InputError("archive-repeated-name", name=self._name, member=member)
        self._members[member] = info

    def names(self) -> tuple[str, ...]:
        """Return the members' names, with forward slashes and no leading one."""
        return tuple(self._members)

    def find(self, member: str) -> str | None:
        """Return the member's name as `names` has it, whatever the case; None if there is none."""
        return self._folded.get(_plain(member).casefold())

    def size(self, member: str) -> int:
        """Return the bytes that a member claims to unpack to; 0 if there is none."""
        found = self.find(member)
        return self._members[found].file_size if found else 0

    def pieces(self, member: str) -> Iterator[bytes]:
        """Yield the member's bytes, piece by piece."""
        found = self.find(member)
        if found is None:
            raise InputError("archive-damaged", name=self._name)
        info = self._members[found]
        password = None
        if info.flag_bits & _ENCRYPTED:
            if self._password is None:
                raise InputError("password", name=self._name)
            password = self._password().encode()
        if info.compress_type == _AES:
            self._load_strong()
        try:
            with self._opened(info, password) as file:
                self._open.append(file)
                size = 0
                while piece := file.read(PIECE):
                    size += len(piece)
                    self._count(info.filename, size)
                    yield piece
        except RuntimeError as error:
            # The text goes on with the member's name.
            wrong = password is not None and str(error).startswith("Bad password")
            raise InputError("password-wrong" if wrong else "archive-damaged", name=self._name) from None
        except self._broken:
            raise InputError("archive-damaged", name=self._name) from None

    def _opened(self, info: zipfile.ZipInfo, password: bytes | None) -> IO[bytes]:
        if info.compress_type != _AES:
            return self._zip.open(info, pwd=password)
        same = (one for one in self._strong.infolist() if one.header_offset == info.header_offset)
        opened: IO[bytes] = self._strong.open(next(same), pwd=password)
        return opened

    def _load_strong(self) -> None:
        """Open the archive with the package that knows AES. Raises SettingsError `extra-missing`."""
        pyzipper = extras.load("pyzipper", "password")
        self._broken = (*BROKEN, pyzipper.BadZipFile)
        try:
            self._strong = self._strong or pyzipper.AESZipFile(self._path)
        except self._broken:
            raise InputError("archive-damaged", name=self._name) from None

    def read(self, member: str) -> bytes:
        """Return a whole member."""
        return b"".join(self.pieces(member))

    def check_sizes(self) -> None:
        """Refuse an archive whose own directory shows that it is a zip bomb, before anything unpacks it."""
        self._refuse(sum(info.file_size for info in self._members.values()))

    def _count(self, member: str, size: int) -> None:
        """Count what members really unpack to: each once, however often it is read."""
        if size > (before := self._sizes.get(member, 0)):
            self._sizes[member] = size
            self._unpacked += size - before
            self._refuse(self._unpacked)

    def _refuse(self, size: int) -> None:
        refuse_bomb(self._packed, size, self._name)

    def close(self) -> None:
        """Close the archive, and members that were not read to their ends."""
        for file in self._open:
            file.close()
        if self._strong is not None:
            self._strong.close()
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


_SAID_IN_ZIP64 = 0xFFFFFFFF
"""Stands in the end of an archive for a size that only its Zip64 record has room for (APPNOTE 4.4.1.4)."""


def _directory_size(path: Path) -> int:
    """Return how many bytes the directory of an archive has, as its end says; 0 if it says nothing."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        begin = max(size - _END.size - 0xFFFF - _LOCATOR.size, 0)
        file.seek(begin)
        tail = file.read()
        at = tail.rfind(b"PK\5\6", 0, len(tail) - _END.size + 4)
        if at < 0:
            return 0
        found = _END.unpack_from(tail, at)[5]
        if at >= _LOCATOR.size and tail.startswith(b"PK\6\7", at - _LOCATOR.size):
            file.seek(min(_LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2], size))
            record = file.read(_END_64.size)
            if len(record) == _END_64.size and record.startswith(b"PK\6\6"):
                in_zip64 = _END_64.unpack(record)[8]
                found = in_zip64 if found == _SAID_IN_ZIP64 else max(found, in_zip64)
        return int(found)


def _legible(info: zipfile.ZipInfo) -> str:
    """Return the name of a member. Without the mark for UTF-8 (APPNOTE 4.4.4, bit 11) it is in the code page
    of the system that packed it, of which zipfile takes for granted that it is cp437."""
    if info.flag_bits & _NAMED_IN_UTF_8 or info.filename.isascii():
        return info.filename
    try:
        return decode_name(info.filename.encode("cp437")) or info.filename
    except UnicodeEncodeError:
        return info.filename


def _plain(member: str) -> str:
    """Return a name as ECMA-376 part 2 wants it: some writers use backslashes, or begin with a slash."""
    return str(PurePosixPath(member.replace("\\", "/"))).lstrip("/")


def gunzipped(path: Path, name: str) -> Iterator[bytes]:
    """Yield what a .gz file holds. Raises InputError; `name` is the file's."""
    packed = path.stat().st_size
    unpacked = 0
    try:
        with gzip.open(path, "rb") as file:
            while piece := file.read(PIECE):
                unpacked += len(piece)
                refuse_bomb(packed, unpacked, name)
                yield piece
    except (EOFError, OSError, zlib.error):
        raise InputError("archive-damaged", name=name) from None


def refuse_bomb(packed: int, unpacked: int, name: str) -> None:
    """Raise InputError `zip-bomb` if so many bytes cannot honestly come out of so few."""
    if unpacked > FREE_SIZE and (unpacked > MOST_RATIO * packed or unpacked > MOST_SIZE):
        raise InputError("zip-bomb", name=name)


MOST_NESTED = 100
"""Nested elements; spreadsheets need about ten."""
MOST_UNBROKEN = 1 << 26
"""Bytes in a row in which no element begins or ends. A tag or a comment of any length is kept until its end,
and read again from its beginning with each piece (expat before 2.6); a text is kept as a cell."""


class XmlHandlers:
    """What to do at elements. Does nothing; subclasses override."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take the beginning of an element; its name and those of attributes have no prefix."""

    def end(self, name: str) -> None:
        """Take the end of an element."""

    def text(self, text: str) -> None:
        """Take the characters between two tags, in one piece."""


class XmlStream:
    """A document that is fed piece by piece to `handlers`. Raises InputError; `name` is the file's."""

    def __init__(self, handlers: XmlHandlers, name: str) -> None:
        self._handlers = handlers
        self._name = name
        self._depth = 0
        self._unbroken = 0
        self._local: dict[str, str] = {}
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = handlers.text
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Parse the next bytes."""
        self._unbroken += len(piece)
        if self._unbroken > MOST_UNBROKEN:
            raise InputError("workbook-damaged", name=self._name)
        try:
            self._parser.Parse(piece, last)
        except (expat.ExpatError, LookupError, ValueError):  # the latter two: an encoding unknown to Python
            raise InputError("workbook-damaged", name=self._name) from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._unbroken = 0
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise InputError("workbook-damaged", name=self._name)
        plain = self._plain
        self._handlers.start(plain(tag), {plain(key): value for key, value in attributes.items()})

    def _end(self, tag: str) -> None:
        self._unbroken = 0
        self._depth -= 1
        self._handlers.end(self._plain(tag))

    def _plain(self, full: str) -> str:
        short = self._local.get(full)
        if short is None:
            short = self._local[full] = full.rpartition(":")[2]
        return short

    def _refuse(self, *declared: object) -> None:
        raise InputError("xml-entities", name=self._name)


def parse_xml(pieces: Iterable[bytes], handlers: XmlHandlers, name: str) -> None:
    """Feed a whole document through `handlers`. Raises InputError; `name` is the file's."""
    stream = XmlStream(handlers, name)
    for piece in pieces:
        stream.feed(piece)
    stream.feed(b"", last=True)
