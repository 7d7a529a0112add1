"""What `run`, `validate`, `resume` and `retry` have in common: profile, questions, signals, one run."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from importer.cli import process
from importer.cli.language import current
from importer.cli.manner import Manner
from importer.cli.watching import watch
from importer.config import Profile, load_config
from importer.errors import ImporterError, InterruptedRun, TerminatedRun, UsageError
from importer.models import Mode
from importer.options import RunOptions

if TYPE_CHECKING:
    from importer.pipeline.run import Run, Stopper
    from importer.reports import ReportResult


def with_profile(options: RunOptions, values: dict[str, Any], profile: Profile) -> RunOptions:
    """The options, with the profile's wherever no flag was given."""
    given = {name for name, value in values.items() if value is not None}
    kept = ("mode", "contract", "concurrency", "rate", "patience")
    more = {name: getattr(profile, name) for name in kept if name not in given}
    return dataclasses.replace(options, **{name: value for name, value in more.items() if value is not None})


def profile_of(name: str | None) -> Profile:
    """[profile.NAME] of importer.toml. Raises SettingsError."""
    return load_config().profile(name)


def ask_before_sending(run: Run, manner: Manner) -> bool:
    """Asks what a person should be asked. False: they said no. Raises UsageError `replace-needs-yes`."""
    plan = run.plan
    if run.sending is None:
        return True
    if plan.mode is Mode.REPLACE and not manner.yes:
        if not manner.can_ask:
            raise UsageError("replace-needs-yes")
        if not click.confirm(_say("ask-replace"), err=True):
            return False
    if plan.before is not None:
        when = plan.before.started.strftime("%Y-%m-%d %H:%M") if plan.before.started else "?"
        sentence = _say("file-imported-before", run=plan.before.id, when=when)
        if manner.can_ask:
            return click.confirm(f"{sentence} {_say('ask-again')}", err=True)
        if not manner.quiet:
            click.echo(sentence, err=True)
    return True


@contextlib.contextmanager
def signals(stopper: Stopper) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the run in order; a second one ends it at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stopper.reason is not None:
            raise KeyboardInterrupt
        reason: ImporterError = InterruptedRun("interrupted")
        if number == signal.SIGTERM:
            reason = TerminatedRun("terminated")
        stopper.stop(reason)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def carry_out(run: Run, manner: Manner, go: Callable[[Run], ReportResult]) -> int:
    """Runs with progress on stderr and prints the summary. Returns the exit code."""
    from importer.arrow import spare_memory

    spare_memory()
    process.under_way()
    with watch(manner, current()) as watcher, signals(run.stopper):
        run.observer = watcher.see
        closed = go(run)
    try:
        watcher.conclude(closed)
    except BrokenPipeError:
        raise
    except OSError as error:
        # The run is over and its reports are written: that nobody could be told is no reason to fail.
        click.echo(_say("summary-not-printed", reason=error.strerror or error), err=True)
    return int(closed.summary.exit_code)


def _say(code: str, **found: object) -> str:
    from importer import messages

    return messages.sentence(code, found, current())
