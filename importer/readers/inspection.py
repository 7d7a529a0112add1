"""Describe a table: its columns with samples and, if everything is read, what is wrong with its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import nonempty, text_column, to_mask
from importer.models import Chunk, Issue
from importer.readers.base import Source

SAMPLES = 3
_SAMPLE_ROWS = 200
_LOOKED_AT = 1000
"""How many values of each chunk and column are looked at for their kind."""
_MOSTLY = 0.9


class ValueKind(StrEnum):
    """What most values of a column are."""

    EMPTY = "empty"
    BOOLEAN = "boolean"
    DATE = "date"
    EMAIL = "e-mail"
    PHONE = "phone"
    NUMBER = "number"
    TEXT = "text"
    MIXED = "mixed"


_PATTERNS = (
    (ValueKind.BOOLEAN, r"(?i)^(?:true|false|yes|no|是|否)$"),
    (
        ValueKind.DATE,
        r"^(?:\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
        r"(?:[ T]\d{1,2}:\d{2}.*)?$",
    ),
    (ValueKind.EMAIL, r"^[^@\s]+@[^@\s]+\.[^@\s]+$"),
    (ValueKind.PHONE, r"^(?:[+(][\d ().\-/]{6,}|\d[\d ().\-/]{6,}\d)$"),
    (ValueKind.NUMBER, r"^[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?%?$"),
)


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column: its first different values, the share of rows that hold something (0 to 1), its kind."""

    name: str
    samples: tuple[str, ...]
    filled: float
    kind: ValueKind


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. Counts are None unless everything was read; `rows` does not count blank ones."""

    columns: tuple[ColumnFacts, ...]
    rows: int | None = None
    blank_rows: int | None = None
    ragged_rows: int | None = None
    issues: tuple[Issue, ...] = ()
    samples: pd.DataFrame | None = None
    """The first rows of each sheet, as `sample_frame` returns them."""


@dataclass(slots=True)
class _ColumnTally:
    rows: int = 0
    filled: int = 0
    samples: dict[str, None] = field(default_factory=dict)
    kinds: Counter[ValueKind] = field(default_factory=Counter)

    def take(self, texts: pa.Array, rows: int) -> None:
        """Take the filled texts of so many rows."""
        self.rows += rows
        self.filled += len(texts)
        if len(self.samples) < SAMPLES:
            for text in islice(texts.unique().to_pylist(), SAMPLES):
                self.samples[text] = None

    def facts(self, name: str) -> ColumnFacts:
        share = self.filled / self.rows if self.rows else 0.0
        return ColumnFacts(name, tuple(islice(self.samples, SAMPLES)), round(share, 4), self._kind())

    def _kind(self) -> ValueKind:
        total = self.kinds.total()
        if not total:
            return ValueKind.EMPTY
        kind, count = self.kinds.most_common(1)[0]
        if count >= _MOSTLY * total:
            return kind
        numeric = self.kinds[ValueKind.PHONE] + self.kinds[ValueKind.NUMBER]
        if numeric >= _MOSTLY * total:
            return ValueKind.NUMBER
        return ValueKind.MIXED


def _take_chunk(tallies: Sequence[_ColumnTally], columns: Sequence[pa.Array], rows: int) -> None:
    """Take the columns of a chunk, all at once: there may be thousands, of a few cells each."""
    texts = pc.utf8_trim_whitespace(pa.concat_arrays(columns))
    filled = nonempty(texts)
    texts = texts.filter(pa.array(filled))
    counts = filled.reshape(len(columns), rows).sum(axis=1)
    begins = np.cumsum(counts) - counts
    for tally, begin, count in zip(tallies, begins.tolist(), counts.tolist(), strict=True):
        tally.take(texts.slice(begin, count), rows)
    place = np.arange(len(texts)) - np.repeat(begins, counts)
    column = np.repeat(np.arange(len(columns)), counts)[place < _LOOKED_AT]
    kinds = _kinds(texts.filter(pa.array(place < _LOOKED_AT)))
    for number, kind in enumerate(ValueKind):
        found = np.bincount(column[kinds == number], minlength=len(columns)).tolist()
        for tally, count in zip(tallies, found, strict=True):
            tally.kinds[kind] += count


def _kinds(texts: pa.Array) -> np.ndarray:
    """Return the kind of each text, by its number in `ValueKind`."""
    numbers = {kind: number for number, kind in enumerate(ValueKind)}
    found = np.full(len(texts), numbers[ValueKind.TEXT])
    left = np.ones(len(texts), dtype=bool)
    for kind, pattern in _PATTERNS:
        fits = to_mask(pc.match_substring_regex(texts, pattern)) & left
        found[fits] = numbers[kind]
        left &= ~fits
    return found


def inspect(source: Source, *, full: bool = False) -> Inspection:
    """Describe a table by its first rows, or with `full` by all of them. Raises InputError."""
    tallies = {name: _ColumnTally() for name in source.header}
    issues: list[Issue] = []
    heads: dict[str, pd.DataFrame] = {}
    rows = 0
    for chunk in source.chunks() if full else _first_chunks(source):
        rows += len(chunk.frame)
        issues.extend(chunk.issues)
        heads.setdefault(chunk.sheet, _head(chunk))
        if tallies:
            texts = [text_column(chunk, name) for name in tallies]
            _take_chunk([*tallies.values()], texts, len(chunk.frame))
    columns = tuple(tally.facts(name) for name, tally in tallies.items())
    samples = _joined(list(heads.values()))
    if not full:
        return Inspection(columns, samples=samples)
    ragged = {(issue.sheet, issue.row) for issue in issues if issue.code in ("extra-cells", "missing-cells")}
    return Inspection(columns, rows, source.rows_read - rows, len(ragged), tuple(issues), samples)


def sample_frame(source: Source) -> pd.DataFrame | None:
    """Return the first rows of each sheet as read; None if there are none."""
    return _joined([_head(chunk) for chunk in _first_chunks(source)])


def _head(chunk: Chunk) -> pd.DataFrame:
    """Return the first rows that may hold a customer: a total says nothing of what a column is."""
    frame = chunk.frame  # to take rows of thousands of columns costs time
    head = frame if len(frame) <= _SAMPLE_ROWS else frame.head(_SAMPLE_ROWS)
    aside = {int(row) for skip in chunk.skips for row in skip.rows}
    return head[~head.index.isin(aside)] if aside else head


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame | None:
    return pd.concat(frames) if len(frames) > 1 else frames[0] if frames else None


def _first_chunks(source: Source) -> Iterator[Chunk]:
    """Yield the first chunk of each sheet that has one."""
    waited_for = set(source.sheet_headers)
    chunks = source.chunks()
    while waited_for and (chunk := next(chunks, None)) is not None:
        if chunk.sheet in waited_for:
            waited_for.remove(chunk.sheet)
            yield chunk
