"""Print a finished run: what became of the rows, what is wrong with them, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from importer.cli.progress import STATUS_STYLES, headline
from importer.mapping.base import quote_names
from importer.messages import join_clauses
from importer.models import IssueGroup, Mode, RunSummary, Severity, Status, UnusedColumn
from importer.reports import ReasonGroup, ReportResult, wording
from importer.reports.tally import ANSWERED, LEFT_OUT
from importer.reports.wording import issue_text, kind, word

KINDS = 12
"""The most lines of a section; the page has all."""
BAR = 32

ISSUE_SECTIONS = (
    (Severity.ERROR, "heading-errors", "red"),
    (Severity.WARNING, "heading-warnings", "yellow"),
    (Severity.NOTE, "heading-issue-notes", "cyan"),
)


def show(console: Console, result: ReportResult, lang: str, *, mask: bool = False) -> None:
    """Print the summary of a run: counts, issues by kind and column, answers, files, next steps."""
    summary = result.summary
    _print(console, Text(headline(summary, lang), style="bold"))
    _print(console, Text(_took(summary, lang), style="dim"))
    if summary.stop:
        _print(console, Text(word("summary-stopped", lang, stop=summary.stop), style="yellow"))
    console.print()
    _counts(console, summary, lang)
    show_issues(console, summary.issues, lang, mask=mask)
    _reasons(console, "heading-left-out", [one for one in result.reasons if one.status in LEFT_OUT], lang)
    _reasons(console, "heading-answers", [one for one in result.reasons if one.status in ANSWERED], lang)
    _not_imported(console, summary.not_imported, lang)
    notes = [*summary.notes, *(note.sentence(lang, advise=True) for note in result.notes)]
    if notes:
        _heading(console, "heading-notes", lang)
        for note in notes:
            _line(console, Text(wording.opening(note)))
    _next(console, result, lang)


def show_issues(console: Console, groups: Sequence[IssueGroup], lang: str, *, mask: bool = False) -> None:
    """Print issues by kind and column with how many rows and three examples; the gravest first.

    What to do is said once, however many columns it goes for.
    """
    said: set[str] = set()
    for severity, heading, style in ISSUE_SECTIONS:
        some = [group for group in groups if group.severity is severity]
        if not some:
            continue
        _heading(console, heading, lang)
        for group in some[:KINDS]:
            line = Text(issue_line(group, lang))
            line.stylize(style, 0, len(group.code) if line.plain.startswith(group.code) else 0)
            _line(console, line)
            if text := _example(console, group, lang, mask, said):
                _line(console, Text(text, style="dim"), 4)
        if len(some) > KINDS:
            _line(console, Text(word("summary-more-kinds", lang, count=len(some) - KINDS), style="dim"))


def _example(console: Console, group: IssueGroup, lang: str, mask: bool, said: set[str]) -> str:
    """What is wrong, and what to do unless it was `said` before. A terminal is told of the first cell; a log
    gets no customer's data, only what kind of fault it is."""
    if not group.examples:
        return ""
    text = issue_text(group.examples[0], lang=lang, mask=mask, offer=console.is_terminal)
    hint = "" if text.hint in said else text.hint
    said.add(text.hint)
    what = text.message if console.is_terminal else kind(group.code, lang)
    return replace(text, message=what, hint=hint).sentence(lang)


def issue_line(group: IssueGroup, lang: str) -> str:
    """too-long in address: 41 rows, first at rows 17, 203, 988; longest 161 of 100."""
    counted = wording.rows(group.rows, lang)
    if group.column:
        text = word("summary-issue-line", lang, code=group.code, column=group.column, rows=counted)
    else:
        text = word("summary-issue-line-row", lang, code=group.code, rows=counted)
    if group.examples:
        at = "summary-issue-at-one" if group.rows == 1 else "summary-issue-at"
        text = join_clauses(lang, text, word(at, lang, places=wording.examples(group.examples, lang)))
    if group.longest is not None and group.limit is not None:
        text = word("summary-issue-longest", lang, line=text, longest=group.longest, limit=group.limit)
    return text


