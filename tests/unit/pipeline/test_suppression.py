"""Who is on a list of people who must not be sent is left out, however phone or e-mail are written."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from importer.errors import InputError
from importer.mapping import load_text
from importer.models import Status
from importer.options import RunOptions
from importer.pipeline.check import Checker, CheckRules
from importer.pipeline.suppression import Suppression, read_suppression, unanswered_as_unknown
from importer.pipeline.suppression_lists import read_list
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
