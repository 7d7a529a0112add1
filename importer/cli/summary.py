"""Print a finished run: what became of the rows, what is wrong with them, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from importer.cli.output import Printer, width_of
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
INDENT = 2

ISSUE_SECTIONS = (
    (Severity.ERROR, "heading-errors", "red"),
    (Severity.WARNING, "heading-warnings", "yellow"),
    (Severity.NOTE, "heading-issue-notes", "cyan"),
)


def show(out: Printer, result: ReportResult, lang: str, *, mask: bool = False) -> None:
    """Print the summary of a run: counts, issues by kind and column, answers, files, next steps."""
    summary = result.summary
    out.line((headline(summary, lang), "bold"))
    out.line((_took(summary, lang), "dim"))
    if summary.stop:
        out.line((word("summary-stopped", lang, stop=summary.stop), "yellow"))
    out.line()
    _counts(out, summary, lang)
    show_issues(out, summary.issues, lang, mask=mask)
    _reasons(out, "heading-left-out", [one for one in result.reasons if one.status in LEFT_OUT], lang)
    _reasons(out, "heading-answers", [one for one in result.reasons if one.status in ANSWERED], lang)
    _not_imported(out, summary.not_imported, lang)
    notes = [*summary.notes, *(note.sentence(lang, advise=True) for note in result.notes)]
    if notes:
        _heading(out, "heading-notes", lang)
        for note in notes:
            out.line((wording.opening(note), ""), indent=INDENT)
    _next(out, result, lang)


def show_issues(out: Printer, groups: Sequence[IssueGroup], lang: str, *, mask: bool = False) -> None:
    """Print issues by kind and column with how many rows and three examples; the gravest first.

    What to do is said once, however many columns it goes for.
    """
    said: set[str] = set()
    for severity, heading, style in ISSUE_SECTIONS:
        some = [group for group in groups if group.severity is severity]
        if not some:
            continue
        _heading(out, heading, lang)
        for group in some[:KINDS]:
            line = issue_line(group, lang)
            code = group.code if line.startswith(group.code) else ""
            out.line((code, style), (line.removeprefix(code), ""), indent=INDENT)
            if text := _example(out, group, lang, mask, said):
                out.line((text, "dim"), indent=4)
        if len(some) > KINDS:
            out.line((word("summary-more-kinds", lang, count=len(some) - KINDS), "dim"), indent=INDENT)


def _example(out: Printer, group: IssueGroup, lang: str, mask: bool, said: set[str]) -> str:
    """What is wrong, and what to do unless it was `said` before. A terminal is told of the first cell; a log
    gets no customer's data, only what kind of fault it is."""
    if not group.examples:
        return ""
    text = issue_text(group.examples[0], lang=lang, mask=mask, offer=out.is_terminal)
    hint = "" if text.hint in said else text.hint
    said.add(text.hint)
    what = text.message if out.is_terminal else kind(group.code, lang)
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


def _counts(out: Printer, summary: RunSummary, lang: str) -> None:
    counts = {status: rows for status, rows in summary.counts.items() if rows}
    if not counts:
        out.line((word("summary-no-rows", lang), ""), indent=INDENT)
        return
    keep = summary.mode is Mode.KEEP
    names = {status: wording.status(status, lang, keep=keep) for status in counts}
    wide = max(width_of(name) for name in names.values())
    numbers = max(len(wording.number(rows, lang)) for rows in counts.values())
    for status, rows in counts.items():
        style, space = STATUS_STYLES[status], " " * (wide - width_of(names[status]))
        bar = f"  {_bar(rows / summary.rows)}" if out.draws else ""
        number = f"  {wording.number(rows, lang):>{numbers}}"
        out.line((f"{names[status]}{space}", style), (number, ""), (bar, style), indent=INDENT)


def _bar(share: float) -> str:
    """A bar of blocks, to an eighth of one; the smallest is an eighth."""
    eighths = max(round(share * BAR * 8), 1)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _reasons(out: Printer, heading: str, reasons: Sequence[ReasonGroup], lang: str) -> None:
    if not reasons:
        return
    _heading(out, heading, lang)
    for reason in reasons[:KINDS]:
        status, counted = wording.status(reason.status, lang), wording.rows(reason.rows, lang)
        text = word("summary-reason-line", lang, status=status, code=reason.code, rows=counted)
        at = "summary-issue-at-one" if reason.rows == 1 else "summary-issue-at"
        text = join_clauses(lang, text, word(at, lang, places=wording.places(reason.examples, lang)))
        out.line((text, ""), indent=INDENT)
        if why := wording.reason_text(reason.code, reason.message, lang):
            out.line((wording.opening(why), "dim"), indent=4)


def _not_imported(out: Printer, columns: Sequence[UnusedColumn], lang: str) -> None:
    """The columns that went nowhere; first those that look as if they should have gone somewhere."""
    if not columns:
        return
    _heading(out, "heading-not-imported", lang)
    usual = [column for column in columns if column.usual_field and column.filled]
    others = [column for column in columns if column.filled and not column.usual_field]
    empty = len(columns) - len(usual) - len(others)
    for column in usual:
        name, filled = _unused_column(column, lang), column.usual_field
        text = join_clauses(lang, name, word("not-imported-usual", lang, field=filled))
        out.line((text, "yellow"), indent=INDENT)
    shown = [_unused_column(column, lang) for column in others[:KINDS]]
    if len(others) > KINDS:
        shown.append(word("not-imported-more", lang, count=len(others) - KINDS))
    if empty:
        shown.append(word("not-imported-empty-columns", lang, count=empty))
    if shown:
        out.line((word("summary-and", lang).join(shown), ""), indent=INDENT)


def _unused_column(column: UnusedColumn, lang: str) -> str:
    filled = word("not-imported-filled", lang, rows=wording.rows(column.filled, lang))
    return f"{quote_names([column.name])} ({filled})"


def _next(out: Printer, result: ReportResult, lang: str) -> None:
    if result.files:
        _heading(out, "heading-files", lang)
        out.line((result.summary.report_dir, ""), indent=INDENT)
        names = word("summary-and", lang).join(file.path.name for file in result.files)
        out.line((names, "dim"), indent=INDENT)
    if result.steps:
        _heading(out, "heading-next", lang)
        for step in result.steps:
            out.line((step.message, ""), indent=INDENT)
            # A command is one line however narrow the terminal is, so that it can be copied.
            out.line((f"    {step.command}", "bold"), whole=True)
    elif result.summary.rows:
        out.line()
        imported = result.summary.counts.get(Status.IMPORTED)
        done = "summary-all-done" if imported else "summary-nothing-imported"
        if imported and result.summary.mode is Mode.KEEP:
            done = "summary-all-done-keep"
        if result.summary.dry_run:
            done = "summary-all-valid"
        out.line((word(done, lang), "green"))


def _took(summary: RunSummary, lang: str) -> str:
    counted = wording.rows(summary.rows, lang)
    text = word("summary-took", lang, rows=counted, time=wording.span(summary.seconds, lang))
    if summary.seconds >= 1:
        rate = wording.number(round(summary.rows / summary.seconds), lang)
        text = join_clauses(lang, text, word("summary-per-second", lang, rate=rate))
    return text


def _heading(out: Printer, code: str, lang: str) -> None:
    out.line()
    out.line((word(code, lang), "bold"))
