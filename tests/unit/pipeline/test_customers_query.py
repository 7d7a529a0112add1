"""Customers are recognised by what an answer holds; what holds none is never taken for an empty one."""

from __future__ import annotations

import pytest

from importer.pipeline.customers_query import SeenCustomer, UnknownAnswerError, has_contact, recognise

ANN = {"first_name": "Ann", "sms_phone": "8613800138000", "tagStr": "a,b"}


@pytest.mark.parametrize(
    "data",
    [
        [ANN],
        ANN,
        {"list": [ANN], "after": 1},
        {"data": {"page": {"records": [ANN]}}},
        [{"firstName": "Ann", "smsPhone": "8613800138000", "tags": [{"id": 1, "tag_name": "a"}, "b"]}],
        [{"id": 7, "fields": ANN}],
        [{"id": 7, "fields": [{"name": name, "value": value} for name, value in ANN.items()]}],
        {"rows": [], "customers": [{"FIRST_NAME": "Ann", "SMS-PHONE": "8613800138000", "tagstr": "a,b"}]},
    ],
)
def test_a_customer_is_recognised(data: object) -> None:
    assert recognise(data) == (SeenCustomer(ANN),)


@pytest.mark.parametrize("data", [[], {"list": []}, {"page": {"records": [], "total": 0}}])
def test_an_empty_list_is_nobody(data: object) -> None:
    assert recognise(data) == ()


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ("", "data (str)"),
        (None, "data (NoneType)"),
        ({}, "–"),
        ({"total": 3}, "total"),
        ([{"c1": "Ann", "c2": "secret"}], "[].c1, [].c2"),
        ({"list": [{"name": "Ann", "phone": "86138"}]}, "list, list[].name, list[].phone"),
        ([{"first_name": "Ann"}], "[].first_name"),
        (["Ann"], "[] (str)"),
    ],
)
def test_an_answer_without_customers_is_told_by_its_keys_alone(data: object, keys: str) -> None:
    with pytest.raises(UnknownAnswerError) as caught:
        recognise(data)
    assert caught.value.found["keys"] == keys
    assert "secret" not in str(caught.value)


def test_a_contact_counts_in_whichever_form_it_is_shown() -> None:
    seen = SeenCustomer({"whats_app_phone": "+52 55 1234 5678", "email": "Ann@X.example"})
    assert has_contact(seen, "sms_phone", "5215512345678")
    assert has_contact(seen, "email", "ann@x.example")
    assert not has_contact(seen, "sms_phone", "8613800138000")
