"""Reports: what became of every row, for people and for scripts.

The names below are loaded on first use: a run that only needs words loads neither jinja2 nor the writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "files": ("WrittenReport",),
    "model": ("OWN_COLUMNS", "ReportPlan", "ReportSource"),
    "run_info": ("ReportResult", "RunInfo", "Timeline", "TimelineStep"),
    "tally": ("ReasonGroup", "Tally"),
    "writer": ("ReportWriter",),
}


def __getattr__(name: str) -> Any:
    import importlib

    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
