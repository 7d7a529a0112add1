"""Open a file as a source: its content decides what it is, whatever its name says.

Standard input, named pipes and the contents of .gz and .zip files are first copied to private temporary
files.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from importer.dataclass import dataclass
from importer.errors import InputError
from importer.private_files import create_private_file
from importer.readers.archive import PIECE, Archive, gunzipped
from importer.readers.archive_tables import (
    ArchiveMember,
    ArchiveSource,
    chosen_table,
    tables_of,
    without_remarks,
)
from importer.readers.base import ALL_SHEETS, NO_HEADER, FileIdentity, ReadOptions, Source, not_read
from importer.readers.csv_source import CsvSource, EncodedText
from importer.readers.decoding import open_binary, stamp
from importer.readers.detect import (
    FileKind,
    ZipKind,
    foreign_format,
    foreign_text,
    is_binary,
    kind_of,
    may_be_json_lines,
    zip_kind,
)
from importer.readers.encoding import Encoding, FileScan, find_encoding, scan_file

STANDARD_INPUT = "-"
_NO_TABLE = (*NO_HEADER, "empty-file", "empty-workbook", "not-a-table", "foreign-format", "json-document")
"""Errors for which a member of an archive is left out, where all of them are read."""
_WORD_STREAMS = {"WordDocument": "Word", "PowerPoint Document": "PowerPoint"}


@dataclass(slots=True)
class _Opened:
    """The bytes to read a table from, and the file that they came from."""

    path: Path
    name: str
    file: BinaryIO
    scan: FileScan
    origin: FileIdentity
    decrypted: bool = False
    """Whether these bytes were encrypted in the file that they came from."""


def open_source(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Source:
    """Open the table in a file; `-` is standard input.

    Raises InputError, which says what the file is and what to do, if it cannot be read as a table. Raises
    UsageError for options that make no sense.
    """
    with ExitStack() as cleanup:
        kept = TemporaryFiles()
        cleanup.callback(kept.close)
        options = options or ReadOptions()
        opened = _open(path, options.name or str(path), kept, cleanup)
        before = stamp(opened.file)
        source = _table_in(opened, options, kept, cleanup)
        if stamp(opened.file) != before:
            raise InputError("file-changed", name=opened.name)
        source.on_close(cleanup.pop_all())
    return source


def _table_in(opened: _Opened, options: ReadOptions, kept: TemporaryFiles, cleanup: ExitStack) -> Source:
    kind = kind_of(opened.scan.head)
    if kind is FileKind.GZIP:
        opened = _inside(opened, kept.keep(gunzipped(opened.path, opened.name), opened.name), cleanup)
        kind = kind_of(opened.scan.head)
    if kind is FileKind.ZIP:
        return _zipped(opened, options, kept, cleanup)
    return _plain(opened, options, kept, cleanup)


def _plain(opened: _Opened, options: ReadOptions, kept: TemporaryFiles, cleanup: ExitStack) -> Source:
    """Open what is no archive."""
    match kind_of(opened.scan.head):
        case FileKind.OLE:
            return _compound(opened, options, kept, cleanup)
        case FileKind.PARQUET | FileKind.ARROW as kind:
            from importer.readers.typed_table import TypedTable

            return TypedTable(opened.origin, opened.file, kind.value, options)
        case FileKind.GZIP | FileKind.ZIP:
            raise InputError("archive-in-archive", name=opened.name)
    return _delimited(opened, options)


def _zipped(opened: _Opened, options: ReadOptions, kept: TemporaryFiles, cleanup: ExitStack) -> Source:
    with Archive(opened.path, opened.name, options.password) as archive:
        kind = _zip_kind(archive, opened.name)
        if kind is not ZipKind.ARCHIVE:
            return _zipped_workbook(opened, options, archive, kind, kept, cleanup)
        tables: Sequence[str] = tables_of(archive, opened.name)
        left_out: Sequence[str] = ()
        if len(tables) > 1 and options.sheet is None:
            tables, left_out = without_remarks(archive, tables)
        if len(tables) == 1:
            source = _member(opened, archive, tables[0], options, kept, cleanup)
            source.notes = (*source.notes, *map(not_read, left_out))
            return source
        if options.sheet is None:
            listed = ", ".join(tables[:5]) + (" …" if len(tables) > 5 else "")
            raise InputError("archive-of-several", name=opened.name, count=len(tables), files=listed)
        if options.sheet != ALL_SHEETS:
            name, sheet = chosen_table(tables, options.sheet, opened.name)
            return _member(opened, archive, name, replace(options, sheet=sheet), kept, cleanup)
        return _all_tables(opened, archive, tables, options, kept, cleanup)


def _member(
    opened: _Opened,
    archive: Archive,
    name: str,
    options: ReadOptions,
    kept: TemporaryFiles,
    cleanup: ExitStack,
) -> Source:
    """Unpack one member of an archive and open it. Raises InputError."""
    inner = _inside(opened, kept.keep(archive.pieces(name), opened.name), cleanup)
    return _unpacked(inner, options, kept, cleanup, "archive-in-archive")


def _unpacked(
    inner: _Opened, options: ReadOptions, kept: TemporaryFiles, cleanup: ExitStack, archive_in_it: str
) -> Source:
    """Open what came out of another file. `archive_in_it` is the code of the error if it is an archive."""
    if kind_of(inner.scan.head) is not FileKind.ZIP:
        return _plain(inner, options, kept, cleanup)
    with Archive(inner.path, inner.name) as archive:
        kind = _zip_kind(archive, inner.name)
        if kind is ZipKind.ARCHIVE:
            raise InputError(archive_in_it, name=inner.name)
        return _zipped_workbook(inner, options, archive, kind, kept, cleanup)


def _all_tables(
    opened: _Opened,
    archive: Archive,
    tables: Sequence[str],
    options: ReadOptions,
    kept: TemporaryFiles,
    cleanup: ExitStack,
) -> Source:
    """Open all tables of an archive as one. Those without a header are left out, unless none has one."""
    members: list[ArchiveMember] = []
    left_out: list[str] = []
    error: InputError | None = None
    for name in tables:
        try:
            source = _member(opened, archive, name, options, kept, cleanup)
        except InputError as raised:
            if raised.code not in _NO_TABLE:
                raise
            error = error or raised
            left_out.append(name)
        else:
            members.append(ArchiveMember(name, source))
    if not members and error is not None:
        raise error
    return ArchiveSource(opened.origin, members, left_out)


def _zip_kind(archive: Archive, name: str) -> ZipKind:
    """Return what the archive holds. Raises InputError for a zip bomb or a format that is no table."""
    types = archive.read("[Content_Types].xml") if archive.find("[Content_Types].xml") else b""
    kind, foreign = zip_kind(archive.names(), types)
    if foreign:
        raise InputError("foreign-format", name=name, found=foreign)
    archive.check_sizes()
    return kind


def _zipped_workbook(
    opened: _Opened,
    options: ReadOptions,
    archive: Archive,
    kind: ZipKind,
    kept: TemporaryFiles,
    cleanup: ExitStack,
) -> Source:
    from importer.readers.excel.ods import OdsBackend
    from importer.readers.excel.source import WorkbookBackend, WorkbookSource
    from importer.readers.excel.xlsb import XlsbBackend
    from importer.readers.excel.xlsx_reader import open_xlsx

    if kind is ZipKind.ODS:
        from importer.readers.decrypting import decrypted_document, has_password

        if has_password(archive):
            document = decrypted_document(archive, opened.name, options)
            return _encrypted(opened, document, options, kept, cleanup)
    if kind in (ZipKind.XLSX, ZipKind.XLSM):
        return open_xlsx(archive, opened.path, opened.origin, kind.value, options)
    ods = kind is ZipKind.ODS
    book: WorkbookBackend = OdsBackend(archive, opened.name) if ods else XlsbBackend(archive, opened.name)
    return WorkbookSource(opened.origin, kind.value, book, options)


def _encrypted(
    opened: _Opened,
    pieces: Iterable[bytes],
    options: ReadOptions,
    kept: TemporaryFiles,
    cleanup: ExitStack,
) -> Source:
    """Open the workbook that comes out of an encrypted one."""
    if opened.decrypted:
        raise InputError("password", name=opened.name)
    inner = _inside(opened, kept.keep(pieces, opened.name), cleanup)
    inner.decrypted = True
    return _unpacked(inner, options, kept, cleanup, "not-a-workbook")


def _compound(opened: _Opened, options: ReadOptions, kept: TemporaryFiles, cleanup: ExitStack) -> Source:
    from importer.readers.excel.source import WorkbookSource
    from importer.readers.excel.xls import CompoundFile, XlsBackend, has_password

    try:
        compound = CompoundFile.from_path(opened.path)
    except ValueError:
        raise InputError("workbook-damaged", name=opened.name) from None
    if "EncryptedPackage" in compound.names or has_password(compound.records):
        from importer.readers.decrypting import decrypted

        workbook = decrypted(opened.path, opened.name, options)
        return _encrypted(opened, workbook, options, kept, cleanup)
    if not compound.records:
        foreign = next((label for part, label in _WORD_STREAMS.items() if part in compound.names), None)
        if foreign:
            raise InputError("foreign-format", name=opened.name, found=foreign)
        raise InputError("workbook-damaged", name=opened.name)
    book = XlsBackend(opened.path, opened.name, compound.scan())
    return WorkbookSource(opened.origin, "xls", book, options)


def _delimited(opened: _Opened, options: ReadOptions) -> Source:
    scan, name = opened.scan, opened.name
    if not scan.size:
        raise InputError("empty-file", name=name)
    foreign = foreign_format(scan.head)
    if foreign:
        raise InputError("foreign-format", name=name, found=foreign)
    if may_be_json_lines(scan.head):
        from importer.readers.json_lines import JsonLinesSource, is_json_lines  # few files are

        if is_json_lines(scan.head):
            return JsonLinesSource(opened.origin, opened.file, options)
    encoding = _encoding(opened, options)
    text = EncodedText(opened.file, encoding, scan.lines)
    start = scan.head.decode(encoding.codec, "replace")
    foreign = foreign_text(start)
    if foreign == "JSON":
        raise InputError("json-document", name=name)
    if foreign:
        raise InputError("foreign-format", name=name, found=foreign)
    return CsvSource(opened.origin, text, options)


def _encoding(opened: _Opened, options: ReadOptions) -> Encoding:
    """Return the text's encoding. Raises InputError `not-a-table` for binary data."""
    try:
        encoding = find_encoding(opened.scan, options, opened.name)
    except InputError:
        if is_binary(opened.scan.head):
            raise InputError("not-a-table", name=opened.name) from None
        raise
    if not encoding.codec.startswith(("utf-16", "utf-32")) and is_binary(opened.scan.head):
        raise InputError("not-a-table", name=opened.name)
    return encoding


