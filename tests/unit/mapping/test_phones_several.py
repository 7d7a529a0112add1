"""Phones as clubs and shops write them: slashes, second endings, remarks, no area codes, rounded numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.mapping.phone_texts import all_phones, read_phone
from importer.mapping.phones import looks_national
from importer.models import Severity
from importer.reports.wording import issue_text
from tests.support.mapping import mapped, values

NAMES = '[fields.first_name]\nconstant = "A"\n[fields.last_name]\nconstant = "B"\n'


def phones(region: str, *cells: str) -> list[tuple[str | None, list[str]]]:
    """The number that is sent for each cell of a column of a country, and the codes of its issues, but for
    the note on landlines."""
    rule = f'{NAMES}[fields.sms_phone]\nfrom = "Phone"\nregion = "{region}"\n'
    found = mapped(rule, {"Phone": cells})
    codes = [
        [one.code for one in found.issues if one.row == row and one.code != "landline"]
        for row in range(2, 2 + len(cells))
    ]
    return list(zip(values(found, "sms_phone"), codes, strict=True))


def german(area: str, subscriber: str) -> str:
    """A number by the German plan: 49, the area code without its 0, the subscriber."""
    return "49" + area.removeprefix("0") + subscriber


@pytest.mark.parametrize(
    "ending", ["/ -457", "/-57", "/57", " / 57", " / 457", " u. 457", " oder 57", " od. -457"]
)
@pytest.mark.parametrize("between", ["/", " / ", " ", "-"])
@pytest.mark.parametrize(("area", "subscriber"), [("0421", "383456"), ("04298", "1234"), ("030", "90172345")])
def test_a_second_ending_is_never_glued_to_the_first_number(
    area: str, subscriber: str, between: str, ending: str
) -> None:
    cell = f"{area}{between}{subscriber}{ending}"
    assert phones("DE", cell) == [(german(area, subscriber), ["several-values"])], cell


@pytest.mark.parametrize(
    "cell",
    [
        "0421 383456 - 457",
        "0421 383456 – 57",
        "0421/383456-457",
        "+49 421 383456-457",
        "0049 421 383456 - 457",
    ],
)
def test_an_ending_behind_the_only_dash_is_cut_where_both_make_no_number(cell: str) -> None:
    assert phones("DE", cell) == [(german("0421", "383456"), ["several-values"])]


@pytest.mark.parametrize(
    ("region", "cell", "digits"),
    [
        ("DE", "0421 3834-56", "49421383456"),
        ("DE", "(0421) 383456-57", "4942138345657"),
        ("US", "+1 416 555-0123", "14165550123"),
        ("RU", "+7 495 123 45 - 67", "74951234567"),
        ("ID", "0812 3456-78901", "62812345678901"),
        ("JP", "090 1234 - 5678", "819012345678"),
    ],
)
def test_a_dash_within_one_number_separates_nothing(region: str, cell: str, digits: str) -> None:
    ((found, codes),) = phones(region, cell)
    assert found == digits
    assert "several-values" not in codes


def test_a_phone_that_is_none_is_asked_for_with_a_number_of_its_own_country() -> None:
    rule = f'{NAMES}[fields.sms_phone]\nfrom = "Phone"\nregion = "DE"\n'
    (issue,) = mapped(rule, {"Phone": ["s. Eltern"]}).issues
    for lang in ("en", "zh"):
        hint = issue_text(issue, lang=lang).hint
        assert "e.g. 49" in hint or "例如 49" in hint
        assert "8613800000000" not in hint


def test_endings_behind_grouped_numbers_are_none_of_theirs() -> None:
    first = german("0421", "383456")
    assert (
        phones("DE", "0421/383-456 / -457", "0421 38 34 56 / 57", "(0421) 383456/57")
        == [(first, ["several-values"])] * 3
    )
    assert phones("DE", "+49 421 383456/57", "0049 421 383456 / -57") == [(first, ["several-values"])] * 2


@pytest.mark.parametrize("code", ["0049", "+49"])
@pytest.mark.parametrize("zero", [" (0) ", "(0)", " (0)", "/(0)"])
@pytest.mark.parametrize(
    "number", ["157 / 333 444 55", "157/33344455", "157 333 444 55", "157 / 333 / 444 55"]
)
def test_the_zero_in_brackets_goes_whatever_stands_for_the_plus(code: str, zero: str, number: str) -> None:
    assert phones("DE", code + zero + number) == [(german("0157", "33344455"), ["trunk-zero-left-out"])]


@pytest.mark.parametrize("code", ["0049", "+49"])
def test_landlines_with_a_zero_in_brackets_are_whole(code: str) -> None:
    assert phones("DE", f"{code} (0) 421 / 38 34 57", f"{code} (0)4298 / 1234567") == [
        (german("0421", "383457"), ["trunk-zero-left-out"]),
        (german("04298", "1234567"), ["trunk-zero-left-out"]),
    ]


@pytest.mark.parametrize(
    "between",
    [
        ", ",
        "; ",
        " oder ",
        " od. ",
        " u. ",
        " und ",
        "\n",
        " / ",
        "/",
        " ",
        " Fax ",
        " Tel.: ",
    ],
)
def test_the_first_of_two_numbers_with_slashes_inside_is_sent(between: str) -> None:
    cell = f"0171/7778881{between}0421/999888"
    assert phones("DE", cell) == [(german("0171", "7778881"), ["several-values"])], cell


def test_each_of_several_numbers_is_known_to_a_list_of_people_who_must_not_be_sent() -> None:
    for between in (", ", " oder ", "\n", " / "):
        assert all_phones(f"0171/7778881{between}0421/999888") == ("0171/7778881", "0421/999888")
    assert all_phones("0421/383456") == ("0421/383456",)


@pytest.mark.parametrize(
    "remark",
    [
        " ab 18 Uhr",
        " (ab 18 Uhr)",
        ", ab 18 Uhr",
        " / ab 18 Uhr",
        " ab 18 h",
        " Mo-Fr 9-12 Uhr",
        " (ab 18:30 Uhr, privat)",
    ],
)
@pytest.mark.parametrize("number", ["0171/7778881", "0171 7778881", "0171-777 88 81"])
def test_a_remark_with_hours_does_not_lose_the_number(number: str, remark: str) -> None:
    assert phones("DE", number + remark) == [(german("0171", "7778881"), ["text-left-out"])]


def test_a_remark_alone_is_no_phone() -> None:
    assert phones("DE", "s. Eltern", "ab 18 Uhr") == [(None, ["bad-phone"])] * 2


@pytest.mark.parametrize(
    ("cell", "digits"),
    [
        ("06/12/34/56/78", "0612345678"),
        ("+33/6/12/34/56/78", "33612345678"),
        ("0171/333/4455", "01713334455"),
        ("55/11/97555/6677", "5511975556677"),
        ("+55/11/97555/6677", "5511975556677"),
        ("212/555/0123", "2125550123"),
        ("1/212/555/0123", "12125550123"),
        ("0755/2588/0001", "075525880001"),
        ("138/1234/5678", "13812345678"),
        ("98765/43210", "9876543210"),
        ("+41/44/123/45/67", "41441234567"),
    ],
)
def test_slashes_within_one_number_are_formatting(cell: str, digits: str) -> None:
    found = read_phone(cell)
    assert found is not None
    assert (found.digits, found.left_out) == (digits, "")


@given(
    st.sampled_from(["0421", "0171", "030", "04298"]),
    st.from_regex(r"\A[2-9][0-9]{5}\Z"),
    st.from_regex(r"\A-?[0-9]{2,3}\Z"),
    st.sampled_from(["/", " / ", "/ "]),
)
def test_no_digit_of_an_ending_is_sent(area: str, subscriber: str, ending: str, between: str) -> None:
    found = read_phone(f"{area}/{subscriber}{between}{ending}")
    assert found is not None
    assert (found.digits, found.left_out) == (area + subscriber, "several-values")


@pytest.mark.parametrize("area", ["11", "12", "21", "31", "85"])
@pytest.mark.parametrize(
    "form", ["0xx{} 97555-6677", "(0xx{}) 97555-6677", "0XX {} 975556677", "0**{} 97555-6677"]
)
def test_the_place_of_a_carrier_is_no_part_of_a_brazilian_number(area: str, form: str) -> None:
    assert phones("BR", form.format(area)) == [(f"55{area}975556677", [])]
    found = read_phone(form.format(area))
    assert found is not None
    assert found.digits == f"0{area}975556677"


def test_a_german_number_without_its_area_code_is_told() -> None:
    cells = ("383456", "616161", "77 44 11", "6200302", "214567", "90172345")
    assert [codes for _, codes in phones("DE", *cells)] == [["doubtful-phone"]] * len(cells)
    found = mapped(
        f'{NAMES}[fields.sms_phone]\nfrom = "Phone"\nregion = "DE"\n', {"Phone": ("383456", "0421383456")}
    )
    (issue,) = (one for one in found.issues if one.code != "landline")
    assert (issue.row, issue.severity, issue.found) == (2, Severity.WARNING, "383456")
    assert "area code" in issue_text(issue, lang="en").message
    assert "城市区号" in issue_text(issue, lang="zh").message


def test_numbers_that_have_their_area_code_are_not_told() -> None:
    whole = (german("0421", "383456"), german("0171", "7778881"), german("04298", "1234"))
    cells = ("0421383456", "1717778881", "042981234")
    assert phones("DE", *cells) == [(number, []) for number in whole]
    assert phones("NO", "22345678") == [("4722345678", [])]


@pytest.mark.parametrize(
    ("region", "cell", "sent"),
    [
        ("CN", "13800000000", "8613800000000"),
        ("CN", "13500000000", "8613500000000"),
        ("CN", "8610000000000", "8610000000000"),
    ],
)
def test_a_rounded_number_is_told(region: str, cell: str, sent: str) -> None:
    assert phones(region, cell) == [(sent, ["doubtful-phone"])]


def test_a_number_whose_zeros_somebody_grouped_is_not_called_rounded() -> None:
    cells = ("138-0000-0000", "+8613800000000", "13800138000", "8613800000000")
    assert phones("CN", *cells) == [
        *[("8613800000000", [])] * 2,
        ("8613800138000", []),
        ("8613800000000", []),
    ]


def test_cells_of_all_kinds_are_read_alike_beside_each_other() -> None:
    cells = (
        "0421/383456/57",
        "0421383456",
        "+49 421 383456",
        "0049 (0) 421 / 38 34 56",
        "0421/383456, 0171/7778881",
    )
    assert [number for number, _ in phones("DE", *cells)] == [german("0421", "383456")] * len(cells)
    assert looks_national("0421/383456")
