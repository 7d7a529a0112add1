"""Write report.html: the run on one page that opens offline and prints.

Charts are plain numbers in SVG coordinates. The template engine escapes everything that comes from the
file, the server or the settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from jinja2.bccache import bc_version

from importer import messages
from importer.dataclass import dataclass
from importer.escaping import printable
from importer.models import Issue, IssueGroup, Mode, Severity, Status
from importer.option_types import SettingValue, option_text
from importer.reports import wording
from importer.reports.files import WrittenReport
from importer.reports.likely_corrections import likely_correction
from importer.reports.model import ReportPlan
from importer.reports.next_steps import NextStep
from importer.reports.ownership import report_identity
from importer.reports.run_info import RunInfo, TimelineStep
from importer.reports.tally import ANSWERED, LEFT_OUT, SAMPLES, ReasonGroup, Tally
from importer.reports.wording import expectation, issue_text, masked, shortened

_PAGE = "report.html.j2"
COMPILED_PAGE = "report.html.compiled"
"""The page as jinja2 compiles it."""

SMALLEST_ARC = 0.9
"""Percent. Even one row in a million stays visible."""
ARC_GAP = 0.4
PLOT_WIDTH, PLOT_HEIGHT = 1000, 100
"""The size of a plot in its own coordinates. The page stretches it to fit."""


@dataclass(frozen=True, slots=True)
class StatusArc:
    """A part of the ring. Start and length are percentages of the ring, from the top."""

    status: Status
    rows: int
    percent: float
    start: float
    length: float

    @property
    def dash(self) -> str:
        """The arc as stroke-dasharray, a little shorter, so that a gap separates neighbours."""
        drawn = self.length if self.length >= 100 else max(self.length - ARC_GAP, ARC_GAP)
        return f"{drawn:.3f} {100 - drawn:.3f}"


def status_arcs(counts: Mapping[Status, int]) -> tuple[StatusArc, ...]:
    """The ring of the outcome: one arc for each status that occurs."""
    total = sum(counts.values())
    found = [(status, rows) for status, rows in counts.items() if rows]
    if not total:
        return ()
    lengths = [max(100 * rows / total, SMALLEST_ARC) for _, rows in found]
    over = sum(lengths)
    made = []
    start = 0.0
    for (status, rows), length in zip(found, lengths, strict=True):
        share = 100 * length / over
        made.append(StatusArc(status, rows, 100 * rows / total, round(start, 3), round(share, 3)))
        start += share
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Plot:
    """A quantity over time: SVG path data in PLOT_WIDTH × PLOT_HEIGHT. `top` is the end of the scale."""

    line: str
    area: str
    top: float
    bars: tuple[tuple[float, float, float, float], ...] = ()
    """x, y, width, height."""


@dataclass(frozen=True, slots=True)
class SendingPlots:
    """The plots of sending, over `seconds`."""

    throughput: Plot
    latency: Plot
    slowest: Plot
    retries: Plot
    seconds: float
    requests: int
    retried: int


def sending_plots(steps: Sequence[TimelineStep]) -> SendingPlots | None:
    """The plots of a timeline. None if it has less than two steps."""
    if len(steps) < 2:
        return None
    rates = [step.rows / step.width for step in steps]
    slowest = [step.slowest for step in steps]
    top = ceiling(max(slowest))
    return SendingPlots(
        throughput=_curve(rates, ceiling(max(rates))),
        latency=_curve(_filled([step.latency for step in steps]), top),
        slowest=_curve(_filled(slowest), top),
        retries=_bars([float(step.retries) for step in steps]),
        seconds=steps[-1].start + steps[-1].width,
        requests=sum(step.requests for step in steps),
        retried=sum(step.retries for step in steps),
    )


def ceiling(value: float) -> float:
    """The next round number at or above: 1, 1.5, 2, 3, 4, 5, 6 or 8 of a power of ten. 1 for zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        factor * power for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if factor * power >= value * 0.999
    )


def _filled(values: Sequence[float]) -> list[float]:
    """Values with the gaps filled: a step without answers repeats the last latency, not zero."""
    filled: list[float] = []
    for value in values:
        filled.append(value or (filled[-1] if filled else 0.0))
    return filled


def _curve(values: Sequence[float], top: float) -> Plot:
    step = PLOT_WIDTH / (len(values) - 1)
    points = [
        f"{place * step:.1f} {PLOT_HEIGHT - PLOT_HEIGHT * value / top:.1f}"
        for place, value in enumerate(values)
    ]
    line = "M" + " L".join(points)
    return Plot(line, f"{line} L{PLOT_WIDTH} {PLOT_HEIGHT} L0 {PLOT_HEIGHT} Z", top)


