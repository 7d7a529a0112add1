"""A job's log: one line for everything that happens, as JSON or text, rotated by size.

Of customers it knows row numbers only: what the server said about a row stays in the reports.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from importer.delivery import events as delivery
from importer.jobs.config import Job, LogSettings
from importer.jobs.results import shown_counts
from importer.journal.database import state_folder
from importer.pipeline import events

Value = str | int | float | bool | list[int] | dict[str, int] | None


class JobLog:
    """Appends to the log; a log that cannot be written is no reason to stop, so it says so in `failure`."""

    def __init__(
        self,
        path: Path,
        how: LogSettings,
        clock: Callable[[], datetime],
        echo: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self.failure = ""
        self._how = how
        self._clock = clock
        self._echo = echo

    def write(self, level: str, event: str, **found: Value) -> None:
        """One line: `level` is info, warning or error, `event` in kebab-case."""
        now = self._clock().isoformat(timespec="seconds")
        words = "".join(f" {name}={_text(value)}" for name, value in found.items())
        plain = f"{now} {level.upper():7} {event}{words}"
        line = plain
        if self._how.format == "json":
            line = json.dumps({"time": now, "level": level, "event": event, **found}, ensure_ascii=False)
        if self._echo is not None:
            self._echo(plain)
        try:
            self._append(line.replace("\n", " ") + "\n")
        except OSError as error:
            self.failure = error.strerror or type(error).__name__

    def _append(self, line: str) -> None:
        content = line.encode("utf-8", "replace")
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size + len(content) > self._how.size:
                self._rotate()
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(self._how.files - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                _numbered(self.path, number).replace(_numbered(self.path, number + 1))
        self.path.replace(_numbered(self.path, 1))

    def see(self, event: events.Event) -> None:
        """An event of a run."""
        if isinstance(event, events.RunStarted):
            self.write("info", "run-started", run=event.record.id, resumes=event.record.resumes)
        elif isinstance(event, events.RunEnded):
            self._ended(event)
        elif isinstance(event, delivery.Retrying):
            self.write(
                "warning",
                "retrying",
                batch=event.ordinal,
                attempt=event.attempt,
                code=event.code,
                wait=round(event.wait, 1),
            )
        elif isinstance(event, delivery.Isolating):
            self.write("warning", "isolating", batch=event.ordinal, rows=event.rows, code=event.code)
        elif isinstance(event, delivery.SlowedDown):
            self.write("warning", "slowed-down", rate=round(event.rate, 2), code=event.code)
        elif isinstance(event, delivery.Paused):
            self.write("warning", "paused", seconds=round(event.seconds, 1))
        elif isinstance(event, delivery.ClockCorrected):
            self.write("warning", "clock-corrected", offset_ms=event.offset_ms)
        elif isinstance(event, delivery.Stopping):
            self.write("error", "stopping", code=event.reason.code, waiting_for=event.waiting_for)

    def _ended(self, event: events.RunEnded) -> None:
        for group in event.closed.summary.issues:
            rows = [issue.row for issue in group.examples]
            level = str(group.severity)
            self.write(level, "issue", code=group.code, column=group.column, rows=group.rows, first_rows=rows)
        for reason in event.closed.reasons:
            if not reason.status.done:
                first = [row for _, row in reason.examples]
                self.write(
                    "error",
                    "rows-left",
                    status=str(reason.status),
                    code=reason.code,
                    rows=reason.rows,
                    first_rows=first,
                )
        record = event.record
        code = None if record.exit_code is None else int(record.exit_code)
        self.write(
            "info",
            "run-ended",
            run=record.id,
            state=str(record.state),
            exit_code=code,
            stop=record.stop,
            counts=shown_counts(record.counts),
        )


def open_log(job: Job, clock: Callable[[], datetime], echo: Callable[[str], None] | None = None) -> JobLog:
    """The job's log where its table says, else in the state folder."""
    return JobLog(job.log.file or state_folder() / "jobs" / f"{job.name}.log", job.log, clock, echo)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _text(value: Value) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{count}" for name, count in value.items()) or "-"
    if isinstance(value, list):
        return ",".join(str(each) for each in value) or "-"
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or " " in text else text
