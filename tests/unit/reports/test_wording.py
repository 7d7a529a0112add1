"""Numbers are written as the language does."""

from __future__ import annotations

import pytest

from importer.models import Issue, Severity
from importer.reports import wording
from importer.web.mapping_table import countries


@pytest.mark.parametrize(
    ("lang", "number", "small", "size", "span"),
    [
        ("en", "12,345", "0.25", "1.5 MB", "2.5 s"),
        ("zh", "12,345", "0.25", "1.5 MB", "2.5 秒"),
        ("es", "12,345", "0.25", "1.5 MB", "2.5 s"),
        ("pt", "12.345", "0,25", "1,5 MB", "2,5 s"),
        ("id", "12.345", "0,25", "1,5 MB", "2,5 s"),
    ],
)
def test_a_number_has_the_marks_of_the_language(
    lang: str, number: str, small: str, size: str, span: str
) -> None:
    assert wording.number(12_345, lang) == number
    assert wording.number(0.25, lang) == small
    assert wording.size(1_500_000, lang) == size
    assert wording.span(2.5, lang) == span
    assert number in wording.rows(12_345, lang)


@pytest.mark.parametrize(
    ("lang", "one", "several"),
    [("en", "5, 6 (A)", "A!5, B!6"), ("zh", "第 5、6 行（A）", "A第 5 行、B第 6 行")],
)
def test_places_name_the_sheet_once_or_at_each_row(lang: str, one: str, several: str) -> None:
    assert wording.places([("A", 5), ("A", 6)], lang) == one
    assert wording.places([("A", 5), ("B", 6)], lang) == several


@pytest.mark.parametrize(
    ("lang", "germany", "first"),
    [("es", "Alemania", "Afganistán"), ("pt", "Alemanha", "Afeganistão"), ("id", "Jerman", "Afghanistan")],
)
def test_countries_have_the_names_of_the_language(lang: str, germany: str, first: str) -> None:
    names = {one.code: one.name for one in countries(lang)}
    assert names["DE"] == germany
    assert next(iter(names.values())) == first
    assert not [code for code, name in names.items() if name == code or name.startswith("*")]
    assert set(names) == {one.code for one in countries("en")}


def test_an_accent_does_not_change_the_place_in_a_list() -> None:
    names = [one.name for one in countries("pt")]
    assert names.index("Argélia") < names.index("Argentina") < names.index("Armênia") < names.index("Áustria")


@pytest.mark.parametrize(("lang", "wanted"), [("en", "98.4 %"), ("pt", "98,4 %"), ("id", "98,4 %")])
def test_a_share_has_the_mark_of_the_language(lang: str, wanted: str) -> None:
    assert wording.share(98.4, lang) == wanted
    assert (wording.share(0, lang), wording.share(100, lang)) == ("0 %", "100 %")
    assert wording.share(99.999, lang) == {"en": "99.99 %"}.get(lang, "99,99 %")


@pytest.mark.parametrize(
    ("cell", "incomplete"),
    [
        ("2016年5月", True),
        ("2011年", True),
        ("2016-05", True),
        ("2016", True),
        ("2016年13月", False),
        ("属兔", False),
    ],
)
def test_a_date_without_its_day_asks_for_it_and_for_none_that_is_made_up(cell: str, incomplete: bool) -> None:
    issue = Issue("bad-date", Severity.ERROR, 2, column="Birthday", found=cell)
    text = wording.issue_text(issue, lang="en")
    assert ("do not make up" in text.hint) == incomplete
