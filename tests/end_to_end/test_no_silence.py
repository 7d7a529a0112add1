"""No confident silence: what a messy table leaves in the CRM is what its owner meant, or is told.

Each kind of mess is read in every format that can hold it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from importer.config import Connection
from importer.sandbox import Sandbox
from tests.support.commands import Command, results, summary
from tests.support.workbooks import write_table

ENDINGS = (".csv", ".xlsx", ".xls", ".ods")
Row = Sequence[str]


@dataclass(frozen=True)
class Kind:
    """A table, and what is to become of it."""

    rows: Sequence[Row]
    stored: Mapping[str, Mapping[str, str]]
    """The customers by first name, with the fields that matter. "" for a field that is not stored."""
    codes: Mapping[int, set[str]]
    """The codes of the issues of each row that has some."""
    skipped: Sequence[int] = ()
    invalid: Sequence[int] = ()
    merged: int = 0
    """How many rows share a contact with an earlier one, with which the CRM makes one customer of them."""


def people(column: str, *cells: str) -> list[Row]:
    """Return a table with one person for each cell of a column."""
    names = [f"P{chr(ord('a') + at // 26)}{chr(ord('a') + at % 26)}" for at in range(len(cells))]
    return [
        ("First Name", "Last Name", column),
        *((name, "X", cell) for name, cell in zip(names, cells, strict=True)),
    ]


HEADER = Kind(
    rows=[
        ("Customer list 2024", "", "", "", ""),
        ("", "", "", "", ""),
        ("Person", "", "Contact", "", "Other"),
        ("First Name", "Last Name", "Mobile", "E-mail", "Remark"),
        ("(required)", "(required)", "digits only", "", "text"),
        ("Ann", "Lee", "+8613800000001", "ann@x.example", "good"),
        ("First Name", "Last Name", "Mobile", "E-mail", "Remark"),
        ("Bo", "Ek", "+8613800000002", "bo@x.example", ""),
        ("Total", "", "2", "", ""),
        ("", "Note: as of March", "", "", ""),
        ("* without guarantee", "", "", "", ""),
        ("Page 1 of 1", "", "", "", ""),
    ],
    stored={"Ann": {"sms_phone": "8613800000001", "remark": "good"}, "Bo": {"sms_phone": "8613800000002"}},
    codes={},
    skipped=[5, 7, 9, 10, 11, 12],
)
PHONES = Kind(
    rows=people(
        "Phone",
        "+49 (0)171 2345678",
        "0049 171 2345679",
        "tel:+49-171-2345680",
        "https://wa.me/491712345681",
        "491712345682@s.whatsapp.net",
        "+49 171 2345683 ext. 12",
        "+49 171 2345684 / +49 172 2345685",
        "+49 171 2345686;+49 172 2345687",
        "+٤٩١٧١٢٣٤٥٦٨٨",
        "'+491712345689",
        "0171 2345690",
        "-491712345691",
        "491712345692.5",
        "17123456O3",
        "+49 171 2345694 +49 172 2345695",
        "n/a",
        "000000000",
        "+1 415 555 26",
        "#REF!",
    ),
    stored={
        "Paa": {"sms_phone": "491712345678"},
        "Pab": {"sms_phone": "491712345679"},
        "Pac": {"sms_phone": "491712345680"},
        "Pad": {"sms_phone": "491712345681"},
        "Pae": {"sms_phone": "491712345682"},
        "Paf": {"sms_phone": "491712345683"},
        "Pag": {"sms_phone": "491712345684"},
        "Pah": {"sms_phone": "491712345686"},
        "Pai": {"sms_phone": "491712345688"},
        "Paj": {"sms_phone": "491712345689"},
        "Pak": {"sms_phone": "01712345690"},
        "Pal": {"sms_phone": ""},
        "Pam": {"sms_phone": ""},
        "Pan": {"sms_phone": ""},
        "Pao": {"sms_phone": "491712345694"},
        "Pap": {"sms_phone": ""},
        "Paq": {"sms_phone": ""},
        "Par": {"sms_phone": "141555526"},
    },
    codes={
        2: {"trunk-zero-left-out"},
        7: {"extension-left-out"},
        8: {"several-values"},
        9: {"several-values"},
        12: {"no-country-code"},
        13: {"bad-phone", "no-contact"},
        14: {"bad-phone", "no-contact"},
        15: {"bad-phone", "no-contact"},
        16: {"several-values"},
        17: {"word-for-nothing", "no-contact"},
        18: {"placeholder", "no-contact"},
        19: {"doubtful-phone"},
        20: {"cell-error", "no-contact"},
    },
    invalid=[20],
)
DATES = Kind(
    rows=people(
        "Birthday",
        "1990-05-07",
        "1990/5/8",
        "1990年5月9日",
        "13/05/1990",
        "3. März 1980",
        "March 4, 1980",
        "1990-05-10T00:00:00",
        "0000-00-00",
        "0001-01-01",
        "30/12/1899",
        "unknown",
        "1850-01-01",
        "2190-01-01",
        "05/31/1990",
        "31/02/1990",
    ),
    stored={
        "Paa": {"birthday": "1990-05-07"},
        "Pab": {"birthday": "1990-05-08"},
        "Pac": {"birthday": "1990-05-09"},
        "Pad": {"birthday": "1990-05-13"},
        "Pae": {"birthday": "1980-03-03"},
        "Paf": {"birthday": "1980-03-04"},
        "Pag": {"birthday": "1990-05-10"},
        "Pah": {"birthday": ""},
        "Pai": {"birthday": ""},
        "Paj": {"birthday": ""},
        "Pak": {"birthday": ""},
        "Pan": {"birthday": "1990-05-31"},
    },
    codes={
        **{row: {"word-for-nothing", "no-contact"} for row in (9, 10, 11, 12)},
        **{row: {"implausible-date", "no-contact"} for row in (13, 14)},
        16: {"bad-date", "no-contact"},
        15: {"no-contact", "other-date-order"},  # its day can only come second
        **{row: {"no-contact"} for row in (2, 3, 4, 5, 6, 7, 8)},
    },
    invalid=[13, 14, 16],
)
WORDS = Kind(
    rows=[
        ("First Name", "Last Name", "E-mail", "Gender", "Address", "Tags"),
        ("Ann", "Lee", "mailto:ann@x.example", "weiblich", "NULL", "vip;b"),
        ("Bo", "Ek", "Bo Ek <bo@x.example>", "divers", "-", "vip;d"),
        ("Cy", "Oh", "cy＠x.example", "男", "无", "e"),
        ("Di", "Fu", "di@x.example; di2@x.example", "F", "N/A", "NULL"),
        ("Eve", "Null", "x@", "prefer not to say", "Main Street 1", "new|vip"),
        ("NULL", "Wu", "none@none.com", "Herr", "\\N", "vip;i"),
        ("não informado", "Xi", "无@qq.com", "mujer", "nan", "new;k"),
        ("660 181", "Yo", "yo@x.example", "", "", ""),
        ("#Zed", "Zo", "zed@x.example", "", "", ""),
    ],
    stored={
        "Ann": {"email": "ann@x.example", "gender": "0", "address": "", "tagStr": "vip,b"},
        "Bo": {"email": "bo@x.example", "gender": "", "address": "", "tagStr": "vip,d"},
        "Cy": {"email": "cy@x.example", "gender": "1", "address": "", "tagStr": "e"},
        "Di": {"email": "di@x.example", "gender": "0", "address": "", "tagStr": ""},
        "Eve": {"last_name": "Null", "email": "", "gender": "", "address": "Main Street 1"},
        "660 181": {"email": "yo@x.example"},
        "#Zed": {"email": "zed@x.example"},
    },
    codes={
        2: {"word-for-nothing"},
        3: {"gender-left-out", "word-for-nothing"},
        4: {"word-for-nothing"},
        5: {"several-values", "word-for-nothing"},
        6: {"placeholder", "gender-left-out", "no-contact"},
        7: {"required", "placeholder", "word-for-nothing", "no-contact"},
        8: {"required", "placeholder", "word-for-nothing", "no-contact"},
        9: {"doubtful-name"},
        10: {"doubtful-name"},
    },
    invalid=[7, 8],
)
QUOTED = Kind(
    rows=[
        ("First Name", "Last Name", "Phone", "Birthday", "Remark"),
        ("“Ann”", '"Lee"', "'+8613800000001'", "“1990-05-07”", ""),
        ("“Bo”", '"Ek"', "'+8613800000002'", "“1990-05-08”", "“good”"),
        ("“Cy”", '"Oh"', "'+8613800000003'", "“1990-05-09”", "calls himself “Ace”"),
    ],
    stored={
        "Ann": {"last_name": "Lee", "sms_phone": "8613800000001", "birthday": "1990-05-07"},
        "Bo": {"last_name": "Ek", "remark": "“good”"},
        "Cy": {"last_name": "Oh", "remark": "calls himself “Ace”"},
    },
    codes={},
)
SHARED = Kind(
    rows=[
        ("First Name", "Last Name", "Phone", "E-mail"),
        *(
            (
                f"P{chr(ord('a') + at)}",
                "X",
                "+8613800138000" if at % 2 else f"+86139000000{at:02d}",
                "info@x.example" if at < 5 else f"p{at}@x.example",
            )
            for at in range(18)
        ),
    ],
    stored={"Pe": {"sms_phone": "8613900000004"}, "Pf": {"sms_phone": ""}, "Pr": {"sms_phone": ""}},
    merged=4,
    codes={
        at + 2: ({"placeholder"} if at % 2 else set())
        | ({"same-contact"} if 0 < at < 5 else set())
        | ({"place-taken"} if at < 4 else set())
        for at in range(18)
    },
)
KINDS = {
    "header": HEADER,
    "phones": PHONES,
    "dates": DATES,
    "words": WORDS,
    "quoted": QUOTED,
    "shared": SHARED,
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", KINDS)
def test_a_messy_table_is_read_as_its_owner_means_it_or_told(
    importer: Command, settings: Connection, box: Sandbox, work: Path, name: str, ending: str
) -> None:
    kind = KINDS[name]
    file = work / f"customers{ending}"
    write_table(file, kind.rows)
    importer("run", file.name, "--report-dir", "out")
    rows = {int(row["_row"]): row for row in results(work / "out")}
    told = {number: _codes(row) for number, row in rows.items() if row["_status"] != "skipped"}
    assert {number: codes for number, codes in told.items() if codes} == {
        number: codes for number, codes in kind.codes.items() if codes
    }
    assert sorted(number for number, row in rows.items() if row["_status"] == "skipped") == [*kind.skipped]
    assert sorted(number for number, row in rows.items() if row["_status"] == "invalid") == [*kind.invalid]
    stored = {str(one.fields["first_name"]): one.fields for one in box.customers()}
    assert len(stored) == len(rows) - len(kind.skipped) - len(kind.invalid) - kind.merged
    for first_name, fields in kind.stored.items():
        found = {field: str(stored[first_name].get(field) or "") for field in fields}
        if "gender" in fields:
            found["gender"] = str(stored[first_name].get("gender", ""))
        assert found == fields


def _codes(row: Mapping[str, str]) -> set[str]:
    return {issue.partition(":")[0] for issue in row["_issues"].split("; ") if issue}


def test_a_contact_that_many_share_is_named_with_its_count(
    importer: Command, settings: Connection, work: Path
) -> None:
    write_table(work / "c.csv", SHARED.rows)
    done = importer("run", "c.csv", "--report-dir", "out")
    assert "5 rows share the contact info@x.example" in done.out
    assert any("info@x.example" in note for note in summary(work / "out")["notes"])
    assert "info@x.example" in (work / "out" / "report.html").read_text("utf-8")
    masked = importer("run", "c.csv", "--mask", "--report-dir", "masked")
    assert "info@x.example" not in masked.out


def test_a_household_keeps_its_phone(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [("Ann", "Lee"), ("Bo", "Lee"), ("Cy", "Lee"), ("Di", "Fu")]
    lines = [(*name, "+8613800138000", f"{name[0]}@x.example") for name in rows]
    write_table(work / "c.csv", [("First Name", "Last Name", "Phone", "E-mail"), *lines])
    importer("run", "c.csv", "--report-dir", "out")
    taken, same = "place-taken", "same-contact"
    assert [_codes(row) for row in results(work / "out")] == [{taken}, {taken, same}, {taken, same}, {same}]
    assert {one.fields["sms_phone"] for one in box.customers()} == {"8613800138000"}


LINES = (
    "First Name,Last Name,Phone,Remark",
    "Ann,Lee,+8613800000001,good",
    'Bo,Ek,+8613800000002,"one, two"',
)


@pytest.mark.parametrize("ending", [".xlsx", ".xls", ".ods"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_of_a_csv_in_the_first_column_become_columns(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str, delimiter: str
) -> None:
    file = work / f"c{ending}"
    lines = [line.replace(",", delimiter) for line in LINES]
    write_table(file, [("Customers",), ("",), *((line,) for line in lines)])
    importer("run", file.name, "--report-dir", "out")
    assert [row["_row"] for row in results(work / "out")] == ["4", "5"]
    remarks = [one.fields["remark"] for one in box.customers()]
    assert remarks == ["good", f"one{delimiter} two"]


@pytest.mark.parametrize("bare_header", [False, True])
@pytest.mark.parametrize(
    ("opening", "closing"), [("'", "'"), ("“", "”"), ("«", "»"), ('""', '""'), ('"""', '"""')]
)
def test_cells_in_other_quotation_marks_are_read_without_them(
    importer: Command,
    settings: Connection,
    box: Sandbox,
    work: Path,
    opening: str,
    closing: str,
    bare_header: bool,
) -> None:
    header, *lines = (line.split(",") for line in LINES[:2])
    quoted = [",".join(opening + cell + closing for cell in cells) for cells in lines * 2]
    first = ",".join(header if bare_header else [opening + name + closing for name in header])
    (work / "c.csv").write_text("\n".join([first, *quoted]), "utf-8")
    importer("run", "c.csv", "--report-dir", "out")
    assert [row["_status"] for row in results(work / "out")] == ["imported", "duplicate"]
    (one,) = box.customers()
    assert (one.fields["first_name"], one.fields["remark"]) == ("Ann", "good")


@pytest.mark.parametrize("bare_header", [False, True])
def test_lines_in_quotation_marks_are_read_without_them(
    importer: Command, settings: Connection, box: Sandbox, work: Path, bare_header: bool
) -> None:
    header, *lines = ('"' + line.replace('"', '""') + '"' for line in LINES)
    (work / "c.csv").write_text("\n".join([LINES[0] if bare_header else header, *lines]), "utf-8")
    importer("run", "c.csv", "--report-dir", "out")
    assert [one.fields["remark"] for one in box.customers()] == ["good", "one, two"]


SALUTATIONS = {
    "Anrede": ("Herr", "Frau", "Herrn Dr.", "Familie", "Sehr geehrte Frau", "Freunde"),
    "Civilité": ("M.", "Mme", "M. Dr", "M. et Mme", "Mlle", "Amis"),
    "称谓": ("先生", "女士", "先生", "公司", "小姐", "王总"),
}


@pytest.mark.parametrize("header", SALUTATIONS)
def test_forms_of_address_say_the_gender(
    importer: Command, settings: Connection, box: Sandbox, work: Path, header: str
) -> None:
    cells = SALUTATIONS[header]
    rows = [(header, "First Name", "Last Name", "E-mail")]
    rows += [(cell, f"P{at}", "X", f"p{at}@x.example") for at, cell in enumerate(cells)]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    found = {str(one.fields["first_name"]): one.fields.get("gender") for one in box.customers()}
    assert list(found.values()) == [1, 0, 1, None, 0, None]
    told = {f"P{at}" for at, row in enumerate(results(work / "out")) if "gender-left-out" in row["_issues"]}
    assert {"P3", "P5"} <= told


def test_a_street_goes_with_its_place(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [
        ("Vorname", "Nachname", "E-Mail", "Straße", "PLZ", "Ort"),
        ("Uwe", "Ek", "u@x.example", "Ring 7", "50667", "Köln"),
        ("Eva", "Ek", "e@x.example", "", "50667", "keine Angabe"),
    ]
    write_table(work / "c.csv", rows)
    done = importer("run", "c.csv", "--report-dir", "out")
    assert [one.fields["address"] for one in box.customers()] == ["Ring 7, 50667, Köln", "50667"]
    assert "not imported" not in done.err
    write_table(
        work / "d.csv", [("First Name", "Last Name", "Street", "City"), ("Ann", "Lee", "1 Elm St", "Reno")]
    )
    importer("run", "d.csv", "--report-dir", "out")
    assert "1 Elm St, Reno" in [one.fields["address"] for one in box.customers()]


def test_words_for_the_unknown_are_no_addresses_countries_or_days(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [
        ("First Name", "Last Name", "Email", "Address", "Country", "Birthday"),
        ("Ann", "Lee", "待补充", "不明", "Unknown", "belirtilmemiş"),
        ("Bo", "Ek", "not provided", "unbekannt", "保密", "no informado"),
    ]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    assert [row["_status"] for row in results(work / "out")] == ["imported"] * 2
    for one in box.customers():
        assert not one.fields.keys() & {"email", "address", "country", "birthday"}


def test_a_column_of_genders_goes_before_one_of_forms_of_address(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [
        ("Anrede", "Vorname", "Nachname", "E-Mail", "Geschlecht"),
        ("Frau", "Kim", "Lee", "k@x.example", "m"),
    ]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    assert [one.fields["gender"] for one in box.customers()] == [1]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("Gil,Neves,+5511955550002,Rua B, 20,gil@x.example,", "extra-cells"),
        ('Gil,"Ne"ves,Rua B,+5511955550002,gil@x.example', "text-after-quote"),
    ],
)
def test_of_a_row_whose_cells_have_moved_only_the_cause_is_told(
    importer: Command, work: Path, line: str, cause: str
) -> None:
    text = f"First Name,Last Name,Phone,Address,E-mail\n{line}\nHugo,Reis,+5511955550003,Rua C,h@x.example\n"
    (work / "c.csv").write_text(text, "utf-8")
    importer("validate", "c.csv", "--report-dir", "out")
    rows = results(work / "out")
    assert [_codes(row) for row in rows] == [{cause}, set()]


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_in_tags_are_refused_with_the_reason(importer: Command, work: Path, ending: str) -> None:
    cell = "<row><first_name>{}</first_name><last_name>Lee</last_name></row>"
    write_table(work / f"c{ending}", [(cell.format(name),) for name in ("Ann", "Bo", "Cy")])
    done = importer("validate", f"c{ending}")
    assert "[rows-in-tags]" in done.err
    assert "<row>" in done.err


@pytest.mark.parametrize("ending", [".xlsx", ".xls", ".ods"])
def test_one_remark_in_a_quoted_column_changes_nothing(
    importer: Command, settings: Connection, box: Sandbox, work: Path, ending: str
) -> None:
    rows = [("First Name", "Last Name", "Remark"), ("Ann", "Lee", "“Villa Rosa”"), ("Bo", "Ek", "")]
    write_table(work / f"c{ending}", rows)
    importer("run", f"c{ending}", "--report-dir", "out")
    assert [one.fields.get("remark") for one in box.customers()] == ["“Villa Rosa”", None]


def test_the_end_mark_of_dos_and_byte_order_marks_are_no_text(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    text = "\ufeff" + LINES[0] + "\n" + LINES[1] + "\n\ufeff" + LINES[0] + "\n\ufeff" + LINES[2] + "\n\x1a"
    (work / "c.csv").write_text(text, "utf-8")
    importer("run", "c.csv", "--report-dir", "out")
    assert [row["_status"] for row in results(work / "out")] == ["imported", "skipped", "imported"]
    assert [one.fields["first_name"] for one in box.customers()] == ["Ann", "Bo"]


def test_of_the_lists_of_an_address_book_the_first_value_is_sent_and_every_tag(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [
        ("First Name", "Last Name", "Phone", "E-mail", "Address", "Tags"),
        (
            *("Ann", "Lee", "+8613800000001 ::: +8613800000002", "a@x.example ::: b@x.example"),
            *("Street 1 ::: Street 2", "* friends ::: VIP"),
        ),
    ]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    (one,) = box.customers()
    assert {name: one.fields[name] for name in ("sms_phone", "email", "address", "tagStr")} == {
        "sms_phone": "8613800000001",
        "email": "a@x.example",
        "address": "Street 1",
        "tagStr": "friends,VIP",
    }
    (row,) = results(work / "out")
    assert row["_issues"] == "several-values:Phone; several-values:E-mail; several-values:Address"


def test_a_column_that_says_who_has_left_is_told_with_what_leaves_them_out(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [
        ("First Name", "Last Name", "E-mail", "Austritt"),
        ("Ann", "Lee", "ann@x.example", ""),
        ("Bo", "Ek", "bo@x.example", "2024-03-31"),
        ("Cy", "Fu", "cy@x.example", "nein"),
    ]
    write_table(work / "c.csv", rows)
    done = importer("run", "c.csv", "--report-dir", "out")
    assert [_codes(row) for row in results(work / "out")] == [set(), {"customer-left"}, set()]
    assert '[[only]] column = "Austritt"' in done.out
    assert len(box.customers()) == 3


def test_a_row_without_a_contact_names_the_column_that_has_one_and_is_not_imported(
    importer: Command, settings: Connection, box: Sandbox, work: Path
) -> None:
    rows = [
        ("First Name", "Last Name", "Mobile", "Tel. privat", "Notfall-Telefon"),
        ("Ann", "Lee", "+8613800000001", "0421 383456", ""),
        ("Bo", "Ek", "", "0421 383457", ""),
        ("Cy", "Fu", "", "", "0421 383458"),
    ]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    told = [row["_issues"] for row in results(work / "out")]
    assert told == ["", "no-contact:Tel. privat", "no-contact:"]


@pytest.mark.parametrize(
    ("column", "whole", "cut"),
    [("PLZ", "28195", "1067"), ("CEP", "04001-000", "1414-001"), ("Zip", "10001", "2134")],
)
def test_a_postal_code_that_lost_its_zero_is_told(
    importer: Command, settings: Connection, work: Path, column: str, whole: str, cut: str
) -> None:
    mapping = f"""
        [fields]
        first_name.from = "A"
        last_name.from = "B"
        email.from = "E"
        [fields.address]
        from = ["Street", "{column}", "City"]
        join = ", "
    """
    (work / "m.toml").write_text(mapping, "utf-8")
    lines = [("Ann", "a", whole), ("Bo", "b", cut), ("Cy", "c", whole), ("Di", "d", "")]
    rows = [(name, "Lee", f"{at}@x.example", "Street 1", code, "Town") for name, at, code in lines]
    write_table(work / "c.csv", [("A", "B", "E", "Street", column, "City"), *rows])
    importer("run", "c.csv", "--mapping", "m.toml", "--report-dir", "out")
    told = [row["_issues"] for row in results(work / "out")]
    assert told == ["", f"short-postal-code:{column}", "", ""]


def test_of_a_joined_address_that_is_too_long_the_longest_part_is_named(
    importer: Command, settings: Connection, work: Path
) -> None:
    rows = [
        ("First Name", "Last Name", "E-mail", "Street", "City"),
        ("Ann", "Lee", "a@x.example", "Street 1", "y" * 120),
    ]
    write_table(work / "c.csv", rows)
    importer("run", "c.csv", "--report-dir", "out")
    assert [row["_issues"] for row in results(work / "out")] == ["too-long:City"]
