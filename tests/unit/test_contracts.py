"""The contracts are what docs/remote-api.md says; a mistake in one is told with its place."""

from __future__ import annotations

import pytest

from importer import contracts
from importer.errors import UsageError

GOOD = """
title = "T"
path = "/p"
base_url = "https://h"
hosts = ["h"]
biz_type = "2"
action = "mt"
max_customers = 100
[[fields]]
name = "a"
kind = "text"
help = { en = "A", zh = "A" }
"""


def test_sea_is_the_vendors_page() -> None:
    """vendor/batch_create.txt, “Message Types”."""
    sea = contracts.load("sea")
    assert sea.endpoint.base_url + sea.endpoint.path == (
        "https://api-hk.nxlink.ai/saas/sea/cdp/openapi/customers/batch_create"
    )
    assert (sea.endpoint.biz_type, sea.endpoint.action, sea.max_customers) == ("2", "mt", 100)
    assert {field.name: field.max_length for field in sea.fields if field.max_length} == {
        "first_name": 128,
        "last_name": 128,
        "sms_phone": 30,
        "whats_app_phone": 30,
        "country": 50,
        "email": 50,
        "address": 100,
        "remark": 100,
        "belong_seat_user": 128,
    }
    assert [field.name for field in sea.fields if field.required] == ["first_name", "last_name"]
    assert [field.name for field in sea.fields if not field.documented] == ["source"]


def test_plat_differs_where_the_table_says_so() -> None:
    plat = contracts.load("plat")
    assert plat.endpoint.path == "/saas/cdp/openapi/customers/batch_create"
    assert [field.name for field in plat.fields if field.required] == ["full_name"]
    assert plat.field("full_name").max_length == 255
    assert plat.field("remark").max_length == 2000
    assert {field.name for field in plat.fields if field.digits_only} == {
        "sms_phone",
        "whats_app_phone",
        "viber_phone",
        "messenger",
        "instagram",
        "zalo",
    }
    lengths = {"viber_phone": 30, "messenger": 32, "instagram": 32, "zalo": 32, "line": 50}
    assert {name: plat.field(name).max_length for name in lengths} == lengths
    assert plat.body_options == ("strict_binding",)


def test_the_other_calls_are_where_the_vendor_has_them() -> None:
    found = contracts.endpoints()
    assert found["create_app"].base_url + found["create_app"].path == (
        "https://api2.nxcloud.com/api/wa/integrator/embedded/register/createApp"
    )
    assert found["phone_list"].action == "phoneList"
    assert (found["fields"].method, found["query"].method) == ("GET", "POST")


def test_contacts_are_phones_of_any_kind_and_the_email() -> None:
    assert contracts.load("sea").contact_fields == ("sms_phone", "whats_app_phone", "email")
    assert "viber_phone" in contracts.load("plat").contact_fields


def test_an_unknown_contract_is_a_usage_error_that_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="sea, plat"):
        contracts.load("mars")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('kind = "text"', 'kind = "colour"', "field a"),
        ('kind = "text"', 'kind = "text"\nsize = 3', "field a"),
        ('path = "/p"\n', "", "path"),
        ('title = "T"', "title = ", "contract x"),
    ],
)
def test_a_mistake_in_a_contract_is_told_with_its_place(old: str, new: str, place: str) -> None:
    assert contracts.parse("x", GOOD).names == ("a",)
    with pytest.raises(ValueError, match=place):
        contracts.parse("x", GOOD.replace(old, new))
