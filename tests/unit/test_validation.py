"""The documented limits: at the limit passes, one over fails; every problem of a row is named."""

from __future__ import annotations

import numpy as np
import pytest

from importer import arrow, contracts
from importer.models import Issue, MappedChunk
from importer.reports.wording import issue_text
from importer.validation import validate


def issues(contract: str = "sea", **cells: str | None) -> list[Issue]:
    """The issues of one row that is fine but for the given cells."""
    fine = {"first_name": "Ana", "last_name": "Li", "full_name": "Ana Li", "sms_phone": "8613800138000"}
    found = contracts.load(contract)
    row = {name: value for name, value in (fine | cells).items() if name in found.names}
    frame = arrow.frame({name: arrow.array([value]) for name, value in row.items()}, np.array([7]))
    mapped = MappedChunk("S", frame, {name: name.title() for name in row})
    return list(validate(mapped, found))


def codes(contract: str = "sea", **cells: str | None) -> list[tuple[str, str | None]]:
    return [(issue.code, issue.field) for issue in issues(contract, **cells)]


def test_a_good_row_has_no_issue() -> None:
    assert codes() == []
    assert codes("plat") == []


@pytest.mark.parametrize("contract", contracts.NAMES)
def test_at_the_limit_passes_and_one_over_fails(contract: str) -> None:
    for field in contracts.load(contract).fields:
        if field.max_length is None:
            continue
        character = "1" if field.identifier else "張"
        if field.kind is contracts.FieldKind.EMAIL:
            continue
        at_limit = codes(contract, **{field.name: character * field.max_length})
        over = codes(contract, **{field.name: character * (field.max_length + 1)})
        assert ("too-long", field.name) not in at_limit
        assert ("too-long", field.name) in over


def test_length_is_told_in_characters_with_the_limit() -> None:
    (issue,) = issues(address="é" * 161)
    assert (issue.code, issue.length, issue.limit, issue.row, issue.sheet, issue.column) == (
        "too-long",
        161,
        100,
        7,
        "S",
        "Address",
    )


@pytest.mark.parametrize("name", ["first_name", "last_name"])
@pytest.mark.parametrize("value", [None, ""])
def test_required_fields(name: str, value: str | None) -> None:
    assert codes("sea", **{name: value}) == [("required", name)]


def test_a_required_field_that_no_column_feeds_is_missing_in_every_row() -> None:
    frame = arrow.frame({"first_name": arrow.array(["a", "b"])}, np.array([2, 3]))
    found = validate(MappedChunk("", frame, {}), contracts.load("sea"))
    assert [(issue.code, issue.row, issue.field) for issue in found if issue.code == "required"] == [
        ("required", 2, "last_name"),
        ("required", 3, "last_name"),
    ]


@pytest.mark.parametrize("day", ["1990-05-07", "2000-02-29", "0001-01-01", None, ""])
def test_calendar_days_pass(day: str | None) -> None:
    assert codes(birthday=day) == []


@pytest.mark.parametrize(
    "day", ["1990-02-30", "1900-02-29", "1990-13-01", "1990-5-7", "31/02/1990", "2023", "0000-01-01"]
)
def test_what_is_no_calendar_day_fails(day: str) -> None:
    assert codes(birthday=day) == [("bad-date", "birthday")]


@pytest.mark.parametrize(("value", "good"), [("1", True), ("0", True), ("2", False), ("male", False)])
def test_gender_is_the_apis_own_code_by_now(value: str, good: bool) -> None:
    assert codes(gender=value) == ([] if good else [("bad-gender", "gender")])


@pytest.mark.parametrize("text", ['{"customize_1_14": "aa"}', "{}"])
def test_own_fields_are_a_json_object(text: str) -> None:
    assert codes(customize_field=text) == []


@pytest.mark.parametrize("text", ["[1]", "aa", '{"a": NaN}', '{"a": 1', "1", "[" * 2000])
def test_anything_else_is_bad_json(text: str) -> None:
    assert codes(customize_field=text) == [("bad-json", "customize_field")]


@pytest.mark.parametrize("text", ["1.86E+10", "1.86e+10", "8,6E12", "+1E5"])
def test_a_phone_that_lost_its_digits_is_an_error(text: str) -> None:
    assert codes(sms_phone=text) == [("lossy-number", "sms_phone")]


def test_the_same_text_is_a_fine_address() -> None:
    assert codes(address="1E5") == []


def test_an_odd_phone_is_a_warning_in_sea_and_an_error_in_plat() -> None:
    for contract, severity in (("sea", "warning"), ("plat", "error")):
        (issue,) = issues(contract, sms_phone="ask Bob")
        assert (issue.code, issue.severity) == ("bad-phone", severity)
        sent = "It is sent unchanged" in issue_text(issue, lang="en").hint
        assert sent == (contract == "sea")


@pytest.mark.parametrize("name", ["zalo", "messenger", "instagram"])
def test_the_accounts_of_plat_take_digits_only(name: str) -> None:
    (issue,) = issues("plat", **{name: "@anna"})
    assert (issue.code, issue.field, issue.severity) == ("not-digits", name, "error")
    assert codes("plat", **{name: "1"}) == []
    assert codes("plat", **{name: "1" * 32}) == []
    assert codes("plat", **{name: "1" * 33}) == [("too-long", name)]


@pytest.mark.parametrize("character", ["😀", "𠮷"])
def test_a_text_over_the_limit_in_utf_16_only_is_a_warning(character: str) -> None:
    (issue,) = issues(address="a" * 50 + character * 26)
    assert (issue.code, issue.severity) == ("maybe-too-long", "warning")
    assert (issue.length, issue.limit) == (102, 100)
    assert codes(address="a" * 50 + character * 25) == []
    assert codes(address="界" * 100) == []
    assert codes(address=character * 101) == [("too-long", "address")]


@pytest.mark.parametrize("text", ["nobody", "a@b", "a@b.", "a b@c.de", "a@b.de, c@d.ef"])
def test_an_odd_email_is_a_warning(text: str) -> None:
    (issue,) = issues(email=text)
    assert (issue.code, issue.severity) == ("bad-email", "warning")


@pytest.mark.parametrize("zone", ["GMT+8", "UTC", "GMT-03:30", "Asia/Shanghai", "Australia/NSW"])
def test_known_time_zones(zone: str) -> None:
    assert codes(time_zone=zone) == []


@pytest.mark.parametrize("zone", ["GMT+99", "Beijing", "../../etc/passwd", "8"])
def test_unknown_time_zones_are_a_warning(zone: str) -> None:
    (issue,) = issues(time_zone=zone)
    assert (issue.code, issue.severity) == ("unknown-time-zone", "warning")


def test_no_phone_and_no_email_is_a_warning() -> None:
    assert codes(sms_phone="") == [("no-contact", None)]


def test_all_problems_of_a_row_are_named() -> None:
    found = codes(first_name="", address="x" * 101, birthday="soon", email="nobody")
    assert found == [
        ("required", "first_name"),
        ("bad-email", "email"),
        ("too-long", "address"),
        ("bad-date", "birthday"),
    ]