def _open(path: str | os.PathLike[str], name: str, kept: TemporaryFiles, cleanup: ExitStack) -> _Opened:
    location = Path(path)
    if os.fspath(path) == STANDARD_INPUT:
        location = kept.keep(standard_input(), name)
    elif stat.S_ISFIFO(check_exists(location)):
        location = kept.keep(pipe(location), name)
    try:
        file = cleanup.enter_context(open_binary(location))
        scan = scan_file(file)
    except OSError as error:
        raise InputError("file-unreadable", name=name, reason=error.strerror or str(error)) from None
    return _Opened(location, name, file, scan, FileIdentity(location, name, scan.sha256, scan.size))


def _inside(outer: _Opened, path: Path, cleanup: ExitStack) -> _Opened:
    """Open what was unpacked; hash and size stay those of the file that was given."""
    file = cleanup.enter_context(open_binary(path))
    given = outer.origin
    origin = FileIdentity(path, outer.name, given.sha256, given.size, given.packed_in or given.path)
    return _Opened(path, outer.name, file, scan_file(file), origin)


def check_exists(path: str | os.PathLike[str]) -> int:
    """Return what a file is (`st_mode`): a regular file or a named pipe; what it holds is not looked at.

    Raises InputError for anything else: `no-file`, `is-directory`, `is-device`, `file-unreadable`.
    """
    name = str(path)
    mode = _mode(Path(path), name)
    if stat.S_ISDIR(mode):
        raise InputError("is-directory", name=name)
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise InputError("is-device", name=name)
    return mode


