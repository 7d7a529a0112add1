"""Reports: what became of every row, for people and for scripts."""

from __future__ import annotations

from importer.reports.files import WrittenReport
from importer.reports.model import OWN_COLUMNS, ReportPlan, ReportSource
from importer.reports.run_info import ReportResult, RunInfo, Timeline, TimelineStep
from importer.reports.tally import ReasonGroup, Tally
from importer.reports.writer import ReportWriter

__all__ = [
    "OWN_COLUMNS",
    "ReasonGroup",
    "ReportPlan",
    "ReportResult",
    "ReportSource",
    "ReportWriter",
    "RunInfo",
    "Tally",
    "Timeline",
    "TimelineStep",
    "WrittenReport",
]
