"""What a run's reports are about, fixed before the first row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OWN_COLUMNS = (
    "_row",
    "_sheet",
    "_status",
    "_batch",
    "_attempts",
    "_code",
    "_message",
    "_trace_id",
    "_issues",
    "_run",
)
"""The importer's own columns, in the order in which every report has them. A user's `_id` is the user's."""

RESULTS_CSV = "results.csv"
REJECTS_CSV = "rejects.csv"
REJECTS_XLSX = "rejects.xlsx"
SUMMARY_JSON = "summary.json"
REPORT_HTML = "report.html"
ANNOTATED_XLSX = "annotated.xlsx"

REPORT_FILES = (RESULTS_CSV, REJECTS_CSV, REJECTS_XLSX, SUMMARY_JSON, REPORT_HTML, ANNOTATED_XLSX)

REPORT_FILES = (RESULTS_CSV, REJECTS_CSV, REJECTS_XLSX, SUMMARY_JSON, REPORT_HTML, ANNOTATED_XLSX)

WORKBOOK_ROWS = 100_000
"""So many rows go into a workbook that people open; the CSV has them all."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that the rows came from."""

    path: Path
    name: str
    """As the user gave it."""
    format: str
    """`csv`, `xlsx`, …, as the reader calls it."""
    header: tuple[str, ...]
    """Unique column names of every chunk, in order, without the importer's own columns."""
    sha256: str = ""
    size: int = 0
    encoding: str = ""
    sheet: str = ""
    header_row: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the reports of one run go and what is the same in every line of them."""

    directory: Path
    run_id: str
    origin: Origin
    lang: str = "en"
    excel_report: bool = False
    mask: bool = False
    """True: cells quoted in messages are masked."""
    fields: tuple[tuple[str, str], ...] = ()
    """(column, API field) of every mapped column: for header notes and sentences."""
