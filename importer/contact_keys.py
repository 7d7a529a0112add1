"""The keys of contacts: one number for each phone and e-mail, the same wherever the contact stands.

Phones are digits here. Where the phones of a country have two forms for one line (Brazil's ninth digit, the 1
of Mexico, the 9 of Argentina), both have one key: order, duplicates and suppression take them as one contact.
What is sent stays as it is.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import TextColumn
from importer.contracts import FieldKind
from importer.fingerprints import stable_fingerprints

_FEWEST_DIGITS = 6
_TELLING_DIGITS = 8
"""So many digits at the end tell a phone, whatever stands before them."""
_BETWEEN_VALUES = r"[/;,|\n、；，]"
"""What may stand between several phones or e-mails of a cell, but within one phone as well: 0171/4455667."""
_WHOLE_DIGITS = 7
"""A part with fewer is no phone by itself."""
MOST_DIGITS = 15
"""Digits of the longest phone (E.164)."""
_LENGTHS = 16
"""How many lengths there are: number and length together fit 64 bits."""
_NOT_ASCII = 0x80
_LONG_FORM = 13
"""Digits of the longer of two forms, in all three countries; the other one has a digit less."""
_NO_TEXT = pa.scalar(None, arrow.TEXT)


def contact_keys(values: pa.Array, kind: FieldKind) -> np.ndarray:
    """Return a key (int64) for each contact of a column of phones or e-mails; 0 for a missing or empty one.

    The key of digits is the number and how many they are, which no two texts share and which costs a fifth of
    a hash; that of anything else is its hash.
    """
    if kind is FieldKind.EMAIL:
        values = mailboxes(values)
    shapes = TextColumn(values)
    odd = shapes.unlike_digits(1, MOST_DIGITS)
    digits = shapes.filled.copy()
    digits[odd] = False
    plain = values if digits.all() else pc.if_else(pa.array(digits), values, _NO_TEXT)
    numbers = plain.cast(pa.int64()).fill_null(0).to_numpy()
    lengths = shapes.lengths
    if kind is FieldKind.PHONE:
        numbers, lengths = one_form(numbers, lengths)
    found: np.ndarray = np.where(digits, numbers * _LENGTHS + lengths, 0)
    if odd.size:
        found[odd] = stable_fingerprints(*arrow.offsets_and_bytes(values.take(pa.array(odd))))
    return found


def mailboxes(values: pa.Array) -> pa.Array:
    """Return e-mails as they are compared: letter case tells no two mailboxes apart in practice, nor does a
    dot behind the domain (RFC 1034, 3.1), nor which of its two Unicode forms an é has (UAX 15)."""
    values = pc.utf8_lower(values)
    if pc.any(pc.ends_with(values, ".")).as_py():
        values = pc.ascii_rtrim(values, ".")
    if (arrow.offsets_and_bytes(values)[1] >= _NOT_ASCII).any():
        values = pc.utf8_normalize(values, "NFC")
    return values


def one_form(numbers: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return phones (int64) and their numbers of digits (int64), those that have two forms in the shorter.

    Brazil put a 9 before its mobile numbers, which began with 6 to 9 (Anatel, Resolução 553/2010); Mexico
    dropped the 1 of mobile numbers in 2019 (IFT, Plan Técnico Fundamental de Numeración); calls to Argentine
    mobiles from abroad have a 9 that national ones have not (ENACOM, Plan Fundamental de Numeración).
    """
    long = np.flatnonzero(lengths == _LONG_FORM)
    if not long.size:
        return numbers, lengths
    these = numbers[long]
    beginning = these // 10**10
    marked = (beginning == 521) | (beginning == 549)
    ninth = (these // 10**11 == 55) & (these // 10**8 % 10 == 9) & (these // 10**7 % 10 >= 6)
    if not (marked.any() or ninth.any()):
        return numbers, lengths
    shorter = np.where(marked, beginning // 10 * 10**10 + these % 10**10, these)
    shorter = np.where(ninth, these // 10**9 * 10**8 + these % 10**8, shorter)
    numbers, lengths = numbers.copy(), lengths.copy()
    numbers[long] = shorter
    lengths[long] -= marked | ninth
    return numbers, lengths


def forms(digits: str) -> tuple[str, ...]:
    """Return a phone in each form that its line is written in, itself first."""
    if not (digits.isascii() and digits.isdigit()):
        return (digits,)
    country, rest = digits[:2], digits[2:]
    mark = {"52": "1", "54": "9"}.get(country, "")
    if len(digits) == _LONG_FORM:
        if mark and rest[0] == mark:
            return digits, country + rest[1:]
        if country == "55" and rest[2] == "9" and rest[3] in "6789":
            return digits, country + rest[:2] + rest[3:]
    elif len(digits) == _LONG_FORM - 1:
        if mark:
            return digits, country + mark + rest
        if country == "55" and rest[2] in "6789":
            return digits, country + rest[:2] + "9" + rest[2:]
    return (digits,)


def once_a_row(contacts: np.ndarray) -> np.ndarray:
    """Leave a contact that stands twice in a row (the same number for SMS and WhatsApp) there once.

    `contacts` has a column for each field, and is changed in place.
    """
    for column in range(1, contacts.shape[1]):
        for earlier in range(column):
            contacts[contacts[:, column] == contacts[:, earlier], column] = 0
    return contacts


def holds_contact(cell: str, contact: str) -> bool:
    """Return whether a cell holds a phone or an e-mail that is sent like this."""
    if not contact.isdigit():
        return contact.casefold() in cell.casefold()
    digits = "".join(filter(str.isdigit, cell)).lstrip("0")
    return len(digits) >= _FEWEST_DIGITS and (
        contact.endswith(digits) or contact[-_TELLING_DIGITS:] in digits
    )


def without_contact(cell: str, contact: str) -> str:
    """Return what a cell with one or several phones or e-mails says without this one.

    Nothing if what would be left is no whole phone or e-mail: an area code belongs to the number behind it.
    """
    parts = [part.strip() for part in re.split(_BETWEEN_VALUES, cell)]
    left = [part for part in parts if part and not holds_contact(part, contact)]
    return " / ".join(left) if all(map(_is_whole, left)) else ""


def _is_whole(part: str) -> bool:
    return "@" in part or sum(map(str.isdigit, part)) >= _WHOLE_DIGITS
