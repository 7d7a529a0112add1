"""Recognise the rows of a file that were corrected for an earlier import, on the page or in a report.

A list that has grown brings its old rows along as they stood before. Sent as they are, they undo that.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from importer import arrow
from importer.errors import ImporterError
from importer.journal import Journal, RunKind, RunRecord
from importer.models import Chunk, Status
from importer.option_layers import options_from_json
from importer.options import RunOptions
from importer.pipeline.check import CheckedChunk
from importer.pipeline.table import open_table
from importer.private_files import replace_private_file
from importer.readers.overlay import CorrectedCell, Corrections, read_corrections
from importer.reports import reimport
from importer.reports.files import RESULTS_CSV, own_files
from importer.reports.reimport import PriorRows
from importer.web.earlier import work_of
from importer.web.pages import Site
from importer.web.problems import ProblemRows
from importer.web.twins import Place
from importer.web.works import EXPIRY_DAYS, Work

_MOST = 20
"""Pieces of work whose corrections are looked for: each is read from disk."""
_RUNNING_NUMBER = "[0-9]{0,5}"
"""What may differ between a row and the same one in a later list: its running number."""
_FEWEST_EQUAL = 2
"""So many cells make two rows the same one."""


@dataclass(frozen=True, slots=True)
class FirstRow:
    """A row as it stood in the file in which it came first."""

    header: tuple[str, ...]
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """A row, and what it says since a person has corrected it."""

    row: FirstRow
    changes: tuple[tuple[str, str], ...]
    """Columns, and their texts."""

    def corrections(self) -> list[CorrectedCell]:
        """The corrections, at no place yet."""
        was = dict(zip(self.row.header, self.row.cells, strict=False))
        return [CorrectedCell("", 0, column, was[column], now) for column, now in self.changes]


class CorrectedBefore:
    """Finds the rows that stand in a file as they stood in an earlier one before a person corrected them.

    The files may differ otherwise.
    """

    def __init__(self, site: Site, work: Work) -> None:
        """Takes the corrections of earlier pieces of work that were imported; the later ones count."""
        self._here = site.works.corrections(work)
        self._known: dict[tuple[str, ...], dict[str, list[CorrectedCell]]] = {}
        """By the columns of a file, and by the text of a row: its corrections."""
        self._rows: dict[tuple[str, ...], list[CorrectedRow]] = {}
        self.lost: list[RunRecord] = []
        """Imports of reports whose file is no longer there as it was imported."""
        self.found: list[CorrectedCell] = []
        """The corrections, at the rows of this file."""
        sha256 = site.looks.of(work).sha256
        earlier = [] if work.report else [one for one in site.works.recent() if one.run and one.check]
        corrected: list[tuple[Work, Corrections]] = []
        for one in [one for one in earlier if one.id != work.id][:_MOST]:
            with contextlib.suppress(ImporterError):
                made = Corrections("", ()) if one.report else site.works.kept_corrections(one)
                if one.report or (made.cells and made.sha256 != sha256):
                    corrected.append((one, made))
        with Journal.open(site.journal) as journal:
            for one, made in corrected:
                with contextlib.suppress(OSError, ValueError, ImporterError):
                    if one.report:
                        self._learn(kept_report_corrections(site, one).values())
                    elif journal.run(one.run).counts.get(Status.IMPORTED, 0):
                        self._learn(_corrected_on_page(site, one, made))
            for run in _reports_elsewhere(site, journal) if not work.report else ():
                if run.id not in site.report_corrections:
                    site.report_corrections[run.id] = _of_report_elsewhere(site, run)
                found = site.report_corrections[run.id]
                if found is None:
                    self.lost.append(run)
                else:
                    self._learn(found)

    def _learn(self, rows: Iterable[CorrectedRow]) -> None:
        for one in rows:
            if sum(map(_tells, one.row.cells)) >= _FEWEST_EQUAL:
                known = self._known.setdefault(one.row.header, {})
                known.setdefault(_row_text(one.row.cells), one.corrections())
                self._rows.setdefault(one.row.header, []).append(one)

    def add(self, checked: CheckedChunk, names: Sequence[str]) -> None:
        """Take a chunk as it was checked. `names`: the columns with names of people."""
        frame, sheet = checked.chunk.frame, checked.chunk.sheet
        before = len(self.found)
        for header, known in self._known.items():
            if not known or not set(header) <= set(frame.columns):
                continue
            texts = _row_texts([arrow.to_arrow(frame[name]) for name in header])
            hits = pc.is_in(texts, value_set=pa.array(known, type=texts.type)).to_numpy(zero_copy_only=False)
            for at in np.flatnonzero(hits).tolist():
                number = int(frame.index[at])
                self.found += self._moved(known[texts[at].as_py()], sheet, number)
            self._add_changed(checked.chunk, header, [name for name in header if name in names], ~hits)
        self.found[before:] = sorted(self.found[before:], key=lambda cell: cell.row)

    def _add_changed(
        self, chunk: Chunk, header: Sequence[str], names: Sequence[str], where: np.ndarray
    ) -> None:
        """Rows that say something else by now, but hold a cell as it was before it was corrected for somebody
        of the same name."""
        cells: dict[str, dict[str, CorrectedCell]] = {}
        for one in self._rows[tuple(header)] if names else ():
            was = dict(zip(header, one.row.cells, strict=True))
            for cell in one.corrections():
                if cell.column not in names and cell.was.strip():
                    key = _row_text([*(was[name] for name in names), cell.was])
                    cells.setdefault(cell.column, {}).setdefault(key, cell)
        for column, known in cells.items():
            texts = _row_texts([arrow.to_arrow(chunk.frame[name]) for name in (*names, column)])
            hits = pc.is_in(texts, value_set=pa.array(known, type=texts.type)).to_numpy(zero_copy_only=False)
            for at in np.flatnonzero(hits & where).tolist():
                self.found += self._moved([known[texts[at].as_py()]], chunk.sheet, int(chunk.frame.index[at]))

    def _moved(self, cells: Sequence[CorrectedCell], sheet: str, row: int) -> Iterator[CorrectedCell]:
        for cell in cells:
            if (sheet, row, cell.column) not in self._here:
                yield replace(cell, sheet=sheet, row=row)


def _reports_elsewhere(site: Site, journal: Journal) -> list[RunRecord]:
    """The last imports of reports that were not started from a page, the newest first."""
    since = datetime.now(UTC) - timedelta(days=EXPIRY_DAYS)
    found = (
        run
        for run in journal.runs()
        if run.kind is RunKind.REIMPORT and not run.dry_run and run.counts.get(Status.IMPORTED, 0)
        if run.started is not None and run.started > since and work_of(site, run) is None
    )
    return list(islice(found, _MOST))


def _of_report_elsewhere(site: Site, run: RunRecord) -> list[CorrectedRow] | None:
    """What was corrected in a report; None if its file is no longer there as it was imported."""
    try:
        with Path(run.path).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != run.sha256:
                return None
        options = options_from_json(run.settings, run.read_options)
        return [row for _, row in _corrected_in_report(site, Path(run.path), options, None, run.id)]
    except (OSError, ImporterError):
        return None


def _corrected_on_page(site: Site, work: Work, made: Corrections) -> Iterator[CorrectedRow]:
    """The rows that were corrected in the grid, or by a workbook that it took in."""
    header = work.check.header if work.check else ()
    by_row: dict[Place, list[CorrectedCell]] = {}
    for cell in made.cells:
        if not cell.whole_row:
            by_row.setdefault((cell.sheet, cell.row), []).append(cell)
    if not by_row:
        return
    rows = ProblemRows(site.works.problems_file(work))
    for place, cells in by_row.items():
        row = rows.find(*place)
        if row is not None and all(row.cells[header.index(one.column)] == one.was for one in cells):
            yield CorrectedRow(FirstRow(header, row.cells), tuple((one.column, one.now) for one in cells))


def keep_report_corrections(site: Site, work: Work, run: str) -> None:
    """Keep what a person has corrected in a report, of the rows that came in with its import, `run`.

    Raises OSError, ImporterError.
    """
    feeding = {
        column for columns in (work.check.feeding if work.check else {}).values() for column in columns
    }
    path, options = site.works.file(work), site.looks.of(work).options
    found = dict(_corrected_in_report(site, path, options, feeding, run))
    headers = list(dict.fromkeys(one.row.header for one in found.values()))
    rows = [
        [*place, headers.index(one.row.header), one.row.cells, one.changes] for place, one in found.items()
    ]
    text = json.dumps({"headers": headers, "rows": rows}, ensure_ascii=False)
    replace_private_file(site.works.report_corrections_file(work), text.encode("utf-8", "surrogatepass"))


def kept_report_corrections(site: Site, work: Work) -> dict[Place, CorrectedRow]:
    """What was corrected in a report, by sheet and row of the report. Raises OSError, ValueError."""
    path = site.works.report_corrections_file(work)
    table = json.loads(path.read_text("utf-8", "surrogatepass"))
    headers = [tuple(header) for header in table["headers"]]
    return {
        (sheet, row): CorrectedRow(FirstRow(headers[at], tuple(cells)), tuple(map(tuple, changes)))
        for sheet, row, at, cells, changes in table["rows"]
    }


def _corrected_in_report(
    site: Site, path: Path, options: RunOptions, feeding: Collection[str] | None, run: str
) -> Iterator[tuple[Place, CorrectedRow]]:
    """What was corrected in a report that `run` imported. `feeding`: the columns that count; None: all."""
    with Journal.open(site.journal) as journal:
        states = journal.row_states(run)
        with open_table(path, options, any_table=True) as source:
            for chunk in source.chunks():
                restored, said = reimport.restore(chunk, escaped=source.delimiter is not None)
                numbers = restored.frame.index.to_numpy()
                places = np.flatnonzero(states.has_status(restored.sheet, numbers, Status.IMPORTED))
                first = _first_rows(site, journal, said, places)
                for at, cells in _cells(restored, np.array(sorted(first), dtype=np.int64)):
                    row, now = first[at], dict(zip(restored.frame.columns, cells, strict=True))
                    changes = tuple(
                        (column, now[column])
                        for column, was in zip(row.header, row.cells, strict=False)
                        if (feeding is None or column in feeding) and now.get(column, was) != was
                    )
                    if changes:
                        yield (restored.sheet, int(numbers[at])), CorrectedRow(row, changes)


def _cells(chunk: Chunk, places: np.ndarray) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the rows at these positions, and their cells."""
    lines = chunk.frame.iloc[places].itertuples(index=False, name=None)
    return ((at, tuple(map(str, line))) for at, line in zip(places.tolist(), lines, strict=True))


