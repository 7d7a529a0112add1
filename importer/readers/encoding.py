"""Which encoding a text is in, judged from samples of the whole file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from importer.errors import InputError, UsageError
from importer.readers.code_pages import CODE_PAGES, CodePage
from importer.readers.decoding import decoder
from importer.readers.header import known_names
from importer.readers.options import ReadOptions
from importer.readers.survey import Survey, byte_order_mark

CLEAR = 0.12
"""The best code page must fit better by so much, unless the runner-up reads the same text."""
LEAST_FIT = 0.2
_VALID_PER_BAD = 3
"""So many valid multi-byte characters for each bad byte make a text UTF-8 with flaws."""
_TOLERATED = 0.04
"""The share of characters beyond ASCII that may fail to decode."""
_TEXT_UNITS = 0.85
_CELL = re.compile(r"[,;\t|]")
_ALIASES = {"ansi": "cp1252", "big5": "cp950", "shift_jis": "cp932", "euc_kr": "cp949", "gbk": "gb18030",
            "gb2312": "gb18030"}  # fmt: skip
_SHOWN = {"cp950": "big5", "cp932": "shift_jis", "cp949": "euc_kr"}
_LABELS = {page.name: page.label for page in CODE_PAGES}


@dataclass(frozen=True, slots=True)
class Encoding:
    """The answer: Python's name of the codec, and how sure it is (0 to 1, None if the user said so)."""

    codec: str
    confidence: float | None
    valid_utf8: bool = False

    @property
    def name(self) -> str:
        """The name under which it is shown; Microsoft's codec of the same family may do the reading."""
        return _SHOWN.get(self.codec, self.codec)

    @property
    def label(self) -> str:
        """The name people know it by."""
        return {"utf-8": "UTF-8", "utf-16-le": "UTF-16 LE", "utf-16-be": "UTF-16 BE"}.get(
            self.codec, _LABELS.get(self.codec, self.codec)
        )


def find_encoding(seen: Survey, options: ReadOptions, name: str) -> Encoding:
    """The encoding of a surveyed text.

    Raises UsageError `bad-encoding-name`, InputError `encoding-doubt` or `encoding-unknown`; `name` is the
    file's.
    """
    if options.encoding is not None:
        codec = canonical(options.encoding)
        return Encoding(codec, None, codec == "utf-8" and seen.valid_utf8)
    marked = byte_order_mark(seen.head)
    if marked and marked != "utf-8":
        return Encoding(marked, 1.0)
    wide = _utf16_without_mark(seen.head)
    if wide:
        return Encoding(wide, 0.9)
    if seen.valid_utf8:
        return Encoding("utf-8", 1.0 if seen.multibyte or seen.ascii or marked else 0.9, valid_utf8=True)
    if marked or seen.bad_bytes * _VALID_PER_BAD <= seen.multibyte:
        share = seen.bad_bytes / (seen.multibyte + seen.bad_bytes)
        return Encoding("utf-8", round(max(0.5, 1 - 2 * share), 2))
    return _best_code_page(seen, options, name)


def canonical(encoding: str) -> str:
    """Python's name for an encoding as people write it. Raises UsageError `bad-encoding-name`."""
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
        """How much better it fits in the characters that the two read differently."""
        prior = self.page.prior - other.page.prior
        return (self.fit - other.fit) / _share_apart(self.text, other.text) + prior


def _best_code_page(seen: Survey, options: ReadOptions, name: str) -> Encoding:
    readings = []
    for page in CODE_PAGES:
        text = _decoded(seen, page)
        if text is not None:
            bonus = _header_bonus(seen.head, page, options.known)
            readings.append(_Reading(page, text, page.fit(text) + bonus))
    readings.sort(key=lambda reading: -(reading.fit + reading.page.prior))
    if not readings or readings[0].fit < LEAST_FIT:
        raise InputError("encoding-unknown", name=name)
    best = readings[0]
    rivals = [(best.ahead_of(other), other) for other in readings[1:] if other.text != best.text]
    close = [other.page.label for margin, other in rivals if margin < CLEAR]
    if close:
        raise InputError("encoding-doubt", name=name, encodings=", ".join([best.page.label, *close]))
    margin = min((margin for margin, _ in rivals), default=1.0)
    return Encoding(best.page.name, round(min(0.99, 0.55 + margin / 2), 2))


def _share_apart(one: str, other: str) -> float:
    """The share of characters beyond ASCII in which two readings of the same bytes differ."""
    if len(one) != len(other):
        return 1.0
    beyond = sum(mark >= "\x80" for mark in one)
    apart = sum(mark != twin for mark, twin in zip(one, other, strict=True))
    return min(max(apart / beyond, 0.05), 1.0) if beyond else 1.0


def _decoded(seen: Survey, page: CodePage) -> str | None:
    """The sample in this code page; None if too much of it does not decode."""
    text = decoder(page.name).decode(seen.sample, True)
    beyond = sum(mark >= "\x80" for mark in text)
    bad = sum("\udc80" <= mark <= "\udcff" for mark in text)
    if bad > _TOLERATED * beyond + seen.cut_lines:
        return None
    return re.sub("[\udc80-\udcff]", "", text) if bad else text


def _header_bonus(head: bytes, page: CodePage, known: Callable[[str], bool]) -> float:
    """Known names in one of the first lines that are not plain ASCII decide between rivals."""
    lines = re.split(r"\r\n|\r|\n", decoder(page.name).decode(head, False), maxsplit=20)[:20]
    names = [cell.strip(' "') for line in lines for cell in _CELL.split(line) if not cell.isascii()]
    return 0.5 if known_names(names, known) else 0.0


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 whose byte order mark is missing: every second byte of mostly Western text is NUL."""
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
