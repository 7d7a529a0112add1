"""What to do after a run: commands to copy, or buttons of the page in the browser."""

from __future__ import annotations

import math
from collections.abc import Sequence

from importer.dataclass import dataclass
from importer.escaping import shell_command
from importer.exit_codes import ExitCode
from importer.models import Mode, RunSummary, Status
from importer.option_types import option_text
from importer.options import RunOptions, declared_options
from importer.reports.files import DOUBTFUL_XLSX, REJECTS_CSV, REJECTS_XLSX, WrittenReport
from importer.reports.model import WORKBOOK_ROWS
from importer.reports.wording import word


@dataclass(frozen=True, slots=True)
class NextStep:
    """One thing to do: the reason, and the command for it. On the page there is a button instead."""

    message: str
    command: str = ""


def next_steps(
    summary: RunSummary,
    files: Sequence[WrittenReport],
    lang: str,
    arguments: Sequence[str] = (),
    held: int = 0,
    again: str = "",
) -> tuple[NextStep, ...]:
    """What to do next, the most useful first; empty if nothing is left to do.

    `again`: what a command names the file by, if not by its name. `arguments` are the words that followed
    `importer run FILE`, so that a repeated command means the same. `held`: how many of the rows that are left
    newer ones of their customers have overtaken.
    """
    counts, file = summary.counts, again or summary.source
    # A command copied from a run on the sandbox must not write to the real CRM.
    sandbox = bool(summary.destination and summary.destination.store)
    kept = "--sandbox-store" in arguments
    if sandbox and not kept:
        arguments = (*arguments, "--sandbox")
    anew = NextStep(word("next-anew", lang), command("run", *_file(file, arguments), *arguments))
    gone, whose = sandbox and not kept, _profile(arguments)
    steps: list[NextStep] = []
    go_on = summary.exit_code.resumable and not summary.dry_run
    if summary.exit_code is ExitCode.REFUSED:
        steps.append(NextStep(word("next-doctor", lang), command("doctor")))
    if go_on:
        go_on_with = NextStep(word("next-resume", lang), command("resume", summary.run_id, *whose))
        steps.append(anew if gone else go_on_with)
    if counts.get(Status.INVALID) or counts.get(Status.REJECTED):
        left = sum(rows for status, rows in counts.items() if not status.done)
        steps += _fix(files, lang, left, _place(arguments))
    if summary.exit_code is ExitCode.TRIPWIRE:
        percent = str(math.ceil(100 * counts.get(Status.INVALID, 0) / max(summary.rows, 1)))
        percent_command = command(
            "run",
            *_file(file, arguments),
            *_without(arguments, "--max-invalid"),
            "--max-invalid",
            percent,
        )
        steps.append(NextStep(word("next-percent", lang), percent_command))
    ended = not go_on and not summary.dry_run and summary.exit_code is not ExitCode.TRIPWIRE
    if ended and _undelivered(summary) > held:
        steps.append(
            anew if gone else NextStep(word("next-retry", lang), command("retry", summary.run_id, *whose))
        )
    if ended and held:
        steps += _overtaken(summary, files, lang, held, _place(arguments))
    if counts.get(Status.UNKNOWN, 0) > held and not go_on and not gone:
        again = command("retry", summary.run_id, "--resend-unknown", *whose)
        steps.append(NextStep(word("next-unknown", lang), again))
    if not gone and summary.mode is not Mode.KEEP:
        steps += _doubtful(files, lang, _place(arguments))
    if summary.dry_run and counts.get(Status.VALID):
        lost = sum(column.filled > 0 for column in summary.not_imported)
        valid = "next-send-without" if lost else "next-send"
        reason = valid if summary.exit_code is ExitCode.DONE else "next-send-rest"
        send = command("run", *_file(file, arguments), *_without(arguments, "--dry-run"))
        steps.append(NextStep(word(reason, lang, columns=lost), send))
    return tuple(steps)


