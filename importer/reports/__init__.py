"""Reports: what became of every row, for people and for scripts."""

from __future__ import annotations

from importer.reports.book import Reports
from importer.reports.facts import Closed, Facts
from importer.reports.files import Written
from importer.reports.plan import OWN_COLUMNS, Origin, Plan
from importer.reports.tally import ReasonGroup, Tally
from importer.reports.timeline import Step, Timeline

__all__ = [
    "OWN_COLUMNS",
    "Closed",
    "Facts",
    "Origin",
    "Plan",
    "ReasonGroup",
    "Reports",
    "Step",
    "Tally",
    "Timeline",
    "Written",
]
