"""One person, known by phones and e-mails, in whatever way they are written."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from importer import arrow
from importer.contact_keys import contact_keys, forms
from importer.contracts import FieldKind
from importer.errors import UsageError
from importer.fingerprints import FingerprintKey, keyed
from importer.mapping.phone_texts import ascii_digits
from importer.mapping.regions import country_code, national_part
from importer.pipeline.suppression_lists import addresses, read_phones

CLEARED = "…"
_BETWEEN = r"[\s().\-/]{0,3}"
_FEWEST_DIGITS = 7
_LOOKED_BACK = 12
"""Characters before a phone in which the code of another country would stand."""
_CODE_BEFORE = re.compile(
    r"((?:\+|00)\s?\d{1,3}|(?<![\d.])\d{2,3}(?=[ -]))[\s().\-/]{0,3}(?:\(0\))?[\s()]{0,2}$"
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is looked for."""

    phones: tuple[str, ...]
    """Digits, with country code where it is known; both forms of one line."""
    emails: tuple[str, ...]
    pattern: re.Pattern[str]

    def is_in(self, text: str) -> bool:
        """Return whether a text, or what it says as HTML, holds one of the contacts."""
        return any(True for _ in self._spans(ascii_digits(text))) or (
            "&" in text and any(True for _ in self._spans(ascii_digits(html.unescape(text))))
        )

    def cleared(self, text: str) -> str:
        """Return a text without the contacts."""
        found = self._without(text)
        if "&" not in found:
            return found
        read = html.unescape(found)
        without = self._without(read)
        return found if without == read else without

    def within(self, region: str | None) -> Person:
        """Return the person as looked for in texts of a country (ISO): there, and where the country is not
        known, a phone is the person's without its country code, too."""
        return _person(self.phones, self.emails, region)

    def keys(self, key: FingerprintKey) -> np.ndarray:
        """Return the fingerprints of the contacts under a journal's key."""
        phones = contact_keys(arrow.array(list(self.phones)), FieldKind.PHONE)
        emails = contact_keys(arrow.array(list(self.emails)), FieldKind.EMAIL)
        found = np.concatenate((phones, emails))
        return keyed(found[found != 0], key)

    def _without(self, text: str) -> str:
        left, end = [], 0
        # Digits of other scripts are one character each, too.
        for start, stop in self._spans(ascii_digits(text)):
            left += [text[end:start], CLEARED]
            end = stop
        return "".join((*left, text[end:]))

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for match in self.pattern.finditer(text):
            if match.lastgroup is None or not _has_code(text[: match.start()][-_LOOKED_BACK:]):
                yield match.span()


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
    return _person(tuple(phones), tuple(emails), None)


def _person(phones: tuple[str, ...], emails: tuple[str, ...], region: str | None) -> Person:
    code = country_code(region) if region else ""
    patterns = [one for place, phone in enumerate(phones) for one in _phone_patterns(place, phone, code)]
    # Neither o'ann@x.example nor ann@x.example.org is ann@x.example.
    patterns += [rf"(?<![\w.+-])(?<!\w')(?i:{re.escape(email)})(?![\w-]|\.\w)" for email in emails]
    return Person(phones, emails, re.compile("|".join(patterns)))


def _phone_patterns(place: int, digits: str, code: str) -> Iterator[str]:
    """Yield patterns for a phone: with its country code in any writing and, where that is the texts' own
    `code` or nobody knows theirs, as it is dialled within the country, in a group of its own."""
    national = national_part(digits) or digits
    own_code = digits.removesuffix(national)
    own = _BETWEEN.join(national)
    if own_code:
        yield (
            rf"(?<!\d)(?:\+|00)?{_BETWEEN}{_BETWEEN.join(own_code)}{_BETWEEN}(?:\(0\))?{_BETWEEN}{own}(?!\d)"
        )
    if code in ("", own_code) or not own_code:
        yield rf"(?<!\d)(?P<national{place}>0?{own})(?!\d)"


def _has_code(before: str) -> bool:
    """Whether what stands before a phone ends with the code of another country."""
    found = _CODE_BEFORE.search(before)
    if found is None:
        return False
    digits = re.sub(r"\D", "", found[1]).removeprefix("00")
    return found[1][0] in "+0" or national_part(digits.ljust(4, "0")) == "0" * (4 - len(digits))