def page_steps(summary: RunSummary, lang: str, held: int = 0) -> tuple[NextStep, ...]:
    """What to do next on the page in the browser, the most useful first; empty if nothing is left to do."""
    counts = summary.counts
    codes: list[str] = []
    go_on = summary.exit_code.resumable and not summary.dry_run
    if go_on:
        codes.append("next-on-page-resume")
    if counts.get(Status.INVALID) or counts.get(Status.REJECTED):
        codes.append("next-on-page-check" if summary.dry_run else "next-on-page-fix")
    ended = not go_on and not summary.dry_run and summary.exit_code is not ExitCode.TRIPWIRE
    if ended and _undelivered(summary) > held:
        codes.append("next-on-page-retry")
    return tuple(NextStep(word(code, lang)) for code in codes)


def _undelivered(summary: RunSummary) -> int:
    return sum(summary.counts.get(status, 0) for status in (Status.FAILED, Status.NOT_SENT, Status.UNKNOWN))


def _overtaken(
    summary: RunSummary, files: Sequence[WrittenReport], lang: str, held: int, more: Sequence[str]
) -> list[NextStep]:
    """What to do about rows that newer ones have overtaken: a retry would only hold them back again."""
    workbook = next((file for file in files if file.name == REJECTS_XLSX), None)
    if workbook is None:
        again = command("retry", summary.run_id, "--overwrite-newer", *_profile(more))
        return [NextStep(word("next-overtaken-all", lang, rows=held), again)]
    again = command("run", str(workbook.path), "--overwrite-newer", *more)
    return [NextStep(word("next-overtaken", lang, rows=held, file=workbook.path.name), again)]


def _doubtful(files: Sequence[WrittenReport], lang: str, more: Sequence[str]) -> list[NextStep]:
    """How to correct values of rows that are in."""
    for file in files:
        if file.name == DOUBTFUL_XLSX:
            message = word("next-doubtful", lang, rows=file.rows, file=file.path.name)
            return [NextStep(message, command("run", str(file.path), *more))]
    return []


def _fix(files: Sequence[WrittenReport], lang: str, left: int, more: Sequence[str]) -> list[NextStep]:
    wanted = REJECTS_XLSX if left <= WORKBOOK_ROWS else REJECTS_CSV
    for file in files:
        if file.name == wanted:
            fix = "next-fix" if wanted == REJECTS_XLSX else "next-fix-csv"
            message = word(fix, lang, file=file.path.name)
            return [NextStep(message, command("run", str(file.path), *more))]
    return []


def _place(arguments: Sequence[str]) -> list[str]:
    """The arguments of a run that say where it went: whose settings it used, and which sandbox."""
    whose = _profile(arguments)
    if "--sandbox-store" in arguments:
        start = list(arguments).index("--sandbox-store")
        return [*arguments[start : start + 2], *whose]
    return [*(argument for argument in arguments if argument == "--sandbox"), *whose]


def _profile(arguments: Sequence[str]) -> list[str]:
    """The arguments that name the profile of a run; none for the default one."""
    if "--profile" not in arguments:
        return []
    start = list(arguments).index("--profile")
    return list(arguments[start : start + 2])


def _file(name: str, arguments: Sequence[str]) -> list[str]:
    """The file name as an argument that no command line takes for an option; none for a query."""
    if "--query" in arguments:
        return []
    return [f"./{name}" if name.startswith("-") and name != "-" else name]


def command(*words: str) -> str:
    """A command line of the importer, quoted for the shell of this system."""
    return shell_command(["importer", *words])


def _without(arguments: Sequence[str], option: str) -> list[str]:
    """The arguments without an option and its value. Of those left out here only `--max-invalid` has one."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == option:
            skip = option == "--max-invalid"
        elif not argument.startswith(f"{option}="):
            kept.append(argument)
    return kept


def profile_arguments(profile: str) -> tuple[str, ...]:
    """Return the words of a command that name a profile; none for the one that holds where none is named."""
    return ("--profile", profile) if profile not in ("", "default") else ()


def run_arguments(options: RunOptions, profile: str = "") -> tuple[str, ...]:
    """Return the words behind `importer run FILE` that make it mean the same, with the run's profile."""
    words: list[str] = []
    for one in declared_options().values():
        value = getattr(options, one.name)
        if isinstance(value, tuple):
            words += [word for file in value if one.repeat for word in (one.flags[0], file)]
        elif one.repeat and value != one.default and value is not Mode.UPDATE:
            words.append(one.flags[0])
            words += [] if value is True else [option_text(value)]
    return (*words, *profile_arguments(profile))
