"""Hold what the reports say about a run as a whole.

It is known when the run ends. Sending over time is kept in a bounded number of steps, however long the
run is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime

from importer.dataclass import dataclass
from importer.errors import ReportError
from importer.exit_codes import ExitCode
from importer.models import Destination, Mode, Note, RunSummary
from importer.option_types import SettingValue, setting_value
from importer.options import RunOptions, declared_options
from importer.reports.files import WrittenReport
from importer.reports.next_steps import NextStep
from importer.reports.tally import ReasonGroup

MAX_STEPS = 240


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """The answers within `width` seconds from `start`, in seconds since the first request."""

    start: float
    width: float
    rows: int
    requests: int
    retries: int
    latency: float
    """Seconds, mean of the answers; 0 without any."""
    slowest: float


class Timeline:
    """Collects the answers by time. Beyond MAX_STEPS steps, two neighbours become one."""

    def __init__(self, width: float = 0.25) -> None:
        self._width = width
        self._rows = [0] * MAX_STEPS
        self._requests = [0] * MAX_STEPS
        self._retries = [0] * MAX_STEPS
        self._seconds = [0.0] * MAX_STEPS
        self._slowest = [0.0] * MAX_STEPS

    def request(self, at: float, seconds: float, *, again: bool = False) -> None:
        """Count a request that ended `at` seconds after the first one left and took `seconds`."""
        step = self._step(at)
        self._requests[step] += 1
        self._retries[step] += again
        self._seconds[step] += seconds
        self._slowest[step] = max(self._slowest[step], seconds)

    def settled(self, at: float, rows: int) -> None:
        """Count rows that got their final status `at` seconds after the first request left."""
        self._rows[self._step(at)] += rows

    def _step(self, at: float) -> int:
        while at >= self._width * MAX_STEPS:
            self._halve()
        return int(max(at, 0.0) / self._width)

    def steps(self) -> tuple[TimelineStep, ...]:
        """The steps up to the last answer, without gaps. Empty if there was no answer."""
        used = [number for number in range(MAX_STEPS) if self._requests[number] or self._rows[number]]
        if not used:
            return ()
        return tuple(
            TimelineStep(
                round(number * self._width, 6),
                self._width,
                self._rows[number],
                self._requests[number],
                self._retries[number],
                self._seconds[number] / self._requests[number] if self._requests[number] else 0.0,
                self._slowest[number],
            )
            for number in range(used[-1] + 1)
        )

    def _halve(self) -> None:
        self._width *= 2
        for values in (self._rows, self._requests, self._retries):
            values[:] = [values[n] + values[n + 1] for n in range(0, MAX_STEPS, 2)] + [0] * (MAX_STEPS // 2)
        seconds, slowest = self._seconds, self._slowest
        seconds[:] = [seconds[n] + seconds[n + 1] for n in range(0, MAX_STEPS, 2)] + [0.0] * (MAX_STEPS // 2)
        slowest[:] = [max(slowest[n], slowest[n + 1]) for n in range(0, MAX_STEPS, 2)] + [0.0] * (
            MAX_STEPS // 2
        )


@dataclass(frozen=True, slots=True)
class SuppressionUse:
    """A list of people who must not be sent, and what it did in a run."""

    name: str
    sha256: str
    columns: tuple[str, ...]
    """Where its entries stand."""
    phones: int
    """Different ones, as are the others."""
    emails: int
    hashes: int
    unreadable: int
    """Cells that hold nothing which can be compared."""
    rows: int
    """How many rows it left out."""
    without_contact: int = 0
    """Entries that hold nothing by which anybody could be found, such as only a name."""


def uses_to_json(uses: Sequence[SuppressionUse]) -> str:
    """Return what lists did in a run, for the journal."""
    return json.dumps([dataclasses.asdict(use) for use in uses])


def uses_from_json(text: str) -> tuple[SuppressionUse, ...]:
    """Return what lists did in a run, from the journal's JSON text."""
    return tuple(SuppressionUse(**{**use, "columns": tuple(use["columns"])}) for use in json.loads(text))


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is known of a run at its end. It holds no secret."""

    mode: Mode
    dry_run: bool
    destination: Destination | None
    mapping: str
    exit_code: ExitCode
    started: datetime
    """With its time zone."""
    seconds: float
    requests: int = 0
    retries: int = 0
    stop: str = ""
    """Why it ended early, as a sentence. Empty if it did not."""
    notes: tuple[Note, ...] = ()
    settings: tuple[tuple[str, SettingValue], ...] = ()
    """(name, value) of every setting that made a difference, without secrets."""
    phases: tuple[tuple[str, float], ...] = ()
    """(name, seconds) of the run's parts: reading, mapping, validation, sending, …"""
    timeline: tuple[TimelineStep, ...] = ()
    arguments: tuple[str, ...] = ()
    """The arguments after `importer run FILE`, for commands to copy. No secret is among them."""
    parent: str = ""
    """The run that this one resumes or retries."""
    suppression: tuple[SuppressionUse, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportResult:
    """The reports that were written, and those that could not be."""

    summary: RunSummary
    files: tuple[WrittenReport, ...]
    reasons: tuple[ReasonGroup, ...] = ()
    steps: tuple[NextStep, ...] = ()
    """What to do next. Empty if nothing is left to do."""
    notes: tuple[Note, ...] = ()
    """Notes on the files: cut at 100,000 rows, written under a second name."""
    failures: tuple[ReportError, ...] = field(default_factory=tuple)
    """Reports that could not be written. The run itself is safe in the journal."""


def report_settings(
    options: RunOptions, effective: Mapping[str, str | None]
) -> tuple[tuple[str, SettingValue], ...]:
    """Return (name, value) of the options that reports show and that have a value.

    `effective`: what the plan made of some.
    """
    values: dict[str, SettingValue] = {}
    for one in declared_options().values():
        if not one.report:
            continue
        value: object = effective[one.name] if one.name in effective else getattr(options, one.name)
        values[one.name] = setting_value(value)
    return tuple((name, value) for name, value in values.items() if value != "")
