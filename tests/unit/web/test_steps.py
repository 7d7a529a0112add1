"""The way of a person, step by step over HTTP: what each page says, keeps and hands on."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from importer import RunOptions, Status, validate_file
from importer.config import Connection
from importer.errors import UsageError
from importer.journal import Journal
from importer.messages import LANGUAGE_NAMES, TRANSLATIONS, sentence
from importer.models import Mode
from importer.pipeline.session import Session
from importer.sandbox import Sandbox
from importer.sandbox.faults import Fault, FaultKind
from tests.support.commands import Command
from tests.support.web import WebPage, run_of, text_of, wait_for, web_page


def test_the_whole_way(page: WebPage, box: Sandbox, table: Path) -> None:
    work = page.upload(table)
    assert "Does this look like your table?" in page.get(f"{work}/see").text
    checked = text_of(page.checked(work))
    assert "3 rows were checked" in checked
    assert "Not a date · Birthday 2 rows" in checked
    for row, day in ((2, "1990-02-28"), (4, "1992-12-04")):
        page.correct(work, row, "Birthday", day)
    assert "No row is held back" in text_of(page.get(f"{work}/correct"))
    assert "3 valid" in text_of(page.check(work))
    result = page.send(work)
    assert "/runs/" in result.url
    assert "All done: 3 rows" in text_of(result)
    days = [customer.fields["birthday"] for customer in box.customers()]
    assert days == ["1990-02-28", "1991-01-02", "1992-12-04"]
    assert table.read_text("utf-8").count("1990-02-31") == 1


def test_what_is_doubtful_is_said_once_more_beside_the_button_that_sends_it(
    page: WebPage, tmp_path: Path
) -> None:
    path = tmp_path / "phones.csv"
    path.write_text("First Name,Last Name,Phone\nAnn,Ames,660 181\nBo,Berg,660 182\n", "utf-8")
    work = page.upload(path)
    page.checked(work)
    shown = text_of(page.get(f"{work}/import"))
    assert "Rows with something doubtful that are sent" in shown
    assert "No country code · Phone 2 rows" in shown
    assert "Choose the country of these phones" in shown


def test_the_page_and_the_command_line_do_the_same(
    page: WebPage, box: Sandbox, table: Path, importer: Command, work: Path, settings: object
) -> None:
    here = page.upload(table)
    page.checked(here)
    page.correct(here, 2, "Birthday", "1990-02-28")
    for name in ("mapping.toml", "corrections.jsonl"):
        (work / name).write_bytes(page.get(f"{here}/{name}").content)
    files = ("--mapping", "mapping.toml", "--corrections", "corrections.jsonl")
    assert importer("run", table, *files).code == 1
    assert [customer.fields["birthday"] for customer in box.customers()] == ["1990-02-28", "1991-01-02"]


def test_a_wrong_file_is_told_in_place(page: WebPage, tmp_path: Path) -> None:
    answer = page.post("/files?name=a.csv", b"")
    assert answer.status_code == 400
    assert answer.json()["code"] == "empty-file"
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(100))
    work = page.upload(path)
    seen = page.get(f"{work}/see")
    assert seen.status_code == 200
    assert "PDF" in text_of(seen)
    assert "Yes, match the columns" not in seen.text


def test_the_header_is_chosen_by_its_row(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "list of\nfirst_name,last_name,email\nVorname,Nachname,Mail\nAnn,Lee,a@lee.net\n", "utf-8"
    )
    work = page.upload(path)
    assert "Row 2 is the header" in text_of(page.get(f"{work}/see"))
    seen = page.change(work, "see", header_row="3")
    assert "Row 3 is the header" in text_of(seen)
    seen = page.change(work, "see", header_row="auto")
    assert "Row 2 is the header" in text_of(seen)


def test_another_encoding_heals_the_names(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        "first_name,last_name,address\n李,明,北京市朝阳区\n王,芳,上海市浦东新区\n".encode("gb18030")
    )
    work = page.upload(path)
    assert "�" not in page.get(f"{work}/see").text
    assert "李" not in page.change(work, "see", encoding="windows-1252").text
    assert "李" in page.change(work, "see", encoding="gb18030").text


def test_pasted_rows_are_a_file(page: WebPage) -> None:
    answer = page.post("/paste", {"rows": "first_name\tlast_name\temail\nAnn\tLee\tann@lee.net\n"})
    assert answer.url.endswith("/see")
    assert "ann@lee.net" in answer.text


def test_columns_are_led_elsewhere_and_the_mapping_is_a_file(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.change(work, "see", do="continue")
    page.get(f"{work}/match")
    page.change(work, "match", do="assign", column="Mobile", target="f:whats_app_phone")
    page.change(work, "match", do="assign", column="Birthday", target="")
    page.change(work, "match", do="constant", field="country", value="Germany")
    page.change(work, "match", do="region", column="Mobile", target="f:whats_app_phone", value="DE")
    mapping = tomllib.loads(page.get(f"{work}/mapping.toml").text)
    assert mapping["fields"]["whats_app_phone"] == {"from": ["Mobile"], "region": "DE"}
    assert mapping["fields"]["country"] == {"constant": "Germany"}
    assert mapping["fields"]["first_name"] == {"split": "Name"}
    assert not mapping["fields"].keys() & {"birthday", "sms_phone"}


def test_what_is_missing_stops_the_way_and_says_so(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.change(work, "see", do="continue")
    page.get(f"{work}/match")
    left = page.change(work, "match", do="assign", column="Name", target="")
    assert "2 required fields have no column yet" in text_of(left)
    assert page.post(f"{work}/check").url.endswith("/match#missing")
    page.change(work, "match", do="assign", column="Name", target="split")
    assert page.post(f"{work}/check").url.endswith("/check")
    page.wait(work)


def test_the_preview_shows_what_becomes_of_the_cells(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("first_name,last_name,When\nAnn,Lee,02/03/1990\nBo,Li,03/04/1991\n", "utf-8")
    work = page.upload(path)
    page.change(work, "see", do="continue")
    page.get(f"{work}/match")
    page.change(work, "match", do="assign", column="When", target="f:birthday")
    shown = page.change(work, "match", do="formats", column="When", target="f:birthday", value="dd/MM/yyyy")
    assert "1990-03-02" in shown.text
    shown = page.change(work, "match", do="formats", column="When", target="f:birthday", value="MM/dd/yyyy")
    assert "1990-02-03" in shown.text


def test_the_country_is_asked_for_at_the_top_and_once(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "adherents.csv"
    path.write_text(
        "Nom,Prénom,Tél. portable\nLe Gall,Denez,06 29 25 04 64\nJaouen,Yves,06 98 29 00 59\n", "utf-8"
    )
    work = page.upload(path)
    page.change(work, "see", do="continue")
    shown = page.get(f"{work}/match", **{"accept-language": "fr-FR"}).text
    assert shown.index("have no country code") < shown.index('<ul class="columns">')
    assert (
        shown.count('value="FR"><') == shown.count('value="FR">') - 1
        or shown.count("France (+33)</button>") == 1
    )
    page.change(work, "match", do="region", column="Tél. portable", target="f:sms_phone", value="FR")
    shown = text_of(page.get(f"{work}/match"))
    assert "have no country code" not in shown
    assert "33629250464" in shown


def test_the_preview_shows_the_number_of_a_landline_and_the_meaning_of_values(
    page: WebPage, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("first_name,last_name,sms_phone,gender\nAnn,Lee,+33298100003,F\nBo,Li,,x\n", "utf-8")
    work = page.upload(path)
    page.change(work, "see", do="continue")
    shown = text_of(page.get(f"{work}/match"))
    assert "33298100003" in shown.split("+33298100003")[1].split("gender")[0], "not the note alone"
    assert "female (recognised)" in shown
    assert "as it is" in shown, "of x nothing is known"


def test_a_browser_whose_language_is_not_spoken_is_told(page: WebPage) -> None:
    said = text_of(page.get("/", **{"accept-language": "fr-FR,fr;q=0.9,en;q=0.5"}))
    assert "does not speak your browser’s language (fr-FR) yet" in said
    assert "does not speak" not in text_of(page.get("/", **{"accept-language": "en-GB"}))


def test_a_report_is_checked_at_once_and_shown_without_the_importers_columns(
    page: WebPage, table: Path
) -> None:
    work = page.upload(table)
    page.checked(work)
    run = run_of(page.send(work))
    path = table.with_name("rejects.xlsx")
    path.write_bytes(page.get(f"/runs/{run}/files/rejects.xlsx").content)
    report = page.upload(path)
    shown = page.get(f"{report}/see").text
    assert "Ann Lee" in shown
    assert "_trace_id" not in shown
    assert page.change(report, "see", do="continue").url.endswith("/check")
    page.wait(report)
    assert "2 rows were checked" in text_of(page.get(f"{report}/check"))


def test_a_mapping_is_remembered_for_the_next_file_with_such_columns(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.change(work, "see", do="continue")
    page.get(f"{work}/match")
    page.change(work, "match", do="assign", column="Mobile", target="f:whats_app_phone")
    page.check(work)
    page.send(work)
    again = page.upload(table)
    page.change(again, "see", do="continue")
    assert "As you chose last time" in text_of(page.get(f"{again}/match"))
    assert "whats_app_phone" in page.get(f"{again}/mapping.toml").text


def test_rows_that_hold_no_customer_are_named_with_the_reason(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head, row = "first_name,last_name,email", "Ann,Lee,ann@lee.net"
    path.write_text("\n".join([head, row, head, row]) + "\n", "utf-8")
    checked = text_of(page.checked(page.upload(path)))
    assert "Skipped: the header, repeated Row 3" in checked
    assert "Duplicate: identical to an earlier row in every mapped field Row 4" in checked


def test_names_of_columns_may_hold_anything(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('first_name,last_name,"Date of\nbirth","x\u202ey"\nAnn,Lee,1990-02-31,1\n', "utf-8")
    work = page.upload(path)
    page.change(work, "see", do="continue")
    assert "\u202e" not in page.get(f"{work}/match").text
    page.change(work, "match", do="assign", column="Date of\nbirth", target="f:birthday")
    page.check(work)
    page.correct(work, 2, "Date of\nbirth", "1990-02-28")
    assert "No row is held back" in text_of(page.get(f"{work}/correct"))


def test_the_rows_that_are_shown_are_those_of_the_sheet_that_is_read(page: WebPage, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Only a cover"])
    sheet = book.create_sheet("Customers")
    for line in (["Spring"], ["First name", "Last name", "E-mail"], ["Ann", "Lee", "ann@lee.net"]):
        sheet.append(line)
    path = tmp_path / "list.xlsx"
    book.save(path)
    work = page.upload(path)
    shown = text_of(page.get(f"{work}/see"))
    assert "ann@lee.net" in shown
    assert "Only a cover" not in shown
    page.change(work, "see", header_row="3")
    shown = text_of(page.get(f"{work}/see"))
    assert "First name" in shown, "a click on a row stays on its sheet"
    assert page.site.works.get(work.removeprefix("/w/")).sheet == "Customers"


def test_all_sheets_of_a_workbook_are_one_piece_of_work(page: WebPage, box: Sandbox, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name, day in (("North", "1990-01-02"), ("South", "1990-02-31")):
        sheet = book.create_sheet(name)
        sheet.append(["first_name", "last_name", "birthday", "email"])
        sheet.append(["Ann", name, day, f"ann@{name}.net"])
    del book["Sheet"]
    book.save(tmp_path / "two.xlsx")
    work = page.upload(tmp_path / "two.xlsx")
    assert "North" in page.get(f"{work}/see").text
    page.change(work, "see", sheet="all")
    assert "1 invalid" in text_of(page.checked(work))
    page.correct(work, 2, "birthday", "1990-02-28")
    assert "2 valid" in text_of(page.check(work))
    page.send(work)
    days = {customer.fields["last_name"]: customer.fields["birthday"] for customer in box.customers()}
    assert days == {"North": "1990-01-02", "South": "1990-02-28"}


def test_an_edit_of_a_row_that_has_gone_is_told(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    told = page.post(f"{work}/cells", {"place": "7", "row": "99", "column": "3", "text": "x"})
    assert told.status_code == 400
    assert "Row 99 is no longer among the rows with problems" in text_of(told)


def test_two_tabs_do_not_overwrite_each_other(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.change(work, "see", do="continue")
    page.get(f"{work}/match")
    old = page.revision(work)
    page.change(work, "match", do="assign", column="Birthday", target="")
    late = page.post(f"{work}/match", {"revision": old, "do": "assign", "column": "E-mail", "target": ""})
    assert late.status_code == 409
    assert "changed in another tab" in text_of(late)
    assert "email" in page.get(f"{work}/mapping.toml").text


def test_corrections_survive_the_server_and_can_be_undone(box: Sandbox, table: Path) -> None:
    with web_page(box) as page:
        work = page.upload(table)
        page.checked(work)
        page.correct(work, 2, "Birthday", "1990-02-28")
    with web_page(box) as page:
        assert 'value="1990-02-28"' in page.get(f"{work}/correct?show=all").text
        page.correct(work, 2, "Birthday", "1990-02-27")
        assert 'value="1990-02-28"' in page.post(f"{work}/undo", {"back": f"{work}/correct?show=all"}).text
        assert 'value="1990-02-31"' in page.post(f"{work}/undo", {"back": f"{work}/correct"}).text
        assert "2 rows still to be corrected" in text_of(page.get(f"{work}/correct"))


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b", "a\x1cb"])
def test_a_correction_may_hold_any_character(page: WebPage, table: Path, text: str) -> None:
    work = page.upload(table)
    page.checked(work)
    assert page.correct(work, 4, "E-mail", text).ok
    grid = page.get(f"{work}/correct?show=changed")
    assert grid.ok
    assert text in grid.text
    assert page.post(f"{work}/undo").ok
    assert text not in page.get(f"{work}/correct?show=all").text


def test_an_edit_is_checked_as_it_is_made(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    back = f"{work}/correct?show=all"
    worse = page.correct(work, 2, "Birthday", "1990-02-30", back=back)
    assert "“1990-02-30” does not exist" in text_of(worse)
    better = page.correct(work, 2, "Birthday", "1990-02-28", back=back)
    assert "1 row still to be corrected" in text_of(better)
    restored = page.correct(work, 2, "Birthday", "1990-02-28", original="1", back=back)
    assert "2 rows still to be corrected" in text_of(restored)


def test_all_of_a_kind_are_taken_and_taken_back_at_once(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("first_name,last_name,gender\nAnn,Lee,femle\nBo,Li,mael\n", "utf-8")
    work = page.upload(path)
    page.checked(work)
    kind = {"kind": "0", "back": f"{work}/correct?show=all"}
    assert "Apply all 2 likely corrections" in text_of(
        page.get(f"{work}/correct?code=bad-gender&column=gender")
    )
    taken = page.post(f"{work}/all", kind)
    assert 'value="female"' in taken.text
    assert 'value="male"' in taken.text
    undone = page.post(f"{work}/undo", {"back": kind["back"]})
    assert 'value="femle"' in undone.text


def test_the_dry_run_with_corrections_finds_what_the_grid_found(
    page: WebPage, table: Path, tmp_path: Path
) -> None:
    work = page.upload(table)
    page.checked(work)
    page.correct(work, 2, "Birthday", "1990-02-28")
    assert "1 row still to be corrected" in text_of(page.get(f"{work}/correct"))
    files = {}
    for name in ("mapping.toml", "corrections.jsonl"):
        files[name] = tmp_path / name
        files[name].write_bytes(page.get(f"{work}/{name}").content)
    options = RunOptions(mapping=str(files["mapping.toml"]), corrections=str(files["corrections.jsonl"]))
    assert validate_file(table, options=options).counts[Status.INVALID] == 1


def test_pages_filter_and_search(page: WebPage, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = (f"Ann{chr(97 + n % 26)},Lee,1990-02-{30 + n % 2}\n" for n in range(120))
    path.write_text("first_name,last_name,birthday\n" + "".join(lines), "utf-8")
    work = page.upload(path)
    page.checked(work)
    first = page.get(f"{work}/correct")
    assert "Page 1 of 3, 120 rows" in text_of(first)
    assert first.text.count('<tr id="r-') == 50
    assert page.get(f"{work}/correct?page=3").text.count('<tr id="r-') == 20
    assert page.get(f"{work}/correct?page=99").text.count('<tr id="r-') == 20
    assert "Page 1 of 1, 1 row" in text_of(page.get(f"{work}/correct?q=77"))
    assert "Page 1 of 1, 5 rows" in text_of(page.get(f"{work}/correct?q=anna"))
    assert "No rows to show here" in text_of(page.get(f"{work}/correct?show=changed"))


def test_rows_that_are_kept_back_have_their_place_in_the_grid_before_doubtful_ones(
    page: WebPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importer.web.problems.MOST_ROWS", 6)
    monkeypatch.setattr("importer.web.problems._MOST_DOUBTFUL", 2)
    lines = [f"Ann,Lee,no-mail{n},{'1990-02-31' if n % 2 else '1990-02-01'}" for n in range(20)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["first_name,last_name,email,birthday", *lines]), "utf-8")
    work = page.upload(path)
    page.checked(work)
    grid = text_of(page.get(f"{work}/correct"))
    assert "10 rows still to be corrected" in grid
    assert "20 rows have problems; 6 of them are shown" in grid
    errors = list(page.site.rechecks.rows(page.site.works.get(work[3:])).read(range(6)))
    assert sum(any(issue.code == "bad-date" for issue in row.issues) for row in errors) >= 4


def test_a_change_after_the_check_asks_for_another_check(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    page.correct(work, 2, "Birthday", "1990-02-28")
    assert "Check again first" in text_of(page.get(f"{work}/import"))
    assert "web-check-first" in page.change(work, "import", mode="update").text


def test_replacing_needs_the_word_and_sending_twice_is_asked(
    page: WebPage, box: Sandbox, table: Path
) -> None:
    work = page.upload(table)
    page.checked(work)
    refused = page.change(work, "import", mode="replace", typed="yes")
    assert "web-type-the-word" in refused.text
    assert box.customers() == []
    page.send(work, mode="replace", typed=" Replace ")
    assert len(box.customers()) == 1
    again = page.upload(table)
    page.checked(again)
    before = page.get(f"{again}/import")
    assert "This very file has been imported before" in text_of(before)
    assert 'name="again"' in before.text
    assert "This very file has been imported before: 1 row came in" in text_of(page.get(f"{again}/see"))
    asked = page.send(again, mode="replace", typed="replace")
    assert "was imported before" in text_of(asked)
    assert len(box.customers()) == 1
    assert "/runs/" in page.send(again, mode="replace", typed="replace", again="yes").url


def test_two_clicks_are_one_run(page: WebPage, box: Sandbox, table: Path) -> None:
    box.misbehave("slow seconds=0.5")
    work = page.upload(table)
    page.checked(work)
    form = {"revision": page.revision(work), "mode": "update"}
    page.post(f"{work}/import", form)
    assert page.post(f"{work}/import", form).url.endswith("/import")
    page.wait(work)
    with Journal.open() as journal:
        assert [run.dry_run for run in journal.runs()] == [False, True]


def test_a_stopped_import_goes_on(page: WebPage, box: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    lines = (f"Ann,Lee,{8613800100000 + n}\n" for n in range(4000))
    path.write_text("first_name,last_name,sms_phone\n" + "".join(lines), "utf-8")
    work = page.upload(path)
    page.checked(work)
    box.misbehave("slow seconds=0.3")
    page.change(work, "import", mode="update")
    owner = work.removeprefix("/w/")
    task = page.site.tasks.of(owner)
    assert task is not None
    wait_for(lambda: task.progress.settled >= 100)
    now = page.get(f"/tasks/{owner}/now").json()
    assert 'id="progress"' not in now["html"]
    assert "rows done" in now["html"]
    page.post(f"/tasks/{owner}/stop", {"back": f"{work}/import"})
    page.wait(work)
    stopped = page.get(f"{work}/import")
    assert "Stopped. What was sent is in the CRM" in text_of(stopped)
    assert len(box.customers()) < 4000
    box.misbehave()
    run = stopped.url.split("/runs/")[1].split("?")[0]
    page.post(f"/runs/{run}/resume")
    page.wait(run)
    assert "All done: 4,000 rows" in text_of(page.get(f"/runs/{run}"))
    assert len(box.customers()) == 4000


def test_progress_comes_as_events_and_ends(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    answer = page.get(f"/tasks/{work.removeprefix('/w/')}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: ended" in answer.text
    assert page.get("/tasks/nothing/events").status_code == 204


def test_what_the_server_says_is_shown_as_text(page: WebPage, box: Sandbox, table: Path) -> None:
    box.misbehave(Fault(FaultKind.CODE, code=1002, message="<img src=x>\u202egone"))
    work = page.upload(table)
    page.checked(work)
    result = page.send(work)
    assert "What the CRM answered" in result.text
    assert "&lt;img src=x&gt;" in result.text
    assert "<img" not in result.text
    assert "\u202e" not in result.text


def test_wrong_credentials_are_told_and_nothing_is_lost(
    box: Sandbox, settings: Connection, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NXLINK_ACCESS_SECRET", "another")
    with web_page() as page:
        work = page.upload(table)
        page.checked(work)
        result = page.send(work)
        assert "Stopped before any row came in" in text_of(result)
        assert 'class="told warning"' in result.text
        assert "Continue" in result.text
    assert box.customers() == []


def test_the_rest_is_corrected_in_the_persons_own_file(page: WebPage, box: Sandbox, table: Path) -> None:
    work = page.upload(table)
    page.checked(work)
    result = page.send(work)
    assert "Not done yet: 2 of 3 rows" in text_of(result)
    run = run_of(result)
    assert page.correct_rest(run) == work
    grid = text_of(page.get(f"{work}/correct"))
    assert "customers.csv" in grid
    assert "2 rows still to be corrected" in grid
    page.correct(work, 2, "Birthday", "1990-02-28")
    page.check(work)
    second = page.send(work)
    assert "Not done yet: 1 of 3 rows" in text_of(second)
    assert page.correct_rest(run_of(second)) == work
    page.correct(work, 4, "Birthday", "1992-04-13")
    page.check(work)
    assert "All done" in text_of(page.send(work))
    assert [customer.fields["birthday"] for customer in box.customers()] == [
        "1991-01-02",
        "1990-02-28",
        "1992-04-13",
    ]
    history = text_of(page.get("/runs"))
    assert history.count("customers.csv") == 3
    assert history.count("all done since") == 2
    assert "rows left" not in history.replace("rows left</option", "").split("Outcome")[-1]


def test_the_rest_of_a_run_started_elsewhere_is_corrected_here(
    page: WebPage, box: Sandbox, table: Path, tmp_path: Path
) -> None:
    path = tmp_path / "else.csv"
    path.write_text(table.read_text("utf-8").replace("Name", "first_name").replace("Mobile", "last_name"))
    settings = page.site.settings()
    with Session.open(settings) as session:
        result = session.start(path, replace(RunOptions(), mode=Mode.UPDATE, report_dir=tmp_path / "r"))
    assert result is not None
    work = page.correct_rest(result.summary.run_id)
    assert "else.csv" in text_of(page.get(f"{work}/check"))
    page.correct(work, 2, "Birthday", "1990-02-28")
    page.correct(work, 4, "Birthday", "1992-04-13")
    page.check(work)
    assert "All done" in text_of(page.send(work))
    assert len(box.customers()) == 3


def test_rows_that_the_crm_refused_are_shown_with_its_words(
    page: WebPage, box: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("first_name,last_name,sms_phone\nAnn,Lee,8613800000001\nBo,Li,8613800000002\n")
    work = page.upload(path)
    page.checked(work)
    box.misbehave(Fault(FaultKind.CODE, code=1002, message="no such phone", rows={"first_name": "Bo"}))
    run = run_of(page.send(work))
    box.misbehave()
    page.correct_rest(run)
    grid = text_of(page.get(f"{work}/correct"))
    assert "The CRM refused this row before: 1002 no such phone" in grid
    assert "8613800000001" not in grid


def test_history_and_jobs_have_words_when_empty(page: WebPage) -> None:
    assert "No runs to show" in text_of(page.get("/runs"))
    assert "There are no scheduled imports" in text_of(page.get("/jobs"))
    assert "No files yet" in text_of(page.get("/"))


def test_a_full_disk_is_told_in_place(page: WebPage, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = page.upload(table)
    page.checked(work)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr("importer.readers.overlay.replace_private_file", refuse)
        full.setattr("importer.web.uploads.create_private_file", refuse)
        told = page.correct(work, 2, "Birthday", "1990-02-28")
        assert "No space left on device" in text_of(told)
        assert "No space left on device" in page.post("/files?name=b.csv", b"a,b\n").json()["message"]
    assert "2 rows still to be corrected" in text_of(page.get(f"{work}/correct"))
    assert len(page.site.works.recent()) == 1


def test_both_languages(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    page.post("/language", {"lang": "zh", "back": "/"})
    text = page.get(f"{work}/see")
    assert '<html lang="zh-CN">' in text.text
    assert "表格读取得对吗" in text.text
    assert page.get("/", **{"Accept-Language": "zh-CN,zh;q=0.9"}).ok


@pytest.mark.parametrize(
    ("wanted", "tag", "said"),
    [
        ("es-AR,es;q=0.9,en;q=0.8", "es-419", "Elegir un archivo"),
        ("pt-PT", "pt-BR", "Escolher um arquivo"),
        ("id,en-US;q=0.7", "id", "Pilih file"),
        ("fil,id;q=0.5", "id", "Pilih file"),
        ("de, en", "en", "Choose a file"),
    ],
)
def test_the_page_speaks_what_the_browser_prefers(page: WebPage, wanted: str, tag: str, said: str) -> None:
    text = page.get("/", **{"Accept-Language": wanted}).text
    assert f'<html lang="{tag}">' in text
    assert said in text


def test_every_other_language_can_be_chosen(page: WebPage) -> None:
    for lang, name in LANGUAGE_NAMES.items():
        text = page.post("/language", {"lang": lang, "back": "/"}).text
        assert f"<span>{name}</span></summary>" in text
        assert re.findall(r'name="lang" value="(\w+)"', text) == [
            one for one in LANGUAGE_NAMES if one != lang
        ]


@pytest.mark.parametrize("lang", TRANSLATIONS)
def test_old_data_is_overwritten_after_a_word_of_the_language(
    page: WebPage, box: Sandbox, table: Path, lang: str
) -> None:
    page.post("/language", {"lang": lang, "back": "/"})
    work = page.upload(table)
    page.checked(work)
    word = sentence("web-word-to-type", {}, lang)
    assert f"“{word}”" in page.get(f"{work}/import").text
    page.send(work, mode="replace", typed=word.upper())
    assert len(box.customers()) == 1


def test_a_work_that_has_gone_is_said_to_be(page: WebPage, table: Path) -> None:
    work = page.upload(table)
    assert page.post(f"{work}/delete").url == f"{page.base}/"
    gone = page.get(f"{work}/match")
    assert gone.status_code == 404
    assert "web-no-work" in gone.text
    with pytest.raises(UsageError):
        page.site.works.get(work.removeprefix("/w/"))
