"""What a run shows while it goes on: where it goes, what is worth knowing, how far it is, how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from importer.cli.console import console
from importer.messages import sentence

if TYPE_CHECKING:
    from importer.cli.manner import Manner
    from importer.delivery import DeliveryEvent
    from importer.pipeline.events import Event, RunStarted
    from importer.reports import ReportResult

_SAME_OFFSET_MS = 2000


class Watcher:
    """Gets the run's events, from several threads, and prints what the manner asks for: a bar on a terminal,
    lines in a log, everything with `--verbose`. Of customers it knows row numbers only."""

    def __init__(self, manner: Manner, lang: str) -> None:
        from importer.cli.progress import gauge

        self._manner = manner
        self._lang = lang
        self._offset_ms = 0
        wishes = {"quiet": manner.quiet, "verbose": manner.verbose, "log_json": manner.log_json}
        self._gauge = gauge(console(stderr=True), lang, **wishes)

    def see(self, event: Event) -> None:
        """One event."""
        from importer.pipeline import events

        if isinstance(event, events.Progress):
            self._gauge.moved(event.tally)
        elif isinstance(event, events.LookingAhead):
            self._gauge.looked(event.rows)
        elif isinstance(event, events.RunStarted):
            self._started(event)
        elif isinstance(event, events.RunEnded):
            self._gauge.close()
            self._gauge.ended(event.closed.summary)
        else:
            self._delivery(event)

    def conclude(self, closed: ReportResult) -> None:
        """The summary, on stdout."""
        from importer.cli import summary

        if not self._manner.quiet:
            summary.show(console(), closed, self._lang, mask=self._manner.mask)
            return
        for failure in closed.failures:
            click.echo(f"{failure.sentence(self._lang)} {failure.hint(self._lang)}", err=True)

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self._gauge.close()

    def _started(self, event: RunStarted) -> None:
        from importer.cli.summary import destination_line

        plan, record = event.plan, event.record
        rows = plan.source.estimated_rows
        if plan.options.limit is not None:
            rows = plan.options.limit if rows is None else min(rows, plan.options.limit)
        for note in plan.notes:
            if note.quotes and self._manner.log_json:
                continue
            self._say(note.code, note.sentence(self._lang))
        if plan.destination is not None and not record.dry_run:
            self._say(
                "destination",
                destination_line(plan.destination, plan.mode, plan.source.name, rows, self._lang),
            )
        self._gauge.started(plan.source.name, record.id, rows, dry_run=record.dry_run)

    def _say(self, code: str, text: str) -> None:
        if self._manner.log_json:
            self._gauge.said(code, text)
        elif not self._manner.quiet:
            click.echo(text, err=True)

    def _delivery(self, event: DeliveryEvent) -> None:
        from importer.delivery import Attempted, BatchFinished, ClockCorrected, Stopping

        if isinstance(event, Attempted | BatchFinished) and not self._manner.verbose:
            return
        if isinstance(event, ClockCorrected):
            # Every worker that was refused corrects the clock; a person is told once.
            if abs(event.offset_ms - self._offset_ms) < _SAME_OFFSET_MS:
                return
            self._offset_ms = event.offset_ms
        code = "sending-" + _kebab(type(event).__name__)
        found = {name: getattr(event, name) for name in event.__dataclass_fields__}
        if isinstance(event, Stopping):
            found["reason"] = event.reason.sentence(self._lang)
        found = {name: f"{value:.1f}" if isinstance(value, float) else value for name, value in found.items()}
        text = sentence(code, found, self._lang)
        if isinstance(event, ClockCorrected | Stopping):
            self._say(code, text)
        else:
            self._gauge.said(code, text)


@contextlib.contextmanager
def watch(manner: Manner, lang: str) -> Iterator[Watcher]:
    """A watcher for one run; its bar is gone afterwards, whatever happened."""
    watcher = Watcher(manner, lang)
    try:
        yield watcher
    finally:
        watcher.close()


def _kebab(name: str) -> str:
    """`ClockCorrected` as `clock-corrected`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
