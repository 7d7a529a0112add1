"""Hold the results of a round and its files, and word errors without customers' data."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from importer import messages
from importer.errors import ImporterError
from importer.escaping import single_line, to_json
from importer.exit_codes import ExitCode, worst_exit_code
from importer.journal.job_history import FileFate, RoundResult
from importer.models import Status
from importer.reports.wording import status

if TYPE_CHECKING:
    from importer.jobs.config import JobEnvironment

_QUOTING = {
    "refused-alike": "message",
    "no-header": "found",
    "no-header-in-sheet": "found",
    "encoding-doubt": "readings",
}
"""Errors that may quote a customer: a cell of the file, or a row in the server's words."""


UNFIT = (Status.INVALID, Status.REJECTED)
"""Rows that a person has to correct."""
ROWS_LEFT = "job-rows-left"
"""The code of a file that went in but for some rows, fewer than the tripwire allows."""
ROWS_STAY = "job-rows-stay"
"""The code of a file that went in but for rows that nothing will send again."""


def format_error(error: ImporterError, lang: str) -> str:
    """Say what happened and what to do, for logs, mails and notices: nothing quoted from file or answer."""
    return messages.full_text(error.code, _quoting_nothing(error), lang)


def _quoting_nothing(error: ImporterError) -> dict[str, object]:
    found = dict(error.found)
    for name, value in found.items():
        if isinstance(value, ImporterError):
            found[name] = type(value)(value.code, **_quoting_nothing(value))
    if error.code in _QUOTING:
        found[_QUOTING[error.code]] = "…"
    return found


@dataclass(frozen=True, slots=True)
class FileResult:
    """One file of a round."""

    name: str
    fate: FileFate
    """OPEN if the next round goes on with the file."""
    place: Path
    run: str = ""
    rows: int = 0
    counts: Mapping[Status, int] | None = None
    reports: Path | None = None
    exit_code: ExitCode = ExitCode.DONE
    code: str = ""
    """The code of the message about it."""
    message: str = ""
    """The message, with what to do next; empty if all is well."""


@dataclass(frozen=True, slots=True)
class RoundReport:
    """A round that has ended."""

    job: str
    started: datetime
    ended: datetime
    result: RoundResult
    exit_code: ExitCode
    files: tuple[FileResult, ...] = ()
    code: str = ""
    message: str = ""
    """Why it is not good, with what to do next."""
    warnings: tuple[str, ...] = ()
    """Failures beside the import: a notice, the heartbeat, the log."""
    lang: str = "en"

    @property
    def good(self) -> bool:
        return self.result is RoundResult.GOOD

    @property
    def rows_left(self) -> int:
        """Rows of imported files that wait for a correction."""
        left = (file.counts or {} for file in self.files if file.code == ROWS_LEFT)
        return sum(counts.get(status, 0) for counts in left for status in UNFIT)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to tell anybody: a good round in which all rows went in, or need not."""
        return self.good and not any(file.code in (ROWS_LEFT, ROWS_STAY) for file in self.files)

    def text(self) -> str:
        """Return text for people: a line for the round, then one for each file."""
        lang, when = self.lang, self.ended.isoformat(timespec="seconds")
        found = {"job": self.job, "result": messages.value_word(self.result, lang), "when": when}
        lines = [messages.sentence("job-told", found, lang)]
        if self.message and not any(file.message == self.message for file in self.files):
            lines.append(self.message)
        for file in self.files:
            shown = messages.join_clauses(
                lang,
                *(
                    messages.sentence("job-count", {"count": count, "status": status(one, lang)}, lang)
                    for one, count in (file.counts or {}).items()
                    if count
                ),
            )
            fate = messages.value_word(file.fate or "open", lang)
            told = {"file": file.name, "fate": fate, "rows": shown}
            lines.append(messages.sentence("job-file-rows" if shown else "job-file", told, lang))
            details = (file.message, str(file.place), str(file.reports or ""))
            lines += [f"  {single_line(text)}" for text in details if text]
        return "\n".join(lines) + "\n"

    def json(self) -> bytes:
        """Return JSON for programs: counts and paths, no customer's data."""
        return to_json(self.content()).encode()

    def content(self) -> dict[str, object]:
        """Return what `json` says."""
        return {
            "version": 1,
            "job": self.job,
            "host": socket.gethostname(),
            "result": str(self.result),
            "exit_code": int(self.exit_code),
            "code": self.code or None,
            "message": self.message or None,
            "started": self.started.isoformat(timespec="seconds"),
            "ended": self.ended.isoformat(timespec="seconds"),
            "files": [_file(file) for file in self.files],
            "text": self.text(),
        }


