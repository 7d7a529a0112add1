"""report.html: self-contained, escaped, small, and what its pictures are made of."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import arrow
from importer.exit_codes import ExitCode
from importer.messages import catalogue, sentence
from importer.models import Chunk, Issue, Mode, Outcome, Severity, Status
from importer.options import declared_options
from importer.reports import ReportPlan, ReportSource, ReportWriter, RunInfo, Timeline, html
from importer.reports.run_info import MAX_STEPS
from tests.support.programs import program

EVIL = "<script>alert('x')</script>"
HEADER = ("Name", EVIL)


def a_timeline() -> Timeline:
    timeline = Timeline()
    for number in range(40):
        timeline.request(number * 0.3, 0.2, again=number % 9 == 8)
        timeline.settled(number * 0.3, 100)
    return timeline


FACTS = RunInfo(
    mode=Mode.UPDATE,
    dry_run=False,
    destination=None,
    mapping=EVIL,
    exit_code=ExitCode.ROWS_LEFT,
    started=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
    seconds=2.5,
    settings=((EVIL, EVIL),),
    timeline=a_timeline().steps(),
    stop=EVIL,
)


def a_page(
    directory: Path,
    issues: Sequence[Issue],
    rows: int = 200,
    header: Sequence[str] = HEADER,
    lang: str = "en",
) -> str:
    origin = ReportSource(Path("in.csv"), f"{EVIL}.csv", "csv", tuple(header))
    cells = {name: arrow.array(["x"] * rows) for name in header}
    with ReportWriter(ReportPlan(directory, "run-1", origin, lang)) as reports:
        reports.add(Chunk(EVIL, arrow.frame(cells, np.arange(2, 2 + rows))), issues)
        reports.settle(Outcome(EVIL, (2, 3), Status.REJECTED, 1, 1, EVIL, EVIL, EVIL))
        reports.settle(Outcome(EVIL, tuple(range(4, 2 + rows)), Status.IMPORTED, 1, 1))
        reports.close(FACTS)
    return (directory / "report.html").read_text("utf-8")


def bad_date(row: int, column: str = EVIL, found: str = EVIL) -> Issue:
    return Issue("bad-date", Severity.ERROR, row, EVIL, column=column, field="birthday", found=found)


class Tags(HTMLParser):
    """Which tags and addresses a page has, and whether every one is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_from_outside_is_escaped_and_the_page_asks_for_nothing(tmp_path: Path, lang: str) -> None:
    issues = [
        bad_date(2),
        Issue("same-contact", Severity.WARNING, 3, EVIL, column="Name", found="1", other_row=2),
    ]
    page = a_page(tmp_path, issues, lang=lang)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert "script" not in tags.names
    assert all(not re.match(r"(https?:)?//", link) for link in tags.links)
    assert "&lt;script&gt;" in page
    assert "None" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_with_another_jinja2_the_page_is_compiled_and_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page(tmp_path / "shipped", [bad_date(2)])
    monkeypatch.setattr(html, "bc_version", -1)
    monkeypatch.setattr(html, "_template", html._template.__wrapped__)
    assert a_page(tmp_path / "compiled", [bad_date(2)]).replace("compiled", "shipped") == page


def test_the_three_levels_are_told_apart_and_the_gravest_comes_first(tmp_path: Path) -> None:
    issues = [
        Issue("bad-email", severity, row, EVIL, column="Name", found="x")
        for row, severity in enumerate((Severity.NOTE, Severity.WARNING, Severity.ERROR), start=2)
    ]
    page = a_page(tmp_path, issues)
    assert re.findall(r'<details class="(\w+)', page) == ["error", "warning", "note"]
    levels = [(level, level) for level in ("error", "warning", "note")]
    # Once in the legend, and once at each kind.
    assert re.findall(r'<span class="tag (\w+)">(\w+)</span>', page) == levels * 2


def test_the_page_says_which_rows_were_left_out_and_why(tmp_path: Path) -> None:
    origin = ReportSource(Path("in.csv"), "in.csv", "csv", HEADER)
    cells = {name: arrow.array(["x"] * 3) for name in HEADER}
    with ReportWriter(ReportPlan(tmp_path, "run-1", origin)) as reports:
        reports.add(Chunk("", arrow.frame(cells, np.arange(2, 5))), [])
        reports.settle(Outcome("", (2,), Status.SKIPPED, code="footer-row"))
        reports.settle(Outcome("", (3,), Status.SKIPPED, code="suppressed", message="on the list stop.csv"))
        reports.settle(Outcome("", (4,), Status.IMPORTED, 1, 1))
        reports.close(FACTS)
    page = (tmp_path / "report.html").read_text("utf-8")
    results = (tmp_path / "results.csv").read_text("utf-8-sig")
    for why in (sentence("footer-row", {}), "on the list stop.csv"):
        assert why in page
        assert why in results


def test_a_sheet_is_named_at_its_rows_only_where_there_are_several(tmp_path: Path) -> None:
    cells = {name: arrow.array(["x"]) for name in HEADER}
    for sheet in ("", "Old"):
        origin = ReportSource(Path("in.xlsx"), "in.xlsx", "xlsx", HEADER, sheet=sheet)
        with ReportWriter(ReportPlan(tmp_path / f"{sheet}s", "run-1", origin)) as reports:
            reports.add(Chunk("Old", arrow.frame(cells, np.array([2]))), [replace(bad_date(2), sheet="Old")])
            reports.settle(Outcome("Old", (2,), Status.INVALID))
            reports.close(FACTS)
        page = (tmp_path / f"{sheet}s" / "report.html").read_text("utf-8")
        assert ("<th>Sheet</th>" in page) is (sheet == "")


