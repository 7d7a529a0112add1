"""Tell with which earlier row a row shares a phone or an e-mail, and which one that is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from importer.batching import Customers
from importer.models import Issue
from importer.private_files import replace_private_file

SAME_CONTACT = "same-contact"
_NAMED = "same-contact-row"
"""The message that names the other row and the contact."""


@dataclass(frozen=True, slots=True)
class Twin:
    """The earlier row of the same customer."""

    sheet: str
    row: int
    contact: str
    """What both rows hold, as it is sent."""


class TwinFinder:
    """Sees the customers of a check in order, and finds the earlier rows of some. Twelve bytes a contact."""

    def __init__(self, fields: Sequence[str]) -> None:
        """`fields`: those that can hold a contact, in the contract's order."""
        self._fields = fields
        self._sheets: list[str] = []
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._wanted: list[tuple[str, int, list[tuple[int, str]]]] = []

    def add(self, customers: Customers, shared: Sequence[int]) -> None:
        """Take the customers of a chunk. `shared`: the rows that share a contact with earlier ones."""
        rows, contacts = customers.rows, customers.contacts
        for place in np.flatnonzero(np.isin(rows, np.asarray(shared, dtype=np.int64))).tolist():
            keys = [key for key in contacts[place].tolist() if key]
            sent = json.loads(customers.encoded[place])
            texts = dict.fromkeys(str(sent[name]) for name in self._fields if sent.get(name))
            found = list(zip(keys, texts, strict=False))
            self._wanted.append((customers.sheet, int(rows[place]), found))
        filled = contacts != 0
        self._sheets.append(customers.sheet)
        self._keys.append(contacts[filled])
        self._rows.append(np.broadcast_to(rows[:, None], contacts.shape)[filled].astype(np.int32))

    def twins(self) -> dict[tuple[str, int], Twin]:
        """The earlier row of each row that shares a contact, by sheet and row."""
        if not self._wanted:
            return {}
        keys = np.concatenate(self._keys)
        rows = np.concatenate(self._rows)
        ends = np.cumsum([len(part) for part in self._keys])
        order = np.argsort(keys, kind="stable")  # the first of equal keys is the first of the file
        ordered = keys[order]
        found: dict[tuple[str, int], Twin] = {}
        for sheet, row, contacts in self._wanted:
            for key, text in contacts:
                first = int(order[np.searchsorted(ordered, key)])
                there = self._sheets[int(np.searchsorted(ends, first, side="right"))]
                if (there, int(rows[first])) != (sheet, row):
                    found[sheet, row] = Twin(there, int(rows[first]), text)
                    break
        return found


def write_twins(path: Path, twins: Mapping[tuple[str, int], Twin]) -> None:
    """Keep twins beside the rows with problems. Raises OSError."""
    lines = [[*key, twin.sheet, twin.row, twin.contact] for key, twin in twins.items()]
    replace_private_file(path, json.dumps(lines, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def read_twins(path: Path) -> dict[tuple[str, int], Twin]:
    """The twins that were kept; none if there is no such file. Raises OSError."""
    if not path.is_file():
        return {}
    lines = json.loads(path.read_text("utf-8", "surrogatepass"))
    return {(sheet, row): Twin(there, other, text) for sheet, row, there, other, text in lines}


def with_twin(issue: Issue, twins: Mapping[tuple[str, int], Twin]) -> Issue:
    """The issue, with the other row and the contact where they are known."""
    twin = twins.get((issue.sheet, issue.row)) if issue.code == SAME_CONTACT else None
    if twin is None:
        return issue
    place = str(twin.row) if twin.sheet == issue.sheet else f"{twin.row} ({twin.sheet})"
    return replace(issue, found=twin.contact, expected=place, other_row=twin.row, wording=_NAMED)
