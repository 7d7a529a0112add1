"""Find cells whose text was garbled before the file was made: UTF-8 read as a code page, lost characters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import ByteSet, TextColumn, offsets_and_bytes
from importer.patterns import late_pattern

_WESTERN = bytes(set(range(0x80, 0xA0)) - {0x81, 0x8D, 0x8F, 0x90, 0x9D}).decode("cp1252")
"""What Windows-1252 makes of the bytes from 0x80 to 0x9F, which follow the first one of a UTF-8 character."""
_TWICE = late_pattern(f"[\u00c2-\u00f4][\u0080-\u00bf{_WESTERN}]{{1,3}}")
_LOST = late_pattern(
    r"\ufffd|\?{3,}|^\?{2,}$|&#(?:\d{1,7}|x[0-9a-fA-F]{1,6});|&(?:amp|quot|apos|lt|gt|nbsp);|锟斤拷"
)
_CANDIDATE = r"[\x{c2}-\x{f4}][\x{80}-\x{bf}" + _WESTERN + r"]|\x{fffd}|\?\?|&#?[a-zA-Z0-9]+;|锟斤拷"
_WESTERN_LEADS = ByteSet(bytes({mark.encode()[0] for mark in "\x80" + _WESTERN})).table
"""The first bytes, in UTF-8, of what may follow À to ÿ in text that was read twice."""
_SIGNS_OF_LOSS = ("\ufffd".encode(), "锟".encode())
"""What U+FFFD is in UTF-8, and what it becomes if that is read as GBK."""


def garbled_cells(column: pa.Array) -> np.ndarray:
    """Return the positions of cells that hold garbled text."""
    rows = TextColumn(column).holding(telling_places(offsets_and_bytes(column)[1]))
    if not rows.size:
        return rows
    texts = column.take(pa.array(rows))
    hits = pc.match_substring_regex(texts, _CANDIDATE).to_numpy(zero_copy_only=False)
    return np.array([at for at in rows[hits] if is_garbled(column[int(at)].as_py())], dtype=np.int64)


def telling_places(data: np.ndarray) -> np.ndarray:
    """Return the places of bytes (ascending) without which no cell is garbled."""
    asked, ands = np.flatnonzero(data == ord("?")), np.flatnonzero(data == ord("&"))
    found = [asked[:-1][np.diff(asked) == 1], ands] if asked.size or ands.size else []
    if len(data) and data.max() >= 0x80:
        # À to ÿ, followed by what code pages make of a further byte of UTF-8.
        accents = np.flatnonzero(data[:-2] == 0xC3)
        found.append(accents[_WESTERN_LEADS[data[accents + 2]]])
        for sign in _SIGNS_OF_LOSS:
            begins = np.flatnonzero(data[:-1] == sign[0])
            found.append(begins[data[begins + 1] == sign[1]])
    return np.sort(np.concatenate(found)) if found else asked


def is_garbled(text: str) -> bool:
    """Return whether a text holds signs of lost characters, or of UTF-8 that was read as Windows-1252."""
    return _LOST.search(text) is not None or any(map(_is_utf8, _TWICE.findall(text)))


def _is_utf8(text: str) -> bool:
    raw = b"".join(_byte(mark) for mark in text)
    return any(_decodes(raw[:length]) for length in range(2, len(raw) + 1))


def _byte(mark: str) -> bytes:
    try:
        return mark.encode("cp1252")
    except UnicodeEncodeError:
        return mark.encode("latin-1", "replace")


def _decodes(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
