"""Rows that were refused for how they were read, when a report brings them back.

What was wrong with them (cells too many, an open quote, bytes that are no text, a formula without a value)
cannot be seen in the report any more: it holds the cells as they could be read. So the journal keeps a
fingerprint of such a row, and as long as the row comes back with the same cells it has not been corrected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from importer.model import Chunk, Issue, Outcome, Severity, Status
from importer.reports.again import Prior

NOT_CORRECTED = "not-corrected"
UNREADABLE = frozenset(
    {"extra-cells", "unclosed-quote", "bad-encoding", "cell-error", "formula-without-value", NOT_CORRECTED}
)
"""Issues of the reader that the cells in a report don't show."""


def with_fingerprints(chunk: Chunk, issues: Sequence[Issue], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes for the journal: each row that could not be read properly by itself, under the code
    `not-corrected` with the fingerprint of its cells."""
    damaged = {issue.row for issue in issues if issue.code in UNREADABLE}
    if not damaged:
        return list(outcomes)
    found: list[Outcome] = []
    for outcome in outcomes:
        if outcome.status is not Status.INVALID:
            found.append(outcome)
            continue
        rest = tuple(row for row in outcome.rows if row not in damaged)
        found += [replace(outcome, rows=rest)] if rest else []
        for row in sorted(damaged.intersection(outcome.rows)):
            mark = fingerprint(chunk.frame, row)
            found.append(replace(outcome, rows=(row,), code=NOT_CORRECTED, message=mark))
    return found


def fingerprint(frame: pd.DataFrame, row: int) -> str:
    """Of a row's cells, by its number."""
    cells = "\x1f".join(str(cell) for cell in frame.loc[row])
    return hashlib.sha256(cells.encode()).hexdigest()[:24]


def uncorrected(chunk: Chunk, said: Prior, refused: Sequence[str | None]) -> Iterator[Issue]:
    """Issues of rows that came back as they were refused.

    `refused`: for each row of the chunk the fingerprint that the journal has of it, None if it has none.
    """
    rows = chunk.frame.index.to_numpy()
    for place in np.flatnonzero([mark is not None for mark in refused]).tolist():
        row = int(rows[place])
        text = said.issues[place].as_py()
        codes = dict.fromkeys(pair.partition(":")[0].strip() for pair in text.split(";") if pair.strip())
        if fingerprint(chunk.frame, row) == refused[place]:
            why = ", ".join(code for code in codes if code in UNREADABLE) or NOT_CORRECTED
            yield Issue(NOT_CORRECTED, Severity.ERROR, row, chunk.sheet, expected=why)
            continue
        for pair in text.split(";"):
            code, _, column = pair.strip().partition(":")
            empty = column in chunk.frame.columns and not str(chunk.frame.at[row, column]).strip()
            if code == "formula-without-value" and empty:
                yield Issue(code, Severity.ERROR, row, chunk.sheet, column, found="")
