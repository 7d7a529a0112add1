"""What a run shows while it goes on: where it goes, what happened, how far it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from importer import messages

if TYPE_CHECKING:
    from importer.cli.running import Manner
    from importer.pipeline.events import Event
    from importer.reports import Closed


class Watcher:
    """Gets the run's events, from several threads, and prints what the manner asks for."""

    def __init__(self, manner: Manner, lang: str) -> None:
        self._manner = manner
        self._lang = lang

    def see(self, event: Event) -> None:
        """One event."""

    def conclude(self, closed: Closed) -> None:
        """The summary."""
        click.echo({str(k): v for k, v in closed.summary.counts.items()})
        click.echo(closed.summary.report_dir)
        click.echo(closed.summary.stop)

    def _say(self, code: str, **found: object) -> str:
        return messages.sentence(code, found, self._lang)


@contextlib.contextmanager
def watch(manner: Manner, lang: str) -> Iterator[Watcher]:
    """A watcher for one run."""
    yield Watcher(manner, lang)
