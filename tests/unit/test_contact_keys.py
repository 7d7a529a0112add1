"""Keys of contacts: what two rows share, and the forms that one phone has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import arrow
from importer.contact_keys import contact_keys, forms
from importer.contracts import FieldKind

TWO_FORMS = [
    ("5511987654321", "551187654321"),
    ("5215512345678", "525512345678"),
    ("5491112345678", "541112345678"),
]
ONE_FORM = [
    "5511937654321",  # a mobile number that there never was without its 9
    "551137654321",  # a fixed line
    "8613800138000",
    "5211234567890123",
    "521234567890",
    "54911123456",
]


@pytest.mark.parametrize("pair", TWO_FORMS)
def test_both_forms_of_a_phone_have_one_key(pair: tuple[str, str]) -> None:
    one, other = contact_keys(arrow.array(list(pair)), FieldKind.PHONE).tolist()
    assert one == other
    assert forms(pair[0]) == pair
    assert forms(pair[1]) == pair[::-1]


def test_other_phones_have_one_form() -> None:
    keys = contact_keys(arrow.array(ONE_FORM), FieldKind.PHONE)
    assert len(np.unique(keys)) == len(ONE_FORM)
    assert [forms(one) for one in ONE_FORM[:4]] == [(one,) for one in ONE_FORM[:4]]


@given(st.lists(st.from_regex(r"(55|52|54|86)?[0-9]{0,13}", fullmatch=True), min_size=1))
def test_two_phones_share_a_key_only_if_they_are_forms_of_one(phones: list[str]) -> None:
    keys = contact_keys(arrow.array(phones), FieldKind.PHONE).tolist()
    for one, key in zip(phones, keys, strict=True):
        for other, another in zip(phones, keys, strict=True):
            assert (key == another) == (one == other or (bool(one) and other in forms(one)))


def test_letter_case_tells_no_two_mailboxes_apart() -> None:
    one, other, none = contact_keys(arrow.array(["A@x.example", "a@X.example", ""]), FieldKind.EMAIL)
    assert one == other
    assert none == 0
