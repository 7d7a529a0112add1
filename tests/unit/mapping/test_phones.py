"""Phones of all kinds: never glued, never longer in silence, and told where the country is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pandas as pd
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import arrow
from importer.mapping import bind, load_text
from importer.mapping.doubtful_phones import landlines
from importer.mapping.phone_texts import RegionalNumber, international
from importer.mapping.phones import PhoneProof, prove
from importer.mapping.regions import national_part, region_of, with_country_code
from importer.reports.wording import issue_text
from tests.support.mapping import SEA, chunk, mapped, values

NAMES = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'


def phones(*cells: str, rule: str = "", **beside: list[str]) -> tuple[list[str | None], list[list[str]]]:
    found = mapped(f'{NAMES}[fields.sms_phone]\nfrom = "Phone"\n{rule}', {"Phone": cells, **beside})
    assert all(issue_text(issue, lang=lang).message for issue in found.issues for lang in ("en", "zh"))
    codes = [
        [issue.code for issue in found.issues if issue.row == row and issue.code != "landline"]
        for row in range(2, 2 + len(cells))
    ]
    return values(found, "sms_phone"), codes


@pytest.mark.parametrize(
    ("cell", "digits", "codes"),
    [
        ("+49 (0) 171 2345678", "491712345678", ["trunk-zero-left-out"]),
        ("0049 171 2345678", "491712345678", []),
        ("00491712345678", "491712345678", []),
        ("011 49 171 2345678", "491712345678", []),
        ("+44 07911 123456", "447911123456", ["trunk-zero-left-out"]),
        ("+39 06 1234 5678", "390612345678", []),
        ("tel:+49-171-2345678", "491712345678", []),
        ("https://api.whatsapp.com/send?phone=491712345678&text=hi", "491712345678", []),
        ("wa.me/491712345678", "491712345678", []),
        ("491712345678:12@s.whatsapp.net", "491712345678", []),
        ("手机：+8613912345678", "8613912345678", []),
        ("+۴۹ ۱۷۱ ۲۳۴۵۶۷۸", "491712345678", []),
        ("๐๘๑๒๓๔๕๖๗๘", "0812345678", ["no-country-code"]),
        ("+49 171 2345678 ext 12", "491712345678", ["extension-left-out"]),
        ("+86 21 5888 0001转12", "862158880001", ["extension-left-out"]),
        ("021-58880001-12", "02158880001", ["extension-left-out", "no-country-code"]),
        ("+49 171 2345678 / +49 172 2345678", "491712345678", ["several-values"]),
        ("+49 171 2345678 +49 172 2345678", "491712345678", ["several-values"]),
        ("+49 171 2345678 und 0172 2345678", "491712345678", ["several-values"]),
        ("+49 171 2345678 (Ann)", "491712345678", ["text-left-out"]),
        ("8613912345678 8613912345679", "8613912345678", ["several-values"]),
        ("86139123456788613912345679", None, ["bad-phone"]),
        ("0049171-2345110", "491712345110", []),
        ("微信13811112010", "13811112010", ["text-left-out", "no-country-code"]),
        ("-491712345678", None, ["bad-phone"]),
        ("491712345678.5", None, ["bad-phone"]),
        ("ask Ann", None, ["bad-phone"]),
        ("1712345678a", None, ["bad-phone"]),
        ("1.86E+10", "1.86E+10", []),
    ],
)
def test_a_cell_is_read_as_a_person_would(cell: str, digits: str | None, codes: list[str]) -> None:
    assert phones(cell) == ([digits], [codes])


def test_bare_digits_that_are_too_long_for_a_country_are_complete() -> None:
    assert phones("8613912345678", "447911123456") == (["8613912345678", "447911123456"], [[], []])


def test_a_column_proves_whether_its_bare_digits_carry_a_country_code() -> None:
    american = ("12125550123", "13105550124", "14155552671", "18163725558", "16502530000")
    assert phones(*american)[1] == [[]] * 5
    chinese = ("13462819482", "13912345678", "15812345678", "18812345678")
    assert phones(*chinese)[1] == [["no-country-code"]] * 4
    assert phones("13462819482")[1] == [["no-country-code"]]
    assert prove(iter([chunk({"X": list(american)}).frame["X"]])) == PhoneProof(carries_codes=True)


def test_phones_that_stand_in_two_columns_alike_are_told_of_in_both() -> None:
    rules = "".join(
        f"[fields.{name}]\n{rule}\n"
        for name, rule in (
            ("first_name", 'constant = "A"'),
            ("last_name", 'constant = "B"'),
            ("sms_phone", 'from = "Phone"'),
            ("whats_app_phone", 'from = "WhatsApp"'),
        )
    )
    cells = ("+86 138 0000 1111", "none of these", "13912345678", "00000000")
    found = mapped(rules, {"Phone": cells, "WhatsApp": cells})
    assert values(found, "sms_phone") == values(found, "whats_app_phone") != list(cells)
    told = [
        [(one.row, one.code) for one in found.issues if one.column == name] for name in ("Phone", "WhatsApp")
    ]
    assert told[0] == told[1]
    assert len(told[0]) >= 3


def test_what_another_column_proves_is_not_taken_for_a_proof() -> None:
    american = ("12125550123", "13105550124", "14155552671", "18163725558", "16502530000")
    whole = {"Phone": american, "WhatsApp": ("13462819482", "13912345678", "15812345678")}
    rules = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'
    rules += '[fields.sms_phone]\nfrom = "Phone"\n[fields.whats_app_phone]\nfrom = "WhatsApp"\n'

    def look(column: str) -> Iterator[pd.Series]:
        yield chunk({column: whole[column]}).frame[column]

    part = {"Phone": american[:1], "WhatsApp": american[:1]}
    bound = bind(load_text(rules, "own.toml"), list(part), SEA, read_column=look)
    assert [issue.column for issue in bound.map(chunk(part)).issues] == ["WhatsApp"]


def test_the_country_decides_between_two_readings() -> None:
    assert phones("13462819482", rule='region = "CN"') == (["8613462819482"], [[]])
    assert phones("13462819482", rule='region = "US"') == (["13462819482"], [[]])
    assert phones("8613912345678", "12345", rule='region = "US"') == (
        ["8613912345678", "12345"],
        [[], ["no-country-code"]],
    )


def test_a_column_of_countries_gives_each_row_its_region() -> None:
    cells = ("0171 2345678", "13912345678", "(11) 98765-4321", "07911 123456", "5551234567", "+14155552671")
    countries = ["Deutschland", "中国", "Brasil", "UK", "Atlantis", "DE"]
    found, codes = phones(*cells, rule='region = { from = "Country" }', Country=countries)
    assert found == [
        "491712345678",
        "8613912345678",
        "5511987654321",
        "447911123456",
        "5551234567",
        "14155552671",
    ]
    assert codes == [[], [], [], [], ["no-country-code"], []]


def test_country_codes_of_a_column_go_before_numbers_once_and_must_hold_digits() -> None:
    cells = ("0171 2345678", "491712345678", "1712345678", "1712345678", "+491712345678")
    codes = ["49", "+49", "0049", "Germany", "Germany"]
    found, issues = phones(*cells, rule='country_code = "Code"', Code=codes)
    assert found == [*["491712345678"] * 3, None, "491712345678"]
    assert issues == [[], [], [], ["bad-country-code"], []]


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("China", "CN"),
        ("中国", "CN"),
        ("chn", "CN"),
        ("Alemania", "DE"),
        ("Россия", "RU"),
        ("U.K.", "GB"),
        ("ประเทศไทย", "TH"),
        ("Việt Nam", "VN"),
        ("NA", "NA"),
        ("nowhere", None),
        ("", None),
    ],
)
def test_countries_are_known_by_code_and_name(name: str, region: str | None) -> None:
    assert region_of(name) == region


def test_country_codes_are_those_of_the_numbering_plans() -> None:
    import phonenumbers

    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        if code not in (800, 808, 979, 870, 878, 881, 882, 883, 888):
            assert national_part(f"{code}1234567") == "1234567", code


@given(
    st.lists(
        st.text(st.sampled_from("0123456789+-() ./;:x,#转@abc۱２\n"), max_size=24)
        | st.from_regex(r"\A\+?[0-9]{6,13}[ /;,-]{1,3}[0-9]{6,13}\Z"),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_stands_in_a_column_only_plausible_digits_are_left(cells: list[str]) -> None:
    found, codes = phones(*cells)
    for cell, digits, issues in zip(cells, found, codes, strict=True):
        if digits is None:
            continue
        assert digits.isascii()
        assert digits.isdigit()
        assert len(digits) <= 15
        figures = sum(map(str.isdigit, cell))
        assert figures <= 15 or issues or len(digits) == figures


PLANS = (
    *(
        "CN",
        "US",
        "BR",
        "ID",
        "IN",
        "DE",
        "FR",
        "GB",
        "ES",
        "MX",
        "VN",
        "TH",
        "JP",
        "KR",
        "IT",
        "NL",
        "PL",
        "RU",
    ),
    *(
        "TR",
        "EG",
        "SA",
        "SE",
        "MY",
        "PH",
        "AR",
        "CL",
        "CO",
        "ZA",
        "NG",
        "AU",
        "SG",
        "HK",
        "TW",
        "UA",
        "HU",
        "IR",
    ),
)
BEGINNINGS = ("", "", "0", "00", "1", "8", "9", "90", "06", "0015", "12593")


@pytest.mark.parametrize("region", PLANS)
def test_a_column_gets_the_country_codes_that_phonenumbers_gives_each_number(region: str) -> None:
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    found = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    usual = [phonenumbers.national_significant_number(example) for example in found if example is not None]
    code = str(phonenumbers.country_code_for_region(region))
    numbers, some = list(usual), random.Random(region)
    for _ in range(120):
        example = some.choice(usual)
        kept = some.randint(0, len(example) - 1)
        end = "".join(some.choices("0123456789", k=len(example) - kept))
        numbers.append(some.choice((*BEGINNINGS, code)) + example[:kept] + end)
    done = with_country_code(arrow.array(numbers), region).to_pylist()
    assert done[0] == code + usual[0] or region == "AR"
    for number, made in zip(numbers, done, strict=True):
        assert not made or RegionalNumber(made, in_use=True) == international(number, region), number


def test_a_country_that_shares_its_code_leaves_its_numbers_to_phonenumbers() -> None:
    assert with_country_code(arrow.array(["5062345678"]), "CA").to_pylist() == [""]
    assert with_country_code(arrow.array(["5062345678"]), "XX").to_pylist() == [""]


@pytest.mark.parametrize(
    ("number", "is_line"),
    [
        ("864008208820", True),
        ("868008208820", True),
        ("862885551234", True),
        ("8613708001301", False),
        ("49421383456", True),
        ("4915112345001", False),
        ("551133332211", True),
        ("5511933332211", False),
        ("390612345678", True),
        ("393331234567", False),
        ("12125550123", False),  # American mobile phones look like any other number
        ("541155550123", False),  # and those of Argentina are often written so
        ("6281234567890", False),
        ("62215551234", True),
        ("819012345678", False),
        ("81312345678", True),
        ("0812", False),
        ("x", False),
    ],
)
def test_a_number_that_gets_no_text_messages_is_noted_where_these_go(number: str, is_line: bool) -> None:
    assert landlines(arrow.array([number, "", "4915112345001"])).tolist() == [is_line, False, False]
    for field in ("sms_phone", "whats_app_phone"):
        found = mapped(f'{NAMES}[fields.{field}]\nfrom = "Phone"', {"Phone": [number]})
        noted = [issue.severity.value for issue in found.issues if issue.code == "landline"]
        assert noted == (["note"] if is_line and field == "sms_phone" else [])


def test_a_number_too_short_for_its_country_comes_with_one_that_is_whole() -> None:
    rule = f'{NAMES}[fields.sms_phone]\nfrom = "Phone"\nregion = "ID"'
    found = mapped(rule, {"Phone": ["0812-345", "0812-3456-7890"]})
    assert values(found, "sms_phone") == ["62812345", "6281234567890"]
    (issue,) = found.issues
    assert (issue.code, issue.wording, issue.row) == ("doubtful-phone", "phone-too-short", 2)
    assert str(issue.expected).startswith("628")


def test_a_country_code_never_makes_a_number_longer_than_any_is() -> None:
    rule = f'{NAMES}[fields.sms_phone]\nfrom = "Phone"\nregion = "DE"'
    found = mapped(rule, {"Phone": ["12101000000000", "015112345678"]})
    assert values(found, "sms_phone") == ["12101000000000", "4915112345678"]
    assert [(issue.code, issue.row) for issue in found.issues] == [("no-country-code", 2)]
