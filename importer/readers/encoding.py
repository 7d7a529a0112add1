"""Scan a file once, and tell from the scan which encoding its text is in.

The scan reads every byte before the first row: it takes the hash, counts the lines, checks for UTF-8 and
keeps samples. The code pages are compared only where the bytes are neither UTF-8 nor UTF-16.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from importer.dataclass import dataclass
from importer.errors import InputError, UsageError
from importer.patterns import late_pattern
from importer.readers.base import ReadOptions
from importer.readers.decoding import PIECE, decoder, is_utf8
from importer.readers.detect import FileKind, kind_of
from importer.readers.header import count_known_names

if TYPE_CHECKING:
    from importer.readers.code_pages import CodePage

HEAD = 1 << 16
_FEED = ord("\n")
_CONTINUATION = range(0x80, 0xC0)
_FULL_SAMPLE, _LATER_SAMPLE = 1 << 17, 1 << 11
"""Bytes of lines beyond ASCII that are kept: at first, and then of each piece."""
_MOST_SAMPLE = 1 << 19
_LONGEST_LINE = 1 << 12
_ENOUGH_BAD = 1 << 15
"""So many bad bytes are enough to judge whether a text is UTF-8 with flaws."""
_BAD = late_pattern("[\udc80-\udcff]+")
_BEYOND_ASCII = late_pattern("[^\x00-\x7f]+")


@dataclass(slots=True)
class FileScan:
    """What one pass over a file's bytes tells."""

    sha256: str = ""
    size: int = 0
    lines: int = 0
    """Line feeds."""
    head: bytes = b""
    """The first bytes, up to 64 KiB."""
    is_text: bool = True
    """False if the head shows that the file is a workbook or an archive."""
    is_ascii: bool = True
    valid_utf8: bool = True
    multibyte: int = 0
    """Valid UTF-8 characters of several bytes, roughly."""
    bad_bytes: int = 0
    """Bytes that are not UTF-8."""
    good_lines: int = 0
    """Lines that are UTF-8 and not ASCII, in the parts of the file that are not UTF-8 as a whole."""
    sample: bytes = b""
    """Lines that are not ASCII, from all parts of the file that are not UTF-8."""
    cut_lines: int = 0
    """How many of them were shortened, perhaps in the middle of a character."""
    _lines: list[bytes] = field(default_factory=list)
    _sampled: int = 0


def scan_file(file: BinaryIO) -> FileScan:
    """Read `file` from its start to its end."""
    file.seek(0)
    digest = hashlib.sha256()
    scan = FileScan()
    rest = b""
    with ThreadPoolExecutor(1, "hash") as hashing:
        # The hash takes as long as all the rest, and lets other threads go on meanwhile.
        hashed = None
        while piece := file.read(PIECE):
            if hashed is not None:
                hashed.result()
            hashed = hashing.submit(digest.update, piece)
            rest = _scan_piece(scan, piece, rest)
    if rest:
        _judge(scan, rest)
    scan.sha256 = digest.hexdigest()
    scan.sample = b"" if scan.valid_utf8 else b"\n".join(scan._lines)
    scan._lines.clear()
    return scan


def _scan_piece(scan: FileScan, piece: bytes, rest: bytes) -> bytes:
    """Scan the next piece. `rest` is what the one before left; returns what this one leaves."""
    if not scan.head:
        scan.head = piece[:HEAD]
        scan.is_text = kind_of(scan.head) is FileKind.TEXT
    scan.size += len(piece)
    scan.lines += int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) == _FEED))
    if not scan.is_text or (not rest and piece.isascii()):
        return rest
    scan.is_ascii = False
    whole = rest + piece
    cut = _character_start(whole)
    _judge(scan, whole[:cut])
    return whole[cut:]


def _judge(scan: FileScan, piece: bytes) -> None:
    if is_utf8(piece):
        if scan.multibyte < 1 << 20:
            scan.multibyte += int(np.count_nonzero(np.frombuffer(piece, dtype=np.uint8) >= 0xC0))
    else:
        scan.valid_utf8 = False
        for begin in range(0, len(piece), HEAD):
            if scan.bad_bytes > _ENOUGH_BAD:
                break
            text = decoder("utf-8").decode(piece[begin : begin + HEAD], True)
            bad = sum(map(len, _BAD.findall(text)))
            scan.bad_bytes += bad
            scan.multibyte += sum(map(len, _BEYOND_ASCII.findall(text))) - bad
        scan.good_lines += sum(
            is_utf8(line) for line in piece[:_FULL_SAMPLE].splitlines() if not line.isascii()
        )
        _sample(scan, piece)


