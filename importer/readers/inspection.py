"""Describe a table: its columns with samples and, if everything is read, what is wrong with its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer.arrow import to_arrow
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


@dataclass(slots=True)
class _ColumnTally:
    rows: int = 0
    filled: int = 0
    samples: dict[str, None] = field(default_factory=dict)
    kinds: Counter[ValueKind] = field(default_factory=Counter)

    def take(self, column: pd.Series) -> None:
        texts = pc.utf8_trim_whitespace(to_arrow(column))
        texts = texts.filter(pc.greater(pc.binary_length(texts), 0))
        self.rows += len(column)
        self.filled += len(texts)
        if len(self.samples) < SAMPLES:
            for text in islice(texts.unique().to_pylist(), SAMPLES):
                self.samples[text] = None
        self._count_kinds(texts.slice(0, _LOOKED_AT))

    def _count_kinds(self, texts: pa.Array) -> None:
        open_ = np.ones(len(texts), dtype=bool)
        for kind, pattern in _PATTERNS:
            fits = np.asarray(pc.match_substring_regex(texts, pattern), dtype=bool) & open_
            self.kinds[kind] += int(fits.sum())
            open_ &= ~fits
        self.kinds[ValueKind.TEXT] += int(open_.sum())

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


def inspect(source: Source, *, full: bool = False) -> Inspection:
    """Describe a table by its first rows, or with `full` by all of them. Raises InputError."""
    tallies = {name: _ColumnTally() for name in source.header}
    issues: list[Issue] = []
    rows = 0
    for chunk in source.chunks() if full else _first_chunks(source):
        rows += len(chunk.frame)
        issues.extend(chunk.issues)
        for name, tally in tallies.items():
            tally.take(chunk.frame[name])
    columns = tuple(tally.facts(name) for name, tally in tallies.items())
    if not full:
        return Inspection(columns)
    ragged = {(issue.sheet, issue.row) for issue in issues if issue.code in ("extra-cells", "missing-cells")}
    return Inspection(columns, rows, source.rows_read - rows, len(ragged), tuple(issues))


def sample_frame(source: Source) -> pd.DataFrame | None:
    """Return the first rows of each sheet as read; None if there are none."""
    frames = [chunk.frame.head(_SAMPLE_ROWS) for chunk in _first_chunks(source)]
    return pd.concat(frames) if frames else None


def _first_chunks(source: Source) -> Iterator[Chunk]:
    """Yield the first chunk of each sheet that has one."""
    waited_for = set(source.sheet_headers)
    chunks = source.chunks()
    while waited_for and (chunk := next(chunks, None)) is not None:
        if chunk.sheet in waited_for:
            waited_for.remove(chunk.sheet)
            yield chunk
