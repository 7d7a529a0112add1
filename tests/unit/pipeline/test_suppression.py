"""Who is on a list of people who must not be sent is left out, however phone or e-mail are written."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from importer import contracts
from importer.errors import InputError
from importer.mapping import load_text
from importer.models import Status
from importer.options import RunOptions
from importer.pipeline.check import Checker, CheckRules
from importer.pipeline.suppression import Suppression, read_suppression, unanswered_as_unknown
from importer.pipeline.suppression_lists import read_list
from importer.readers.overlay import CorrectedCell, corrected
from tests.support.mapping import SEA, chunk, mapper

MAPPING = """
[fields.first_name]
constant = "Ann"
[fields.last_name]
constant = "Lee"
[fields.sms_phone]
from = "Phone"
[fields.email]
from = "Mail"
"""
WAYS = (
    "+8613800138000",
    "8613800138000",
    "+86 138 0013 8000",
    "+86-138-0013-8000",
    "0086 138 0013 8000",
    "(+86) 138.0013.8000",
    "+86 (0)138 0013 8000",
    "tel:+86-138-0013-8000",
    "https://wa.me/8613800138000",
    "8613800138000@s.whatsapp.net",
    "＋８６１３８００１３８０００",
    "\u202a+86 138 0013 8000\u202c",
    "٨٦١٣٨٠٠١٣٨٠٠٠",
    "'+8613800138000",
    '="8613800138000"',
    "8613800138000.0",
    "手机: +86 138 0013 8000",
    "+8613800138000 ext. 12",
    "+8613800138000 (office)",
    "13800138000",
    "138-0013-8000",
    "138 0013 8000 / +4930123456",
    "+4930123456 / 138 0013 8000",
)


def written(path: Path, *rows: Sequence[str]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def left_out(
    lists: Suppression | None, phones: Sequence[str], mails: Sequence[str] = (), mapping: str = MAPPING
) -> list[bool]:
    """For each row whether it is left out."""
    cells = {"Phone": list(phones), "Mail": list(mails) or [""] * len(phones)}
    checker = Checker(mapper(mapping, cells), SEA, CheckRules(), suppression=lists)
    checked = checker.check(chunk(cells))
    rows = {row for one in checked.outcomes if one.code == "suppressed" for row in one.rows}
    assert {one.status for one in checked.outcomes if one.code == "suppressed"} <= {Status.SKIPPED}
    assert not rows.intersection(checked.customers.rows.tolist())
    return [row in rows for row in chunk(cells).frame.index.tolist()]


def lists_of(*files: str, country: str | None = None, mapping: str = MAPPING) -> Suppression:
    found = read_suppression(RunOptions(suppress=files, country=country), load_text(mapping, "test"))
    assert found is not None
    return found


@pytest.mark.parametrize("country", ["CN", None])
@pytest.mark.parametrize("entry", ["+86 138 0013 8000", "138 0013 8000", sha256("8613800138000")])
def test_no_way_to_write_a_phone_gets_through(tmp_path: Path, entry: str, country: str | None) -> None:
    hashed = len(entry) == 64
    lists = lists_of(written(tmp_path / "list.csv", ["Phone"], [entry]), country=country)
    mapping = MAPPING.replace('from = "Phone"', 'from = "Phone"\nregion = "CN"') if country else MAPPING
    # Nobody can tell a hash of which country a phone without its code is.
    ways = [way for way in WAYS if country or not hashed or "86" in way or "٨٦" in way or "８６" in way]
    found = dict(zip(ways, left_out(lists, ways, mapping=mapping), strict=True))
    assert len(ways) >= 19
    assert [way for way, hit in found.items() if not hit] == []
    others = ["+86 138 0013 8001", "+49 30 123456", "", "13800138001"]
    assert left_out(lists, others, mapping=mapping) == [False] * 4


@pytest.mark.parametrize("entry", WAYS)
def test_a_list_may_write_a_phone_in_any_way(tmp_path: Path, entry: str) -> None:
    lists = lists_of(written(tmp_path / "list.csv", ["Mobile"], [entry], ["+49 171 0000000"]), country="CN")
    assert left_out(lists, ["+86 138 0013 8000", "+86 138 0013 8001"]) == [True, False]


@pytest.mark.parametrize("country", [None, "DE", "CN"])
@pytest.mark.parametrize(
    ("entry", "coded"),
    [
        ("0049171 1234567", "+49 171 1234567"),
        ("0049171-1234567", "+49 171 1234567"),
        ("0049171/1234567", "+49 171 1234567"),
        ("0044207 9460958", "+44 20 7946 0958"),
        ("Mobile 0049171 1234567", "+49 171 1234567"),
    ],
)
def test_two_long_groups_are_the_one_number_that_they_are_in_a_row(
    tmp_path: Path, entry: str, coded: str, country: str | None
) -> None:
    cells = [entry, coded, "+354 555 1234", "+49 171 1234568"]
    for listed in (entry, coded, sha256("".join(filter(str.isdigit, coded)))):
        lists = lists_of(written(tmp_path / "list.csv", ["Phone"], [listed]), country=country)
        assert left_out(lists, cells) == [True, True, False, False], listed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+55 11 98765 4321", "+55 11 8765 4321"),
        ("+52 1 55 1234 5678", "+52 55 1234 5678"),
        ("+54 9 11 1234 5678", "+54 11 1234 5678"),
    ],
)
def test_both_forms_of_a_phone_are_one_person(tmp_path: Path, one: str, other: str) -> None:
    for entry in (one, other):
        digits = "".join(filter(str.isdigit, entry))
        for written_as in (entry, sha256(digits), sha256(f"+{digits}").upper()):
            lists = lists_of(written(tmp_path / "list.csv", ["Phone"], [written_as]))
            assert left_out(lists, [one, other]) == [True, True]


@pytest.mark.parametrize(
    "entry",
    [
        "ann@lee.example",
        " ANN@Lee.Example ",
        "Ann Lee <ann@lee.example>",
        "mailto:ann@lee.example",
        "bo@li.example; ann@lee.example",
        sha256("ann@lee.example"),
        sha256("ann@lee.example").upper(),
    ],
)
def test_e_mails_are_compared_without_case_and_what_stands_around_them(tmp_path: Path, entry: str) -> None:
    lists = lists_of(written(tmp_path / "list.csv", ["E-mail"], [entry]))
    mails = [
        "Ann@LEE.example",
        "Ann Lee <ann@lee.example>",
        "x@y.example; ann@lee.example",
        "anne@lee.example",
    ]
    assert left_out(lists, [""] * 4, mails) == [True, True, True, False]


def test_a_list_needs_no_header_and_its_first_line_counts(tmp_path: Path) -> None:
    lists = lists_of(written(tmp_path / "list.csv", ["+8613800138000"], ["+8613800138001"]))
    assert left_out(lists, ["8613800138000", "8613800138001", "8613800138002"]) == [True, True, False]


def test_numbers_that_are_no_phones_leave_nobody_out(tmp_path: Path) -> None:
    path = written(
        tmp_path / "list.csv",
        ["Customer ID", "Phone", "Since"],
        ["13800138001", "+8613800138000", "20240131"],
    )
    assert lists_of(path).lists[0].columns == ("Phone",)
    assert left_out(lists_of(path), ["8613800138001", "8613800138000"]) == [False, True]


def test_all_sheets_of_a_workbook_count(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["Phone"])
    book.active.append(["+8613800138000"])
    book.create_sheet("More").append(["ann@lee.example"])
    book.save(tmp_path / "list.xlsx")
    lists = lists_of(str(tmp_path / "list.xlsx"))
    assert left_out(lists, ["8613800138000", "", ""], ["", "ann@lee.example", "x@y.example"]) == [
        True,
        True,
        False,
    ]


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    rows = [
        ["Phone", "E-mail"],
        ["1.38E+10", ""],
        ["", "ann at lee"],
        ["+8613800138000", "n/a"],
        ["-", "NULL"],
    ]
    found = read_list(written(tmp_path / "list.csv", *rows), None)
    assert (found.entries, found.unreadable, found.first_unreadable) == (1, 2, 2)


def test_entries_without_any_contact_are_counted_and_named(tmp_path: Path) -> None:
    rows = [
        ["Do not contact", "", "", ""],
        ["Name", "Phone", "E-mail", "Note"],
        ["Ann", "+8613800138000", "", "moved"],
        ["Ronan Le Bihan", "", "", ""],
        ["Eve", "-", "n/a", "asked @ the fair"],
        ["", "", "", ""],
        ["Bob", "", "bob at lee", ""],
        ["Zoe", "", "", "zoe@lee.example"],
    ]
    lists = lists_of(written(tmp_path / "list.csv", *rows))
    assert (lists.lists[0].entries, lists.lists[0].unreadable) == (2, 1)
    told, _ = lists.doubts()
    assert (told.code, dict(told.found)["entries"], dict(told.found)["rows"]) == (
        "suppression-no-contact",
        2,
        "4, 5",
    )
    assert "row 4, 5" in told.sentence()
    (used,) = lists.used(())
    assert used.without_contact == 2


def test_a_list_of_contacts_alone_has_no_entry_without(tmp_path: Path) -> None:
    for number, rows in enumerate(
        ([["+8613800138000"], ["+8613800138001"]], [["Phone"], ["1.38E+10"], ["n/a"]])
    ):
        path = written(tmp_path / f"{number}.csv", *rows, ["ann@lee.example"])
        assert read_list(path, None).without_contact == ()


@pytest.mark.parametrize("now", ["", "8613800138009"])
@pytest.mark.parametrize("cell", ["8613800138000", "+49 30 123456 / 8613800138000"])
def test_no_correction_takes_anybody_off_a_list(tmp_path: Path, now: str, cell: str) -> None:
    lists = lists_of(written(tmp_path / "list.csv", ["Phone"], ["+8613800138000"], ["+8613800138009"]))
    cells = {"Phone": [cell, "8613800138001", "8613800138002"], "Mail": ["a@x.example"] * 3}
    wrong = {
        2: [CorrectedCell("", 2, "Phone", cell, now)],
        3: [CorrectedCell("", 3, "Phone", "8613800138001", "8613800138003")],
        4: [CorrectedCell("", 4, "Phone", "8613800138002", "8613800138009")],
    }
    only = lists_of(written(tmp_path / "one.csv", ["Phone"], ["+8613800138000"])) if now else lists
    checker = Checker(mapper(MAPPING, cells), SEA, CheckRules(), suppression=only)
    checked = checker.check(corrected(chunk(cells), wrong))
    left = {row for one in checked.outcomes if one.code == "suppressed" for row in one.rows}
    assert left == ({2} if now else {2, 4})


@pytest.mark.parametrize("rows", [[["Name"], ["Ann"]], [["Phone"], ["none"]], [["Phone"]]])
def test_a_list_without_an_entry_stops_the_run(tmp_path: Path, rows: list[list[str]]) -> None:
    with pytest.raises(InputError) as caught:
        read_list(written(tmp_path / "list.csv", *rows), None)
    assert caught.value.code == "suppression-empty"


def test_each_row_belongs_to_the_first_list_that_has_it(tmp_path: Path) -> None:
    first = written(tmp_path / "first.csv", ["Phone"], ["+8613800138000"])
    second = written(tmp_path / "second.csv", ["Phone"], ["+8613800138000"], ["+8613800138001"])
    lists = lists_of(first, second)
    cells = {"Phone": ["8613800138000", "8613800138001"], "Mail": ["", ""]}
    checked = Checker(mapper(MAPPING, cells), SEA, CheckRules(), suppression=lists).check(chunk(cells))
    assert [(one.rows, one.message.split()[3]) for one in checked.outcomes] == [
        ((2,), "first.csv"),
        ((3,), "second.csv"),
    ]


def test_a_row_that_may_be_in_stays_unknown(tmp_path: Path) -> None:
    lists = lists_of(written(tmp_path / "list.csv", ["Phone"], ["+8613800138000"]))
    cells = {"Phone": ["8613800138000"] * 2, "Mail": ["", ""]}
    checked = Checker(mapper(MAPPING, cells), SEA, CheckRules(), suppression=lists).check(chunk(cells))
    found = unanswered_as_unknown(checked.outcomes, lambda sheet, rows: rows == 3)
    assert [(one.rows, one.status) for one in found] == [((2,), Status.SKIPPED), ((3,), Status.UNKNOWN)]
    nobody = unanswered_as_unknown(checked.outcomes, lambda sheet, rows: np.zeros(rows.size, bool))
    assert [replace(one) for one in nobody] == list(checked.outcomes)


@pytest.mark.parametrize(
    "entry", ["O'Brien@x.example", "d’angelo@x.example", "ann@x.example", "rené@x.example"]
)
@pytest.mark.parametrize("hashed", [False, True])
def test_a_mailbox_is_one_however_the_row_writes_it(tmp_path: Path, entry: str, hashed: bool) -> None:
    listed = sha256(unicodedata.normalize("NFC", entry).lower()) if hashed else entry
    lists = lists_of(written(tmp_path / "list.csv", ["E-mail"], [listed]))
    ways = [entry, entry.upper(), f"{entry}.", unicodedata.normalize("NFD", entry), f"<{entry}>"]
    others = ["brien@x.example", "angelo@x.example", f"x{entry}", f"{entry}.org"]
    assert left_out(lists, [""] * 5, ways) == [True] * 5
    assert left_out(lists, [""] * 4, others) == [False] * 4


def test_a_list_may_write_a_dot_behind_a_mailbox(tmp_path: Path) -> None:
    lists = lists_of(written(tmp_path / "list.csv", ["E-mail"], ["ann@x.example."]))
    assert left_out(lists, ["", ""], ["ann@x.example", "ann@x.example."]) == [True, True]


@pytest.mark.parametrize("header", ["E-mail", "Phone", "Kontakt"])
def test_a_phone_beside_a_mailbox_in_one_cell_counts(tmp_path: Path, header: str) -> None:
    lists = lists_of(written(tmp_path / "list.csv", [header], ["ann@x.example / +86 138 0013 8000"]))
    assert left_out(lists, ["8613800138000", "8613800138001"]) == [True, False]
    assert left_out(lists, [""], ["ann@x.example"]) == [True]


def test_a_column_of_phones_counts_whatever_its_name_if_nothing_else_looks_so(tmp_path: Path) -> None:
    path = written(
        tmp_path / "list.csv",
        ["E-mail", "Rückruf", "Nr"],
        ["a@x.example", "+86 138 0013 8000", "13800138001"],
        ["b@x.example", "+86 138 0013 8002", "13800138003"],
    )
    lists = lists_of(path)
    found = left_out(lists, ["8613800138000", "8613800138002", "8613800138001", "8613800138003"])
    assert found == [True, True, False, False]
    (note,) = lists.doubts()
    assert (note.code, dict(note.found)["columns"]) == ("suppression-columns", "Nr")


def test_a_title_may_stand_above_the_header(tmp_path: Path) -> None:
    rows = [
        ["Do not contact", "", ""],
        ["", "", ""],
        ["Name", "Customer ID", "Phone"],
        ["Ann", "13800138001", "13800138000"],
    ]
    lists = lists_of(written(tmp_path / "list.csv", *rows), country="CN")
    assert left_out(lists, ["8613800138000", "8613800138001"]) == [True, False]
    assert lists.lists[0].unreadable == 0


def test_hashes_are_read_in_base64_and_those_of_another_kind_counted(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"ann@x.example").digest()
    rows = [["hash"], [base64.b64encode(digest).decode()], [hashlib.md5(b"b@x.example").hexdigest()]]
    lists = lists_of(written(tmp_path / "list.csv", *rows))
    assert left_out(lists, ["", ""], ["ann@x.example", "b@x.example"]) == [True, False]
    assert (lists.lists[0].unreadable, lists.lists[0].first_unreadable) == (1, 3)


def test_what_one_sheet_proves_of_its_phones_holds_for_no_other(tmp_path: Path) -> None:
    from openpyxl import Workbook

    coded = [f"86138001380{n:02}" for n in range(40)]
    national = [f"0176 12345{n:02}" for n in range(4)]
    book = Workbook()
    for row in ("Phone", *coded):
        book.active.append([row])
    sheet = book.create_sheet("DE")
    for row in ("Phone", *national):
        sheet.append([row])
    book.save(tmp_path / "list.xlsx")
    lists = lists_of(str(tmp_path / "list.xlsx"), country="DE")
    assert left_out(lists, ["8613800138007", "4917612345" + "03", "8613800138041"]) == [True, True, False]


TWO = """
[fields.first_name]
constant = "Ann"
[fields.last_name]
constant = "Lee"
[fields.sms_phone]
from = ["Phone", "Second"]
[fields.email]
from = ["Mail", "Other"]
"""


def test_every_column_that_may_feed_a_contact_is_compared(tmp_path: Path) -> None:
    rows = [["Phone", "E-mail"], ["+86 138 0013 8000", "ann@x.example"], [sha256("8613800138009"), ""]]
    lists = lists_of(written(tmp_path / "list.csv", *rows))
    cells = {
        "Phone": ["8613700000001", "8613700000002", "8613700000003", "8613700000004", "8613700000005", ""],
        "Second": [
            "+86 138 0013 8000",
            "138 0013 8000",
            "",
            "x; 8613600000000 / 8613800138000",
            "8613800138009",
            "8613700000006",
        ],
        "Mail": ["", "", "a@x.example", "", "", ""],
        "Other": ["", "", "Ann <ANN@x.example>", "", "", ""],
    }
    checker = Checker(mapper(TWO, cells), SEA, CheckRules(), suppression=lists)
    checked = checker.check(chunk(cells))
    rows_out = {row for one in checked.outcomes if one.code == "suppressed" for row in one.rows}
    assert [row in rows_out for row in chunk(cells).frame.index.tolist()] == [True] * 5 + [False]


@pytest.mark.skipif(os.name == "nt", reason="has no such pipes")
def test_a_pipe_is_no_list_since_it_is_read_again(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list")
    with pytest.raises(InputError) as caught:
        read_list(str(tmp_path / "list"), None)
    assert caught.value.code == "suppression-not-a-file"


@pytest.mark.parametrize("country", ["CN", None])
@pytest.mark.parametrize("entry", ["+8618684757086", "0086 186 8475 7086", "18684757086"])
def test_an_account_that_is_a_phone_is_read_as_one(tmp_path: Path, entry: str, country: str | None) -> None:
    mapping = '[fields.full_name]\nconstant = "Ann"\n[fields.zalo]\nfrom = "Phone"\n'
    lists = lists_of(written(tmp_path / "list.csv", ["Phone"], [entry]), country=country, mapping=mapping)
    cells = {
        "Phone": ["18684757086", "186-8475-7086", "１８６８４７５７０８６", "+8618684757086", "18684757087"]
    }
    plat = contracts.load("plat")
    checker = Checker(mapper(mapping, cells, plat), plat, CheckRules(), suppression=lists)
    found = [one for one in checker.check(chunk(cells)).outcomes if one.code == "suppressed"]
    rows = chunk(cells).frame.index.tolist()
    assert sorted(row for one in found for row in one.rows) == rows[:4]


@pytest.mark.parametrize("header", ["sha", "Phone", "E-mail", "Hashed phone", "Remark"])
def test_a_hash_is_one_in_every_writing_and_under_every_header(tmp_path: Path, header: str) -> None:
    numbers = [f"86138001380{n:02}" for n in range(14)]
    raw = [hashlib.sha256(number.encode()).digest() for number in numbers]
    web = [base64.urlsafe_b64encode(one).decode() for one in raw]
    entries = [
        *("sha256:" + raw[0].hex(), "0x" + raw[1].hex(), web[2], web[3].rstrip("=")),
        *(base64.b64encode(raw[4]).decode().rstrip("="), "SHA-256: " + raw[5].hex().upper()),
        *("sha256-" + base64.b64encode(raw[6]).decode(), r"\x" + raw[7].hex(), raw[8].hex(":")),
        *("0X" + raw[9].hex().upper(), "{SHA256}" + base64.b64encode(raw[10]).decode()),
        *(f'"{raw[11].hex()}"', "sha256=" + raw[12].hex(), raw[13].hex(" ")),
    ]
    found = lists_of(written(tmp_path / "list.csv", [header], *([one] for one in entries)))
    (one,) = found.lists
    assert (one.listed, len(one.emails), len(one.hashes), one.unreadable) == (0, 0, 14, 0)
    assert left_out(found, ["+" + number for number in [*numbers, "8613800138099"]]) == [True] * 14 + [False]


@pytest.mark.parametrize("header", ["sha", "Phone", "Hash (mobile)"])
def test_a_hash_in_no_readable_form_is_counted_and_is_no_phone(tmp_path: Path, header: str) -> None:
    digest = hashlib.sha256(b"8613800138000").hexdigest()
    odd = [
        *("sha256:" + digest[:-1], "0x" + digest[:40], digest + digest[:9], "md5:" + digest[:32]),
        *("sha512$" + digest * 2, digest[:16] + "…", "8" * 9 + digest[9:], f"{digest} (office)"),
        *("550e8400-e29b-41d4-a716-446655440000", ":".join(digest[:40:2])),
    ]
    found = read_list(written(tmp_path / "list.csv", [header], [digest], *([one] for one in odd)), "CN")
    assert (found.listed, len(found.hashes)) == (0, 2)
    assert (found.unreadable, found.first_unreadable) == (len(odd) - 1, 3)


def test_what_only_resembles_a_hash_counts_as_the_phone_that_it_is(tmp_path: Path) -> None:
    cells = ["Shanghai:+86-138-0013-8000", "Sha +8613800138001", "Tel13800138002Fax13800138003"]
    for header in ("Mobile", "Phone"):
        found = read_list(written(tmp_path / "list.csv", [header], *([one] for one in cells)), "CN")
        assert found.unreadable == 0, header
        assert found.listed >= 3
