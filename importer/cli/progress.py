"""Show how far a run is: a live bar on a terminal, two lines in a log, JSON lines where a program listens.

All of it goes to stderr. Rows are counted, never shown.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from importer.cli.output import echo, print_json_line
from importer.models import Destination, Mode, RunSummary, Status
from importer.reports import Tally, wording
from importer.reports.wording import word

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.progress_bar import ProgressBar
    from rich.text import Text

WINDOW = 10.0
"""Seconds over which the rate is taken."""
EVERY = 10.0
"""Seconds between two JSON lines of progress."""
STATUS_STYLES = {
    Status.IMPORTED: "green",
    Status.VALID: "green",
    Status.INVALID: "red",
    Status.DUPLICATE: "cyan",
    Status.SKIPPED: "cyan",
    Status.REJECTED: "magenta",
    Status.FAILED: "yellow",
    Status.UNKNOWN: "yellow",
    Status.NOT_SENT: "blue",
}


class ProgressView(Protocol):
    """Shows the progress of a run. `moved` is cheap; any thread may call it, as often as it likes."""

    def started(self, source: str, run_id: str, rows: int | None, *, dry_run: bool) -> None:
        """The first row is about to be read; `rows` are expected, None if nobody knows."""

    def looked(self, rows: int) -> None:
        """`rows` were validated before the run."""

    def moved(self, tally: Tally) -> None:
        """Rows were read or got their status. The tally is the live one."""

    def said(self, event: str, sentence: str, /, **found: object) -> None:
        """Something happened that deserves a line: a retry, a pause, a lower rate.

        `found` is what the sentence was made of.
        """

    def ended(self, summary: RunSummary) -> None:
        """The run is over and its reports are written."""

    def close(self) -> None:
        """Leave the terminal as it was; also when there was no end."""


class NullView:
    """Shows nothing."""

    def started(self, source: str, run_id: str, rows: int | None, *, dry_run: bool) -> None:
        pass

    def looked(self, rows: int) -> None:
        pass

    def moved(self, tally: Tally) -> None:
        pass

    def said(self, event: str, sentence: str, /, **found: object) -> None:
        pass

    def ended(self, summary: RunSummary) -> None:
        pass

    def close(self) -> None:
        pass


class LineView(NullView):
    """For logs and cron: one line at the start, one at the end, and what is worth a line between them."""

    def __init__(self, lang: str, *, verbose: bool = False) -> None:
        self._lang = lang
        self._verbose = verbose

    def started(self, source: str, run_id: str, rows: int | None, *, dry_run: bool) -> None:
        code = "progress-start-dry" if dry_run else "progress-start"
        echo(word(code, self._lang, source=source, run=run_id), err=True)

    def said(self, event: str, sentence: str, /, **found: object) -> None:
        if self._verbose:
            echo(sentence, err=True)

    def ended(self, summary: RunSummary) -> None:
        echo(end_line(summary, self._lang), err=True)


class JsonView(NullView):
    """One JSON object a line: `started`, `progress` every ten seconds, `ended`, and what happens between."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._last = clock()
        self._lock = threading.Lock()

    def started(self, source: str, run_id: str, rows: int | None, *, dry_run: bool) -> None:
        self._write("started", source=source, run=run_id, rows=rows, dry_run=dry_run)

    def looked(self, rows: int) -> None:
        if self._due():
            self._write("looking-ahead", rows=rows)

    def moved(self, tally: Tally) -> None:
        if self._due():
            self._write("progress", rows=tally.rows, waiting=tally.waiting, counts=_counts(tally.counts))

    def said(self, event: str, sentence: str, /, **found: object) -> None:
        # What the server said may be called `message`, too; the sentence quotes it.
        self._write(event, **(found | {"message": sentence}))

    def ended(self, summary: RunSummary) -> None:
        self._write(
            "ended",
            run=summary.run_id,
            exit_code=int(summary.exit_code),
            rows=summary.rows,
            counts=_counts(summary.counts),
            seconds=round(summary.seconds, 3),
            requests=summary.requests,
            stop=summary.stop or None,
            reports=summary.report_dir,
            not_imported={column.name: column.filled for column in summary.not_imported},
        )

    def _due(self) -> bool:
        now = self._clock()
        if now - self._last < EVERY:
            return False
        self._last = now
        return True

    def _write(self, event: str, /, **found: object) -> None:
        with self._lock:
            print_json_line(event, found, self._stream)


