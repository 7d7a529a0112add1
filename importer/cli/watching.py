"""What a run shows while it goes on: where it goes, what happened, how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from importer.cli.console import console
from importer.cli.progress import Gauge, gauge
from importer.cli.summary import destination_line, show
from importer.delivery import ClockCorrected, Isolating, Paused, Retrying, SlowedDown, Stopping
from importer.pipeline.events import LookingAhead, Progress, RunEnded, RunStarted
from importer.reports import wording
from importer.reports.wording import word

if TYPE_CHECKING:
    from importer.cli.running import Manner
    from importer.pipeline.events import Event
    from importer.pipeline.plan import Plan
    from importer.reports import Closed


class Watcher:
    """Gets the run's events, from several threads, and prints what the manner asks for."""

    def __init__(self, manner: Manner, lang: str, shown: Gauge) -> None:
        self._manner = manner
        self._lang = lang
        self._gauge = shown

    def see(self, event: Event) -> None:
        """One event."""
        if isinstance(event, Progress):
            self._gauge.moved(event.tally)
        elif isinstance(event, LookingAhead):
            self._gauge.looked(event.rows)
        elif isinstance(event, RunStarted):
            self._start(event)
        elif isinstance(event, RunEnded):
            self._gauge.close()
            self._gauge.ended(event.closed.summary)
        else:
            code, sentence = _told(event, self._lang)
            if code:
                self._gauge.said(code, sentence)

    def conclude(self, closed: Closed) -> None:
        """The summary."""
        self._gauge.close()
        if not self._manner.quiet and not self._manner.log_json:
            show(console(), closed, self._lang, mask=self._manner.mask)

    def _start(self, event: RunStarted) -> None:
        record, plan = event.record, event.plan
        rows = _expected(plan)
        if record.destination is not None and not record.dry_run:
            line = destination_line(record.destination, record.mode, record.source, rows, self._lang)
            if self._manner.log_json:
                self._gauge.said("destination", line)
            elif not self._manner.quiet:
                click.echo(line, err=True)
        self._gauge.started(record.source, record.id, rows, dry_run=record.dry_run)


@contextlib.contextmanager
def watch(manner: Manner, lang: str) -> Iterator[Watcher]:
    """A watcher for one run. The terminal is as it was when the block is left, however that happens."""
    shown = gauge(
        console(stderr=True),
        lang,
        quiet=manner.quiet,
        verbose=manner.verbose,
        log_json=manner.log_json,
    )
    try:
        yield Watcher(manner, lang, shown)
    finally:
        shown.close()


def _expected(plan: Plan) -> int | None:
    """Rows of a workbook, by its sheets' sizes; None for a text, which says nothing before it is read."""
    source = plan.source
    if source.delimiter is not None or not source.sheets:
        return None
    chosen = [sheet for sheet in source.sheets if source.sheet in (None, sheet.name) and sheet.visible]
    rows = sum(max(sheet.rows - (source.header_row or 0), 0) for sheet in chosen)
    return min(rows, plan.options.limit or rows)


def _told(event: Event, lang: str) -> tuple[str, str]:
    """The event's code and sentence; empty if it is not worth one. No cell and no server's text in it."""
    if isinstance(event, Retrying):
        wait = wording.span(event.wait)
        return "retrying", word("event-retrying", lang, batch=event.ordinal, code=event.code, wait=wait)
    if isinstance(event, Isolating):
        rows = wording.rows(event.rows, lang)
        return "isolating", word("event-isolating", lang, batch=event.ordinal, code=event.code, rows=rows)
    if isinstance(event, SlowedDown):
        rate = wording.number(event.rate)
        return "slowed-down", word("event-slowed-down", lang, rate=rate, code=event.code)
    if isinstance(event, Paused):
        return "paused", word("event-paused", lang, wait=wording.span(event.seconds))
    if isinstance(event, ClockCorrected):
        return "clock-corrected", word("event-clock-corrected", lang, offset=event.offset_ms)
    if isinstance(event, Stopping):
        return "stopping", word("event-stopping", lang, count=event.waiting_for)
    return "", ""
