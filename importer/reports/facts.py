"""What the reports say about a run as a whole, known when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from importer.errors import ReportError
from importer.model import Destination, ExitCode, Mode, Note, RunSummary
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
    parent: str = ""
    """The run that this one resumes or retries."""


@dataclass(frozen=True, slots=True)
class Written:
    """A report that lies on disk."""

    name: str
    path: Path
    size: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The reports are written, as far as they could be."""

    summary: RunSummary
    files: tuple[Written, ...]
    notes: tuple[Note, ...] = ()
    """What is worth telling about the files: cut at 100,000 rows, written under a second name."""
    failures: tuple[ReportError, ...] = field(default_factory=tuple)
    """Reports that could not be written; the run itself is safe in the journal."""
