"""A job's log: one line for everything that happens, as JSON or text, rotated by size.

Of customers it knows row numbers only: what the server said about a row stays in the reports.
"""

from __future__ import annotations

import logging
import logging.handlers
import re
import sys
from collections.abc import Callable
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path

from importer.delivery import events as delivery
from importer.escaping import is_single_line, to_json
from importer.jobs.config import Job, LogSettings
from importer.jobs.results import shown_counts
from importer.models import Severity
from importer.pipeline.events import RunEnded, RunObserver, RunStarted
from importer.private_files import leave_foreign, make_private_folder, private_opener
from importer.reasons import reason_of
from importer.user_folders import state_folder

Value = str | int | float | bool | list[int] | dict[str, int] | None


class _LogFile(logging.handlers.RotatingFileHandler):
    """A private file, rotated by size. What fails is kept in `failure`.

    It is open only while a line is written, so that rounds of two processes can write to one log.
    """

    def __init__(self, path: Path, settings: LogSettings) -> None:
        self.failure = ""
        super().__init__(path, maxBytes=settings.size, backupCount=settings.files, delay=True)

    def _open(self) -> TextIOWrapper:
        make_private_folder(Path(self.baseFilename).parent)
        leave_foreign(Path(self.baseFilename), _LINE, 20, "log")
        return open(
            self.baseFilename, "a", encoding="utf-8", errors="replace", newline="", opener=private_opener
        )

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        stream, self.stream = self.stream, None
        if stream is not None:
            try:
                stream.close()
            except OSError:  # what a full disk did not take is tried once more
                self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        error = sys.exception()
        self.failure = reason_of(error) if error else "–"


_LINE = re.compile(rb'(?:\{"time": "[0-9]{4}-|[0-9]{4}-[0-9]{2}-[0-9]{2}T).*', re.DOTALL)


class TextFormatter(logging.Formatter):
    """`TIME LEVEL event name=value …`, for people."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Value] = record.__dict__["found"]
        words = "".join(f" {name}={_text(value)}" for name, value in found.items())
        return f"{record.__dict__['time']} {record.levelname:7} {record.msg}{words}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, and what was found."""

    def format(self, record: logging.LogRecord) -> str:
        head = {"time": record.__dict__["time"], "level": record.levelname.lower(), "event": record.msg}
        return to_json(head | record.__dict__["found"])


class JobLog:
    """Appends to the log. A log that cannot be written stops nothing: `failure` says why."""

    def __init__(
        self,
        path: Path,
        settings: LogSettings,
        clock: Callable[[], datetime],
        echo: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self._file = _LogFile(path, settings)
        self._file.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
        self._clock = clock
        self._echo = echo

    @property
    def failure(self) -> str:
        """Why a line could not be written, in the system's words; empty if all were."""
        return self._file.failure

    def write(self, level: str, event: str, **found: Value) -> None:
        """Write one line: `level` is info, warning or error, `event` in kebab-case."""
        time = self._clock().isoformat(timespec="seconds")
        record = logging.makeLogRecord(
            {"levelname": level.upper(), "msg": event, "time": time, "found": found}
        )
        if self._echo is not None:
            self._echo(TextFormatter().format(record))
        self._file.handle(record)


class JobLogObserver(RunObserver):
    """Writes what happens in a run to a job's log."""

    def __init__(self, log: JobLog) -> None:
        self._log = log

    def on_run_started(self, event: RunStarted) -> None:
        self._log.write("info", "run-started", run=event.record.id, resumes=event.record.resumes)
        for note in event.plan.list_doubts:
            # Without names of columns: where a list has no header they may be somebody's.
            found = {name: str(value) for name, value in note.found if name != "columns"}
            self._log.write("warning", "list-doubt", code=note.code, **found)

    def on_run_ended(self, event: RunEnded) -> None:
        for group in event.result.summary.issues:
            rows = [issue.row for issue in group.examples]
            level = "info" if group.severity is Severity.NOTE else str(group.severity)
            self._log.write(
                level, "issue", code=group.code, column=group.column, rows=group.rows, first_rows=rows
            )
        for reason in event.result.reasons:
            if not reason.status.done:
                first = [row for _, row in reason.examples]
                self._log.write(
                    "error",
                    "rows-left",
                    status=str(reason.status),
                    code=reason.code,
                    rows=reason.rows,
                    first_rows=first,
                )
        record = event.record
        code = None if record.exit_code is None else int(record.exit_code)
        self._log.write(
            "info",
            "run-ended",
            run=record.id,
            state=str(record.state),
            exit_code=code,
            stop=record.stop,
            counts=shown_counts(record.counts),
        )

    def on_retrying(self, event: delivery.Retrying) -> None:
        self._log.write(
            "warning",
            "retrying",
            batch=event.ordinal,
            attempt=event.attempt,
            code=event.code,
            wait=round(event.wait, 1),
        )

    def on_isolating(self, event: delivery.Isolating) -> None:
        self._log.write("warning", "isolating", batch=event.ordinal, rows=event.rows, code=event.code)

    def on_slowed_down(self, event: delivery.SlowedDown) -> None:
        self._log.write("warning", "slowed-down", rate=round(event.rate, 2), code=event.code)

    def on_rate_lowered(self, event: delivery.RateLowered) -> None:
        self._log.write("info", "rate-lowered", rate=round(event.rate, 2))

    def on_paused(self, event: delivery.Paused) -> None:
        self._log.write("warning", "paused", seconds=round(event.seconds, 1))

    def on_clock_corrected(self, event: delivery.ClockCorrected) -> None:
        self._log.write("warning", "clock-corrected", offset_ms=event.offset_ms)

    def on_waiting_for_turn(self, event: delivery.WaitingForTurn) -> None:
        if event.again:
            return
        user = event.user
        self._log.write(
            "warning",
            "waiting-for-turn",
            run=user.run,
            file=user.source,
            pid=user.pid,
            since=user.since.isoformat(timespec="seconds") if user.since else "",
            rows_left=event.rows_left,
            others=event.others,
            limit=round(event.limit, 1),
        )

    def on_canary_answered(self, event: delivery.CanaryAnswered) -> None:
        level = "info" if event.as_documented else "warning"
        self._log.write(
            level,
            "canary-answered",
            code=event.code,
            trace_id=event.trace_id,
            as_documented=event.as_documented,
        )

    def on_turn_taken(self, event: delivery.TurnTaken) -> None:
        self._log.write("info", "turn-taken", seconds=round(event.seconds, 1))

    def on_waiting_for_late(self, event: delivery.WaitingForLate) -> None:
        self._log.write(
            "info",
            "waiting-for-late",
            requests=event.requests,
            rows=event.rows,
            seconds=round(event.seconds, 1),
        )

    def on_late_over(self, event: delivery.LateOver) -> None:
        self._log.write("info", "late-over", seconds=round(event.seconds, 1))

    def on_stopping(self, event: delivery.Stopping) -> None:
        self._log.write("error", "stopping", code=event.reason.code, waiting_for=event.waiting_for)


def open_log(job: Job, clock: Callable[[], datetime], echo: Callable[[str], None] | None = None) -> JobLog:
    """The job's log where its table says, else in the state folder."""
    return JobLog(job.log.file or state_folder() / "jobs" / f"{job.name}.log", job.log, clock, echo)


def _text(value: Value) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{count}" for name, count in value.items()) or "-"
    if isinstance(value, list):
        return ",".join(str(each) for each in value) or "-"
    text = str(value)
    return to_json(text) if not text or " " in text or not is_single_line(text) else text
