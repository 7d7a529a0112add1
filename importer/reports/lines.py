"""The lines of results and rejects: the importer's own columns, then every cell as it was read.

The own columns of many rows are the same, so each distinct text of them is made once and spread by number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import columns
from importer.model import Status
from importer.reports.fates import Fate, SettledChunk
from importer.reports.plan import Plan
from importer.reports.sentences import row_sentence
from importer.reports.tally import Kind


@dataclass(frozen=True, slots=True)
class Lines:
    """Some rows of a settled chunk, ready to be written. All arrays have one entry a row.

    `own[number[i]]` are the own columns of row i after `_row`, in the order of OWN_COLUMNS; `cells` are the
    original columns (large_string). `bad_rows` and `bad_columns` (positions) are the cells with an error.
    """

    rows: np.ndarray
    own: tuple[tuple[str, ...], ...]
    number: np.ndarray
    cells: tuple[pa.Array, ...]
    bad_rows: np.ndarray
    bad_columns: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: np.ndarray) -> Lines:
        """The rows at these positions (int64, increasing)."""
        if len(places) == len(self.rows):
            return self
        chosen = pa.array(places)
        cells = tuple(column.take(chosen) for column in self.cells)
        kept = np.isin(self.bad_rows, places)
        bad_rows = np.searchsorted(places, self.bad_rows[kept])
        return Lines(
            self.rows[places], self.own, self.number[places], cells, bad_rows, self.bad_columns[kept]
        )


class Scribe:
    """Turns settled chunks into lines."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._columns = {name: place for place, name in enumerate(plan.origin.header)}
        self._fields = dict(plan.fields)

    def lines(self, chunk: SettledChunk, kinds: tuple[Kind, ...]) -> Lines:
        """All rows of the chunk; `kinds` names the chunk's issue kinds by number."""
        issues, issue_texts = _issue_texts(chunk, kinds)
        messages, message_texts = self._messages(chunk)
        key = (chunk.fate.astype(np.int64) * len(issue_texts) + issues) * len(message_texts) + messages
        distinct, number = _numbered(key)
        own = []
        for value in distinct.tolist():
            rest, message = divmod(value, len(message_texts))
            fate, issue = divmod(rest, len(issue_texts))
            texts = _own(chunk.sheet, chunk.fates[fate], message_texts[message], issue_texts[issue])
            own.append((*texts, self._plan.run_id))
        bad_rows, bad_columns = self._bad_cells(chunk)
        return Lines(chunk.rows, tuple(own), number, self._cells(chunk), bad_rows, bad_columns)

    def _cells(self, chunk: SettledChunk) -> tuple[pa.Array, ...]:
        frame = chunk.frame
        if tuple(frame.columns) == self._plan.origin.header:
            return tuple(columns.arrow(frame.iloc[:, place]) for place in range(frame.shape[1]))
        empty = pa.repeat(pa.scalar("", columns.TEXT), len(frame))
        return tuple(columns.arrow(frame[name]) if name in frame.columns else empty for name in self._columns)

    def _messages(self, chunk: SettledChunk) -> tuple[np.ndarray, list[str]]:
        """For rows that are invalid and carry no message of their own: the sentences of their errors."""
        texts = [""]
        numbers = np.zeros(len(chunk.fate), dtype=np.int64)
        if not chunk.issues.errors:
            return numbers, texts
        silent = np.array([fate.status is Status.INVALID and not fate.message for fate in chunk.fates])
        rows = np.fromiter(chunk.issues.errors, dtype=np.int64, count=len(chunk.issues.errors))
        places = np.searchsorted(chunk.rows, rows)
        for place, row in zip(places.tolist(), rows.tolist(), strict=True):
            if silent[chunk.fate[place]]:
                numbers[place] = len(texts)
                texts.append(row_sentence(chunk.issues.errors[row], self._plan, self._fields))
        return numbers, texts

    def _bad_cells(self, chunk: SettledChunk) -> tuple[np.ndarray, np.ndarray]:
        found = [
            (row, self._columns[issue.column])
            for row, issues in chunk.issues.errors.items()
            for issue in issues
            if issue.column in self._columns
        ]
        if not found:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rows, places = np.array(sorted(set(found)), dtype=np.int64).T
        return np.searchsorted(chunk.rows, rows), places


def _own(sheet: str, fate: Fate, message: str, issues: str) -> tuple[str, ...]:
    batch = "" if fate.batch is None else str(fate.batch)
    said = fate.message or message
    return (
        sheet,
        fate.status.value,
        batch,
        str(fate.attempts),
        fate.code,
        said,
        fate.trace_id,
        issues,
    )


def _issue_texts(chunk: SettledChunk, kinds: tuple[Kind, ...]) -> tuple[np.ndarray, list[str]]:
    """For each row the number of its `_issues` text, and the texts; number 0 is the empty one."""
    numbers = np.zeros(len(chunk.fate), dtype=np.int64)
    found = chunk.issues
    if not len(found.rows):
        return numbers, [""]
    rows, first = np.unique(found.rows, return_index=True)
    names = pa.array([f"{kind.code}:{kind.column}" for kind in kinds], type=columns.TEXT)
    words = names.take(pa.array(found.kinds))
    lists = pa.LargeListArray.from_arrays(pa.array(np.append(first, len(found.rows)), pa.int64()), words)
    encoded = pc.binary_join(lists, pa.scalar("; ", columns.TEXT)).dictionary_encode()
    numbers[np.searchsorted(chunk.rows, rows)] = encoded.indices.to_numpy() + 1
    return numbers, ["", *encoded.dictionary.to_pylist()]


def _numbered(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values and each row's place among them; quick where all are the same."""
    if len(key) and (key == key[0]).all():
        return key[:1], np.zeros(len(key), dtype=np.int64)
    distinct, number = np.unique(key, return_inverse=True)
    return distinct, number
