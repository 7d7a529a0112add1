"""From a path to an open source: what the file is decides, whatever its name says."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from importer.errors import InputError
from importer.readers import spool
from importer.readers.archive import Archive
from importer.readers.decoding import open_binary, stamp
from importer.readers.delimited import DelimitedSource, Text
from importer.readers.detect import Kind, ZipKind, foreign_format, foreign_text, is_binary, kind_of, zip_kind
from importer.readers.encoding import Encoding, find_encoding
from importer.readers.ole import CompoundFile, has_password
from importer.readers.options import ReadOptions
from importer.readers.source import Origin, Source
from importer.readers.survey import Survey, survey

STANDARD_INPUT = "-"
_NOT_TABLES = ("__macosx/", ".", "thumbs.db", "desktop.ini")
_WORD_STREAMS = {"WordDocument": "Word", "PowerPoint Document": "PowerPoint"}


@dataclass(slots=True)
class _Opened:
    """The bytes to read a table from, and what they came out of."""

    path: Path
    name: str
    file: BinaryIO
    seen: Survey
    origin: Origin


def open_source(path: Path | str, options: ReadOptions | None = None) -> Source:
    """The table in a file; `-` is standard input.

    Raises InputError with what the file is and what to do, if it cannot be read as a table, and UsageError
    for options that don't make sense.
    """
    with ExitStack() as cleanup:
        kept = spool.Spool()
        cleanup.callback(kept.close)
        opened = _open(path, kept, cleanup)
        before = stamp(opened.file)
        source = _table_in(opened, options or ReadOptions(), kept, cleanup)
        if stamp(opened.file) != before:
            raise InputError("file-changed", name=opened.name)
        source.on_close(cleanup.pop_all())
    return source


def _table_in(opened: _Opened, options: ReadOptions, kept: spool.Spool, cleanup: ExitStack) -> Source:
    kind = kind_of(opened.seen.head)
    if kind is Kind.GZIP:
        opened = _inside(opened, kept.keep(spool.gunzipped(opened.path, opened.name), opened.name), cleanup)
        kind = kind_of(opened.seen.head)
    if kind is Kind.ZIP:
        return _zipped(opened, options, kept, cleanup)
    if kind is Kind.OLE:
        return _compound(opened, options)
    if kind is Kind.GZIP:
        raise InputError("archive-in-archive", name=opened.name)
    return _delimited(opened, options)


def _zipped(opened: _Opened, options: ReadOptions, kept: spool.Spool, cleanup: ExitStack) -> Source:
    with Archive(opened.path, opened.name) as archive:
        types = archive.read("[Content_Types].xml") if archive.find("[Content_Types].xml") else b""
        kind, foreign = zip_kind(archive.names(), types)
        if foreign:
            raise InputError("foreign-format", name=opened.name, found=foreign)
        archive.check_sizes()
        if kind is not ZipKind.ARCHIVE:
            return _zipped_workbook(opened, options, archive, kind)
        inner = kept.keep(archive.pieces(_only_table(archive.names(), opened.name)), opened.name)
    opened = _inside(opened, inner, cleanup)
    match kind_of(opened.seen.head):
        case Kind.TEXT:
            return _delimited(opened, options)
        case Kind.OLE:
            return _compound(opened, options)
        case Kind.GZIP:
            raise InputError("archive-in-archive", name=opened.name)
    with Archive(opened.path, opened.name) as archive:
        types = archive.read("[Content_Types].xml") if archive.find("[Content_Types].xml") else b""
        kind, _ = zip_kind(archive.names(), types)
        if kind is ZipKind.ARCHIVE:
            raise InputError("archive-in-archive", name=opened.name)
        archive.check_sizes()
        return _zipped_workbook(opened, options, archive, kind)


def _zipped_workbook(opened: _Opened, options: ReadOptions, archive: Archive, kind: ZipKind) -> Source:
    from importer.readers.books import OoxmlBook
    from importer.readers.ods import OdsBook
    from importer.readers.workbook import Book, WorkbookSource
    from importer.readers.xlsb import XlsbBook

    manifest = archive.find("META-INF/manifest.xml") if kind is ZipKind.ODS else None
    if manifest and b"encryption-data" in archive.read(manifest):
        raise InputError("password", name=opened.name)
    if kind in (ZipKind.XLSX, ZipKind.XLSM):
        with OoxmlBook(archive, opened.path, opened.name, options.sheet) as ooxml:
            return WorkbookSource(opened.origin, kind.value, ooxml, options)
    ods = kind is ZipKind.ODS
    book: Book = OdsBook(archive, opened.name) if ods else XlsbBook(archive, opened.name)
    return WorkbookSource(opened.origin, kind.value, book, options)


def _compound(opened: _Opened, options: ReadOptions) -> Source:
    from importer.readers.books import XlsBook
    from importer.readers.workbook import WorkbookSource
    from importer.readers.xls_look import XlsLook, look

    try:
        compound = CompoundFile.from_path(opened.path)
        part = next((name for name in compound.names() if name.casefold() in ("workbook", "book")), None)
        workbook = compound.stream(part) if part else b""
    except ValueError:
        raise InputError("workbook-damaged", name=opened.name) from None
    names = compound.names()
    if "EncryptedPackage" in names or has_password(workbook):
        raise InputError("password", name=opened.name)
    foreign = next((label for stream, label in _WORD_STREAMS.items() if stream in names), None)
    if foreign and not part:
        raise InputError("foreign-format", name=opened.name, found=foreign)
    if part is None:
        raise InputError("workbook-damaged", name=opened.name)
    seen = look(workbook) if part.casefold() == "workbook" else XlsLook()
    book = XlsBook(opened.path, opened.name, seen)
    return WorkbookSource(opened.origin, "xls", book, options)


def _delimited(opened: _Opened, options: ReadOptions) -> Source:
    seen, name = opened.seen, opened.name
    if not seen.size:
        raise InputError("empty-file", name=name)
    foreign = foreign_format(seen.head)
    if foreign:
        raise InputError("foreign-format", name=name, found=foreign)
    encoding = _encoding(opened, options)
    text = Text(opened.file, encoding, seen.lines)
    start = seen.head.decode(encoding.codec, "replace")
    foreign = foreign_text(start)
    if foreign:
        raise InputError("foreign-format", name=name, found=foreign)
    return DelimitedSource(opened.origin, text, options)


def _encoding(opened: _Opened, options: ReadOptions) -> Encoding:
    """The encoding; a file full of control characters in every one-byte reading is no text."""
    try:
        encoding = find_encoding(opened.seen, options, opened.name)
    except InputError:
        if is_binary(opened.seen.head):
            raise InputError("not-a-table", name=opened.name) from None
        raise
    if not encoding.codec.startswith(("utf-16", "utf-32")) and is_binary(opened.seen.head):
        raise InputError("not-a-table", name=opened.name)
    return encoding


def _only_table(names: tuple[str, ...], archive: str) -> str:
    """The one member of an archive that can be a table."""
    tables = [
        name
        for name in names
        if not name.casefold().startswith(_NOT_TABLES)
        and not PurePosixPath(name).name.casefold().startswith(_NOT_TABLES)
    ]
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise InputError("not-a-workbook", name=archive)
    listed = ", ".join(tables[:5]) + (" …" if len(tables) > 5 else "")
    raise InputError("archive-of-several", name=archive, count=len(tables), files=listed)


def _open(path: Path | str, kept: spool.Spool, cleanup: ExitStack) -> _Opened:
    name = str(path)
    place = Path(path)
    if name == STANDARD_INPUT:
        place = kept.keep(spool.standard_input(), name)
    else:
        mode = _mode(place, name)
        if stat.S_ISFIFO(mode):
            place = kept.keep(spool.pipe(place), name)
        elif stat.S_ISDIR(mode):
            raise InputError("is-directory", name=name)
        elif not stat.S_ISREG(mode):
            raise InputError("is-device", name=name)
    try:
        file = cleanup.enter_context(open_binary(place))
        seen = survey(file)
    except OSError as error:
        raise InputError("file-unreadable", name=name, reason=error.strerror or str(error)) from None
    return _Opened(place, name, file, seen, Origin(place, name, seen.sha256, seen.size))


def _inside(outer: _Opened, path: Path, cleanup: ExitStack) -> _Opened:
    """What was unpacked; hash and size stay those of the file that was given."""
    file = cleanup.enter_context(open_binary(path))
    origin = Origin(path, outer.name, outer.origin.sha256, outer.origin.size)
    return _Opened(path, outer.name, file, survey(file), origin)


def _mode(path: Path, name: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        raise InputError("no-file", name=name) from None
    except (OSError, ValueError) as error:
        raise InputError(
            "file-unreadable", name=name, reason=getattr(error, "strerror", None) or str(error)
        ) from None
