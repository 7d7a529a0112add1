"""Tell what a file is from its bytes; its name is only a hint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from enum import Enum


class FileKind(Enum):
    """What the bytes are."""

    TEXT = "text"
    ZIP = "zip"
    OLE = "ole"
    GZIP = "gzip"
    PARQUET = "parquet"
    ARROW = "arrow"


class ZipKind(Enum):
    """What a zip archive holds."""

    XLSX = "xlsx"
    XLSM = "xlsm"
    XLSB = "xlsb"
    ODS = "ods"
    ARCHIVE = "archive"


_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"PK\x03\x04", FileKind.ZIP),
    (b"PK\x05\x06", FileKind.ZIP),
    (b"PK\x07\x08", FileKind.ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind.OLE),
    (b"\x1f\x8b", FileKind.GZIP),
    (b"PAR1", FileKind.PARQUET),
    (b"ARROW1", FileKind.ARROW),
    (b"\xff\xff\xff\xff", FileKind.ARROW),  # a stream: the continuation marker of its first message
)
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "PDF"),
    (b"{\\rtf", "RTF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"SQLite format 3", "SQLite"),
    (b"PARE", "Parquet with an encrypted footer"),
    (b"FEA1", "Feather 1"),
    (b"BEGIN:VCARD", "vCard"),
    (b"ID;P", "SYLK"),
    (b"\x09\x08\x10\x00", "Excel 5"),
    (b"\x09\x00\x04\x00", "Excel 2"),
    (b"\x09\x02\x06\x00", "Excel 3"),
    (b"\x09\x04\x06\x00", "Excel 4"),
)
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*"
    r"<(?:!doctype\s+html|html|head|body|meta|table|style)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(r"\s*<(?:\?xml|Workbook|[A-Za-z]+:?[A-Za-z]*\s+xmlns)")
_JSON = re.compile(r'\s*(?:\{\s*"|\[\s*[{\["])')
_DELIMITERS = ((re.compile(rb"[\t]|[;]|[|]"), 0.5), (re.compile(rb",(?=\S)"), 0.5), (re.compile(b","), 1.0))
"""What cuts rows of text into cells, and the share of the rows that have to be cut alike."""
_LOOKED_AT = 1 << 16
"""Bytes of a text in which a delimiter is looked for."""
_CONTROLS = bytes({*range(32)} - {9, 10, 12, 13, 26, 27})
_MOST_CONTROLS = 0.1
_WORKBOOK_PARTS = {"xl/workbook.xml": ZipKind.XLSX, "xl/workbook.bin": ZipKind.XLSB}
_FOREIGN_PARTS = {
    "word/document.xml": "Word",
    "ppt/presentation.xml": "PowerPoint",
    "index/document.iwa": "Numbers",
    "index.zip": "Numbers",
}


def kind_of(head: bytes) -> FileKind:
    """Return the kind of a file that begins with `head`."""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), FileKind.TEXT)


def foreign_format(head: bytes) -> str | None:
    """Return the name of a known binary format that is not read; None if it is none of these."""
    return next((name for magic, name in _FOREIGN if head.startswith(magic)), None)


def foreign_text(head: str) -> str | None:
    """Return the name of a text format that is no delimited table; None if it is none of these."""
    start = head.lstrip("\ufeff")
    if _HTML.match(start):
        return "HTML"
    if _XML.match(start):
        return "XML"
    return "JSON" if _JSON.match(start) else None


def may_be_json_lines(head: bytes) -> bool:
    """Return whether a text begins with an object in JSON."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def may_hold_table(head: bytes) -> bool:
    """Return whether a file that begins with `head` may be a table, and is not prose or another format.

    In a table of text some delimiter cuts two rows or more, and at least half of all, into as many cells. A
    comma before a space counts as one of prose, unless it cuts all rows alike.
    """
    if kind_of(head) is not FileKind.TEXT:
        return True
    if may_be_json_lines(head):  # and does the first line hold a whole object?
        return head.lstrip().split(b"\n", 1)[0].rstrip().endswith(b"}")
    text = head[:_LOOKED_AT].replace(b"\0", b"")  # of UTF-16
    if foreign_format(head) or foreign_text(text.decode("utf-8", "replace")) or is_binary(text):
        return False
    lines = [line for line in text.splitlines() if line.strip()]
    for delimiter, least in _DELIMITERS:
        cuts = Counter(count for line in lines if (count := len(delimiter.findall(line))))
        alike = max(cuts.values(), default=0)
        if alike > 1 and alike >= least * len(lines):
            return True
    return False


def is_binary(head: bytes) -> bool:
    """Return whether these bytes hold more control characters than damaged text would."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return controls > max(_MOST_CONTROLS * len(head), 2)


def zip_kind(names: Collection[str], content_types: bytes) -> tuple[ZipKind, str | None]:
    """Return what an archive with these members is, and its format's name if it holds no table."""
    folded = {name.casefold() for name in names}
    for part, foreign in _FOREIGN_PARTS.items():
        if part in folded:
            return ZipKind.ARCHIVE, foreign
    for part, kind in _WORKBOOK_PARTS.items():
        if part in folded:
            macros = kind is ZipKind.XLSX and b"macroEnabled" in content_types
            return (ZipKind.XLSM if macros else kind), None
    if not folded.isdisjoint(("content.xml", "encrypted-package")):
        return ZipKind.ODS, None
    if b"sheet.main+xml" in content_types:
        return ZipKind.XLSX, None
    return ZipKind.ARCHIVE, None
