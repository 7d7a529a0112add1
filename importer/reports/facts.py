"""What the reports say about a run as a whole, known when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from importer.errors import ReportError
from importer.models import Destination, ExitCode, Mode, Note, RunSummary
from importer.reports.files import Written
from importer.reports.next_steps import NextStep
from importer.reports.tally import ReasonGroup
from importer.reports.timeline import Step


@dataclass(frozen=True, slots=True)
class Facts:
    """The end of a run. No secret in it."""

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
    """Why it ended early, as a sentence; empty if it didn't."""
    notes: tuple[Note, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    """(name, value) as shown and stored: everything that made a difference, secrets left out."""
    phases: tuple[tuple[str, float], ...] = ()
    """(name, seconds) of the run's parts: reading, mapping, validation, sending, …"""
    timeline: tuple[Step, ...] = ()
    arguments: tuple[str, ...] = ()
    """The words that followed `importer run FILE`, so that a command to copy means the same; no secret."""
    parent: str = ""
    """The run that this one resumes or retries."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The reports are written, as far as they could be."""

    summary: RunSummary
    files: tuple[Written, ...]
    reasons: tuple[ReasonGroup, ...] = ()
    steps: tuple[NextStep, ...] = ()
    """What to do next; empty if nothing is left to do."""
    notes: tuple[Note, ...] = ()
    """What is worth telling about the files: cut at 100,000 rows, written under a second name."""
    failures: tuple[ReportError, ...] = field(default_factory=tuple)
    """Reports that could not be written; the run itself is safe in the journal."""
