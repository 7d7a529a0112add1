"""Rules for e-mails: take addresses out of what programs and people put around them."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import BLANKS, ByteSet, TextColumn
from importer.mapping.base import ColumnIssue, note
from importer.mapping.placeholders import says_there_is_none
from importer.models import Severity
from importer.patterns import late_pattern

_AT = ByteSet(b"@")
_ODD = ByteSet(
    bytes(set(range(256)) - set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+"))
)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | dict.fromkeys(map(ord, BLANKS), " ")
"""Full-width letters, digits and marks as narrow ones."""
_IN_BRACKETS = late_pattern(r"<\s*(?:mailto:)?\s*([^<>\s]+@[^<>\s]+?)\s*>", re.IGNORECASE)
_SEPARATOR = late_pattern(r":::|[;,|/\s、]+")
_MAILTO = late_pattern(r"^(?:mailto|e-?mail|邮箱)\s*:\s*", re.IGNORECASE)
_REMARK = late_pattern(r"\s*\([^()@]*\)$")
_AROUND = ";,|/、 \t"
"""What is left behind an address where a list was cut off."""
_ADDRESS = late_pattern(r"[^@\s<>,;:]+@[^@\s<>,;:]+")


def read(column: pa.Array) -> tuple[pa.Array, list[ColumnIssue]]:
    """Return the column with plain addresses, and notes where a cell held more than one or a remark.

    What is no address stays, for validation to name it.
    """
    odd = TextColumn(column).with_bytes(_ODD)
    if not odd.size:
        return column, []
    where = np.zeros(len(column), dtype=bool)
    where[odd] = True
    distinct = column.filter(pa.array(where)).dictionary_encode()
    readings = [address(text) for text in distinct.dictionary.to_pylist()]
    values = arrow.array([found for found, _ in readings]).take(distinct.indices)
    indices = distinct.indices.to_numpy()
    issues = []
    for code in dict.fromkeys(code for _, code in readings if code):
        hit = where.copy()
        hit[odd] = np.array([one == code for _, one in readings], dtype=bool)[indices]
        issues.append(note(code, hit, lambda text: address(text)[0]))
    return pc.replace_with_mask(column, pa.array(where), values), issues


def without_at(column: pa.Array) -> list[ColumnIssue]:
    """Return the warning on texts without an @, which are left out: rows that share one would become one
    customer."""
    where = arrow.nonempty(column)
    where[TextColumn(column).with_bytes(_AT)] = False
    if not where.any():
        return []
    return [ColumnIssue("bad-email", where, wording="email-without-at", severity=Severity.WARNING)]


@lru_cache(maxsize=8192)
def address(text: str) -> tuple[str, str]:
    """Return the first address in a cell (the cell itself if there is none), and the code of a note on what
    was left out, or ""."""
    found = text.translate(_WIDE).strip().strip("\"'")
    within = _IN_BRACKETS.findall(found)
    if within:
        # “Ann <ann@x.example>” is one address with its owner's name.
        return within[0], "several-values" if len(set(within)) > 1 else ""
    found = _MAILTO.sub("", found).split("?")[0] if _MAILTO.match(found) else found
    found = found.strip(_AROUND)
    pieces = [piece.strip(".'\"()") for piece in _SEPARATOR.split(found) if "@" in piece]
    addresses = [piece for piece in pieces if _ADDRESS.fullmatch(piece)]
    if len(addresses) > 1:
        return addresses[0], "several-values"
    without = _REMARK.sub("", found)
    if without != found and _ADDRESS.fullmatch(without):
        return without, "text-left-out"
    if "@" not in found and says_there_is_none(found):
        return "", "word-for-nothing"
    return (found if _ADDRESS.fullmatch(found) else text), ""


_WRITTEN = late_pattern(r"[^@\s<>,;:|/\"()\[\]]+@[^@\s<>,;:|/\"'()\[\]?]+")


def all_addresses(text: str) -> list[str]:
    """Return all addresses in a cell."""
    # An apostrophe at the beginning is a quotation mark; o'brien@x.example has one inside.
    return [found.strip("'.") for found in _WRITTEN.findall(text.translate(_WIDE))]


def without_addresses(text: str) -> str:
    """Return a cell without its addresses."""
    return _WRITTEN.sub(" ", text.translate(_WIDE))
