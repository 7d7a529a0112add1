"""Tell people how a round ended: webhook, command, heartbeat, log.

What fails here never fails the import. Messages name no path and no query of a URL, since those hold tokens.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import requests
import tenacity

from importer import __version__
from importer.api.transport import Timeouts, Transport, TransportFault
from importer.credentials import VARIABLES
from importer.errors import ImporterError
from importer.jobs.config import Job, JobEnvironment, NoticeSettings, NoticeWhen
from importer.jobs.log import JobLog
from importer.jobs.results import RoundReport, failed_round
from importer.journal.job_history import RoundResult
from importer.private_files import leave_foreign, replace_private_file
from importer.reasons import command_reason, reason_of

POST_ATTEMPTS = 4
FIRST_POST_WAIT = 2.0
"""Seconds; it doubles from attempt to attempt."""
POST_TIMEOUT = 15.0
"""Seconds for a connection, and for a whole answer."""
_BUSY = (408, 425, 429)


class NotDelivered(Exception):  # noqa: N818 - the caller makes a sentence of it
    """Why a message could not be delivered. The text names no path and no query: they may hold tokens."""


def post_json(url: str, body: bytes, sleep: Callable[[float], None]) -> None:
    """Post JSON, with four attempts at most. Raises NotDelivered."""
    _deliver("POST", url, body, sleep)


def touch_url(url: str, sleep: Callable[[float], None]) -> None:
    """GET an address, as a dead man's switch expects it, with four attempts at most. Raises NotDelivered."""
    _deliver("GET", url, None, sleep)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why one attempt failed, and whether another may succeed."""

    text: str
    passing: bool


def _deliver(method: str, url: str, body: bytes | None, sleep: Callable[[float], None]) -> None:
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda fault: fault is not None and fault.passing),
        stop=tenacity.stop_after_attempt(POST_ATTEMPTS),
        wait=tenacity.wait_exponential(FIRST_POST_WAIT),
        sleep=sleep,
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    fault = attempts(_attempt, method, url, body)
    if fault is not None:
        raise NotDelivered(f"{urlsplit(url).hostname}: {fault.text}")


def _attempt(method: str, url: str, body: bytes | None) -> _Fault | None:
    """Send one request. Returns what went wrong, None if nothing did."""
    headers = {"User-Agent": f"nxlink-importer/{__version__}", "Accept-Encoding": "identity"}
    if body is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    try:
        with requests.Session() as session:
            request = session.prepare_request(requests.Request(method, url, headers, data=body))
        with contextlib.closing(Transport(1, Timeouts(POST_TIMEOUT, POST_TIMEOUT))) as transport:
            status, _, _ = transport.exchange(method, request.url or url, request.headers, body or b"")
    except ValueError as error:  # an address that is none
        return _Fault(reason_of(error), passing=False)
    except TransportFault as fault:
        return _Fault(fault.key.replace("-", " "), passing=fault.key not in ("certificate", "tls"))
    if 200 <= status < 300:
        return None
    return _Fault(f"HTTP {status}", passing=status >= 500 or status in _BUSY)


_LONGEST_BEAT = 40
_BEAT = re.compile(rb"(?:[0-9]{4}-[0-9-]{5}T[0-9:]{8}[+-][0-9:]{5,8}\n)?")
"""A time as `datetime.isoformat` writes it; an empty file may be one that somebody has made for us."""
COMMAND_SECONDS = 60.0
_LONGEST_VARIABLE = 100_000
"""Bytes; Linux takes no more than 128 KiB in one."""
_SECRETS = frozenset(VARIABLES[name] for name in ("access_key", "access_secret"))


class Told(Protocol):
    """What a notice tells of: a round, or a round of several jobs."""

    @property
    def job(self) -> str: ...
    @property
    def result(self) -> RoundResult: ...
    @property
    def good(self) -> bool: ...
    @property
    def quiet(self) -> bool: ...
    def text(self) -> str: ...
    def json(self) -> bytes: ...


def notice_wanted(notices: NoticeSettings, report: Told, *, changed: bool) -> bool:
    """Return whether a round is to be told. `changed`: whether it ended otherwise than the one before."""
    if not notices.wanted or report.result is RoundResult.OVERLAPPED:
        return False
    if notices.when is NoticeWhen.ALWAYS:
        return True
    return changed if notices.when is NoticeWhen.CHANGE else not report.quiet


def send_notice(notices: NoticeSettings, report: Told, sleep: Callable[[float], None]) -> list[str]:
    """Send the notice to webhook and command, if they are set. Returns what failed, without secrets."""
    failures = []
    if notices.webhook:
        try:
            post_json(notices.webhook, report.json(), sleep)
        except NotDelivered as error:
            failures.append(f"webhook: {error}")
    if notices.command:
        fault = _run(notices.command, report)
        if fault:
            failures.append(f"command: {fault}")
    return failures


def heartbeat(job: Job, text: str, sleep: Callable[[float], None]) -> str:
    """Touch the heartbeat after a good round. Returns what failed, empty if nothing did."""
    if not job.heartbeat:
        return ""
    if job.heartbeat.startswith(("https://", "http://")):
        try:
            touch_url(job.heartbeat, sleep)
        except NotDelivered as error:
            return str(error)
        return ""
    try:
        leave_foreign(Path(job.heartbeat), _BEAT, _LONGEST_BEAT, "heartbeat")
        # Others look at it, and it holds a time alone.
        replace_private_file(Path(job.heartbeat), text.encode(), 0o644)
    except OSError as error:
        return f"{job.heartbeat}: {error.strerror}"
    return ""


def _run(command: str, report: Told) -> str:
    """Run the notice command, without a shell. Returns what failed, empty if nothing did.

    It gets the text on standard input and the JSON in NXLINK_NOTICE; {job} and {result} in it are filled in.
    """
    words: list[str] = []
    try:
        words = [
            word.replace("{job}", report.job).replace("{result}", str(report.result))
            for word in shlex.split(command, posix=os.name == "posix")
        ]
        done = subprocess.run(  # noqa: S603 - the user's own command
            words,
            input=report.text().encode(),
            env=_environment(report),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        return f"{words[0] if words else '–'}: {command_reason(error).sentence()}"
    return f"{words[0]}: exit {done.returncode}" if done.returncode else ""


def _environment(report: Told) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    notice = report.json()
    return kept | {
        "NXLINK_NOTICE": notice.decode() if len(notice) < _LONGEST_VARIABLE else "",
        "NXLINK_JOB": report.job,
        "NXLINK_RESULT": str(report.result),
    }


def has_changed(report: RoundReport, before: RoundResult | None) -> bool:
    """Return whether a round ended otherwise than the one before; overlaps do not count."""
    return report.result is not (before or RoundResult.GOOD)


def announce_unstarted(
    job: Job, log: JobLog, environment: JobEnvironment, error: ImporterError
) -> RoundReport:
    """Tell that a round could not begin because the journal cannot be opened."""
    return announce_round(job, log, environment, failed_round(job.name, environment, error), None)


def announce_round(
    job: Job, log: JobLog, environment: JobEnvironment, report: RoundReport, before: RoundResult | None
) -> RoundReport:
    """Tell how a round ended, in the log and to those who want to know. What fails becomes a warning of the
    report."""
    warnings = list(report.warnings)
    log.write(
        "info" if report.good else "error",
        "round-ended",
        result=str(report.result),
        exit_code=int(report.exit_code),
        code=report.code,
        files=len(report.files),
    )
    if notice_wanted(job.notices, report, changed=has_changed(report, before)):
        warnings += send_notice(job.notices, report, environment.sleep)
    if report.good:
        failure = heartbeat(job, report.ended.isoformat(timespec="seconds") + "\n", environment.sleep)
        warnings += [f"heartbeat: {failure}"] if failure else []
    for warning in warnings:
        log.write("warning", "not-told", what=warning)
    if log.failure:
        warnings.append(f"log: {log.path}: {log.failure}")
    return replace(report, warnings=tuple(warnings))
