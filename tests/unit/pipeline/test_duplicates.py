"""Which rows are the same customer: judged chunk by chunk, the same as if judged row by row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.batching import Customers, encode
from importer.option_types import Duplicates
from importer.pipeline.duplicates import DuplicateDetector, SharedContacts
from tests.support.mapping import SEA, chunk, mapper

TWO_FORMS = """
[fields.first_name]
from = "First"
[fields.last_name]
from = "Last"
[fields.sms_phone]
from = "Phone"
[fields.whats_app_phone]
from = "WhatsApp"
[fields.address]
from = "Street"
[fields.email]
from = "Mail"
"""


def no_fields(rows: int) -> np.ndarray:
    return np.zeros(rows, dtype=np.uint32)


def once(keys: tuple[int, ...]) -> tuple[int, ...]:
    """A row's contacts as `Customers` has them: none twice."""
    return tuple(0 if key in keys[:place] else key for place, key in enumerate(keys))


row = st.tuples(st.sampled_from("ABCD"), st.tuples(*[st.integers(0, 4)] * 3).map(once))


def judged_one_by_one(rows: list[tuple[str, tuple[int, ...]]], policy: Duplicates) -> list[tuple[bool, bool]]:
    """The rule for duplicates (docs/reports-and-codes.md), as plainly as it can be written."""
    contents: set[tuple[str, tuple[int, ...]]] = set()
    contacts: set[int] = set()
    found = []
    for content, keys in rows:
        own = {key for key in keys if key}
        duplicate = (content, keys) in contents
        same = not duplicate and bool(own & contacts)
        found.append((duplicate, same))
        if not duplicate and (policy is Duplicates.SEND or not same):
            contents.add((content, keys))
            contacts |= own
    return found


@pytest.mark.parametrize("policy", list(Duplicates))
@given(st.lists(st.lists(row, max_size=12), max_size=5))
def test_chunks_are_judged_like_rows(
    policy: Duplicates, chunks: list[list[tuple[str, tuple[int, ...]]]]
) -> None:
    claims = DuplicateDetector(policy)
    found: list[tuple[bool, bool]] = []
    for part in chunks:
        contacts = np.array([keys for _, keys in part], dtype=np.int64).reshape(len(part), 3)
        encoded = [f"{content}{keys}".encode() for content, keys in part]
        judged = claims.judge(Customers("", np.arange(len(part)), encoded, contacts, no_fields(len(part))))
        found += zip(judged.duplicate.tolist(), judged.same_contact.tolist(), strict=True)
    assert found == judged_one_by_one([row for part in chunks for row in part], policy)


def test_rows_imported_before_claim_their_contacts() -> None:
    claims = DuplicateDetector()
    claims.claim(Customers("", np.array([2]), [b"{}"], np.array([[7]]), no_fields(1)))
    judged = claims.judge(
        Customers("", np.array([3, 4]), [b"{}", b'{"a":1}'], np.array([[7], [7]]), no_fields(2))
    )
    assert (judged.duplicate.tolist(), judged.same_contact.tolist()) == ([True, False], [False, True])


def test_both_forms_of_a_phone_are_one_contact_and_are_named_as_they_stand() -> None:
    shared = SharedContacts(SEA.contact_fields)
    detector = DuplicateDetector(shared=shared)
    phones = ["5215512345678", "525512345678"] * 3
    cells = {
        "First": ["Ann"] * 6,
        "Last": ["Li"] * 6,
        "Phone": phones,
        "WhatsApp": phones[1:] + phones[:1],
        "Street": list("abcdef"),
        "Mail": ["ann@li.example"] * 6,
    }
    customers = encode(mapper(TWO_FORMS, cells).map(chunk(cells)), SEA)
    assert np.count_nonzero(customers.contacts, axis=1).tolist() == [2] * 6
    assert detector.judge(customers).same_contact.tolist() == [False] + [True] * 5
    named = {dict(note.found)["contact"] for note in shared.notes()}
    assert len(named) == 2
    assert "ann@li.example" in named
    assert named & set(phones)