def _counts(console: Console, summary: RunSummary, lang: str) -> None:
    counts = {status: rows for status, rows in summary.counts.items() if rows}
    if not counts:
        _line(console, Text(word("summary-no-rows", lang)))
        return
    keep = summary.mode is Mode.KEEP
    names = {status: wording.status(status, lang, keep=keep) for status in counts}
    wide = max(cell_len(name) for name in names.values())
    numbers = max(len(wording.number(rows, lang)) for rows in counts.values())
    bars = console.width >= 60 and not console.options.ascii_only
    for status, rows in counts.items():
        line = Text(set_cell_size(names[status], wide), style=STATUS_STYLES[status])
        line.append(f"  {wording.number(rows, lang):>{numbers}}", style="default")
        if bars:
            line.append("  " + _bar(rows / summary.rows))
        _line(console, line)


def _bar(share: float) -> str:
    """A bar of blocks, to an eighth of one; the smallest is an eighth."""
    eighths = max(round(share * BAR * 8), 1)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _reasons(console: Console, heading: str, reasons: Sequence[ReasonGroup], lang: str) -> None:
    if not reasons:
        return
    _heading(console, heading, lang)
    for reason in reasons[:KINDS]:
        status, counted = wording.status(reason.status, lang), wording.rows(reason.rows, lang)
        text = word("summary-reason-line", lang, status=status, code=reason.code, rows=counted)
        at = "summary-issue-at-one" if reason.rows == 1 else "summary-issue-at"
        text = join_clauses(lang, text, word(at, lang, places=wording.places(reason.examples, lang)))
        _line(console, Text(text))
        if why := wording.reason_text(reason.code, reason.message, lang):
            _line(console, Text(wording.opening(why), style="dim"), 4)


def _not_imported(console: Console, columns: Sequence[UnusedColumn], lang: str) -> None:
    """The columns that went nowhere; first those that look as if they should have gone somewhere."""
    if not columns:
        return
    _heading(console, "heading-not-imported", lang)
    usual = [column for column in columns if column.usual_field and column.filled]
    others = [column for column in columns if column.filled and not column.usual_field]
    empty = len(columns) - len(usual) - len(others)
    for column in usual:
        name, filled = _unused_column(column, lang), column.usual_field
        _line(
            console, Text(join_clauses(lang, name, word("not-imported-usual", lang, field=filled)), "yellow")
        )
    shown = [_unused_column(column, lang) for column in others[:KINDS]]
    if len(others) > KINDS:
        shown.append(word("not-imported-more", lang, count=len(others) - KINDS))
    if empty:
        shown.append(word("not-imported-empty-columns", lang, count=empty))
    if shown:
        _line(console, Text(word("summary-and", lang).join(shown)))


def _unused_column(column: UnusedColumn, lang: str) -> str:
    filled = word("not-imported-filled", lang, rows=wording.rows(column.filled, lang))
    return f"{quote_names([column.name])} ({filled})"


def _next(console: Console, result: ReportResult, lang: str) -> None:
    if result.files:
        _heading(console, "heading-files", lang)
        _line(console, Text(result.summary.report_dir))
        names = Text(word("summary-and", lang).join(file.path.name for file in result.files), style="dim")
        _line(console, names)
    if result.steps:
        _heading(console, "heading-next", lang)
        for step in result.steps:
            _line(console, Text(step.message))
            # A command is one line however narrow the terminal is, so that it can be copied.
            console.print(Text(f"    {step.command}", style="bold"), soft_wrap=True)
    elif result.summary.rows:
        console.print()
        imported = result.summary.counts.get(Status.IMPORTED)
        done = "summary-all-done" if imported else "summary-nothing-imported"
        if imported and result.summary.mode is Mode.KEEP:
            done = "summary-all-done-keep"
        if result.summary.dry_run:
            done = "summary-all-valid"
        _print(console, Text(word(done, lang), style="green"))


def _took(summary: RunSummary, lang: str) -> str:
    counted = wording.rows(summary.rows, lang)
    text = word("summary-took", lang, rows=counted, time=wording.span(summary.seconds, lang))
    if summary.seconds >= 1:
        rate = wording.number(round(summary.rows / summary.seconds), lang)
        text = join_clauses(lang, text, word("summary-per-second", lang, rate=rate))
    return text


def _heading(console: Console, code: str, lang: str) -> None:
    console.print()
    _print(console, Text(word(code, lang), style="bold"))


def _line(console: Console, text: Text, indent: int = 2) -> None:
    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
    else:
        console.print(Text(" " * indent).append_text(text), soft_wrap=True)


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=not console.is_terminal)