def _sample(scan: FileScan, piece: bytes) -> None:
    """Keep lines that are not ASCII, more of the first pieces than of the later ones."""
    if scan._sampled > _MOST_SAMPLE:
        return
    room = max(_FULL_SAMPLE - scan._sampled, _LATER_SAMPLE)
    for line in piece.splitlines():
        if line.isascii():
            continue
        scan.cut_lines += len(line) > _LONGEST_LINE
        scan._lines.append(line[:_LONGEST_LINE])
        scan._sampled += len(scan._lines[-1])
        room -= len(scan._lines[-1])
        if room <= 0:
            return


def _character_start(text: bytes) -> int:
    """Return where near the end of `text` a UTF-8 character can begin, so that none is cut in two."""
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte < 0x80:
            return len(text)
        if byte not in _CONTINUATION:
            return len(text) - back
    return len(text)


def byte_order_mark(head: bytes) -> str | None:
    """Return the encoding that a byte order mark names; None without one."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) and len(head) % 4 == 0:
        return "utf-32"
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    return None


CLEAR = 0.12
"""The best code page must fit better by so much, unless the runner-up reads the same text."""
LEAST_FIT = 0.2
_PAIRS_OF_BYTES = ("gb18030", "cp950", "cp932", "cp949")
_FITS_IN_PAIRS = 0.4
_VALID_PER_BAD = 3
"""So many valid multi-byte characters for each bad byte make a text UTF-8 with flaws."""
_TOLERATED = 0.04
"""The share of characters beyond ASCII that may fail to decode."""
_TEXT_UNITS = 0.85
_CELL = late_pattern(r"[,;\t|]")
_LONGEST_SHOWN = 80
_ALIASES = {"ansi": "cp1252", "big5": "cp950", "shift_jis": "cp932", "euc_kr": "cp949", "gbk": "gb18030",
            "gb2312": "gb18030"}  # fmt: skip
_SHOWN = {"cp950": "big5", "cp932": "shift_jis", "cp949": "euc_kr"}
_UNICODE = {"utf-8": "UTF-8", "utf-16-le": "UTF-16 LE", "utf-16-be": "UTF-16 BE"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding by Python's name, and how sure it is: 0 to 1, None if the user gave it."""

    codec: str
    confidence: float | None
    valid_utf8: bool = False

    @property
    def name(self) -> str:
        """The name under which it is shown. Microsoft's codec of the same family may do the reading."""
        return _SHOWN.get(self.codec, self.codec)

    @property
    def label(self) -> str:
        """The name people know it by."""
        if self.codec in _UNICODE:
            return _UNICODE[self.codec]
        return next((page.label for page in _code_pages() if page.name == self.codec), self.codec)


def _code_pages() -> tuple[CodePage, ...]:
    """Return the code pages. Most files are Unicode and have no need of their patterns."""
    from importer.readers.code_pages import CODE_PAGES

    return CODE_PAGES


def find_encoding(scan: FileScan, options: ReadOptions, name: str) -> Encoding:
    """Return the encoding of a text that was scanned.

    Raises UsageError `bad-encoding-name`, InputError `encoding-doubt` or `encoding-unknown`; `name` is the
    file's.
    """
    if options.encoding is not None:
        codec = canonical_encoding(options.encoding)
        return Encoding(codec, None, codec == "utf-8" and scan.valid_utf8)
    marked = byte_order_mark(scan.head)
    if marked and marked != "utf-8":
        return Encoding(marked, 1.0)
    wide = _utf16_without_mark(scan.head)
    if wide:
        return Encoding(wide, 0.9)
    if scan.valid_utf8:
        return Encoding("utf-8", 1.0 if scan.multibyte or scan.is_ascii or marked else 0.9, valid_utf8=True)
    if marked or scan.bad_bytes * _VALID_PER_BAD <= scan.multibyte or _has_utf8_lines(scan):
        share = scan.bad_bytes / (scan.multibyte + scan.bad_bytes)
        return Encoding("utf-8", round(max(0.5, 1 - 2 * share), 2))
    return _best_code_page(scan, options, name)


def _has_utf8_lines(scan: FileScan) -> bool:
    """Return whether some lines are UTF-8 beyond chance: in pairs of bytes of East Asia some are, too."""
    if not scan.good_lines or scan.good_lines * 20 < len(scan.sample.splitlines()):
        return False
    asian = (page for page in _code_pages() if page.name in _PAIRS_OF_BYTES)
    texts = ((page, _decoded(scan, page)) for page in asian)
    return not any(text is not None and page.fit(text) > _FITS_IN_PAIRS for page, text in texts)


