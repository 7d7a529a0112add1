"""Show the rows of a run or a check by what became of them, with the names that stand in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv
from starlette.requests import Request
from starlette.responses import Response

from importer import mapping as mappings
from importer.errors import ImporterError, UsageError
from importer.journal import Journal, RunRecord
from importer.mapping import headers
from importer.mapping.person_names import FIELDS
from importer.models import Status
from importer.readers.overlay import read_corrections
from importer.reports import csv
from importer.reports.files import RESULTS_CSV, own_files
from importer.reports.model import OWN_COLUMNS
from importer.web.mapping_table import source_names
from importer.web.pages import Site, page, page_number, shown, site_of, whole_number
from importer.web.problems import ProblemRows
from importer.web.twins import Place
from importer.web.works import Work

PAGE_ROWS = 50
_BLOCK = 1 << 20
"""Bytes of the results that are read at once."""


@dataclass(frozen=True, slots=True)
class RowQuery:
    """Which rows are asked for; an empty text asks for all."""

    status: str = ""
    code: str = ""
    said: str = ""
    """What is said of the row, or a part of it."""
    places: frozenset[Place] | None = None

    def mask(self, batch: pa.RecordBatch) -> pa.Array:
        """The rows of a piece of the results that are asked for: bool."""
        found = pa.array([True] * len(batch))
        for name, wanted in (("_status", self.status), ("_code", self.code)):
            if wanted:
                found = pc.and_(found, pc.equal(batch[name], wanted))
        if self.said:
            found = pc.and_(found, pc.match_substring(batch["_message"], self.said))
        if self.places is not None:
            rows = pa.array(sorted({str(row) for _, row in self.places}), type=pa.string())
            found = pc.and_(found, pc.is_in(batch["_row"], value_set=rows))
            near = np.flatnonzero(found.to_numpy(zero_copy_only=False))
            here = batch.take(pa.array(near))
            numbers = map(int, here["_row"].to_pylist())
            pairs = zip(here["_sheet"].to_pylist(), numbers, strict=True)
            of_place = np.zeros(len(batch), dtype=bool)
            of_place[near] = [pair in self.places for pair in pairs]
            found = pa.array(of_place)
        return found


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row with what became of it."""

    sheet: str
    row: str
    status: str
    message: str
    cells: tuple[str, ...]


@dataclass(slots=True)
class ShownRows:
    """A page of rows, and how many there are on all pages."""

    header: tuple[str, ...] = ()
    rows: list[ShownRow] = field(default_factory=list)
    found: int = 0


def rows_of_run(results: Path, query: RowQuery, first: int, most: int, names: Sequence[str]) -> ShownRows:
    """The rows from the place `first` on; columns that are called like one of `names` come first.

    Raises OSError, ValueError for results that cannot be read.
    """
    made = ShownRows()
    for batch in _batches(results):
        if not made.header:
            own = [name for name in batch.schema.names if name not in OWN_COLUMNS]
            called = {column for name in names for column in headers.matching_columns(name, own)}
            made.header = tuple(sorted(own, key=lambda name: name not in called))
        chosen = batch.filter(query.mask(batch))
        skipped = max(first - made.found, 0)
        made.found += len(chosen)
        some = chosen.slice(skipped, max(most - len(made.rows), 0))
        columns = {name: csv.unescaped(some[name]).to_pylist() for name in some.schema.names}
        for at in range(len(some)):
            line = {name: str(texts[at]) for name, texts in columns.items()}
            cells = tuple(line[name] for name in made.header)
            made.rows.append(ShownRow(line["_sheet"], line["_row"], line["_status"], line["_message"], cells))
    return made


def _batches(results: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of results.csv as text, piece by piece."""
    reading = arrow_csv.ReadOptions(block_size=_BLOCK, use_threads=False)
    parsing = arrow_csv.ParseOptions(newlines_in_values=True)
    with arrow_csv.open_csv(results, reading, parsing) as looked_at:
        text = dict.fromkeys(looked_at.schema.names, pa.large_string())
    converting = arrow_csv.ConvertOptions(column_types=text, strings_can_be_null=False)
    with arrow_csv.open_csv(results, reading, parsing, converting) as reader:
        yield from reader


def _rows(request: Request) -> Response:
    site = site_of(request)
    asked = ("status", "code", "said", "told", "row", "sheet")
    given = {name: request.query_params.get(name, "") for name in asked}
    with Journal.open(site.journal) as journal:
        run = journal.find(request.path_params["run"])
    work = None
    with contextlib.suppress(UsageError):
        work = site.works.get(request.query_params.get("w", ""))
    number = page_number(request)
    files = own_files(Path(run.report_dir), run.id) if run.report_dir else []
    results = next((path for path in files if path.name == RESULTS_CSV), None)
    if results is None:
        raise UsageError("web-no-results")
    query = RowQuery(given["status"], given["code"], given["said"], _places(site, work, given))
    try:
        found = rows_of_run(results, query, (number - 1) * PAGE_ROWS, PAGE_ROWS, _name_columns(run))
    except (OSError, ValueError):
        raise UsageError("web-no-results") from None
    kept = {name: text for name, text in given.items() if text} | ({"w": work.id} if work else {})
    return page(
        request,
        "rows.html",
        run=run,
        work=work,
        file_name=Path(run.source).name,
        step="",
        found=found,
        chosen=given["status"] if given["status"] in list(Status) else "",
        several_sheets=len({row.sheet for row in found.rows}) > 1,
        number=number,
        pages=max(-(-found.found // PAGE_ROWS), 1),
        query=urlencode(kept),
        grid=work is not None and work.check is not None and work.check.run == run.id,
        editable=_editable(site, work, run, found.rows),
    )


def _editable(
    site: Site, work: Work | None, run: RunRecord, rows: Sequence[ShownRow]
) -> set[tuple[str, str]]:
    """Sheet and row of those that the grid of the check has."""
    if work is None or work.check is None or work.check.run != run.id:
        return set()
    with contextlib.suppress(OSError, ValueError):
        kept: ProblemRows = site.rechecks.rows(work)
        return {(one.sheet, one.row) for one in rows if kept.place(one.sheet, int(one.row)) >= 0}
    return set()


def _places(site: Site, work: Work | None, given: dict[str, str]) -> frozenset[Place] | None:
    """The rows that an address names, by their numbers or by what is told of them; None if it names none."""
    if given["told"] and work is not None and work.check is not None and given["told"] in work.check.told:
        with contextlib.suppress(ImporterError):
            cells = read_corrections(site.works.told_file(work, given["told"])).cells
            return frozenset((cell.sheet, cell.row) for cell in cells)
    row = whole_number(given["row"])
    return None if row is None else frozenset({(given["sheet"], row)})


def _name_columns(run: RunRecord) -> list[str]:
    """The columns that hold names of people, as the mapping of a run calls them."""
    with contextlib.suppress(ImporterError):
        rules = mappings.load_text(run.settled or run.mapping, "mapping").table().get("fields", {})
        named = [rules[name] for name in FIELDS if name in rules]
        return [name for rule in named for name in (*source_names(rule), rule.get("split", "")) if name]
    return []


ROUTES = [("GET", "/runs/{run}/rows", shown(_rows))]
