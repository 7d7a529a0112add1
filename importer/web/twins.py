"""Find the rows that share a phone or an e-mail: for each of them the earlier row, and what both hold."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from importer import arrow
from importer.batching import Customers
from importer.models import Issue
from importer.pipeline.people import SAME_CONTACT as SAME_CONTACT
from importer.private_files import create_private_file, replace_private_file

_NAMED = "same-contact-row"
"""The message that names the other row and the contact."""
Place = tuple[str, int]
"""A row by its sheet and number."""


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier row of the same customer."""

    sheet: str
    row: int
    contact: str
    """What both rows hold, as it is sent."""

    @property
    def place(self) -> Place:
        return self.sheet, self.row


def contact_texts(customers: Customers, at: int, fields: Sequence[str]) -> dict[int, str]:
    """The contacts of a customer by their keys. `fields`: those that hold one, in the contract's order."""
    keys = [key for key in customers.contacts[at].tolist() if key]
    sent = json.loads(customers.encoded[at])
    texts = dict.fromkeys(str(sent[name]) for name in fields if sent.get(name))
    return dict(zip(keys, texts, strict=False))


class TwinFinder:
    """Sees the customers of a check in order, and finds the earlier rows of some. Twelve bytes a contact."""

    def __init__(self, fields: Sequence[str]) -> None:
        """`fields`: those that can hold a contact, in the contract's order."""
        self._fields = fields
        self._sheets: list[str] = []
        self._keys: list[np.ndarray] = []
        self._rows: list[np.ndarray] = []
        self._wanted: list[tuple[str, int, dict[int, str]]] = []

    def add(self, customers: Customers, shared: Sequence[int]) -> None:
        """Take the customers of a chunk. `shared`: the rows that share a contact with earlier ones."""
        rows, contacts = customers.rows, customers.contacts
        for at in np.flatnonzero(np.isin(rows, np.asarray(shared, dtype=np.int64))).tolist():
            self._wanted.append((customers.sheet, int(rows[at]), contact_texts(customers, at, self._fields)))
        filled = contacts != 0
        self._sheets.append(customers.sheet)
        self._keys.append(contacts[filled])
        self._rows.append(np.broadcast_to(rows[:, None], contacts.shape)[filled].astype(np.int32))

    def twins(self) -> dict[Place, tuple[Twin, ...]]:
        """The earlier rows of each row that shares a contact: the first row with each contact."""
        if not self._wanted:
            return {}
        keys = np.concatenate(self._keys)
        rows = np.concatenate(self._rows)
        ends = np.cumsum([len(part) for part in self._keys])
        order = np.argsort(keys, kind="stable")  # the first of equal keys is the first of the file
        ordered = keys[order]
        found: dict[Place, tuple[Twin, ...]] = {}
        for sheet, row, contacts in self._wanted:
            earlier: dict[Place, Twin] = {}
            for key, text in contacts.items():
                first = int(order[np.searchsorted(ordered, key)])
                there = self._sheets[int(np.searchsorted(ends, first, side="right"))]
                if (there, int(rows[first])) != (sheet, row):
                    earlier.setdefault((there, int(rows[first])), Twin(there, int(rows[first]), text))
            if earlier:
                found[sheet, row] = tuple(earlier.values())
        return found


class RowSpool:
    """Keeps the rows of a check on disk until it is known which of them are somebody's twins."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._path = path
        self._file = create_private_file(path)
        self._chunks: list[tuple[str, np.ndarray, int, int]] = []
        self._options = pa.ipc.IpcWriteOptions(compression="lz4")

    def add(self, sheet: str, frame: pd.DataFrame) -> None:
        """Take the rows of a chunk. Raises OSError."""
        columns = [arrow.to_arrow(frame[name]) for name in frame.columns]
        batch = pa.record_batch(columns, names=[str(at) for at in range(len(columns))])
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=self._options) as stream:
            stream.write_batch(batch)
        content = sink.getvalue()
        self._chunks.append((sheet, frame.index.to_numpy(), self._file.tell(), content.size))
        self._file.write(content)

    def cells(self, wanted: Iterable[Place]) -> dict[Place, list[str]]:
        """The cells of some rows, by the columns of their chunks. Raises OSError."""
        self._file.flush()
        found: dict[Place, list[str]] = {}
        by_sheet: dict[str, list[int]] = {}
        for sheet, row in wanted:
            by_sheet.setdefault(sheet, []).append(row)
        with self._path.open("rb") as file:
            for sheet, numbers, begin, size in self._chunks:
                places = np.flatnonzero(np.isin(numbers, by_sheet.get(sheet, [])))
                if not places.size:
                    continue
                file.seek(begin)
                table = pa.ipc.open_stream(file.read(size)).read_all().take(pa.array(places))
                columns = [column.to_pylist() for column in table.columns]
                for at, place in enumerate(places.tolist()):
                    found[sheet, int(numbers[place])] = [str(column[at] or "") for column in columns]
        return found

    def close(self) -> None:
        """Remove what was kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def write_twins(path: Path, twins: Mapping[Place, Sequence[Twin]]) -> None:
    """Keep twins beside the rows with problems. Raises OSError."""
    lines = [[*key, twin.sheet, twin.row, twin.contact] for key, some in twins.items() for twin in some]
    replace_private_file(path, json.dumps(lines, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def read_twins(path: Path) -> dict[Place, tuple[Twin, ...]]:
    """The twins that were kept; none if there is no such file. Raises OSError."""
    if not path.is_file():
        return {}
    found: dict[Place, tuple[Twin, ...]] = {}
    for sheet, row, there, other, text in json.loads(path.read_text("utf-8", "surrogatepass")):
        found[sheet, row] = (*found.get((sheet, row), ()), Twin(there, other, text))
    return found


def with_twin(issue: Issue, twins: Sequence[Twin]) -> Issue:
    """The issue, with the other row and the contact where they are known."""
    if issue.code != SAME_CONTACT or not twins:
        return issue
    twin = twins[0]
    place = str(twin.row) if twin.sheet == issue.sheet else f"{twin.row} ({twin.sheet})"
    return replace(issue, found=twin.contact, expected=place, other_row=twin.row, wording=_NAMED)


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for case, accents, order and blanks."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return sorted("".join(char for char in letters if not unicodedata.combining(char)).split())