def _bars(values: Sequence[float]) -> Plot:
    top = ceiling(max(values))
    step = PLOT_WIDTH / len(values)
    bars = []
    for place, value in enumerate(values):
        height = round(PLOT_HEIGHT * value / top, 1)
        if height:
            bars.append(
                (round(place * step, 1), round(PLOT_HEIGHT - height, 1), round(step * 0.8, 1), height)
            )
    return Plot("", "", top, tuple(bars))


SHOWN_ROWS = 2_500
"""Sample rows on the whole page. Keeps it under 2 MB however many kinds of issues there are."""
SHOWN_KINDS = 150
SHOWN_COLUMNS = 300
"""Columns that are listed with their field."""
WORDED_SETTINGS = frozenset({"mode", "duplicates"})
"""Settings whose values are words of the catalogue."""
WORDED_VALUES = frozenset({("mapping", "headers"), ("sheet", "all")})


@dataclass(frozen=True, slots=True)
class IssueSample:
    """One offending cell."""

    row: int
    sheet: str
    name: str
    """Of the customer in the row."""
    cell: str
    detail: str
    perhaps: str


@dataclass(frozen=True)
class IssueBar:
    """All issues of one kind in one column."""

    code: str
    title: str
    severity: Severity
    rows: int
    percent: float
    """Of the longest bar."""
    hint: str
    samples: tuple[IssueSample, ...]

    sheets: bool
    """Whether the samples tell their sheet: where all rows are of one, the page says so once."""

    # The page asks for these at each sample.
    @cached_property
    def names(self) -> bool:
        return any(sample.name for sample in self.samples)

    @cached_property
    def cells(self) -> bool:
        return any(sample.cell for sample in self.samples)

    @cached_property
    def details(self) -> bool:
        return any(sample.detail for sample in self.samples)

    @cached_property
    def perhaps(self) -> bool:
        return any(sample.perhaps for sample in self.samples)


@dataclass(frozen=True, slots=True)
class IssueColumn:
    """The bars of one column of the file. The name is empty for issues of whole rows."""

    name: str
    field: str
    rows: int
    bars: tuple[IssueBar, ...]

    @property
    def errors(self) -> int:
        return sum(bar.rows for bar in self.bars if bar.severity is Severity.ERROR)


def render_html(
    plan: ReportPlan,
    run_info: RunInfo,
    tally: Tally,
    files: Sequence[WrittenReport],
    steps: Sequence[NextStep],
) -> str:
    """The text of report.html."""
    lang = plan.lang
    columns = issue_columns(plan, tally)
    done = sum(rows for status, rows in tally.counts.items() if status.done)
    shown = sum(len(column.bars) for column in columns)
    return _template(lang).render(
        plan=plan,
        identity=report_identity(plan.run_id),
        run_info=run_info,
        tally=tally,
        language_tag=messages.LANGUAGE_TAGS[lang],
        files=files,
        steps=steps,
        arcs=status_arcs(tally.counts),
        columns=columns,
        more_kinds=len(tally.kinds()) - shown,
        sending=sending_plots(run_info.timeline),
        reasons=[group for group in tally.reason_groups() if group.status in ANSWERED],
        left_out=[group for group in tally.reason_groups() if group.status in LEFT_OUT],
        done=done,
        taken=0 if run_info.mode is Mode.KEEP else tally.places_taken(),
        keep=run_info.mode is Mode.KEEP and not run_info.dry_run,
        done_word=_done_word(run_info, tally),
        percent=wording.share(100 * done / tally.rows, lang) if tally.rows else "",
        notes=[
            wording.opening(note.sentence(lang, on_page=plan.on_page, advise=True)) for note in run_info.notes
        ],
        severities=[one for one in Severity if any(bar.severity is one for c in columns for bar in c.bars)],
        fields=plan.fields[:SHOWN_COLUMNS],
        unused=tally.unused_columns()[:SHOWN_COLUMNS],
        Status=Status,
    )


def _legible(value: object) -> object:
    """Make controls visible; what is HTML already is no plain `str`."""
    return printable(value) if type(value) is str else value


def _done_word(run_info: RunInfo, tally: Tally) -> str:
    """The code of the sentence in the ring: a skipped row is neither in nor valid."""
    wanted = Status.VALID if run_info.dry_run else Status.IMPORTED
    if any(rows for status, rows in tally.counts.items() if status.done and status is not wanted):
        return "page-done-all"
    if run_info.dry_run:
        return "page-done-dry"
    return "page-done-keep" if run_info.mode is Mode.KEEP else "page-done"


def compile_page() -> str:
    """Return the page's template as Python code. Its first line names the version of such code."""
    environment = _environment("en")
    source = resources.files(__package__).joinpath(_PAGE).read_text("utf-8")
    return f"{_made_by()}\n{environment.compile(source, name=_PAGE, raw=True)}\n"