def test_the_page_stays_small_however_much_is_wrong(tmp_path: Path) -> None:
    header = [f"Column {number}" for number in range(200)]
    cell = "界" * 400
    issues = [bad_date(row, name, cell) for name in header for row in range(2, 122)]
    page = a_page(tmp_path, issues, rows=120, header=header)
    assert len(page.encode()) < 2_000_000
    assert "50 more kinds" in page


def test_the_first_hundred_rows_of_a_kind_are_shown(tmp_path: Path) -> None:
    page = a_page(tmp_path, [bad_date(row) for row in range(2, 152)])
    assert page.count('<td class="r">101</td>') == 1
    assert "The first 100 of 150 rows" in page


def test_cells_are_masked_where_that_is_wished(tmp_path: Path) -> None:
    origin = ReportSource(Path("in.csv"), "in.csv", "csv", HEADER)
    cells = {name: arrow.array(["x"]) for name in HEADER}
    with ReportWriter(ReportPlan(tmp_path, "run-1", origin, mask=True)) as reports:
        issue = replace(bad_date(2, "Name", "13/13/1990"), suggestion="1990-12-13")
        reports.add(Chunk("", arrow.frame(cells, np.array([2]))), [issue])
        reports.settle(Outcome("", (2,), Status.INVALID))
        reports.close(FACTS)
    for name in ("report.html", "results.csv"):
        text = (tmp_path / name).read_text("utf-8")
        assert "10/00/0000" in text
        assert "1990" not in text.replace("1990-05-07", "")


def test_the_readings_of_a_masked_date_are_masked_too(tmp_path: Path) -> None:
    origin = ReportSource(Path("in.csv"), "in.csv", "csv", HEADER)
    cells = {name: arrow.array(["x"]) for name in HEADER}
    with ReportWriter(ReportPlan(tmp_path, "run-1", origin, mask=True)) as reports:
        issue = Issue("ambiguous-date", Severity.ERROR, 2, column="Name", found="05/06/1987")
        issue = replace(issue, expected="1987-06-05 / 1987-05-06")
        reports.add(Chunk("", arrow.frame(cells, np.array([2]))), [issue])
        reports.settle(Outcome("", (2,), Status.INVALID))
        reports.close(FACTS)
    for name in ("report.html", "results.csv", "rejects.csv"):
        text = (tmp_path / name).read_text("utf-8")
        assert "1000-00-05 / 1000-00-06" in text
        assert "1987" not in text


def test_settings_are_words_of_the_language(tmp_path: Path) -> None:
    settings = (("mode", "update"), ("duplicates", "send"), ("strict", False), ("sheet", "summary"))
    origin = ReportSource(Path("in.csv"), "in.csv", "csv", HEADER)
    with ReportWriter(ReportPlan(tmp_path, "run-1", origin, "zh")) as reports:
        reports.close(replace(FACTS, settings=settings))
    page = (tmp_path / "report.html").read_text("utf-8")
    for value in ("更新", "发送", "否", "summary"):
        assert f"<dd>{value}</dd>" in page


def test_every_setting_that_is_shown_has_a_label() -> None:
    shown = [f"setting-{one.name.replace('_', '-')}" for one in declared_options().values() if one.report]
    assert not set(shown) - catalogue().keys()


@pytest.mark.extras
@pytest.mark.parametrize("theme", [0, 1])
def test_a_browser_shows_it_without_a_word_on_its_console(tmp_path: Path, theme: int) -> None:
    a_page(tmp_path, [bad_date(2)])
    command = [
        program("chromium", "chromium-browser", "google-chrome"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
    ]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=420,900", "--enable-logging=stderr"]
    command += [f"--blink-settings=preferredColorScheme={theme}", f"--screenshot={tmp_path / 'page.png'}"]
    page = (tmp_path / "report.html").as_uri()
    done = subprocess.run([*command, page], check=True, capture_output=True, text=True, timeout=60)
    assert "CONSOLE" not in done.stderr
    assert (tmp_path / "page.png").stat().st_size > 10_000


@given(st.dictionaries(st.sampled_from(list(Status)), st.integers(0, 10**7)))
def test_the_ring_is_closed_and_shows_every_status(counts: dict[Status, int]) -> None:
    arcs = html.status_arcs(counts)
    assert {arc.status for arc in arcs} == {status for status, rows in counts.items() if rows}
    assert not arcs or sum(arc.length for arc in arcs) == pytest.approx(100, abs=0.02)
    assert all(arc.length > 0.8 for arc in arcs)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(0, 100), st.booleans()), max_size=300))
def test_a_timeline_keeps_its_sums_in_bounded_steps(answers: list[tuple[float, int, bool]]) -> None:
    timeline = Timeline()
    for at, rows, again in answers:
        timeline.request(at, 0.5, again=again)
        timeline.settled(at, rows)
    steps = timeline.steps()
    assert len(steps) <= MAX_STEPS
    assert sum(step.rows for step in steps) == sum(rows for _, rows, _ in answers)
    assert sum(step.requests for step in steps) == len(answers)
    assert sum(step.retries for step in steps) == sum(again for _, _, again in answers)
    html.sending_plots(steps)


@given(st.floats(1e-6, 1e9))
def test_a_scale_ends_at_a_round_number_not_far_above(value: float) -> None:
    assert value * 0.998 <= html.ceiling(value) <= value * 2.6
