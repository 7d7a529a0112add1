"""E-mails out of what stands around them, tags in the forms of programs, and contacts that are none."""

from __future__ import annotations

import json

import pytest

from importer.mapping import emails, tags
from importer.reports.wording import issue_text
from tests.support.mapping import field, mapped, values

NAMES = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'


def read(field: str, *cells: str, rule: str = "") -> tuple[list[str | None], list[str]]:
    found = mapped(f'{NAMES}[fields.{field}]\nfrom = "X"\n{rule}', {"X": cells})
    assert all(issue_text(issue, lang=lang).message for issue in found.issues for lang in ("en", "zh"))
    return values(found, field), [issue.code for issue in found.issues]


@pytest.mark.parametrize(
    ("cell", "address", "codes"),
    [
        ("ann@shop.example", "ann@shop.example", []),
        ("mailto:ann@shop.example?subject=x", "ann@shop.example", []),
        ("Ann Lee <ann@shop.example>", "ann@shop.example", []),
        ('"Lee, Ann" <ann@shop.example>', "ann@shop.example", []),
        ("'ann@shop.example'", "ann@shop.example", []),
        ("ann＠shop．example", "ann@shop.example", []),
        ("o'neil@shop.example", "o'neil@shop.example", []),
        ("ann@shop.example; bob@shop.example", "ann@shop.example", ["several-values"]),
        ("ann@shop.example\nbob@shop.example", "ann@shop.example", ["several-values"]),
        ("ann@shop.example ::: bob@shop.example", "ann@shop.example", ["several-values"]),
        ("<ann@shop.example>, <bob@shop.example>", "ann@shop.example", ["several-values"]),
        ("ann@shop.example (work)", "ann@shop.example", ["text-left-out"]),
        ("ann lee@shop.example", "ann lee@shop.example", []),
        ("ann@shop,example", "ann@shop,example", []),
        ("no tiene correo", None, ["word-for-nothing"]),
        ("SIN MAIL", None, ["word-for-nothing"]),
        ("no reply", None, ["bad-email"]),
        ("以后补", None, ["bad-email"]),
        ("jörg@bücher.example", "jörg@bücher.example", []),
    ],
)
def test_an_address_is_taken_out_of_what_stands_around_it(
    cell: str, address: str | None, codes: list[str]
) -> None:
    assert read("email", cell) == ([address], codes)


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ('["VIP","New"]', "VIP,New"),
        ("['VIP', 'New']", "VIP,New"),
        ("{VIP,New}", "VIP,New"),
        ('{VIP,"Old friend"}', "VIP,Old friend"),
        ('"VIP","New"', "VIP,New"),
        ('"""VIP"",""New"""', "VIP,New"),
        ("VIP\nNew", "VIP,New"),
        ("VIP；老客户", "VIP,老客户"),
        ("[]", None),
        ("VIP", "VIP"),
        ("R;D", "R;D"),
        ("[draft", "[draft"),
    ],
)
def test_tags_are_read_in_the_forms_of_programs(cell: str, tags: str | None) -> None:
    assert read("tagStr", cell)[0] == [tags]


def test_a_column_proves_that_a_mark_stands_between_its_tags() -> None:
    assert read("tagStr", "VIP; New", "VIP", "R|D")[0] == ["VIP,New", "VIP", "R|D"]
    assert read("tagStr", "VIP|New", "New|Old")[0] == ["VIP,New", "New,Old"]
    assert read("tagStr", "老客;送礼", "少糖、去冰")[0] == ["老客,送礼", "少糖,去冰"]
    assert read("tagStr", "R;D", "VIP")[0] == ["R;D", "VIP"]


def test_usual_separators_with_others_go_on_reading_lists() -> None:
    rule = f'from = "X"\nseparators = {json.dumps([*tags.USUAL_SEPARATORS, "|"])}'
    for cell, meant in (('["a|b", "c"]', "a|b,c"), ("a|b、c\nd", "a,b,c,d"), ('"a","b"', "a,b")):
        assert field(rule, "tagStr", cell) == [meant]


@pytest.mark.parametrize(
    "cell",
    [
        *("000000", "11111111111", "123456", "1234567890", "0123456789", "+86 00000000000"),
        *("+55 11 99999-9999", "+55 (11) 00000-0000", "+55 11 12345-6789", "+84 123456789"),
    ],
)
def test_made_up_phones_are_left_out(cell: str) -> None:
    found, codes = read("sms_phone", cell, "8613912345678")
    assert found == [None, "8613912345678"]
    assert "placeholder" in codes


@pytest.mark.parametrize(
    "cell",
    [
        *(
            "x@",
            "@",
            "a@a.a",
            "xx@xx.com",
            "test@test.com",
            "noemail@shop.example",
            "None@none.com",
            "NAO@TEM.COM",
        ),
        *("não@tem.com", "nao.tem@nada.com", "sem@email.com", "notiene@x.example", "sin-correo@x.example"),
        *(
            "keine@mail.de",
            "pasdemail@x.example",
            "test@gmail.com",
            "no@qq.com",
            "无@无.com",
            "нет@нет.example",
        ),
    ],
)
def test_made_up_addresses_are_left_out(cell: str) -> None:
    assert read("email", cell, "ann@shop.example") == ([None, "ann@shop.example"], ["placeholder"])


def test_addresses_and_phones_of_people_are_no_placeholders() -> None:
    people = ["nora@nora.example", "noel@mail.example", "aa@bb.example", "test.lee@shop.example"]
    people += [
        "nan@x.example",
        "sem@philips.example",
        "nadal@nada.example",
        "abc@firma.example",
        "info@test.example",
    ]
    assert read("email", *people) == (people, [])
    phones = [
        "8613900000000",
        "14155552671",
        "491711111112",
        "8613812345678",
        "4917112345678",
        "33611111111",
        "8618888888888",
    ]
    assert read("sms_phone", *phones) == (phones, [])


@pytest.mark.parametrize(
    "cell", ["ｔｅａ５４＠１６３．ｃｏｍ", "ｔｅａ５４@１６３.ｃｏｍ", "<ｔｅａ５４＠１６３．ｃｏｍ>"]
)
def test_addresses_in_full_width_letters_are_narrowed(cell: str) -> None:
    assert read("email", cell)[0] == ["tea54@163.com"]


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("o'brien@x.example", ["o'brien@x.example"]),
        ("'ann@x.example', 'bo@y.example'", ["ann@x.example", "bo@y.example"]),
        ("Sean O'Brien <o'brien@x.example>", ["o'brien@x.example"]),
        ("ann@x.example.", ["ann@x.example"]),
    ],
)
def test_all_addresses_of_a_cell_keep_their_apostrophes(cell: str, addresses: list[str]) -> None:
    assert emails.all_addresses(cell) == addresses
