"""Read one of the importer's own reports again: drop its columns and restore the cells as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow, messages
from importer.dataclass import dataclass
from importer.models import Chunk, Skip, Status
from importer.readers.row_roles import ASIDES, may_be_aside
from importer.reports import csv
from importer.reports.model import OWN_COLUMNS

_OWN = frozenset(OWN_COLUMNS)
NO_ROW = -1


@dataclass(frozen=True, slots=True)
class PriorRows:
    """What the report says about each row of a chunk. All arrays have one entry a row, in its order.

    `runs`, `sheets` and `statuses` are large_string arrays (empty where the cell is), `rows` is int64 with
    NO_ROW where the cell holds no row number.
    """

    runs: pa.Array
    sheets: pa.Array
    rows: np.ndarray
    statuses: pa.Array
    codes: pa.Array
    issues: pa.Array
    """`code:column` pairs separated by `; `, as the report has them."""


def is_report(header: Sequence[str]) -> bool:
    """True for a file that the importer wrote: it has a column `_run`."""
    return "_run" in header


def is_summary_sheet(sheet: str) -> bool:
    """True for the name of the sheet with the summary that annotated.xlsx ends with."""
    titles = (messages.sentence("sheet-summary", {}, lang) for lang in messages.LANGUAGES)
    return any(sheet == title or sheet.startswith(f"{title} ") for title in titles)


def original_header(header: Sequence[str], *, escaped: bool) -> tuple[str, ...]:
    """The columns of the file that the report was made from. `escaped` is True for delimited text."""
    return tuple(_name(name, escaped) for name in header if name not in _OWN)


def restore(chunk: Chunk, *, escaped: bool) -> tuple[Chunk, PriorRows]:
    """Return the original chunk, and what the importer's columns say of its rows.

    With `escaped` (delimited text) each cell loses the ' that the report put in front of it. A row that was
    skipped because it holds no customer (a total, a comment) is skipped again, unless it has a contact now.
    """
    frame = chunk.frame
    prior = PriorRows(
        runs=_own_column(chunk, "_run", escaped),
        sheets=_own_column(chunk, "_sheet", escaped),
        rows=_row_numbers(_own_column(chunk, "_row", escaped)),
        statuses=_own_column(chunk, "_status", escaped),
        codes=_own_column(chunk, "_code", escaped),
        issues=_own_column(chunk, "_issues", escaped),
    )
    kept = {}
    for place, name in enumerate(frame.columns):
        if name not in _OWN:
            column = arrow.to_arrow(frame.iloc[:, place])
            kept[_name(name, escaped)] = csv.unescaped(column) if escaped else column
    restored = arrow.frame(kept, frame.index.to_numpy())
    as_read = chunk.as_read
    if as_read is not None:
        as_read = restore(Chunk(chunk.sheet, as_read), escaped=escaped)[0].frame
    skips = (*chunk.skips, *_asides(restored, prior))
    return Chunk(chunk.sheet, restored, chunk.issues, skips, as_read), prior


def _asides(frame: pd.DataFrame, prior: PriorRows) -> Iterator[Skip]:
    numbers = frame.index.to_numpy()
    skipped = pc.equal(pc.utf8_trim_whitespace(prior.statuses), Status.SKIPPED.value)
    if not pc.any(skipped).as_py():
        return
    codes = pc.utf8_trim_whitespace(prior.codes)
    for code in sorted(ASIDES):
        where = pc.and_(skipped, pc.equal(codes, code)).to_numpy(zero_copy_only=False)
        places = [at for at in np.flatnonzero(where).tolist() if may_be_aside(list(map(str, frame.iloc[at])))]
        if places:
            yield Skip(numbers[places], code)


def same_rows(chunk: Chunk, run: str) -> PriorRows:
    """Return what a report of `run` would say of rows that stand where they stood in that run."""
    count = len(chunk.frame)

    def alike(text: str) -> pa.Array:
        return pa.array([text], type=arrow.TEXT).take(pa.array(np.zeros(count, dtype=np.int64)))

    rows = chunk.frame.index.to_numpy().astype(np.int64)
    return PriorRows(alike(run), alike(chunk.sheet), rows, alike(""), alike(""), alike(""))


def _name(name: str, escaped: bool) -> str:
    return name[1:] if escaped and name.startswith("'") else name


def _own_column(chunk: Chunk, name: str, escaped: bool) -> pa.Array:
    if name not in chunk.frame.columns:
        return pa.array([""] * len(chunk.frame), type=arrow.TEXT)
    column = arrow.text_column(chunk, name)
    return csv.unescaped(column) if escaped else column


def _row_numbers(texts: pa.Array) -> np.ndarray:
    """Row numbers as int64. A spreadsheet program may have turned “17” into “17.0”."""
    plain = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"\.0+$", "")
    good = pc.match_substring_regex(plain, "^[0-9]{1,15}$")
    rows = pc.if_else(good, plain, str(NO_ROW)).cast(pa.int64())
    numbers: np.ndarray = rows.to_numpy(zero_copy_only=False)
    return numbers
