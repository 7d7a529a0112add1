"""The records that the journal keeps of a run: its settings, requests and outcomes.

They hold no secret and no customer's data, only row numbers, hashes and answers.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import field, fields
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from importer import contracts
from importer.dataclass import dataclass
from importer.exit_codes import ExitCode
from importer.models import Batch, Destination, Mode, Outcome, Status


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    """Reached the end of its source, whatever happened to the rows."""
    STOPPED = "stopped"
    """Ended early and in order: refused, server away, a signal. `resume` goes on."""
    INTERRUPTED = "interrupted"
    """Ended without a record: still marked as running, but its lock is free. `resume` goes on."""

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
    """How one request ended, with all its attempts."""

    BEGUN = "begun"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """Refused for its content. Its rows were sent again in smaller parts, or it held one row only."""
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
    profile: str = ""
    """The profile that it was begun with; empty for none."""
    started: datetime | None = None
    machine: str = ""
    """The name of the machine that began it."""
    finished: datetime | None = None
    state: RunState = RunState.RUNNING
    exit_code: ExitCode | None = None
    stop: str = ""
    """The message code of why it ended early."""
    counts: Mapping[Status, int] = field(default_factory=dict)
    resumes: int = 0
    """How often `resume` took it up."""
    settled: str = ""
    """The mapping as TOML with the date formats that the whole file proved. Parts of the file that are
    imported again are read with it. Empty if the run did not read the whole file."""
    suppression: str = "[]"
    """JSON text: the lists of people who must not be sent, their hashes, and what each did."""

    @property
    def destination_key(self) -> str:
        return self.destination.key if self.destination else ""

    @property
    def all_done(self) -> bool:
        """True if no row that was counted needs anybody any more."""
        return all(status.done for status, count in self.counts.items() if count)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are asked for; what is left empty excludes none. Names may be patterns ("eu-*")."""

    tenant: str = ""
    profile: str = ""
    job: str = ""
    """Its name; the name of a table for several profiles means all its jobs."""
    since: datetime | None = None
    """Begun then or later."""
    states: frozenset[RunState] = frozenset()

    def fits(self, record: RunRecord) -> bool:
        """Return whether a run is among those asked for."""
        tenant = record.destination.tenant_id if record.destination else ""
        return (
            (not self.tenant or fnmatchcase(tenant, self.tenant))
            and (not self.profile or fnmatchcase(record.profile, self.profile))
            and (
                not self.job
                or any(fnmatchcase(job, self.job) for job in (record.job, record.job.split("@")[0]))
            )
            and (self.since is None or (record.started is not None and record.started >= self.since))
            and (not self.states or record.state in self.states)
        )


@dataclass(frozen=True, slots=True)
class BegunEntry:
    """A request that is about to be sent."""

    entry: int
    """The run's own count of events; later events have higher numbers."""
    batch: Batch
    part: int
    """0 for the batch itself, 1, 2, … for the parts that isolation made of it."""
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class SettledEntry:
    """The outcome of a request, or of some of its rows."""

    entry: int
    """The number of the `BegunEntry` that it ends; a new number for rows that no request is about."""
    outcomes: tuple[Outcome, ...] = ()
    state: BatchState | None = None
    """None if the request goes on and only these rows of it are settled."""
    whole: bool = False
    """True if the only outcome is about all rows of the request: then their numbers are not stored again."""
    final: bool = True
    """False if the rows have their status only because the run stopped: a resumed run sends them again."""
    attempts: int = 0
    code: str = ""
    message: str = ""
    trace_id: str = ""
    data: str = ""
    silent_for: float | None = None
    """Seconds since its last attempt ended that nobody answered; None if each was."""


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
    """The answer's `data` as JSON text; almost always empty."""


@dataclass(frozen=True, slots=True)
class RowsOfRun:
    """Some rows of one sheet of a run."""

    run: str
    sheet: str
    rows: tuple[int, ...]


def decode_time(text: str | None) -> datetime | None:
    """The moment that the journal holds as ISO text; None for none."""
    return datetime.fromisoformat(text) if text else None


def decode_exit_code(number: int | None) -> ExitCode | None:
    """The exit code of something that has ended; None while it has not."""
    return None if number is None else ExitCode(number)


def decode_counts(text: str) -> dict[Status, int]:
    """Rows by status, from the journal's JSON text."""
    return {Status(name): count for name, count in json.loads(text).items()}


def new_run_id(now: datetime) -> str:
    """A name for a run that sorts by time and can be typed: 20261120-163205-k3f9."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return f"{now:%Y%m%d-%H%M%S}-{''.join(secrets.choice(letters) for _ in range(4))}"


def encode_run(record: RunRecord) -> dict[str, object]:
    """Return the row of the table `runs` for a run that begins."""
    to = record.destination or Destination("", "", "", "", "")
    plain = {field.name: getattr(record, field.name) for field in fields(record)}
    del plain["destination"]
    return plain | {
        "destination_key": record.destination_key,
        "host": to.host,
        "tenant_id": to.tenant_id,
        "app_key": to.app_key,
        "store": to.store,
        "lane": to.lane if record.destination and not record.dry_run else "",
        "fields": ",".join(contracts.load(record.contract).names) if record.destination else "",
        "mode": int(record.mode),
        "started": record.started.isoformat() if record.started else None,
        "finished": None,
        "exit_code": None,
        "counts": "{}",
    }


def decode_run(row: Mapping[str, Any], state: RunState) -> RunRecord:
    """Return the run of a row of the table `runs`. `state`: what is known of it now."""
    to = Destination(row["host"], row["tenant_id"], row["app_key"], row["contract"], row["store"])
    decoded: dict[str, Any] = {
        "destination": to if row["destination_key"] else None,
        "mode": Mode(row["mode"]),
        "kind": RunKind(row["kind"]),
        "dry_run": bool(row["dry_run"]),
        "started": decode_time(row["started"]),
        "finished": decode_time(row["finished"]),
        "state": state,
        "exit_code": decode_exit_code(row["exit_code"]),
        "counts": decode_counts(row["counts"]),
    }
    plain = {field.name: row[field.name] for field in fields(RunRecord) if field.name not in decoded}
    return RunRecord(**plain, **decoded)
