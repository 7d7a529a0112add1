"""Show runs on stderr and ask the person at the terminal: the command line's `RunObserver`."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from importer.cli import app
from importer.cli.output import (
    ask,
    confirm,
    console,
    echo,
    fitting,
    is_terminal,
    language,
    print_error,
    printer,
    tell,
)
from importer.cli.progress import NullView, ProgressView, destination_line, progress_view
from importer.cli.signals import stop_on_signals
from importer.errors import UsageError
from importer.exit_codes import ExitCode
from importer.messages import hint, join_sentences, sentence
from importer.models import Mode
from importer.pipeline.events import RunObserver, canary_note
from importer.pipeline.session import Session, SessionSettings
from importer.reports import wording

if TYPE_CHECKING:
    from importer.cli.fetch_progress import FetchProgress
    from importer.cli.mapping_prompt import MappingPrompt
    from importer.cli.output import OutputOptions
    from importer.delivery import events as delivery
    from importer.mapping.rules import Condition
    from importer.pipeline.events import (
        ConsentQuestion,
        CountryQuestion,
        MappingQuestion,
        PlanReady,
        Prechecking,
        Progress,
        QueriesAhead,
        RunEnded,
        RunStarted,
        SharingQuestion,
    )
    from importer.pipeline.plan import RunPlan
    from importer.pipeline.run import StopToken
    from importer.reports import ReportResult
    from importer.sources.fetching import Fetching

_PAIRS = 5
"""So many people with a contact of somebody else are shown."""
SAME_OFFSET_MS = 2000
"""Every worker that was refused corrects the clock. A person is told once, and again if it moves further."""


class TerminalObserver(RunObserver):
    """Shows runs on stderr, one after the other, and asks the person at the terminal.

    A bar on a terminal, lines in a log, everything with `--verbose`. It shows no value of any row, except
    where it asks which column is what.
    """

    def __init__(self, output: OutputOptions, lang: str) -> None:
        self._output = output
        self._lang = lang
        self._offset_ms = 0
        self._view: ProgressView = NullView()
        self._fetching: FetchProgress | None = None
        self._prompt: MappingPrompt | None = None
        """Where a mapping was asked for last."""

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._view.close()

    def on_fetching(self, event: Fetching) -> None:
        if self._fetching is None:
            from importer.cli.fetch_progress import FetchProgress  # few files come from elsewhere

            self._fetching = FetchProgress(quiet=self._output.quiet)
        self._fetching.show(event)

    def on_plan_ready(self, event: PlanReady) -> None:
        from importer.arrow import release_unused_memory

        self._view.close()
        output = self._output
        self._view = progress_view(
            partial(console, stderr=True) if is_terminal(sys.stderr) else None,
            self._lang,
            quiet=output.quiet,
            verbose=output.verbose,
            log_json=output.log_json,
        )
        release_unused_memory()
        app.startup_done()

    def on_prechecking(self, event: Prechecking) -> None:
        self._view.looked(event.rows)

    def on_queries_ahead(self, event: QueriesAhead) -> None:
        note = event.note()
        self._say(note.code, note.sentence(self._lang, advise=True), dict(note.found))

    def on_run_started(self, event: RunStarted) -> None:
        plan, record = event.plan, event.record
        rows = plan.source.estimated_rows
        if plan.options.limit is not None:
            rows = plan.options.limit if rows is None else min(rows, plan.options.limit)
        for note in (*plan.notes, *plan.list_doubts):
            if note.quotes and self._output.log_json:
                continue
            self._say(note.code, note.sentence(self._lang, advise=True), dict(note.found))
        if plan.destination is not None and not record.dry_run:
            line = destination_line(plan.destination, plan.mode, plan.source.name, rows, self._lang)
            there = plan.destination
            found = {"host": there.host, "tenant": there.tenant_id, "app": there.app_key, "rows": rows}
            self._say("destination", line, found | {"mode": plan.mode.label})
        self._view.started(plan.source.name, record.id, rows, dry_run=record.dry_run)

    def on_progress(self, event: Progress) -> None:
        self._view.moved(event.tally)

    def on_run_ended(self, event: RunEnded) -> None:
        self._view.close()
        self._view.ended(event.result.summary)

    def on_attempted(self, event: delivery.Attempted) -> None:
        if self._output.verbose:
            self._tell("sending-attempted", event)

    def on_batch_finished(self, event: delivery.BatchFinished) -> None:
        if self._output.verbose:
            self._tell("sending-batch-finished", event)

    def on_retrying(self, event: delivery.Retrying) -> None:
        self._tell("sending-retrying", event)

    def on_isolating(self, event: delivery.Isolating) -> None:
        self._tell("sending-isolating", event)

    def on_slowed_down(self, event: delivery.SlowedDown) -> None:
        self._tell("sending-slowed-down", event)

    def on_rate_lowered(self, event: delivery.RateLowered) -> None:
        self._tell("sending-rate-lowered", event)

    def on_paused(self, event: delivery.Paused) -> None:
        self._tell("sending-paused", event)

    def on_clock_corrected(self, event: delivery.ClockCorrected) -> None:
        if abs(event.offset_ms - self._offset_ms) < SAME_OFFSET_MS:
            return
        self._offset_ms = event.offset_ms
        code = "sending-clock-corrected"
        found = {"offset_ms": event.offset_ms}
        self._say(code, sentence(code, found, self._lang), found)

    def on_waiting_for_turn(self, event: delivery.WaitingForTurn) -> None:
        code, lang = "sending-waiting-for-turn", self._lang
        found = event.user.found() | {"limit": wording.span(event.limit, self._lang)}
        parts = [sentence(code, found, lang)]
        if event.rows_left is not None:
            rows = wording.rows(event.rows_left, lang)
            parts.append(sentence("sending-turn-rows-left", {"rows": rows}, lang))
        if event.others:
            parts.append(sentence("sending-turn-others", {"others": event.others}, lang))
        if event.again:
            self._view.said(code, join_sentences(lang, *parts), **found)
        else:
            self._say(code, join_sentences(lang, *parts, hint(code, found, lang)), found)

    def on_canary_answered(self, event: delivery.CanaryAnswered) -> None:
        note = canary_note(event)
        self._say(note.code, note.sentence(self._lang, advise=True), dict(note.found))

    def on_turn_taken(self, event: delivery.TurnTaken) -> None:
        code = "sending-turn-taken"
        text = sentence(code, {"time": wording.span(event.seconds, self._lang)}, self._lang)
        self._say(code, text, {"seconds": event.seconds})

    def on_waiting_for_late(self, event: delivery.WaitingForLate) -> None:
        code, lang = "sending-waiting-for-late", self._lang
        rows = wording.rows(event.rows, lang)
        found = {"requests": event.requests, "rows": rows, "time": wording.span(event.seconds, self._lang)}
        self._say(code, join_sentences(lang, sentence(code, found, lang), hint(code, found, lang)), found)

    def on_late_over(self, event: delivery.LateOver) -> None:
        code = "sending-late-over"
        text = sentence(code, {"time": wording.span(event.seconds, self._lang)}, self._lang)
        self._say(code, text, {"seconds": event.seconds})

    @property
    def interactive(self) -> bool:
        return self._output.can_ask

    def on_stopping(self, event: delivery.Stopping) -> None:
        code = "sending-stopping"
        found = {"reason": event.reason.sentence(self._lang), "waiting_for": event.waiting_for}
        self._say(code, sentence(code, found, self._lang), found | {"code": event.reason.code})

    def choose_mapping(self, question: MappingQuestion) -> str | None:
        """The file of the proposed or kept mapping, once the person has taken it."""
        from importer.cli.mapping_prompt import ANSWERED_BY_PROPOSAL, MappingPrompt

        asked = self._output.can_ask and question.file != "-" and not question.options.mapping
        if not asked or question.error.code not in ANSWERED_BY_PROPOSAL:
            return None
        self._prompt = MappingPrompt(question, self._lang)
        return self._prompt.choose()

    def choose_encoding(self, question: MappingQuestion) -> str | None:
        """The encoding that the person chooses by its number, after a look at one line in each."""
        if not self._output.can_ask or question.file == "-":
            return None
        found = question.error.found
        names = str(found["names"]).split(", ")
        lines = re.split("; (?=(?:" + "|".join(map(re.escape, names)) + "): )", str(found["readings"]))
        echo(sentence("encodings-to-choose", {"name": found["name"]}, self._lang), err=True)
        for number, line in enumerate(lines, 1):
            echo(f"  {number}  {line}", err=True)
        while answer := ask(sentence("ask-encoding", {"most": len(names)}, self._lang)):
            if answer.isdecimal() and 0 < int(answer) <= len(names):
                chosen = names[int(answer) - 1]
                self._say("encoding-chosen", sentence("encoding-chosen", {"encoding": chosen}, self._lang))
                return chosen
        return None

    def choose_country(self, question: CountryQuestion) -> str | None:
        """The country that the person names, kept in the mapping file if one was kept for this run."""
        from importer.mapping.base import quote_names
        from importer.mapping.regions import require_region

        found = {
            "columns": quote_names(question.columns),
            "rows": wording.number(question.rows, self._lang),
            "looked_at": wording.rows(question.looked_at, self._lang),
        }
        text = sentence("ask-country", found, self._lang)
        while answer := ask(text):
            try:
                country = require_region(answer)
            except UsageError as error:
                echo(error.sentence(self._lang), err=True)
                continue
            self._keep_country(question, country)
            return country
        return None

    def _keep_country(self, question: CountryQuestion, country: str) -> None:
        """Write the country into the mapping file that was kept for this run, or say how to keep it."""
        prompt = self._prompt
        kept = prompt is not None and question.options.mapping == str(prompt.file)
        if prompt is None or not kept or not prompt.keep_country(country):
            self._say("country-chosen", sentence("country-chosen", {"country": country}, self._lang))

    def send_refusing(self, question: ConsentQuestion) -> bool:
        from importer.mapping.base import quote_names

        return self._confirm(
            "ask-refusing",
            columns=quote_names(question.columns),
            words=question.words,
            rows=question.rows,
            looked_at=wording.rows(question.looked_at, self._lang),
        )

    def keep_conditions(self, question: ConsentQuestion, conditions: Sequence[Condition]) -> None:
        """Write them into the mapping file that was kept for this run, or show them."""
        from importer.mapping.consent import conditions_text

        text = conditions_text(conditions)
        prompt = self._prompt
        kept = prompt is not None and question.options.mapping == str(prompt.file)
        if prompt is not None and kept:
            prompt.keep_text(text)
        code = "refusing-left-out-kept" if kept else "refusing-left-out"
        found = {"conditions": text.rstrip(), "file": prompt.file if prompt is not None else ""}
        self._say(code, sentence(code, found, self._lang))

    def send_sharing(self, question: SharingQuestion) -> bool:
        lang, shared = self._lang, question.shared
        pairs = [
            sentence(
                "sharing-pair",
                {"name": one.name, "row": one.row, "other": one.other, "other_row": one.other_row},
                lang,
            )
            for one in shared[:_PAIRS]
        ]
        self._say("sharing", sentence("sharing", {"rows": len(shared)}, lang), {"rows": len(shared)})
        for line in (*pairs, *("…" for _ in shared[_PAIRS : _PAIRS + 1])):
            echo(f"  {line}", err=True)
        return self._confirm("ask-sharing")

    def keep_corrections(self, corrections: Path) -> None:
        found = {"file": corrections}
        self._say("sharing-taken-apart", sentence("sharing-taken-apart", found, self._lang), found)

    def confirm_start(self, plan: RunPlan, *, sends: bool) -> bool:
        """Ask before mode replace and before the same file once more.

        Raises UsageError `replace-needs-yes` if nobody can be asked.
        """
        if not sends:
            return True
        if plan.mode is Mode.REPLACE and not self._output.yes:
            if not self._output.can_ask:
                raise UsageError("replace-needs-yes")
            if not self._confirm("ask-replace"):
                return False
        if plan.before is None:
            return True
        when = plan.before.started.strftime("%Y-%m-%d %H:%M") if plan.before.started else "?"
        text = sentence("file-imported-before", {"run": plan.before.id, "when": when}, self._lang)
        if self._output.can_ask:
            return confirm(f"{text} {sentence('ask-again', {}, self._lang)}")
        if not self._output.quiet:
            tell("file-imported-before", text, run=plan.before.id, started=plan.before.started)
        return True

    def _confirm(self, code: str, **found: object) -> bool:
        return confirm(sentence(code, found, self._lang))

    def _tell(self, code: str, event: delivery.DeliveryEvent) -> None:
        """Pass the event's sentence to the view."""
        values = ((field.name, getattr(event, field.name)) for field in dataclasses.fields(event))
        found = {name: f"{value:.1f}" if isinstance(value, float) else value for name, value in values}
        self._view.said(code, sentence(code, found, self._lang), **found)

    def _say(self, code: str, text: str, found: Mapping[str, object] = MappingProxyType({})) -> None:
        """Print a sentence, unless `--quiet` was given. `found` is what it was made of."""
        if self._output.log_json:
            self._view.said(code, text, **found)
        elif not self._output.quiet:
            echo(fitting(text), err=True)


@contextlib.contextmanager
def open_session(settings: SessionSettings, output: OutputOptions) -> Iterator[Session]:
    """Open a session that shows progress on stderr and asks the person at the terminal."""
    observer = TerminalObserver(output, language())

    @contextlib.contextmanager
    def guard(stopper: StopToken) -> Iterator[None]:
        with contextlib.closing(observer), stop_on_signals(stopper):
            yield

    with Session.open(settings, observer=observer, guard=guard) as session:
        yield session


def show_result(result: ReportResult | None, output: OutputOptions, *, mask: bool) -> int:
    """Print a run's summary on stdout. Returns the exit code. None: the person did not confirm the run."""
    if result is None:
        tell("answered-no", sentence("answered-no", {}, language()))
        return int(ExitCode.ROWS_LEFT)
    try:
        for failure in result.failures:
            print_error(failure)
        if not output.quiet:
            from importer.cli.summary import show

            show(printer(), result, language(), mask=mask)
    except BrokenPipeError:
        raise
    except OSError as error:
        # The run is over and its reports are written. A summary that cannot be printed is no reason to fail.
        found = {"reason": error.strerror or error}
        tell("summary-not-printed", sentence("summary-not-printed", found, language()), **found)
    return int(result.summary.exit_code)
