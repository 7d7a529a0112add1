"""What the page offers for a whole kind of problem, and what becomes of the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from importer.web.mapping_table import countries
from tests.support.web import WebPage, text_of

HEAD = "first_name,last_name,sms_phone,email,birthday,gender\n"


def choose(page: WebPage, work: str, code: str, do: str, **form: str) -> str:
    """Take a remedy for a kind of problem. Returns the words of the check that follows."""
    check = page.site.works.get(work.removeprefix("/w/")).check
    assert check is not None
    place = next(at for at, kind in enumerate(check.kinds) if kind.code == code)
    answer = page.post(f"{work}/remedy", {"kind": str(place), "do": do, **form})
    assert answer.status_code == 200, text_of(answer)
    page.wait(work)
    return text_of(page.get(f"{work}/check"))


def kind(page: WebPage, work: str, code: str, column: str) -> str:
    return text_of(page.get(f"{work}/correct?show=all&code={code}&column={column}"))


def test_the_country_of_a_column_is_chosen_beside_its_rows(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,0170 1234567,,,", "Bo,Li,0170 1234568,,,")
    shown = kind(page, work, "no-country-code", "sms_phone")
    assert "Germany (+49)" in shown
    assert "--country" not in shown
    assert "No row has a problem" in choose(page, work, "no-country-code", "region", value="DE")
    page.send(work)
    phones = [customer.fields["sms_phone"] for customer in box.customers()]
    assert phones == ["491701234567", "491701234568"]


def test_the_likely_country_of_phones_is_one_click_away_and_never_taken_by_itself(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    lines = ("Ann,Lee,0812-1111-2222,,,", "Bo,Li,+62 813 3333 4444,,,", "Cy,Ko,081299990000,,,")
    work = page.begin(tmp_path, HEAD, *lines)
    told = "numbers with +62 in the first rows: 1; valid there: 2 of 2"
    for shown in (kind(page, work, "no-country-code", "sms_phone"), text_of(page.get(f"{work}/match"))):
        assert "Indonesia (+62)" in shown
        assert told in shown
    assert "2 of the first phones have no country code" in text_of(page.get(f"{work}/match"))
    assert "2 rows" in text_of(page.get(f"{work}/check")), "nothing is taken by itself"
    page.change(work, "match", do="region", column="sms_phone", target="f:sms_phone", value="ID")
    assert "valid there" not in text_of(page.get(f"{work}/match"))
    page.check(work)
    page.send(work)
    phones = sorted(str(customer.fields["sms_phone"]) for customer in box.customers())
    assert phones == ["6281211112222", "6281299990000", "6281333334444"]


def test_an_earlier_file_of_which_no_column_was_recognised_says_nothing_of_countries(
    page: WebPage, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("zzz,qqq\nx,y\n", "utf-8")
    page.change(page.upload(other), "see", do="continue")
    lines = ("Ann,Lee,0812-1111-2222,,,", "Bo,Li,+62 813 3333 4444,,,")
    work = page.begin(tmp_path, HEAD, *lines)
    assert "Indonesia (+62)" in kind(page, work, "no-country-code", "sms_phone")
    assert "valid there: 1 of 1" in text_of(page.get(f"{work}/match"))


def test_short_years_are_offered_as_a_form_and_as_a_correction(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,,16.10.64,", "Bo,Li,,,01.02.1970,", "Cy,Ko,,,17.11.71,")
    shown = kind(page, work, "bad-date", "birthday")
    assert "16.10.64 becomes 1964-10-16" in shown
    assert "Apply all 2 likely corrections" in shown
    assert "any_day" not in shown
    assert "No row has a problem" not in choose(page, work, "bad-date", "formats", value="order:day-first")
    assert "3 valid" in text_of(page.get(f"{work}/check"))


def test_dates_of_an_unlikely_year_are_sent_on_request(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net,2031-03-03,")
    assert "1 valid" in choose(page, work, "implausible-date", "any-day")


def test_words_get_a_meaning_for_the_whole_column(page: WebPage, box: Sandbox, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net,,x1", "Bo,Li,,c@d.net,,x2", "Cy,Ko,,e@f.net,,x1")
    form = {"cell:0": "x1", "value:0": "female", "cell:1": "x2", "value:1": "male"}
    assert "3 valid" in choose(page, work, "bad-gender", "values", **form)
    page.send(work)
    assert [customer.fields["gender"] for customer in box.customers()] == [0, 1, 0]


def test_two_rows_with_one_contact_name_each_other_and_one_may_stay(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net,,", "Bo,Li,,c@d.net,,", "Ana,Lee,,A@b.net,,")
    shown = kind(page, work, "same-contact", "")
    assert "“A@b.net” is also in row 2" in shown
    assert "Row 2 (Ann Lee) and row 4 (Ana Lee) share “A@b.net”, and their names differ" in shown
    assert "“A@b.net” is also in row 4" in shown
    check = choose(page, work, "same-contact", "one-row")
    assert "only the first is sent, as you chose" in check
    page.post(f"{work}/every-row")
    page.wait(work)
    result = page.send(work)
    assert "the CRM has the one of the later row" in text_of(result)
    assert len(box.customers()) == 2


def test_a_value_that_nobody_needs_is_left_out_alone_or_with_all_of_its_kind(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(
        tmp_path, HEAD, "Ann,Lee,,a@b.net,31.02.1990,", "Bo,Li,,c@d.net,32.01.1990,", ",Ko,,e@f.net,,"
    )
    grid = page.get(f"{work}/correct").text
    assert grid.count('name="take" value=""') == 2, "the missing first name cannot be left out"
    place = "0"
    page.post(f"{work}/all", {"kind": place, "do": "clear", "back": f"{work}/correct"})
    assert "1 row still to be corrected" in text_of(page.get(f"{work}/correct"))
    page.check(work)
    page.send(work)
    assert all("birthday" not in customer.fields for customer in box.customers())


@pytest.mark.parametrize("do", ["region", "formats", "values", "nonsense"])
def test_a_remedy_that_does_not_belong_to_the_kind_is_refused(page: WebPage, tmp_path: Path, do: str) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net,2031-03-03,")
    assert page.post(f"{work}/remedy", {"kind": "0", "do": do, "value": "DE"}).status_code == 404
    assert page.post(f"{work}/remedy", {"kind": "99", "do": "any-day"}).status_code == 409


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_country_has_a_name(lang: str) -> None:
    assert [one.code for one in countries(lang) if one.name == one.code] == []


def test_phones_as_mexico_wrote_them_once_get_a_proposal_and_no_dead_end(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    lines = ("+52 1 33 1027 5822", "044 33 1455 8899", "33 1234 567", "33 1455 8800")
    work = page.begin(tmp_path, HEAD, *(f"Ann,Lee{at},{phone},,," for at, phone in enumerate(lines)))
    choose(page, work, "no-country-code", "region", value="MX")
    assert "+523310275822" in kind(page, work, "doubtful-phone", "sms_phone")
    shown = kind(page, work, "no-country-code", "sms_phone")
    assert "+523314558899" in shown
    assert "Numbers without a country code are from" not in shown
    assert "If a digit is missing" in shown
    assert "Choose the country of these phones" not in text_of(page.get(f"{work}/import"))
    for code in ("doubtful-phone", "no-country-code"):
        check = page.site.works.get(work.removeprefix("/w/")).check
        assert check is not None
        place = next(at for at, one in enumerate(check.kinds) if one.code == code)
        page.post(f"{work}/all", {"kind": str(place), "back": f"{work}/correct"})
    page.check(work)
    page.send(work)
    phones = [customer.fields["sms_phone"] for customer in box.customers()]
    assert phones == ["523310275822", "523314558899", "331234567", "523314558800"]


def test_a_row_that_is_no_customer_is_left_out_as_such_and_taken_in_again(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    work = page.begin(tmp_path, HEAD, "Ann,Lee,,a@b.net,,", ",Ko,,nobody,,")
    assert "Leave this row out" in text_of(page.get(f"{work}/correct"))
    row = {"place": "0", "row": "3", "back": f"{work}/correct?show=all"}
    shown = text_of(page.post(f"{work}/row", row))
    assert "Left out by hand: 1 row." in shown
    page.post(f"{work}/undo", {"back": f"{work}/correct"})
    assert "1 row still to be corrected" in text_of(page.get(f"{work}/correct"))
    page.post(f"{work}/row", row)
    page.post(f"{work}/row", row | {"do": "take"})
    page.post(f"{work}/undo", {"back": f"{work}/correct"})
    check = text_of(page.check(work))
    assert "1 skipped" in check
    assert "left out by hand Row 3" in check
    assert "left out" in text_of(page.get(f"{work}/correct?show=changed"))
    result = text_of(page.send(work))
    assert "1 imported" in result
    assert "1 skipped" in result
    assert len(box.customers()) == 1
    assert page.post(f"{work}/row", row | {"row": "9"}).status_code == 400


def test_a_day_that_does_not_exist_is_no_question_of_how_dates_are_written(
    page: WebPage, tmp_path: Path
) -> None:
    lines = ("31/02/1990", "29-02-2023", "07/05/1990", "17/05/1990", "05.1990")
    work = page.begin(tmp_path, HEAD, *(f"Ann,Lee{at},,a{at}@b.net,{day}," for at, day in enumerate(lines)))
    choose(page, work, "bad-date", "formats", value="order:day-first")
    shown = text_of(page.get(f"{work}/correct?show=all"))
    assert "“31/02/1990” does not exist: its month has fewer days" in shown
    assert "“29-02-2023” does not exist" in shown
    assert "“05.1990” does not exist" not in shown
