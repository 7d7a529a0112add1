"""Which rows are the same customer as an earlier row (DESIGN, “Duplicates”).

A row equal to an earlier one in every mapped field is a duplicate. A row that only shares a phone or e-mail
is sent, in order, unless the user wants otherwise. Only rows that are sent, or were imported before, claim
their contacts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from importer.batching import Customers
from importer.fingerprints import FingerprintSet, fingerprints
from importer.options import Duplicates


@dataclass(frozen=True, slots=True)
class Judged:
    """For each row of the customers asked about, bool: no row is both."""

    duplicate: np.ndarray
    same_contact: np.ndarray


class Claims:
    """What earlier rows have claimed, in some twenty bytes a row."""

    def __init__(self, policy: Duplicates = Duplicates.SEND) -> None:
        self._policy = policy
        self._rows = FingerprintSet()
        self._contacts = FingerprintSet()

    def claim(self, customers: Customers) -> None:
        """Rows that were imported before: whatever comes later is compared with them."""
        self._rows.add(fingerprints(customers.encoded, len(customers)))
        self._contacts.add(customers.contacts.ravel())

    def judge(self, customers: Customers) -> Judged:
        """Compares rows with all before them, in order; those that are to be sent claim their contacts."""
        contents = fingerprints(customers.encoded, len(customers))
        duplicate = self._rows.contains(contents) | pd.Series(contents).duplicated().to_numpy()
        contacts = customers.contacts.copy()
        contacts[duplicate] = 0
        claimed = self._contacts.contains(contacts.ravel()).reshape(contacts.shape)
        if self._policy is Duplicates.SEND:
            same = (claimed | _repeated(contacts)).any(axis=1)
            kept = ~duplicate
        else:
            same = _unclaimed_in_order(contacts, np.asarray(claimed.any(axis=1)))
            # A row equal to one that is not sent is no better than that one.
            copies = duplicate & np.isin(contents, contents[same])
            duplicate, same = duplicate & ~copies, same | copies
            kept = ~duplicate & ~same
        self._rows.add(contents[kept])
        self._contacts.add(contacts[kept].ravel())
        return Judged(duplicate, same)


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