def _first_rows(site: Site, journal: Journal, said: PriorRows, places: np.ndarray) -> dict[int, FirstRow]:
    """By position in a chunk of a report its rows as they stood in the first file, where that is known."""
    runs, sheets = said.runs.to_pylist(), said.sheets.to_pylist()
    wanted: dict[str, dict[Place, int]] = {}
    for at in places.tolist():
        wanted.setdefault(runs[at].strip(), {})[sheets[at], int(said.rows[at])] = at
    found: dict[int, FirstRow] = {}
    for run, where in wanted.items():
        with contextlib.suppress(ImporterError):  # pruned meanwhile
            found |= {where[place]: row for place, row in _rows_of_run(site, journal, run, where)}
    return found


def _rows_of_run(
    site: Site, journal: Journal, run: str, wanted: Collection[Place]
) -> Iterator[tuple[Place, FirstRow]]:
    """Yield rows of a run as they stood before any correction, as far as its results have them."""
    record = journal.run(run)
    paths = own_files(Path(record.report_dir), run) if record.report_dir else []
    results = next((path for path in paths if path.name == RESULTS_CSV), None)
    if results is None:
        return
    overlaid: dict[Place, dict[str, str]] = {}
    corrections = options_from_json(record.read_options).corrections
    for cell in read_corrections(Path(corrections)).cells if corrections else ():
        overlaid.setdefault((cell.sheet, cell.row), {})[cell.column] = cell.was
    before: dict[Place, CorrectedRow] = {}
    of_report = work_of(site, record)
    if of_report is not None and of_report.report:  # a report of a report: what that one said first
        with contextlib.suppress(OSError, ValueError):
            before = kept_report_corrections(site, of_report)
    with open_table(results, RunOptions(header_row=1)) as source:
        for chunk in source.chunks():
            restored, said = reimport.restore(chunk, escaped=True)
            header, sheets = tuple(map(str, restored.frame.columns)), said.sheets.to_pylist()
            near = np.flatnonzero(np.isin(said.rows, [row for _, row in wanted]))
            for at, cells in _cells(restored, near):
                place = (sheets[at], int(said.rows[at]))
                if place in before:
                    yield place, before[place].row
                elif place in wanted:
                    was = overlaid.get(place, {})
                    texts = (was.get(name, text) for name, text in zip(header, cells, strict=True))
                    yield place, FirstRow(header, tuple(texts))


def _tells(cell: str) -> bool:
    return re.fullmatch(_RUNNING_NUMBER, cell) is None


def _row_text(cells: Sequence[str]) -> str:
    return "\x1f".join(cell if _tells(cell) else "" for cell in cells)


def _row_texts(columns: Sequence[pa.Array]) -> pa.Array:
    """The text of each row, as `_row_text` makes it."""
    told = [pc.replace_substring_regex(one, f"^{_RUNNING_NUMBER}$", "") for one in columns]
    separator = pa.scalar("\x1f", told[0].type)
    return pc.binary_join_element_wise(*told, separator)
