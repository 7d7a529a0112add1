"""Somebody hears of a round: by a webhook, or by a command. What fails here never fails the import."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from importer.config import VARIABLES
from importer.jobs import http
from importer.jobs.job import Job, Notices, When
from importer.jobs.results import RoundReport
from importer.journal.job_history import RoundResult

COMMAND_SECONDS = 60.0
_LONGEST_VARIABLE = 100_000
"""Bytes; Linux takes no more than 128 KiB in one."""
_SECRETS = frozenset(VARIABLES[name] for name in ("access_key", "access_secret"))


def wanted(notices: Notices, report: RoundReport, before: RoundResult | None) -> bool:
    """Whether somebody is to hear of this round. `before`: how the last one ended, overlaps left out."""
    if not notices.wanted or report.result is RoundResult.OVERLAPPED:
        return False
    if notices.when is When.ALWAYS:
        return True
    if notices.when is When.CHANGE:
        return report.result is not (before or RoundResult.GOOD)
    return not report.good


def send(notices: Notices, report: RoundReport, sleep: Callable[[float], None]) -> list[str]:
    """Sends the notice every way that is set; what went wrong, as texts without secrets."""
    failures = []
    if notices.webhook:
        try:
            http.post_json(notices.webhook, report.json(), sleep)
        except http.NotDelivered as error:
            failures.append(f"webhook: {error}")
    if notices.command:
        fault = _run(notices.command, report)
        if fault:
            failures.append(f"command: {fault}")
    return failures


def beat(job: Job, text: str, sleep: Callable[[float], None]) -> str:
    """Touches the heartbeat after a good round; what went wrong, else nothing."""
    if not job.heartbeat:
        return ""
    if job.heartbeat.startswith(("https://", "http://")):
        try:
            http.touch(job.heartbeat, sleep)
        except http.NotDelivered as error:
            return str(error)
        return ""
    try:
        Path(job.heartbeat).write_text(text, "utf-8")
    except OSError as error:
        return f"{job.heartbeat}: {error.strerror}"
    return ""


def _run(command: str, report: RoundReport) -> str:
    """The command gets the text on its standard input and the JSON in NXLINK_NOTICE; {job} and {result} in
    it are filled in. No shell is involved."""
    words = [
        word.replace("{job}", report.job).replace("{result}", str(report.result))
        for word in shlex.split(command, posix=os.name == "posix")
    ]
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            words,
            input=report.text().encode(),
            env=_environment(report),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return f"{words[0] if words else '–'}: {getattr(error, 'strerror', None) or type(error).__name__}"
    return f"{words[0]}: exit {done.returncode}" if done.returncode else ""


def _environment(report: RoundReport) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    notice = report.json()
    return kept | {
        "NXLINK_NOTICE": notice.decode() if len(notice) < _LONGEST_VARIABLE else "",
        "NXLINK_JOB": report.job,
        "NXLINK_RESULT": str(report.result),
    }
