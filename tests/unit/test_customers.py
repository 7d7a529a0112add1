"""Columns become JSON once, and tell which customers share a contact."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import arrow, contracts
from importer.batching import ContactSets, encode
from importer.models import MappedChunk

SEA = contracts.load("sea")


def contact_sets(frame: pd.DataFrame) -> ContactSets:
    customers = encode(MappedChunk("", frame, {}), SEA)
    return ContactSets(customers.contacts, customers.fields)


texts = st.text(st.characters(codec="utf-8"), max_size=30)
rows = st.lists(
    st.fixed_dictionaries(
        {"first_name": texts, "last_name": texts},
        optional={"address": texts, "email": texts, "gender": st.sampled_from("01"), "remark": texts},
    ),
    min_size=1,
    max_size=20,
)


@given(rows)
def test_encoded_rows_are_what_json_reads_back(rows: list[dict[str, str]]) -> None:
    names = [field for field in SEA.names if any(field in row for row in rows)]
    frame = arrow.frame(
        {name: arrow.array([row.get(name) for row in rows]) for name in names}, np.arange(2, 2 + len(rows))
    )
    encoded = encode(MappedChunk("", frame, {}), SEA).encoded
    expected = [{k: int(v) if k == "gender" else v for k, v in row.items()} for row in rows]
    assert [json.loads(customer) for customer in encoded] == expected


def test_json_is_utf8_without_escapes_and_in_the_contracts_order() -> None:
    frame = arrow.frame(
        {
            "last_name": arrow.array(["三"]),
            "first_name": arrow.array(["张"]),
            "gender": arrow.array(["1"]),
        },
        np.array([2]),
    )
    assert encode(MappedChunk("", frame, {}), SEA).encoded == [
        '{"first_name":"张","last_name":"三","gender":1}'.encode()
    ]


def test_a_row_without_the_first_field_is_refused() -> None:
    frame = arrow.frame({"first_name": arrow.array([None])}, np.array([2]))
    with pytest.raises(ValueError, match="first_name"):
        encode(MappedChunk("", frame, {}), SEA)


def test_the_same_contact_has_the_same_fingerprint_whatever_kind_of_phone_it_is() -> None:
    frame = arrow.frame(
        {
            "first_name": arrow.array(["a", "b", "c"]),
            "sms_phone": arrow.array(["861380", None, ""]),
            "whats_app_phone": arrow.array([None, "861380", None]),
            "email": arrow.array(["A@x.org", "a@X.org", None]),
        },
        np.array([2, 3, 4]),
    )
    first, second, third = contact_sets(frame)
    assert set(first) == set(second)
    assert third == ()


phones = st.one_of(
    st.none(),
    st.just(""),
    st.text("01", min_size=1, max_size=4),
    st.from_regex(r"0{0,2}[1-9][0-9]{12,17}", fullmatch=True),
    st.sampled_from(("+1", "1 0", "10 ", "１０", "8.6E+12")),
)


@given(st.lists(st.tuples(phones, phones), min_size=1, max_size=12), st.integers(0, 11))
def test_two_phones_have_the_same_fingerprint_only_if_they_are_the_same_text(
    pairs: list[tuple[str | None, str | None]], cut: int
) -> None:
    """Whatever else stands in their column, and in whichever chunk they come."""
    keys: dict[str, set[int]] = {}
    for part in (pairs[:cut], pairs[cut:]):
        frame = arrow.frame(
            {
                "first_name": arrow.array(["a"] * len(part)),
                "sms_phone": arrow.array([sms for sms, _ in part]),
                "whats_app_phone": arrow.array([other for _, other in part]),
            },
            np.arange(len(part)),
        )
        table = encode(MappedChunk("", frame, {}), SEA).contacts
        for (sms, other), (first, second) in zip(part, table.tolist(), strict=True):
            assert bool(first) == bool(sms)
            assert bool(second) == (bool(other) and other != sms)
            if sms:
                keys.setdefault(sms, set()).add(first)
            if second:
                keys.setdefault(other or "", set()).add(second)
    assert all(len(found) == 1 for found in keys.values())
    assert len({key for found in keys.values() for key in found}) == len(keys)


def test_a_phone_written_as_an_e_mail_is_the_same_contact() -> None:
    frame = arrow.frame(
        {
            "first_name": arrow.array(["a", "b"]),
            "sms_phone": arrow.array(["8613800000001", None]),
            "email": arrow.array([None, "8613800000001"]),
        },
        np.array([2, 3]),
    )
    first, second = contact_sets(frame)
    assert first == second
