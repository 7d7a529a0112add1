"""Which row is the header, and which rows below it hold no customer."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.mapping import is_known_name
from importer.readers import ReadOptions, open_source, row_roles

OPTIONS = ReadOptions(is_known=is_known_name)
ANN, BO = ["Ann", "Lee", "8613800007701", "ann@x.example"], ["Bo", "Wu", "8613800007702", "bo@x.example"]
NAMES = ["First Name", "Last Name", "Mobile", "Email"]
Lines = list[list[str]]


def saved(folder: Path, suffix: str, lines: Lines) -> Path:
    path = folder / f"customers.{suffix}"
    if suffix == "csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(lines)
        return path
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append([cell or None for cell in line])
    book.save(path)
    return path


def looked_at(path: Path) -> tuple[int | None, tuple[str, ...], dict[int, str]]:
    """The header's row, its names, and the rows that are skipped."""
    with open_source(path, OPTIONS) as source:
        skips = [skip for chunk in source.chunks() for skip in chunk.skips]
        found = {row: skip.code for skip in skips for row in skip.rows.tolist()}
        return source.header_row, source.header, found


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("top", "row", "names"),
    [
        ([["Customer", "", "Contact", ""], NAMES], 2, tuple(NAMES)),
        ([["Name", "Name", "Contact", "Contact"], NAMES], 2, tuple(NAMES)),
        ([["Kunde", "", "Kontakt", ""], ["Vorname", "Nachname", "Handy", "E-Mail"]], 2,
         ("Vorname", "Nachname", "Handy", "E-Mail")),
        ([["Customer list"], [], ["Customer", "", "Contact", ""], NAMES], 4, tuple(NAMES)),
        ([["Name", "", "Phone", "Email"], ["First", "Last", "", ""]], 2, ("First", "Last", "Phone", "Email")),
        ([["Home", "", "Work", ""], ["First Name", "Phone", "Phone", "Email"]], 2,
         ("First Name", "Phone", "Work / Phone", "Email")),
        ([NAMES], 1, tuple(NAMES)),
    ],
)  # fmt: skip
def test_the_best_row_is_the_header(
    tmp_path: Path, suffix: str, top: Lines, row: int, names: tuple[str, ...]
) -> None:
    assert looked_at(saved(tmp_path, suffix, [*top, ANN, BO])) == (row, names, {})


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (NAMES, "repeated-header"),
        ([name.upper() for name in NAMES], "repeated-header"),
        (["Total", "", "2", ""], "footer-row"),
        (["", "Grand total:", "", "1,234.50"], "footer-row"),
        (["合计：2 人", "", "", ""], "footer-row"),
        (["Jumlah", "60 pelanggan", "", ""], "footer-row"),
        (["Toplam", "", "60 müşteri", ""], "footer-row"),
        (["Gesamtsumme", "", "", "12"], "footer-row"),
        (["Page 1 of 3", "", "", ""], "footer-row"),
        (["打印时间：2026-11-01", "", "", ""], "footer-row"),
        (["(2 rows)", "", "", ""], "footer-row"),
        (["Anzahl Mitglieder: 2", "", "", ""], "footer-row"),
        (["", "Prepared by: Aminah", "", ""], "footer-row"),
        (["Disediakan oleh: Aminah", "", "", ""], "footer-row"),
        (["--------", "--------", "", ""], "footer-row"),
        (["Summe", "", "62 Mitglieder", ""], "footer-row"),
        (["Summe", "12 Mitglieder", "davon 3 ausgetreten", ""], "footer-row"),
        (["", "62", "Mitglieder", ""], "footer-row"),
        (["62 Mitglieder", "", "", ""], "footer-row"),
        (["合计", "84人", "84张卡", ""], "footer-row"),
        (["本页小计", "", "", ""], "footer-row"),
        (["本月新增 20", "", "", ""], "footer-row"),
        (["总人数", "29", "", ""], "footer-row"),
        (["启蒙班小计", "", "12人", ""], "footer-row"),
        (["二班合计：12人", "", "", ""], "footer-row"),
        (["启蒙班", "小计", "12", ""], "footer-row"),
        (["A組", "小計", "12名", ""], "footer-row"),
        (["A반 소계", "", "12명", ""], "footer-row"),
        (["North subtotal", "12", "", ""], "footer-row"),
        (["Subtotal North", "", "12", ""], "footer-row"),
        (["North", "Total", "12", ""], "footer-row"),
        (["Kurs A: Summe", "", "12", ""], "footer-row"),
        (["Sous-total Nord", "", "12", ""], "footer-row"),
        (["Razem kurs A", "", "12 osób", ""], "footer-row"),
        (["Curso A - Total", "", "12", ""], "footer-row"),
        (["Ara toplam A", "12", "", ""], "footer-row"),
        (["Подытог по группе", "12", "", ""], "footer-row"),
        (["Összesen A csoport", "", "12", ""], "footer-row"),
        (["إجمالي القسم أ", "", "12", ""], "footer-row"),
        (["Tổng lớp A", "", "12", ""], "footer-row"),
        (["Σύνολο τμήματος", "", "12", ""], "footer-row"),
        (["Cộng A2: 1 học viên", "", "", ""], "footer-row"),
        (["รวมทั้งหมด 3 ราย", "", "", ""], "footer-row"),
        (["B組計", "", "1名", ""], "footer-row"),
        (["Genel Toplam", "4 öğrenci", "", ""], "footer-row"),
        (["Kurs B gesamt", "1 Kind", "", ""], "footer-row"),
        (["Kurs B gesamt", "Kind", "", ""], None),
        (["总 计", "12", "", ""], "footer-row"),
        (["Summa Knatte", "", "2", ""], "footer-row"),
        (["Mindösszesen", "3 fő", "", ""], "footer-row"),
        (["Summa", "Theologica", "34", ""], None),
        (["Soma", "Kovács", "34", ""], None),
        (["王小计", "", "", "男"], None),
        (["Anna", "Total", "", ""], None),
        (["North subtotal", "12", "8613800007709", ""], None),
        (["Summe", "Kurt", "", ""], None),
        (["Summe", "", "8613800007709", ""], None),
        (["Mitglieder", "", "", ""], None),
        (["62", "Lee", "", ""], None),
        (["# checked by Eve", "", "", ""], "comment-row"),
        (["Total", "Recall", "8613800007709", ""], None),
        (["Page", "Jones", "8613800007708", "page@x.example"], None),
        (["Count", "Dracula", "", ""], None),
        (["Summer", "", "", ""], None),
    ],
)  # fmt: skip
def test_rows_that_hold_no_customer_are_skipped(
    tmp_path: Path, suffix: str, line: list[str], code: str | None
) -> None:
    _, _, skipped = looked_at(saved(tmp_path, suffix, [NAMES, ANN, line, BO]))
    assert skipped == ({3: code} if code else {})


