"""Every word in both languages, and sentences that say what, where and what to do."""

from __future__ import annotations

import dataclasses
import re
import string
from pathlib import Path

import pytest

import importer
from importer import messages
from importer.models import Issue, Severity, Status
from importer.reports import OWN_COLUMNS, ReportPlan, ReportSource
from importer.reports.files import REPORT_FILES
from importer.reports.likely_corrections import likely_correction
from importer.reports.wording import issue_text, masked, row_sentence, shortened

PACKAGE = Path(importer.__file__).parent
ISSUE_CODES = {code for code, entry in messages.catalogue().items() if entry.severity}
DOCUMENTED_CODES = {
    *("required", "too-long", "bad-date", "ambiguous-date", "bad-gender", "bad-json", "lossy-number"),
    *("cell-error", "formula-without-value", "extra-cells", "bad-encoding", "unclosed-quote"),
    *("control-character", "missing-cells", "same-contact", "no-contact", "bad-email", "bad-phone"),
    *("hidden-rows", "unknown-time-zone"),
}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", messages.catalogue())
def test_no_message_lacks_a_language_or_a_place_in_one(code: str) -> None:
    entry = messages.catalogue()[code]
    english, chinese = (entry.message[lang] for lang in ("en", "zh"))
    assert english.strip()
    assert chinese.strip()
    assert bool(entry.hint["en"]) == bool(entry.hint["zh"])
    assert places(english) == places(chinese)


def test_every_issue_has_a_sentence_a_hint_and_a_heading() -> None:
    assert DOCUMENTED_CODES <= ISSUE_CODES
    for code in ISSUE_CODES:
        assert messages.catalogue()[code].hint["en"]
        assert f"kind-{code}" in messages.catalogue()


def test_every_status_file_and_own_column_is_explained() -> None:
    wanted = {f"status-{status.value.replace('_', '-')}" for status in Status}
    wanted |= {f"means-{status.value.replace('_', '-')}" for status in Status}
    wanted |= {f"file-{name.replace('.', '-')}" for name in REPORT_FILES}
    wanted |= {f"column{name.replace('_', '-')}" for name in OWN_COLUMNS}
    assert wanted <= set(messages.catalogue())


def test_every_word_that_the_code_asks_for_is_there() -> None:
    sources = [*PACKAGE.glob("reports/*"), *PACKAGE.glob("cli/summary.py"), *PACKAGE.glob("cli/progress.py")]
    texts = [path.read_text("utf-8") for path in sources if path.suffix in (".py", ".j2")]
    asked = {code for text in texts for code in re.findall(r"""\bword\(['"]([a-z-]+)['"][,)]""", text)}
    assert len(asked) > 50
    assert asked <= set(messages.catalogue())


@pytest.mark.parametrize("code", sorted(DOCUMENTED_CODES))
@pytest.mark.parametrize("lang", messages.LANGUAGES)
def test_a_sentence_has_no_place_left_open(code: str, lang: str) -> None:
    issue = Issue(code, Severity.ERROR, 7, "S", "Col", "field", "found", 3, 4, "expected", None, 2)
    words = issue_text(issue, lang=lang)
    for text in (words.message, words.hint):
        assert "None" not in text
        assert not re.search(r"<[a-z_]+>|\{[a-z_]+\}", text)


def test_all_errors_of_a_row_are_one_text_with_their_columns() -> None:
    plan = ReportPlan(Path(), "run-1", ReportSource(Path("in.csv"), "in.csv", "csv", ("Birthday", "Name")))
    issues = [
        Issue("bad-date", Severity.ERROR, 42, column="Birthday", found="31/02/1990"),
        Issue("required", Severity.ERROR, 42, column="Name"),
    ]
    assert row_sentence(issues, plan, {"Name": "first_name"}) == (
        "Birthday: “31/02/1990” does not exist: its month has fewer days. Find the right date and write it "
        "like the others in this column, or clear the cell. | "
        "Name: first_name is required, but is empty in this row. Fill in the column Name."
    )


