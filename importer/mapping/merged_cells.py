"""What cells mean to a mapping that stand for the one above: merged ones, and ditto signs in addresses and in
columns that say who is sent. A contact stays with the first of the rows, and a row whose whole name is merged
goes on the row above.

The reader has filled each covered cell with what the merged one holds, and noted it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.arrow import if_else, nonempty
from importer.mapping.nothing import where_ditto
from importer.models import Chunk, Issue, Severity, Skip

DITTO = "ditto-filled"
"""The code of the note on a cell that holds what stands above, in the place of a ditto sign."""
MERGED = "merged-cell"
"""The code of the reader's note on a cell that holds what a merged one above it says."""


def settled(chunk: Chunk, names: Collection[str], contacts: Collection[str], used: Sequence[str]) -> Chunk:
    """Return the chunk with its merged cells as the mapping's columns want them.

    `names` are the columns of customers' names, `contacts` those of phones and e-mails, `used` all that are
    imported. A contact that several rows share would make one customer of them. A row whose whole name is
    merged holds more of the customer above: it is skipped if nothing of its own is imported, else an error.
    """
    merged: dict[str, list[int]] = {}
    for issue in chunk.issues:
        if issue.code == MERGED and issue.column in chunk.frame.columns:
            merged.setdefault(str(issue.column), []).append(issue.row)
    if not merged:
        return chunk
    rows = chunk.frame.index.to_numpy()
    covered = {name: np.isin(rows, found) for name, found in merged.items()}
    filled = {name: nonempty(arrow.text_column(chunk, name)) for name in used if name in chunk.frame.columns}
    nowhere = np.zeros(len(rows), dtype=bool)

    def own(columns: Collection[str]) -> np.ndarray:
        found = (filled[name] & ~covered.get(name, nowhere) for name in columns if name in filled)
        reached: np.ndarray = np.logical_or.reduce([nowhere, *found])
        return reached

    named = np.logical_or.reduce([nowhere, *(covered[name] for name in names if name in covered)])
    going_on = named & ~own(names)
    skips = chunk.skips
    if (alone := going_on & ~own(used)).any():
        skips = (*skips, Skip(rows[alone], "continued-row"))
    going_on_rows = frozenset(rows[going_on].tolist())
    issues = tuple(_issues(chunk, going_on_rows, frozenset(rows[alone].tolist()), names, contacts))
    return replace(
        _without(chunk, {name: covered[name] for name in contacts if name in covered}),
        issues=issues,
        skips=skips,
    )


def without_dittos(chunk: Chunk, columns: Collection[str]) -> Chunk:
    """Return the chunk with what stands above in the place of each ditto sign in these columns, and notes.

    Rows that hold no customer are passed over. What stands above the chunk's first row is not known.
    """
    skipped = [skip.rows for skip in chunk.skips]
    rows = chunk.frame.index.to_numpy()
    customers = ~np.isin(rows, np.concatenate(skipped)) if skipped else np.ones(len(rows), dtype=bool)
    filled: dict[str, pa.Array] = {}
    issues: list[Issue] = []
    for name in columns:
        if name not in chunk.frame.columns:
            continue
        cells = arrow.trimmed(arrow.without_nulls(arrow.text_column(chunk, name)))
        ditto = where_ditto(cells) & customers
        if not ditto.any():
            continue
        says = np.flatnonzero(customers & ~ditto)
        above = np.searchsorted(says, np.flatnonzero(ditto)) - 1
        places = np.flatnonzero(ditto)[above >= 0]
        sources = says[above[above >= 0]]
        texts = cells.take(pa.array(sources))
        known = nonempty(texts)
        places, sources, texts = places[known], sources[known], texts.filter(pa.array(known))
        mask = np.zeros(len(rows), dtype=bool)
        mask[places] = True
        column = arrow.to_arrow(chunk.frame[name])
        filled[name] = pc.replace_with_mask(column, pa.array(mask), texts.cast(column.type))
        for place, source, text in zip(places.tolist(), sources.tolist(), texts.to_pylist(), strict=True):
            row, top = int(rows[place]), int(rows[source])
            issues.append(Issue(DITTO, Severity.NOTE, row, chunk.sheet, name, found=text, other_row=top))
    if not filled:
        return chunk
    frame = chunk.frame
    columns_now = {name: filled.get(name, arrow.to_arrow(frame[name])) for name in frame.columns}
    return replace(chunk, frame=arrow.frame(columns_now, rows), issues=(*chunk.issues, *issues))


def _issues(
    chunk: Chunk,
    going_on: Collection[int],
    skipped: Collection[int],
    names: Collection[str],
    contacts: Collection[str],
) -> Iterator[Issue]:
    for issue in chunk.issues:
        if issue.code != MERGED:
            yield issue
        elif issue.row in going_on:
            if issue.column in names and issue.row not in skipped:
                yield replace(issue, code="continued-name", severity=Severity.ERROR)
        elif issue.column in contacts:
            yield replace(issue, code="merged-contact", severity=Severity.WARNING)
        else:
            yield issue


def _without(chunk: Chunk, emptied: dict[str, np.ndarray]) -> Chunk:
    """Return the chunk with these cells, a mask for each column, empty."""
    if not emptied:
        return chunk
    columns: dict[str, pa.Array] = {}
    for name in chunk.frame.columns:
        column = arrow.to_arrow(chunk.frame[name])
        columns[name] = if_else(emptied[name], "", column) if name in emptied else column
    return replace(chunk, frame=arrow.frame(columns, chunk.frame.index.to_numpy()))