class BarView(NullView):
    """For a terminal: two lines that follow the run and vanish when it ends."""

    def __init__(self, console: Console, lang: str, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live

        self._state = _BarState(lang, clock)
        self._live = Live(self._state, console=console, transient=True, refresh_per_second=8)
        self._shown = False

    def started(self, source: str, run_id: str, rows: int | None, *, dry_run: bool) -> None:
        self._state.begin(rows)
        self._show()

    def looked(self, rows: int) -> None:
        self._state.looked = rows
        self._show()

    def moved(self, tally: Tally) -> None:
        self._state.tally = tally

    def said(self, event: str, sentence: str, /, **found: object) -> None:
        self._state.note = sentence

    def close(self) -> None:
        if self._shown:
            self._live.stop()
            self._shown = False

    def _show(self) -> None:
        if not self._shown:
            self._live.start()
            self._shown = True


class _BarState:
    """What the bar draws, eight times a second, from the live tally."""

    def __init__(self, lang: str, clock: Callable[[], float]) -> None:
        self.tally: Tally | None = None
        self.looked = 0
        self.note = ""
        self._lang = lang
        self._clock = clock
        self._rows: int | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def begin(self, rows: int | None) -> None:
        """The run starts; `rows` are expected."""
        self._rows = rows
        self._seen.clear()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        if self.tally is None:
            yield Text(word("progress-looking", self._lang, rows=wording.rows(self.looked, self._lang)))
            return
        tally, now = self.tally, self._clock()
        settled = tally.settled
        rate = self._rate(now, settled)
        yield from self._first_line(options.max_width, settled, rate)
        yield self._second_line(tally)
        if self.note:
            yield Text(self.note, style="dim", no_wrap=True, overflow="ellipsis")

    def _first_line(self, width: int, settled: int, rate: float) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.text import Text

        known = self._rows if self._rows and self._rows >= settled else None
        words = [wording.rows(settled, self._lang)]
        if known is not None:
            count, all_rows = wording.number(settled, self._lang), wording.number(known, self._lang)
            words = [word("progress-of", self._lang, count=count, rows=all_rows)]
        if rate >= 1:
            words.append(word("progress-rate", self._lang, rate=wording.number(round(rate), self._lang)))
            if known is not None:
                left = wording.span((known - settled) / rate, self._lang)
                words.append(word("progress-left", self._lang, time=left))
        text = Text("  ".join(words))
        room = width - text.cell_len - 2
        if room >= 10:
            bar = ProgressBar(total=known, completed=settled, width=min(room, 40), pulse=known is None)
            yield _Beside(bar, text)
        else:
            yield text

    def _second_line(self, tally: Tally) -> Text:
        from rich.text import Text

        line = Text(no_wrap=True, overflow="ellipsis")
        for status in Status:
            count = tally.counts[status]
            if count:
                name = wording.status(status, self._lang)
                line.append(f"{name} {wording.number(count, self._lang)}", style=STATUS_STYLES[status])
                line.append(" · ", style="dim")
        waiting = word("progress-waiting", self._lang)
        line.append(f"{waiting} {wording.number(tally.waiting, self._lang)}", style="dim")
        return line

    def _rate(self, now: float, settled: int) -> float:
        self._seen.append((now, settled))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        before, rows = self._seen[0]
        return (settled - rows) / (now - before) if now > before else 0.0


class _Beside:
    """A bar with a text beside it on one line."""

    def __init__(self, bar: ProgressBar, text: Text) -> None:
        self._bar = bar
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield from console.render(self._bar, options)
        yield from console.render(Text("  ").append_text(self._text), options)


def progress_view(
    open_console: Callable[[], Console] | None,
    lang: str,
    *,
    quiet: bool = False,
    verbose: bool = False,
    log_json: bool = False,
) -> ProgressView:
    """Return the view for a console (of stderr) and these options. The console is only made where it is
    needed, since rich takes some time to load; None where there is no terminal."""
    if log_json:
        return JsonView()
    if quiet:
        return NullView()
    return BarView(open_console(), lang) if open_console else LineView(lang, verbose=verbose)


def headline(summary: RunSummary, lang: str) -> str:
    """What went where: customers.xlsx → api-hk.nxlink.ai, mode update."""
    if summary.dry_run or summary.destination is None:
        return word("summary-run-line-dry", lang, source=summary.source)
    mode = word(f"mode-{summary.mode.label}", lang)
    return word("summary-run-line", lang, source=summary.source, where=summary.destination.host, mode=mode)


def destination_line(destination: Destination, mode: Mode, source: str, rows: int | None, lang: str) -> str:
    """Said before the first request: host, tenant, application, mode, rows."""
    if rows is None:
        counted = word("summary-destination-unknown-rows", lang, source=source)
    else:
        # Blank lines and totals are among those that were counted.
        counted = word("summary-up-to", lang, rows=wording.rows(rows, lang))
    return word(
        "summary-destination-line",
        lang,
        rows=counted,
        host=destination.host,
        tenant=destination.tenant_id,
        app=destination.app_key,
        mode=word(f"mode-{mode.label}", lang),
    )


def end_line(summary: RunSummary, lang: str) -> str:
    """The run in one line: what went where, the counts, how long it took."""
    counts = word("summary-and", lang).join(
        f"{wording.status(status, lang)} {wording.number(rows, lang)}"
        for status, rows in summary.counts.items()
        if rows
    )
    counts = counts or wording.rows(0, lang)
    took = wording.span(summary.seconds, lang)
    return word("progress-end", lang, source=headline(summary, lang), counts=counts, took=took)


def _counts(counts: Mapping[Status, int]) -> dict[str, int]:
    return {status.value: rows for status, rows in counts.items() if rows}
