"""Find rows that repeat earlier ones, and rows that share a phone or e-mail with one.

A row equal to an earlier one in every mapped field is a duplicate. A row that only shares a contact is sent,
in order, unless the user wants otherwise. Only rows that are sent, or were imported before, claim their
contacts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from importer.batching import Customers
from importer.contact_keys import forms
from importer.dataclass import dataclass
from importer.fingerprints import FingerprintSet, fingerprints
from importer.models import Note
from importer.option_types import Duplicates


@dataclass(frozen=True, slots=True)
class DuplicateVerdict:
    """Two bool arrays, one entry a row: no row is both."""

    duplicate: np.ndarray
    same_contact: np.ndarray


class SharedContacts:
    """Counts the rows of contacts that many rows share, to be named when the run ends."""

    _FEWEST = 5
    _NAMED = 3
    _MOST = 50_000
    """Contacts that are counted at once: those that few rows share make room for others."""

    def __init__(self, fields: Sequence[str] = ()) -> None:
        """`fields` are those that can hold a contact."""
        self._fields = fields
        self._again: Counter[int] = Counter()
        self._texts: dict[int, str] = {}

    def add(self, customers: Customers, same: np.ndarray) -> None:
        """Count rows whose contacts were met before: `same` is a mask of `customers.contacts`."""
        keys, counts = np.unique(customers.contacts[same], return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            if not key:
                continue
            self._again[key] += count
            if self._again[key] + 1 >= self._FEWEST and key not in self._texts:
                self._texts[key] = self._text(customers, key)
        if len(self._again) > self._MOST:
            self._again = Counter(dict(self._again.most_common(self._MOST // 2)))

    def notes(self) -> tuple[Note, ...]:
        """Return a note on each of the contacts that most rows share."""
        return tuple(
            Note("shared-contact", (("contact", self._texts[key]), ("rows", again + 1)), quotes=True)
            for key, again in self._again.most_common(self._NAMED)
            if again + 1 >= self._FEWEST
        )

    def _text(self, customers: Customers, key: int) -> str:
        """Return the contact as it is sent.

        The fingerprints of a row stand in the order of its contact fields, each once; so do its values.
        """
        row, column = np.argwhere(customers.contacts == key)[0].tolist()
        before = int(np.count_nonzero(customers.contacts[row, :column]))
        sent = json.loads(customers.encoded[row])
        texts: dict[str, str] = {}
        for name in self._fields:
            if sent.get(name):
                texts.setdefault(min(forms(str(sent[name])), key=len).lower(), str(sent[name]))
        return list(texts.values())[before]


class DuplicateDetector:
    """Compares each row with all rows before it. Takes about twenty bytes a row."""

    def __init__(self, policy: Duplicates = Duplicates.SEND, shared: SharedContacts | None = None) -> None:
        self._policy = policy
        self._shared = shared
        self._rows = FingerprintSet()
        self._contacts = FingerprintSet()

    def claim(self, customers: Customers) -> None:
        """Add rows that an earlier run imported, so that later rows are compared with them."""
        self._rows.add(fingerprints(customers.encoded, len(customers)))
        self._contacts.add(customers.contacts.ravel())

    def judge(self, customers: Customers) -> DuplicateVerdict:
        """Compare rows, in order, with all rows before them. Those to be sent claim their contacts."""
        contents = fingerprints(customers.encoded, len(customers))
        duplicate = self._rows.contains(contents) | pd.Series(contents).duplicated().to_numpy()
        contacts = customers.contacts.copy()
        contacts[duplicate] = 0
        claimed = self._contacts.contains(contacts.ravel()).reshape(contacts.shape)
        if self._policy is Duplicates.SEND:
            repeated = claimed | _repeated(contacts)
            same = repeated.any(axis=1)
            kept = ~duplicate
            if self._shared is not None and same.any():
                self._shared.add(customers, repeated)
        else:
            same = _unclaimed_in_order(contacts, np.asarray(claimed.any(axis=1)))
            # A row that equals a row that is not sent is not sent either.
            copies = duplicate & np.isin(contents, contents[same])
            duplicate, same = duplicate & ~copies, same | copies
            kept = ~duplicate & ~same
        self._rows.add(contents[kept])
        self._contacts.add(contacts[kept].ravel())
        return DuplicateVerdict(duplicate, same)


def _repeated(contacts: np.ndarray) -> np.ndarray:
    """True where the same contact stands in an earlier row of the table."""
    flat = contacts.ravel()
    repeated: np.ndarray = pd.Series(flat).duplicated().to_numpy() & (flat != 0)
    return repeated.reshape(contacts.shape)


def _unclaimed_in_order(contacts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """True for rows that may not claim: one of their contacts belongs to an earlier row that did.

    Row by row, since whether a row claims depends on the rows before it.
    """
    if not known.any() and not _repeated(contacts).any():
        return known
    same = known.copy()
    claimed: set[int] = set()
    for row, keys in enumerate(contacts.tolist()):
        if same[row]:
            continue
        own = {key for key in keys if key}
        if own & claimed:
            same[row] = True
        else:
            claimed |= own
    return same