def test_cells_are_quoted_short_visible_and_masked() -> None:
    assert shortened("a" * 100) == "a" * 59 + "…"
    assert shortened("a\nb\x00\u202e") == "a b\\u0000\\u202e"
    assert masked("Zoë 12-34") == "Zxx 00-04"
    assert masked("Li") == "xx"


@pytest.mark.parametrize(
    ("code", "found", "wanted"),
    [
        ("bad-email", "anna@gmial.com", "anna@gmail.com"),
        ("bad-email", "bob@example,com", "bob@example.com"),
        ("bad-email", "a＠b.com", "a@b.com"),
        ("bad-email", "x@@y.com", ""),
        ("bad-email", "nobody", ""),
        ("bad-gender", "femal", "female"),
        ("bad-gender", "2", ""),
        ("bad-date", "1990-13-05", "1990-05-13"),
        ("bad-date", "31/02/1990", ""),
        ("bad-date", "0000-00-00", ""),
        ("bad-date", "25/12/1988", "1988-12-25"),
        ("bad-json", "{'a': 'b'}", '{"a": "b"}'),
        ("bad-json", "a", ""),
        ("unknown-time-zone", "+8", "GMT+8"),
        ("unknown-time-zone", "utc−3", "GMT-3"),
        ("unknown-time-zone", "Mars", ""),
        ("too-long", "abc", ""),
    ],
)
def test_a_correction_is_offered_where_one_is_likely(code: str, found: str, wanted: str) -> None:
    assert likely_correction(code, found) == wanted


@pytest.mark.parametrize(
    ("code", "found", "country", "wanted"),
    [
        ("doubtful-phone", "+52 1 33 1027 5822", "", "+523310275822"),
        ("doubtful-phone", "0052 1 33 1027 5822", "", "+523310275822"),
        ("doubtful-phone", "5213310275822", "", "+523310275822"),
        ("doubtful-phone", "+52 044 33 1455 8899", "", "+523314558899"),
        ("no-country-code", "044 33 1455 8899", "MX", "+523314558899"),
        ("no-country-code", "045 33 1455 8899", "MX", "+523314558899"),
        ("no-country-code", "01 33 1455 8899", "MX", "+523314558899"),
        ("doubtful-phone", "+54 11 15 1234 5678", "", "+5491112345678"),
        ("no-country-code", "33 1234 567", "MX", ""),
        ("no-country-code", "044 33 1455 8899", "", ""),
        ("doubtful-phone", "+55 11 1234 5678", "", ""),
        ("doubtful-phone", "see below", "MX", ""),
    ],
)
def test_a_phone_loses_what_is_dialled_at_home_only(code: str, found: str, country: str, wanted: str) -> None:
    assert likely_correction(code, found, country) == wanted


@pytest.mark.parametrize(
    ("field", "channel"),
    [("zalo", "Zalo"), ("instagram", "Instagram"), ("messenger", "Messenger"), ("line", "LINE")],
)
@pytest.mark.parametrize("code", ["bad-phone", "not-digits"])
def test_an_error_about_a_channel_speaks_of_that_channel(field: str, channel: str, code: str) -> None:
    issue = Issue(code, Severity.ERROR, 2, "", "Account", field, found="abcd")
    for lang in messages.LANGUAGES:
        text = issue_text(issue, lang=lang)
        assert channel in text.message
        assert "phone" not in text.sentence(lang)
        assert "电话" not in text.sentence(lang)
    other = dataclasses.replace(issue, field="sms_phone")
    assert channel not in issue_text(other, lang="en").message


@pytest.mark.parametrize(
    ("cell", "none"),
    [
        *((cell, True) for cell in ("31/02/1990", "02/30/1990", "1990-02-31", "1990年6月31日", "29.02.1991")),
        *(
            (cell, False)
            for cell in ("29.02.1992", "32/01/1990", "31/13/1990", "1990-5-7", "soon", "31/02/90")
        ),
    ],
)
def test_a_day_that_its_month_does_not_have_is_called_one(cell: str, none: bool) -> None:
    said = issue_text(Issue("bad-date", Severity.ERROR, 7, column="Birthday", found=cell), lang="en").message
    assert ("does not exist" in said) is none
