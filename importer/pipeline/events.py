"""What a run tells while it goes on, for whoever shows progress. The engine prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from importer.delivery import DeliveryEvent
from importer.journal import RunRecord
from importer.pipeline.plan import Plan
from importer.reports import ReportResult, Tally


@dataclass(frozen=True, slots=True)
class LookingAhead:
    """The whole file is validated before anything is sent; so many rows were read."""

    rows: int


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The first row is about to be read."""

    record: RunRecord
    plan: Plan


@dataclass(frozen=True, slots=True)
class Progress:
    """Something moved. `tally` is the live one: look, don't keep."""

    tally: Tally


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The journal and the reports are closed."""

    record: RunRecord
    closed: ReportResult


Event = LookingAhead | RunStarted | Progress | RunEnded | DeliveryEvent
Observer = Callable[[Event], None]
"""Called from the run's own thread, but for the delivery's events, which come from its threads."""


def unobserved(event: Event) -> None:
    """Nobody watches."""