def _mode(path: Path, name: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("no-file", name=name) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "file-unreadable", name=name, reason=getattr(error, "strerror", None) or str(error)
        ) from None


class TemporaryFiles:
    """A private folder for temporary files, which only its owner can read. `close` deletes it."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._count = 0

    def keep(self, pieces: Iterable[bytes], name: str) -> Path:
        """Return a new file with these pieces. Raises InputError `no-room`; `name` is the source's."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="nxlink-importer-"))
        self._count += 1
        path = self._folder / str(self._count)
        try:
            with create_private_file(path) as file:
                for piece in pieces:
                    file.write(piece)
        except OSError as error:
            raise InputError("no-room", name=name, reason=error.strerror or str(error)) from None
        return path

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def standard_input() -> Iterable[bytes]:
    """Return all of standard input, piece by piece. Raises InputError `no-standard-input` if it is closed."""
    if sys.stdin is None:
        raise InputError("no-standard-input")
    return _pieces(sys.stdin.buffer, STANDARD_INPUT)


def pipe(path: Path) -> Iterable[bytes]:
    """Yield all that comes out of a named pipe."""
    with path.open("rb") as file:
        yield from _pieces(file, str(path))


def _pieces(file: BinaryIO, name: str) -> Iterable[bytes]:
    try:
        while piece := file.read(PIECE):
            yield piece
    except OSError as error:
        raise InputError("file-unreadable", name=name, reason=error.strerror or str(error)) from None
