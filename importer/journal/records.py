"""The records that the journal keeps of a run: its settings, requests and outcomes.

They hold no secret and no customer's data, only row numbers, hashes and answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from importer.models import Batch, Destination, ExitCode, Mode, Outcome, Status


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    """Came to its end, whatever became of the rows."""
    STOPPED = "stopped"
    """Ended early and in order: refused, server away, a signal. `resume` goes on."""
    INTERRUPTED = "interrupted"
    """Died without a word: recorded as running, but nobody holds its lock. `resume` goes on."""

    @property
    def resumable(self) -> bool:
        return self in (RunState.STOPPED, RunState.INTERRUPTED)


class RunKind(StrEnum):
    """How a run came to be."""

    RUN = "run"
    RETRY = "retry"
    """Sends what its parent left; the same source, so the same row numbers."""
    REIMPORT = "reimport"
    """Imports a corrected reports file of its parent."""


class BatchState(StrEnum):
    """What became of one request (with all its attempts)."""

    BEGUN = "begun"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """For its content: its rows are in parts of it, or it was one row."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the journal knows it. The journal itself sets the fields from `started` on."""

    id: str
    source: str
    """The file as the user named it."""
    path: str
    """Where it lies, absolute; empty for standard input."""
    sha256: str
    size: int
    mode: Mode
    contract: str
    mapping: str
    """The mapping as TOML, so that a resumed run needs no file."""
    mapping_name: str
    mapping_digest: str
    destination: Destination | None = None
    """None for a dry run."""
    read_options: str = "{}"
    """JSON text: sheet, header row, encoding, delimiter."""
    settings: str = "{}"
    """JSON text, without secrets."""
    dry_run: bool = False
    report_dir: str = ""
    kind: RunKind = RunKind.RUN
    parent: str = ""
    job: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    state: RunState = RunState.RUNNING
    exit_code: ExitCode | None = None
    stop: str = ""
    """The message code of why it ended early."""
    counts: Mapping[Status, int] = field(default_factory=dict)
    resumes: int = 0
    """How often `resume` took it up."""
    settled: str = ""
    """The mapping as TOML with what the whole file proved about its dates: for parts of the file that come
    back. Empty if the run did not get that far."""

    @property
    def destination_key(self) -> str:
        return self.destination.key if self.destination else ""

    @property
    def all_done(self) -> bool:
        """True if no row that was counted needs anybody any more."""
        return all(status.done for status, count in self.counts.items() if count)


@dataclass(frozen=True, slots=True)
class BegunEntry:
    """A request that may leave from now on."""

    entry: int
    """The run's own count of events; later events have higher numbers."""
    batch: Batch
    part: int
    """0 for the batch itself, 1, 2, … for the parts that isolation made of it."""
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class SettledEntry:
    """What became of a request, or of some of its rows."""

    entry: int
    """Of the `Begun` it ends; of no request for rows that were settled without one."""
    outcomes: tuple[Outcome, ...] = ()
    state: BatchState | None = None
    """None leaves the request open: only these rows of it are settled."""
    whole: bool = False
    """True if the one outcome is about all rows of the request, which then need not be repeated."""
    final: bool = True
    """False where only the run's stop settled these rows: a resumed run takes them up again."""
    attempts: int = 0
    code: str = ""
    message: str = ""
    trace_id: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as the journal keeps it, with all its attempts."""

    ordinal: int
    part: int
    sheet: str
    rows: tuple[int, ...]
    body_sha256: bytes
    state: BatchState
    attempts: int
    code: str
    message: str
    trace_id: str
    data: str
    """What the answer's `data` held, as JSON text; almost always empty."""


@dataclass(frozen=True, slots=True)
class RowsOfRun:
    """Some rows of one sheet of a run."""

    run: str
    sheet: str
    rows: tuple[int, ...]


def new_run_id(now: datetime) -> str:
    """A name for a run that sorts by time and can be typed: 20261120-163205-k3f9."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return f"{now:%Y%m%d-%H%M%S}-{''.join(secrets.choice(letters) for _ in range(4))}"