def _made_by() -> str:
    return f"# Made of {_PAGE} by jinja2, code version {bc_version}; `make docs` writes it."


@cache
def _template(lang: str) -> Template:
    environment = _environment(lang)
    # To compile the page takes as long as to check ten thousand rows.
    code = resources.files(__package__).joinpath(COMPILED_PAGE).read_text("utf-8")
    if not code.startswith(_made_by()):
        return environment.get_template(_PAGE)
    return Template.from_code(environment, compile(code, _PAGE, "exec"), environment.make_globals(None))


def _environment(lang: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("importer.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_legible,
        optimized=False,  # nothing in the page is constant: compiles faster to the same code
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": partial(wording.number, lang=lang),
        "size": partial(wording.size, lang=lang),
        "span": partial(wording.span, lang=lang),
        "share": partial(wording.share, lang=lang),
        "rows": partial(wording.rows, lang=lang),
        "status": partial(wording.status, lang=lang),
        "named": lambda name, group: messages.word_of(group, name, lang),
        "value": partial(_setting_value, lang),
        "places": partial(wording.places, lang=lang),
        "reason": partial(_reason, lang),
    }
    environment.globals["word"] = partial(_word, lang)
    return environment


def issue_columns(plan: ReportPlan, tally: Tally) -> tuple[IssueColumn, ...]:
    """Issues by column: the column with most errors first, and the gravest first in each."""
    groups = tally.issue_groups(SAMPLES)[:SHOWN_KINDS]
    if not groups:
        return ()
    each = max(3, min(SAMPLES, SHOWN_ROWS // len(groups)))
    longest = max(group.rows for group in groups)
    fields = plan.fields_of_columns()
    by_column: dict[str, list[IssueGroup]] = {}
    for group in groups:
        by_column.setdefault(group.column, []).append(group)
    made = [
        IssueColumn(
            name=name,
            field=fields.get(name, ""),
            rows=sum(group.rows for group in some),
            bars=tuple(_bar(group, plan, tally, each, longest) for group in some),
        )
        for name, some in by_column.items()
    ]
    return tuple(sorted(made, key=lambda column: (-column.errors, -column.rows)))


def _bar(group: IssueGroup, plan: ReportPlan, tally: Tally, most: int, longest: int) -> IssueBar:
    first = group.examples[0]
    field = dict(plan.fields).get(group.column, "")
    samples = tuple(_sample(issue, plan, tally) for issue in group.examples[:most])
    return IssueBar(
        code=group.code,
        title=wording.kind(group.code, plan.lang),
        severity=group.severity,
        rows=group.rows,
        percent=round(max(100 * group.rows / longest, 0.6), 2),
        hint=issue_text(first, lang=plan.lang, field=field, offer=False, on_page=plan.on_page).hint,
        samples=samples,
        sheets=not plan.source.sheet and any(sample.sheet for sample in samples),
    )


def _sample(issue: Issue, plan: ReportPlan, tally: Tally) -> IssueSample:
    cell = shortened(issue.found or "")
    name = shortened(tally.names.get((issue.sheet, issue.row), ""))
    details = []
    if issue.length is not None and issue.limit is not None:
        details.append(wording.word("page-length", plan.lang, length=issue.length, limit=issue.limit))
    if issue.wording:
        # Other words than those of its code: what is wrong with this very cell.
        details.append(issue_text(issue, lang=plan.lang, mask=plan.mask, offer=False).message)
    elif issue.expected and issue.code != "bad-phone":
        details.append(shortened(expectation(issue.code, issue.expected, issue.wording, mask=plan.mask)))
    if issue.other_row is not None:
        details.append(wording.word("page-same-as", plan.lang, row=issue.other_row))
    return IssueSample(
        row=issue.row,
        sheet=issue.sheet,
        name=masked(name) if plan.mask else name,
        cell=masked(cell) if plan.mask else cell,
        detail="; ".join(details),
        perhaps=""
        if plan.mask
        else shortened(
            issue.suggestion or likely_correction(issue.code, issue.found or "", issue.expected or "")
        ),
    )


def _reason(lang: str, group: ReasonGroup) -> str:
    return wording.reason_text(group.code, group.message, lang)


def _setting_value(lang: str, value: SettingValue, name: str) -> str:
    """The value of a setting: a word of the catalogue, or the text that the user gave."""
    if isinstance(value, bool):
        return wording.word("yes" if value else "no", lang)
    if not isinstance(value, str):
        return option_text(value)
    ours = name in WORDED_SETTINGS or (name, value) in WORDED_VALUES
    return wording.word(f"{name}-{value}", lang) if ours else value


def _word(lang: str, code: str, **found: object) -> str:
    return wording.word(code, lang, **found)