_BY_WEIGHT = (
    RoundResult.GOOD,
    RoundResult.OVERLAPPED,
    RoundResult.HELD,
    RoundResult.FAILED,
    RoundResult.STOPPED,
    RoundResult.INTERRUPTED,
)


def failed_round(job: str, environment: JobEnvironment, error: ImporterError) -> RoundReport:
    """Return the report of a round that could not be done."""
    now, message = environment.clock(), format_error(error, environment.lang)
    return RoundReport(
        job, now, now, RoundResult.STOPPED, error.exit_code, (), error.code, message, lang=environment.lang
    )


@dataclass(frozen=True, slots=True)
class GroupReport:
    """The rounds of one table for several profiles, told as one: the worst of them counts."""

    job: str
    rounds: tuple[RoundReport, ...]

    @property
    def result(self) -> RoundResult:
        return max((one.result for one in self.rounds), key=_BY_WEIGHT.index, default=RoundResult.GOOD)

    @property
    def exit_code(self) -> ExitCode:
        return worst_exit_code(one.exit_code for one in self.rounds)

    @property
    def good(self) -> bool:
        return self.result is RoundResult.GOOD

    @property
    def quiet(self) -> bool:
        return all(one.quiet for one in self.rounds)

    def text(self) -> str:
        """Return text for people: how many ended how, then each round with something to tell."""
        bad = [
            one.text() for one in self.rounds if not one.quiet and one.result is not RoundResult.OVERLAPPED
        ]
        lang = self.rounds[0].lang if self.rounds else "en"
        result = messages.value_word(self.result, lang)
        return f"{self.job}: {result}; {tell_results(self.rounds)}\n" + "".join(bad)

    def json(self) -> bytes:
        """Return JSON for programs: that of each round, and the worst result."""
        content = {
            "version": 1,
            "job": self.job,
            "host": socket.gethostname(),
            "result": str(self.result),
            "exit_code": int(self.exit_code),
            "started": min(one.started for one in self.rounds).isoformat(timespec="seconds"),
            "ended": max(one.ended for one in self.rounds).isoformat(timespec="seconds"),
            "jobs": [one.content() for one in self.rounds],
            "text": self.text(),
        }
        return to_json(content).encode()


def tell_results(rounds: Sequence[RoundReport]) -> str:
    """Say how many rounds ended how; those that were not good are named."""
    parts = []
    lang = rounds[0].lang if rounds else "en"
    for result in _BY_WEIGHT:
        names = [one.job for one in rounds if one.result is result]
        if names:
            named = "" if result is RoundResult.GOOD else f" ({', '.join(names)})"
            told = {"count": len(names), "status": messages.value_word(result, lang)}
            parts.append(messages.sentence("job-count", told, lang) + named)
    return messages.join_clauses(lang, *parts)


def _file(file: FileResult) -> dict[str, object]:
    return {
        "file": file.name,
        "fate": str(file.fate) or "open",
        "path": str(file.place),
        "reports": str(file.reports) if file.reports else None,
        "run": file.run or None,
        "rows": file.rows,
        "counts": shown_counts(file.counts),
        "code": file.code or None,
        "message": file.message or None,
    }


def shown_counts(counts: Mapping[Status, int] | None) -> dict[str, int]:
    """Return the counts by status, without zeros."""
    return {str(status): count for status, count in (counts or {}).items() if count}
