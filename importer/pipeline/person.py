"""One person, known by phones and e-mails, in whatever way they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from importer import arrow
from importer.contact_keys import contact_keys, forms
from importer.contracts import FieldKind
from importer.errors import UsageError
from importer.fingerprints import FingerprintKey, keyed
from importer.mapping.phone_texts import ascii_digits
from importer.mapping.regions import national_part
from importer.pipeline.suppression_lists import addresses, read_phones

CLEARED = "…"
_BETWEEN = r"[\s().\-/]{0,3}"
_FEWEST_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Person:
    """Who is looked for."""

    phones: tuple[str, ...]
    """Digits, with country code where it is known; both forms of one line."""
    emails: tuple[str, ...]
    pattern: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        """Return whether a text holds one of the contacts."""
        return bool(
            self.pattern.search(text) or (not text.isascii() and self.pattern.search(ascii_digits(text)))
        )

    def cleared(self, text: str) -> str:
        """Return a text without the contacts."""
        return self.pattern.sub(CLEARED, text)

    def keys(self, key: FingerprintKey) -> np.ndarray:
        """Return the fingerprints of the contacts under a journal's key."""
        phones = contact_keys(arrow.array(list(self.phones)), FieldKind.PHONE)
        emails = contact_keys(arrow.array(list(self.emails)), FieldKind.EMAIL)
        found = np.concatenate((phones, emails))
        return keyed(found[found != 0], key)


def person_of(contacts: Sequence[str], region: str | None) -> Person:
    """Return the person who has these contacts. `region`: the country (ISO) of phones that lack their code.

    Raises UsageError `forget-no-contact` for a text that is neither a phone nor an e-mail.
    """
    phones: list[str] = []
    emails: list[str] = []
    for contact in contacts:
        found = addresses(contact)
        emails += found
        if found:
            continue
        read = read_phones([contact], region)
        digits = str(read.digits[0].as_py())
        if read.unreadable[0] or len(digits) < _FEWEST_DIGITS:
            raise UsageError("forget-no-contact", contact=contact)
        phones += forms(digits)
    patterns = [_phone_pattern(phone) for phone in phones]
    patterns += [rf"(?<![\w.+-]){re.escape(email)}(?![\w-])" for email in emails]
    return Person(tuple(phones), tuple(emails), re.compile("|".join(patterns), re.IGNORECASE))


def _phone_pattern(digits: str) -> str:
    """A pattern for a phone: with its country code in any writing, or as it is dialled within the country."""
    national = national_part(digits) or digits
    code = digits.removesuffix(national)
    own = _BETWEEN.join(national)
    if not code:
        return rf"(?<!\d){own}(?!\d)"
    before = rf"(?:(?:\+|00)?{_BETWEEN}{_BETWEEN.join(code)}{_BETWEEN}(?:\(0\))?{_BETWEEN}|0)?"
    return rf"(?<!\d){before}{own}(?!\d)"
