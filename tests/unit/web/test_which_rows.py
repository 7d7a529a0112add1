"""Which rows of a file are sent: only changed ones, not those of lists, and not those that were left out."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from importer.sandbox import Sandbox
from tests.support.web import WebPage, run_of, text_of

HEAD = "first_name,last_name,sms_phone,email\n"
PEOPLE = ("Ann,Lee,+8613800138000,ann@lee.net", "Bo,Li,,bo@li.net", "Cy,Ko,,")
ONLY_CHANGED = "Send only what is new or has changed"


def scope(page: WebPage, work: str, do: str) -> str:
    page.post(f"{work}/scope", {"do": do})
    page.wait(work)
    return text_of(page.get(f"{work}/check"))


def test_only_new_and_changed_rows_of_a_file_with_one_more_are_sent(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    first = page.begin(tmp_path, HEAD, *PEOPLE)
    assert ONLY_CHANGED not in text_of(page.get(f"{first}/import")), "nothing was sent there before"
    page.send(first)
    work = page.begin(tmp_path, HEAD, *PEOPLE, "Di,Yu,,di@yu.net", name="next.csv")
    assert ONLY_CHANGED in text_of(page.get(f"{work}/import"))
    assert "1 valid" in scope(page, work, "changed")
    said = text_of(page.get(f"{work}/import"))
    assert "3 rows are the same as when last sent" in said
    assert "No phone, no e-mail" not in said, "that row stays behind"
    page.send(work)
    assert len(box.customers()) == 4


def test_the_same_file_again_tells_of_customers_that_would_be_added_twice(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    page.send(page.begin(tmp_path, HEAD, *PEOPLE))
    work = page.begin(tmp_path, HEAD, *PEOPLE)
    said = text_of(page.get(f"{work}/import"))
    assert "without phone and e-mail: 1 row" in said
    assert "adds them a second time" in said
    assert "Row 4 Cy Ko" in said
    found = page.site.works.get(work.removeprefix("/w/")).check
    assert found is not None
    at = [kind.code for kind in found.kinds].index("no-contact")
    page.post(f"{work}/all", {"kind": str(at), "do": "leave"})
    assert "Left out by hand: 1 row" in text_of(page.get(f"{work}/correct"))
    page.check(work)
    assert "adds them a second time" not in text_of(page.get(f"{work}/import"))
    page.send(work, again="yes")
    assert len(box.customers()) == 3


def test_a_list_that_has_grown_tells_whom_it_would_add_twice_and_leaves_them_out_with_one_click(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    page.send(page.begin(tmp_path, HEAD, *PEOPLE), mode="keep")
    work = page.begin(
        tmp_path, HEAD, "Di,Yu,,di@yu.net", "Cy,Ko,,", "Cy,Other,,", *PEOPLE[:2], name="next.csv"
    )
    for step in ("check", "import"):
        said = text_of(page.get(f"{work}/{step}"))
        assert "without phone and e-mail: 1 row. The CRM cannot recognise" in said
        assert "Row 3 Cy Ko Leave out 1 row" in said
    page.post(f"{work}/told/bare-before")
    page.wait(work)
    assert "adds them a second time" not in text_of(page.get(f"{work}/check"))
    page.send(work)
    names = [(one.fields["first_name"], one.fields["last_name"]) for one in box.customers()]
    assert sorted(names) == [("Ann", "Lee"), ("Bo", "Li"), ("Cy", "Ko"), ("Cy", "Other"), ("Di", "Yu")]


def test_people_left_without_a_contact_by_a_correction_are_not_added_twice_unseen(
    page: WebPage, tmp_path: Path
) -> None:
    first = page.begin(tmp_path, HEAD, "Ann,Lee,+8613800138000,", "Bo,Lee,+8613800138000,")
    page.correct(first, 3, "sms_phone", "")
    page.check(first)
    page.send(first)
    work = page.begin(
        tmp_path, HEAD, "Di,Yu,,di@yu.net", "Ann,Lee,+8613800138000,", "Bo,Lee,,", name="next.csv"
    )
    assert "without phone and e-mail: 1 row" in text_of(page.get(f"{work}/check"))


@pytest.mark.parametrize("do", ["all", "changed"])
def test_a_country_that_is_chosen_after_the_first_import_tells_whose_phone_was_sent_without_it(
    page: WebPage, box: Sandbox, tmp_path: Path, do: str
) -> None:
    people = ("Yves,Jaouen,02 98 29 00 59,", "Anne,Prigent,02 98 29 00 60,anne@prigent.net")
    page.send(page.begin(tmp_path, HEAD, *people))
    work = page.begin(tmp_path, HEAD, *people, "Di,Yu,02 98 29 00 61,", name="next.csv")
    page.change(work, "match", do="region", column="sms_phone", target="f:sms_phone", value="FR")
    page.check(work)
    scope(page, work, do)
    said = text_of(page.get(f"{work}/import"))
    assert "known there by nothing else: 1 row" in said
    assert "Row 2 Yves Jaouen" in said
    page.post(f"{work}/told/national-before")
    page.wait(work)
    page.send(work)
    assert len(box.customers()) == 3


def test_every_count_leads_to_its_rows_and_their_names(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, *PEOPLE, ",Nobody,,no@body.net")
    page.post(f"{work}/lists?name=gone.csv", b"email\nbo@li.net\n")
    page.wait(work)
    check = page.get(f"{work}/check")
    links = re.findall(r'href="(/runs/[^"]+/rows\?[^"]+)"', check.text.replace("&amp;", "&"))
    pages = {link: text_of(page.get(link)) for link in links}
    by_status = {
        link.split("status=")[1]: said
        for link, said in pages.items()
        if link.split("&")[-1].startswith("status=")
    }
    assert "valid: 2 rows" in by_status["valid"].lower()
    assert "Ann" in by_status["valid"]
    assert "Bo" not in by_status["valid"]
    assert "Nobody" in by_status["invalid"]
    (single,) = (said for link, said in pages.items() if "row=3" in link)
    assert "gone.csv" in single
    assert "bo@li.net" in single
    result = page.send(work)
    sent = page.get(f"/runs/{run_of(result)}/rows?status=imported")
    assert "Ann" in text_of(sent)
    assert "Bo" not in text_of(sent)


def test_rows_that_are_many_come_by_the_page(page: WebPage, tmp_path: Path) -> None:
    lines = (f"Ann{n},=Lee,+86138001{n:05},ann{n}@lee.net" for n in range(120))
    work = page.begin(tmp_path, HEAD, *lines)
    check = page.site.works.get(work.removeprefix("/w/")).check
    assert check is not None
    said = text_of(page.get(f"/runs/{check.run}/rows?status=valid&page=3"))
    assert "Page 3 of 3, 120 rows" in said
    assert "Ann119" in said
    assert "Ann99 " not in said
    assert "'=Lee" not in said
    folder = page.site.works.folder(work.removeprefix("/w/")) / "check"
    (folder / "results.csv").unlink()
    assert "no longer on this computer" in page.get(f"/runs/{check.run}/rows?status=valid").text


def test_all_rows_are_sent_again_if_a_person_says_so(page: WebPage, tmp_path: Path) -> None:
    page.send(page.begin(tmp_path, HEAD, *PEOPLE))
    work = page.begin(tmp_path, HEAD, *PEOPLE)
    said = scope(page, work, "changed")
    assert "3 skipped" in said
    assert "Nothing is new or has changed since the last import" in said
    assert "Done: nothing new" in text_of(page.get(f"{work}/import"))
    assert "3 valid" in scope(page, work, "all")
    assert "web-imported-before" in page.send(work).text


def test_another_mode_is_counted_anew_before_anything_is_sent(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    page.send(page.begin(tmp_path, HEAD, *PEOPLE))
    work = page.begin(tmp_path, HEAD, *PEOPLE, "Di,Yu,,di@yu.net", name="next.csv")
    scope(page, work, "changed")
    page.change(work, "import", mode="keep")
    page.wait(work)
    assert len(box.customers()) == 3
    assert "4 valid" in text_of(page.get(f"{work}/check"))
    page.send(work, mode="keep")
    assert len(box.customers()) >= 4


def test_people_on_a_list_are_not_sent(page: WebPage, box: Sandbox, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, *PEOPLE)
    answer = page.post(f"{work}/lists?name=unsubscribed.csv", b"email\nBo@Li.net\n")
    assert answer.status_code == 201, answer.text
    page.wait(work)
    checked = text_of(page.get(f"{work}/check"))
    assert "2 valid" in checked
    assert "Compared with the people who must not be sent: unsubscribed.csv" in checked
    said = text_of(page.get(f"{work}/import"))
    assert "unsubscribed.csv" in said
    assert "Left out by these lists: 1 row" in said
    page.send(work)
    assert {one.fields["first_name"] for one in box.customers()} == {"Ann", "Cy"}


def test_a_list_can_be_taken_away_again(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, *PEOPLE)
    page.post(f"{work}/lists?name=unsubscribed.csv", b"email\nbo@li.net\n")
    page.wait(work)
    page.post(f"{work}/lists/remove", {"name": "unsubscribed.csv"})
    page.wait(work)
    assert "3 valid" in text_of(page.get(f"{work}/check"))


def test_a_list_that_cannot_be_read_is_told_and_not_kept(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, *PEOPLE)
    answer = page.post(f"{work}/lists?name=../../list.csv", b"word\nnothing\n")
    assert answer.status_code == 400
    assert "list.csv" in answer.json()["message"]
    assert page.site.works.get(work.removeprefix("/w/")).suppress == ()
    assert "3 valid" in text_of(page.get(f"{work}/check"))


def test_a_line_of_totals_that_is_left_out_leaves_nothing_to_be_done(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, PEOPLE[0], "Group,,,", PEOPLE[1])
    run = run_of(page.send(work))
    assert "Not done yet: 1 of 3 rows" in text_of(page.get(f"/runs/{run}"))
    assert "imported · 1 row left" in text_of(page.get("/"))
    page.correct_rest(run)
    page.post(f"{work}/row", {"place": "0", "row": "3", "do": "leave"})
    assert "Nothing is left to do" in text_of(page.get(f"/runs/{run}"))
    assert "Correct the rest" not in text_of(page.get(f"/runs/{run}"))
    assert "all done since" in text_of(page.get("/runs"))
    assert "1 row left" not in text_of(page.get("/"))


def test_a_line_of_totals_does_not_stay_behind(page: WebPage, tmp_path: Path) -> None:
    work = page.begin(tmp_path, HEAD, *PEOPLE, ",Nobody,,", "Total: 4,,,")
    said = text_of(page.get(f"{work}/import"))
    assert "3 rows (1 row is not sent) (1 row holds no customer)" in said


def test_a_file_that_is_chosen_twice_is_listed_once(page: WebPage, tmp_path: Path) -> None:
    page.begin(tmp_path, HEAD, *PEOPLE)
    page.begin(tmp_path, HEAD, *PEOPLE)
    page.begin(tmp_path, HEAD, *PEOPLE[:2])
    said = text_of(page.get("/"))
    assert said.count("The same file, chosen 1 time before") == 1


def test_a_list_holds_for_the_next_file_until_it_is_removed(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    first = page.begin(tmp_path, HEAD, *PEOPLE)
    page.post(f"{first}/lists?name=gone.csv", b"email\nbo@li.net\n")
    page.wait(first)
    second = page.begin(tmp_path, HEAD, *PEOPLE, "Di,Yu,,di@yu.net", name="next.csv")
    said = text_of(page.get(f"{second}/import"))
    assert "gone.csv" in said
    assert "Left out by these lists: 1 row" in said
    page.send(second)
    assert "bo@li.net" not in {one.fields.get("email") for one in box.customers()}
    page.post(f"{second}/lists/remove", {"name": "gone.csv"})
    page.wait(second)
    third = page.begin(tmp_path, HEAD, *PEOPLE, "Ed,Yu,,ed@yu.net", name="third.csv")
    assert "gone.csv" not in text_of(page.get(f"{third}/import"))


def test_a_list_stays_whatever_becomes_of_older_files(page: WebPage, box: Sandbox, tmp_path: Path) -> None:
    older = page.begin(tmp_path, HEAD, *PEOPLE, name="older.csv")
    listed = page.begin(tmp_path, HEAD, *PEOPLE, name="listed.csv")
    page.post(f"{listed}/lists?name=gone.csv", b"email\nbo@li.net\n")
    page.wait(listed)
    assert "Compared with" not in text_of(page.get(f"{older}/check")), "it was checked before"
    answer = page.change(older, "match", do="assign", column="last_name", target="f:gender")
    assert answer.ok, answer.text
    page.change(listed, "delete")
    later = page.begin(tmp_path, HEAD, *PEOPLE, name="later.csv")
    assert "Left out by these lists: 1 row" in text_of(page.get(f"{later}/import"))
    page.send(later)
    assert "bo@li.net" not in {one.fields.get("email") for one in box.customers()}


def test_lists_that_lie_with_a_file_alone_hold_for_the_next_one(page: WebPage, tmp_path: Path) -> None:
    first = page.begin(tmp_path, HEAD, *PEOPLE)
    page.post(f"{first}/lists?name=gone.csv", b"email\nbo@li.net\n")
    page.wait(first)
    shutil.rmtree(page.site.works.root / "lists")
    second = page.begin(tmp_path, HEAD, *PEOPLE[:2], name="next.csv")
    assert "Left out by these lists: 1 row" in text_of(page.get(f"{second}/import"))


def test_an_older_file_is_not_sent_before_it_is_compared_with_a_new_list(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    older = page.begin(tmp_path, HEAD, *PEOPLE, name="older.csv")
    newer = page.begin(tmp_path, HEAD, *PEOPLE[:2], name="newer.csv")
    for content in (b"email\nann@lee.net\n", b"email\nann@lee.net\nbo@li.net\n"):
        page.post(f"{newer}/lists?name=gone.csv", content)
        page.wait(newer)
        page.change(older, "import", do="import")
        assert box.customers() == []
        page.check(older)
    said = text_of(page.get(f"{older}/import"))
    assert "Left out by these lists: 2 rows" in said


def test_people_on_a_list_who_were_sent_before_are_named_since_the_crm_keeps_them(
    page: WebPage, tmp_path: Path
) -> None:
    page.send(page.begin(tmp_path, HEAD, *PEOPLE[:2]))
    listed = b"phone,email\n0086 138 0013 8000,\n,cy@ko.net\n,bo@li.net\n"
    work = page.begin(tmp_path, HEAD, *PEOPLE[:2], "Cy,Ko,,cy@ko.net", "Di,Yu,,di@yu.net", name="next.csv")
    assert page.post(f"{work}/lists?name=no.csv", listed).status_code == 201
    page.wait(work)
    for step in ("check", "import"):
        shown = text_of(page.get(f"{work}/{step}"))
        assert "2 rows of people on a list were sent to this CRM before" in shown
        assert "Row 2 Ann Lee Row 3 Bo Li" in shown, "Cy is on the list, too, but was never sent"
    page.post(f"{work}/lists/remove", {"name": "no.csv"})
    page.wait(work)
    assert "of people on a list were sent" not in text_of(page.get(f"{work}/check"))
