"""What a report cannot show of the rows that it brings back, kept in the journal as fingerprints.

Rows that were refused for how they were read (cells too many, an open quote, bytes that are no text, a
formula without a value) look harmless in a report: it holds the cells as they could be read. As long as such
a row comes back with the same cells it has not been corrected. And a spreadsheet program that opens a CSV
takes the zeros off a phone that begins with some, so that nothing in the text tells that they were there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow.compute as pc

from importer import arrow
from importer.models import Chunk, Issue, Outcome, Severity, Status

NOT_CORRECTED = "not-corrected"
UNREADABLE = frozenset(
    {"extra-cells", "unclosed-quote", "bad-encoding", "cell-error", "formula-without-value", NOT_CORRECTED}
)
"""Issues of the reader that the cells in a report don't show."""
MARKED = "marked"
"""The journal's code for an invalid row with a mark."""
_MOST_ZEROS = 4


@dataclass(frozen=True, slots=True)
class Mark:
    """Fingerprints of one row: of all its cells if it could not be read properly, and of each identifier
    that begins with a zero."""

    cells: str = ""
    zeros: tuple[str, ...] = ()

    def text(self) -> str:
        """For the journal."""
        return ",".join((self.cells, *self.zeros))

    @classmethod
    def of(cls, text: str) -> Mark:
        """From the journal."""
        cells, *zeros = text.split(",")
        return cls(cells, tuple(zeros))


def with_marks(
    chunk: Chunk, issues: Sequence[Issue], outcomes: Sequence[Outcome], identifiers: Sequence[str]
) -> list[Outcome]:
    """The outcomes for the journal: an invalid row that needs a mark by itself, with the mark as message.

    `identifiers`: the columns in which a digit lost is a different customer.
    """
    if not any(outcome.status is Status.INVALID for outcome in outcomes):
        return list(outcomes)
    damaged = {issue.row for issue in issues if issue.code in UNREADABLE}
    zeros = _zero_led(chunk, identifiers)
    found: list[Outcome] = []
    for outcome in outcomes:
        if outcome.status is not Status.INVALID:
            found.append(outcome)
            continue
        rest = tuple(row for row in outcome.rows if row not in damaged and row not in zeros)
        found += [replace(outcome, rows=rest)] if rest else []
        for row in sorted((damaged | zeros.keys()).intersection(outcome.rows)):
            mark = Mark(_of_row(chunk.frame, row) if row in damaged else "", tuple(zeros.get(row, ())))
            found.append(replace(outcome, rows=(row,), code=MARKED, message=mark.text()))
    return found


def unseen_damage(
    chunk: Chunk, row: int, said: str, mark: Mark, identifiers: Sequence[str]
) -> Iterator[Issue]:
    """The issues of a row that came back. `said`: its `_issues`, as the report has them."""
    pairs = [pair.strip().partition(":") for pair in said.split(";") if pair.strip()]
    if mark.cells and mark.cells == _of_row(chunk.frame, row):
        why = ", ".join(dict.fromkeys(code for code, _, _ in pairs if code in UNREADABLE))
        yield Issue(NOT_CORRECTED, Severity.ERROR, row, chunk.sheet, expected=why or NOT_CORRECTED)
        return
    for code, _, column in pairs:
        if code == "formula-without-value" and _cell(chunk, row, column) == "":
            yield Issue(code, Severity.ERROR, row, chunk.sheet, column, found="")
    for column in identifiers if mark.zeros else ():
        found = _cell(chunk, row, column)
        for count in range(1, _MOST_ZEROS + 1):
            whole = "0" * count + (found or "")
            if found and _of_text(whole) in mark.zeros:
                yield Issue(
                    "lossy-number", Severity.ERROR, row, chunk.sheet, column, found=found, suggestion=whole
                )


def _zero_led(chunk: Chunk, identifiers: Sequence[str]) -> dict[int, list[str]]:
    """For each row with an identifier that begins with a zero the fingerprints of those."""
    found: dict[int, list[str]] = {}
    for name in identifiers:
        if name not in chunk.frame.columns:
            continue
        cells = pc.utf8_trim_whitespace(arrow.text(chunk, name))
        led = pc.match_substring_regex(cells, "^0[0-9]+$")
        rows = arrow.rows_where(chunk.frame, led).tolist()
        for row, text in zip(rows, cells.filter(led).to_pylist(), strict=True):
            found.setdefault(row, []).append(_of_text(text))
    return found


def _cell(chunk: Chunk, row: int, column: str) -> str | None:
    """What stands there; None if the file has no such column."""
    return str(chunk.frame.at[row, column]).strip() if column in chunk.frame.columns else None


def _of_row(frame: pd.DataFrame, row: int) -> str:
    return _of_text("\x1f".join(str(cell) for cell in frame.loc[row]))


def _of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
