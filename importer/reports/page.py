"""report.html: the run on one page, for looking at; one file that opens offline and prints.

Everything that comes from the file, the server or the settings is escaped by the template engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from importer import messages
from importer.models import Issue, IssueGroup, Severity, Status
from importer.reports import plots, wording
from importer.reports.corrections import likely
from importer.reports.facts import Facts
from importer.reports.files import Written
from importer.reports.next_steps import NextStep
from importer.reports.plan import Plan
from importer.reports.sentences import expectation, masked, said, shortened
from importer.reports.tally import SAMPLES, Tally

MOST_ROWS = 2_500
"""Sample rows on the whole page: keeps it under 2 MB however many kinds of issue there are."""
MOST_KINDS = 150
ANSWERED = frozenset({Status.REJECTED, Status.FAILED, Status.UNKNOWN})
"""Statuses that an answer of the server, or the lack of one, made."""
MOST_COLUMNS = 300
"""Columns listed with their field."""
WORDED = frozenset({"mode", "duplicates", "strict"})
"""Settings whose values are words of the catalogue."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One offending cell."""

    row: int
    sheet: str
    cell: str
    detail: str
    perhaps: str


@dataclass(frozen=True, slots=True)
class Bar:
    """All issues of one kind in one column."""

    code: str
    title: str
    error: bool
    rows: int
    percent: float
    """Of the longest bar."""
    hint: str
    samples: tuple[Sample, ...]

    @property
    def sheets(self) -> bool:
        return any(sample.sheet for sample in self.samples)

    @property
    def cells(self) -> bool:
        return any(sample.cell for sample in self.samples)

    @property
    def details(self) -> bool:
        return any(sample.detail for sample in self.samples)

    @property
    def perhaps(self) -> bool:
        return any(sample.perhaps for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Column:
    """The bars of one column of the file; the name is empty for issues of rows as a whole."""

    name: str
    field: str
    rows: int
    bars: tuple[Bar, ...]

    @property
    def errors(self) -> int:
        return sum(bar.rows for bar in self.bars if bar.error)


def page(plan: Plan, facts: Facts, tally: Tally, files: Sequence[Written], steps: Sequence[NextStep]) -> str:
    """The text of report.html."""
    lang = plan.lang
    columns = issue_columns(plan, tally)
    done = sum(rows for status, rows in tally.counts.items() if status.done)
    shown = sum(len(column.bars) for column in columns)
    return _template(lang).render(
        plan=plan,
        facts=facts,
        tally=tally,
        lang=lang,
        files=files,
        steps=steps,
        arcs=plots.arcs(tally.counts),
        columns=columns,
        more_kinds=len(tally.kinds()) - shown,
        sending=plots.sending(facts.timeline),
        reasons=[group for group in tally.reason_groups() if group.status in ANSWERED],
        done=done,
        percent=_share(100 * done / tally.rows) if tally.rows else "",
        notes=[note.sentence(lang) for note in facts.notes],
        fields=[(name, dict(plan.fields).get(name, "")) for name in plan.origin.header[:MOST_COLUMNS]],
        Status=Status,
    )


@cache
def _template(lang: str) -> Template:
    environment = Environment(
        loader=PackageLoader("importer.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        optimized=False,  # nothing in the page is constant: the same code comes of it, sooner
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": wording.number,
        "size": wording.size,
        "span": wording.span,
        "share": _share,
        "rows": partial(wording.rows, lang=lang),
        "status": partial(wording.status, lang=lang),
        "named": partial(_named, lang),
        "value": partial(_value, lang),
        "places": partial(wording.places, lang=lang),
    }
    environment.globals["word"] = partial(_word, lang)
    return environment.get_template("page.html.j2")


def issue_columns(plan: Plan, tally: Tally) -> tuple[Column, ...]:
    """Issues by column, the column with most errors first; within it errors first."""
    groups = tally.issue_groups(SAMPLES)[:MOST_KINDS]
    if not groups:
        return ()
    each = max(3, min(SAMPLES, MOST_ROWS // len(groups)))
    longest = max(group.rows for group in groups)
    fields = dict(plan.fields)
    by_column: dict[str, list[IssueGroup]] = {}
    for group in groups:
        by_column.setdefault(group.column, []).append(group)
    made = [
        Column(
            name=name,
            field=fields.get(name, ""),
            rows=sum(group.rows for group in some),
            bars=tuple(_bar(group, plan, each, longest, fields.get(name, "")) for group in some),
        )
        for name, some in by_column.items()
    ]
    return tuple(sorted(made, key=lambda column: (-column.errors, -column.rows)))


def _bar(group: IssueGroup, plan: Plan, most: int, longest: int, field: str) -> Bar:
    first = group.examples[0]
    return Bar(
        code=group.code,
        title=wording.kind(group.code, plan.lang),
        error=group.severity is Severity.ERROR,
        rows=group.rows,
        percent=round(max(100 * group.rows / longest, 0.6), 2),
        hint=said(first, lang=plan.lang, field=field, offer=False).do,
        samples=tuple(_sample(issue, plan) for issue in group.examples[:most]),
    )


def _sample(issue: Issue, plan: Plan) -> Sample:
    cell = shortened(issue.found or "")
    details = []
    if issue.length is not None and issue.limit is not None:
        details.append(wording.word("page-length", plan.lang, length=issue.length, limit=issue.limit))
    if issue.expected:
        details.append(shortened(expectation(issue.code, issue.expected, mask=plan.mask)))
    if issue.other_row is not None:
        details.append(wording.word("page-same-as", plan.lang, row=issue.other_row))
    return Sample(
        row=issue.row,
        sheet=issue.sheet,
        cell=masked(cell) if plan.mask else cell,
        detail="; ".join(details),
        perhaps="" if plan.mask else shortened(issue.suggestion or likely(issue.code, issue.found or "")),
    )


def _share(percent: float) -> str:
    """Never 100 % or 0 % unless it is exactly that."""
    if percent in (0, 100):
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.01), 99.99):.2f} %" if not 1 <= percent <= 99 else f"{percent:.1f} %"


def _named(lang: str, name: str, group: str) -> str:
    """A setting or a part of the run as a word, if there is one."""
    code = f"{group}-{name}"
    return wording.word(code, lang) if code in messages.catalogue() else name


def _value(lang: str, value: str, name: str) -> str:
    """What a setting is set to: a word where the importer chose it, else as the person wrote it."""
    ours = name in WORDED or (name, value) == ("mapping", "headers")
    return wording.word(f"{name}-{value}", lang) if ours else value


def _word(lang: str, code: str, **found: object) -> str:
    return wording.word(code, lang, **found)
