"""From a path to an open source."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from importer.errors import InputError
from importer.readers.decoding import open_binary
from importer.readers.delimited import DelimitedSource, Text
from importer.readers.detect import Kind, kind_of
from importer.readers.options import ReadOptions
from importer.readers.source import Origin, Source
from importer.readers.survey import Survey, byte_order_mark, survey


def open_source(path: Path | str, options: ReadOptions | None = None) -> Source:
    """The table in a file; `-` is standard input.

    Raises InputError with what the file is and what to do, if it cannot be read as a table.
    """
    options = options or ReadOptions()
    name = str(path)
    file = _open(Path(path), name)
    try:
        seen = survey(file)
        if not seen.size:
            raise InputError("empty-file", name=name)
        origin = Origin(Path(path), name, seen.sha256, seen.size)
        kind = kind_of(seen.head)
        if kind is Kind.TEXT:
            return DelimitedSource(origin, _text(file, seen, options), options)
        from importer.readers.archive import Archive
        from importer.readers.books import OoxmlBook
        from importer.readers.workbook import WorkbookSource

        with Archive(Path(path), name) as archive:
            source = WorkbookSource(origin, "xlsx", OoxmlBook(archive, Path(path), name), options)
        file.close()
        return source
    except BaseException:
        file.close()
        raise


def _open(path: Path, name: str) -> BinaryIO:
    try:
        if path.is_dir():
            raise InputError("is-directory", name=name)
        return open_binary(path)
    except FileNotFoundError:
        raise InputError("no-file", name=name) from None
    except OSError as error:
        raise InputError("file-unreadable", name=name, reason=error.strerror or str(error)) from None


def _text(file: BinaryIO, seen: Survey, options: ReadOptions) -> Text:
    if options.encoding is not None:
        return Text(file, options.encoding, valid_utf8=False)
    marked = byte_order_mark(seen.head)
    if marked and marked != "utf-8":
        return Text(file, marked, valid_utf8=False, confidence=1.0)
    return Text(file, "utf-8", valid_utf8=seen.valid_utf8, confidence=1.0)