def canonical_encoding(encoding: str) -> str:
    """Return Python's name for an encoding as people write it. Raises UsageError `bad-encoding-name`."""
    try:
        codec = codecs.lookup(encoding.strip())
        "".encode(codec.name)
        b"".decode(codec.name)
    except (LookupError, ValueError, TypeError):
        raise UsageError("bad-encoding-name", found=encoding) from None
    plain = codec.name.removesuffix("-sig") if codec.name == "utf-8-sig" else codec.name
    return _ALIASES.get(plain, plain)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The sample as one code page has it, and how well it fits."""

    page: CodePage
    text: str
    fit: float

    def ahead_of(self, other: _Reading) -> float:
        """Return how much better this one fits in the characters that the two read differently."""
        prior = self.page.prior - other.page.prior
        return (self.fit - other.fit) / _share_apart(self.text, other.text) + prior


def _best_code_page(scan: FileScan, options: ReadOptions, name: str) -> Encoding:
    readings = []
    for page in _code_pages():
        text = _decoded(scan, page)
        if text is not None:
            bonus = _header_bonus(scan.head, page, options.is_known)
            readings.append(_Reading(page, text, page.fit(text) + bonus))
    readings.sort(key=lambda reading: -(reading.fit + reading.page.prior))
    if not readings or readings[0].fit < LEAST_FIT:
        raise InputError("encoding-unknown", name=name)
    best = readings[0]
    rivals = [(best.ahead_of(other), other) for other in readings[1:] if other.text != best.text]
    close = [best, *(other for margin, other in rivals if margin < CLEAR)]
    if len(close) > 1:
        labels = ", ".join(one.page.label for one in close)
        names = ", ".join(_SHOWN.get(one.page.name, one.page.name) for one in close)
        found = {"encodings": labels, "names": names, "readings": _lines_in(close)}
        raise InputError("encoding-doubt", name=name, **found)
    margin = min((margin for margin, _ in rivals), default=1.0)
    return Encoding(best.page.name, round(min(0.99, 0.55 + margin / 2), 2))


def _lines_in(readings: Sequence[_Reading]) -> str:
    """Return a line of the sample as each encoding reads it, with the name that --encoding takes."""
    lines = [one.text.splitlines() for one in readings]
    at = next((at for at, line in enumerate(lines[0]) if len(line) < _LONGEST_SHOWN), 0)
    shown = (
        (one, lines_[at] if at < len(lines_) else "") for one, lines_ in zip(readings, lines, strict=True)
    )
    return "; ".join(
        f"{_SHOWN.get(one.page.name, one.page.name)}: {line[:_LONGEST_SHOWN]}" for one, line in shown
    )


def _share_apart(one: str, other: str) -> float:
    """Return the share of characters beyond ASCII in which two readings of the same bytes differ."""
    if len(one) != len(other):
        return 1.0
    beyond = sum(mark >= "\x80" for mark in one)
    apart = sum(mark != twin for mark, twin in zip(one, other, strict=True))
    return min(max(apart / beyond, 0.05), 1.0) if beyond else 1.0


def _decoded(scan: FileScan, page: CodePage) -> str | None:
    """Return the sample read in this code page; None if too much of it does not decode."""
    text = decoder(page.name).decode(scan.sample, True)
    beyond = sum(mark >= "\x80" for mark in text)
    bad = sum("\udc80" <= mark <= "\udcff" for mark in text)
    if bad > _TOLERATED * beyond + scan.cut_lines:
        return None
    return re.sub("[\udc80-\udcff]", "", text) if bad else text


def _header_bonus(head: bytes, page: CodePage, known: Callable[[str], bool]) -> float:
    """Return a bonus, which decides between rivals, if the first lines hold known names beyond ASCII."""
    lines = re.split(r"\r\n|\r|\n", decoder(page.name).decode(head, False), maxsplit=20)[:20]
    names = [cell.strip(' "') for line in lines for cell in _CELL.split(line) if not cell.isascii()]
    return 0.5 if count_known_names(names, known) else 0.0


def _utf16_without_mark(head: bytes) -> str | None:
    """Return the kind of UTF-16 whose byte order mark is missing; None if it is something else.

    Every second byte of mostly Western text is then NUL.
    """
    length = len(head) // 2
    if length < 2 or b"\0" not in head:
        return None
    even, odd = head[0 : 2 * length : 2].count(0), head[1 : 2 * length : 2].count(0)
    for share, other, codec in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if share > 0.3 * length and other <= 0.05 * length:
            text = head[: 2 * length].decode(codec, "replace")
            if sum(mark.isprintable() or mark in "\t\r\n" for mark in text) > _TEXT_UNITS * len(text):
                return codec
    return None
