"""Show how much of a file has come from elsewhere: one moving line on a terminal, some lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from importer.cli.output import echo, language, print_json_line, speaks_json
from importer.messages import sentence
from importer.sources.fetching import Fetching, taken_in
from importer.sources.locations import FileName

_EVERY_ON_TERMINAL, _EVERY_IN_LOG = 0.2, 10.0
"""Seconds."""
_NEW_LINE = "\r\x1b[K"
"""Goes back to the beginning of the line and empties it."""


class FetchProgress:
    """Tells on stderr how far the fetching of a file is."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = quiet
        self._clock = clock
        self._terminal = sys.stderr is not None and sys.stderr.isatty() and not speaks_json()
        self._next = 0.0
        self._name = ""
        self._drawn = False

    def show(self, event: Fetching) -> None:
        """Show how far it is, unless it was shown a moment ago."""
        now = self._clock()
        if event.ended:
            self.close()
            return
        if self._quiet or (event.name == self._name and now < self._next):
            return
        self._name = event.name
        self._next = now + (_EVERY_ON_TERMINAL if self._terminal else _EVERY_IN_LOG)
        if speaks_json():
            said = {"name": event.name, "received": event.received, "total": event.total}
            print_json_line("fetching", said | {"message": fetching_text(event, language())})
        elif self._terminal:
            text = fetching_text(event, language())[: _width() - 1]
            echo(text, label=_NEW_LINE, nl=False, err=True)
            self._drawn = True
        else:
            echo(fetching_text(event, language()), err=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._drawn:
            echo(label=_NEW_LINE, nl=False, err=True)
            self._drawn = False


def fetching_text(event: Fetching, lang: str) -> str:
    """Return how far the fetching of a file is, as a sentence."""
    from importer.reports.wording import size

    received = size(event.received)
    if event.total is None:
        return sentence("fetching-on", {"name": event.name, "received": received}, lang)
    return sentence("fetching", {"name": event.name, "received": received, "total": size(event.total)}, lang)


def _width() -> int:
    import shutil

    return max(shutil.get_terminal_size().columns, 20)


@contextlib.contextmanager
def local_file(file: str, *, quiet: bool = False) -> Iterator[FileName]:
    """Yield a file that can be opened, for commands without a run: one from elsewhere is fetched before, and
    removed afterwards."""
    with taken_in(file, FetchProgress(quiet=quiet).show) as local:
        yield local