@pytest.mark.parametrize(
    ("first", "sample"),
    [
        (["Jane", "Example", "+4915112345009", ""], True),
        (["Max", "Mustermann", "+4915112345009", "Zeile bitte löschen"], True),
        (["Jane", "Doe", "+4915112345009", "Sample - please delete this row"], True),
        (["王", "五", "13800138001", "示例，请删除"], True),
        (["示例", "张三", "13800138001", ""], True),
        (["Ana", "Silva", "+5511975556677", "EXEMPLO"], True),
        (["Steven", "Sample", "+4915112345009", ""], False),
        (["Anna", "Meier", "+4915112345009", "Beispiel: ruft gerne an"], False),
        (["Anna", "Meier", "+4915112345009", "asked us to delete the old number"], False),
        (["例", "张三", "13800138001", ""], False),
    ],
)
def test_an_example_below_the_header_is_skipped_although_it_has_a_phone(
    tmp_path: Path, first: list[str], sample: bool
) -> None:
    rows = [first, ["Bernd", "Kück", "+4915112345002", "x"]]
    table = [["First name", "Last name", "Phone", "Remark"], *rows]
    _, _, skipped = looked_at(saved(tmp_path, "csv", table))
    assert skipped == ({2: "sample-row"} if sample else {})


def test_a_word_for_examples_that_the_column_repeats_makes_no_example(tmp_path: Path) -> None:
    rows = [["Ann", f"N{at}", f"+49151123450{at:02}", "Example"] for at in range(9)]
    table = [["First name", "Last name", "Phone", "Type"], *rows]
    assert looked_at(saved(tmp_path, "csv", table))[2] == {}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (["(required)", "(required)", "(digits)", "(optional)"], True),
        (["text", "text", "number", "text"], True),
        (["必填", "必填", "选填", ""], True),
        (["e.g. Ann", "e.g. Lee", "e.g. 8613800000000", "e.g. ann@x.example"], True),
        (["max 50 characters", "max 50 characters", "yyyy-MM-dd", ""], True),
        (["Text", "Date", "8613800007707", ""], False),
        (["Ann", "Lee", "", ""], False),
    ],
)
def test_hints_below_the_header_are_skipped(tmp_path: Path, line: list[str], hint: bool) -> None:
    _, _, skipped = looked_at(saved(tmp_path, "csv", [NAMES, line, ANN]))
    assert skipped == ({2: "hint-row"} if hint else {})


@pytest.mark.parametrize(
    ("line", "total"),
    [
        (["总人数", "29"], True),
        (["合计", "84人"], True),
        (["Summe", "12"], True),
        (["Summe", "8613800007709"], False),
        (["# Ann", "Lee"], False),
    ],
)
def test_a_total_of_a_table_of_two_columns_is_skipped(tmp_path: Path, line: list[str], total: bool) -> None:
    top = [["Name", "Mobile"], ["Ann Lee", "8613800007701"]]
    _, _, skipped = looked_at(saved(tmp_path, "csv", [*top, line, ["Bo Wu", "8613800007702"]]))
    assert skipped == ({3: "footer-row"} if total else {})


def test_a_repeated_page_head_is_skipped_as_a_whole(tmp_path: Path) -> None:
    head = [["Customers of the shop", "", "", ""], ["Customer", "", "Contact", ""], NAMES]
    _, _, skipped = looked_at(saved(tmp_path, "csv", [*head, ANN, *head, BO]))
    assert skipped == dict.fromkeys((5, 6, 7), "repeated-header")


@given(st.from_regex(re.compile(row_roles._FOOTER, re.ASCII)))
def test_every_footer_begins_as_one(text: str) -> None:
    text = text.replace("\v", " ")  # the only blank of Python's that is none of Arrow's
    for form in (text, text.upper(), text.lower()):
        assert row_roles.begins_like_footer(form)
        assert row_roles._footer_pairs()[form.encode()[0] << 8 | form.encode()[1]]
