"""Columns become JSON once; batches partition rows exactly and in order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer import columns, contracts
from importer.batching import Batcher, Envelope
from importer.customers import ContactSets, Customers, encode
from importer.model import MappedChunk, Mode

SEA = contracts.load("sea")
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
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
    frame = columns.frame(
        {name: columns.array([row.get(name) for row in rows]) for name in names}, np.arange(2, 2 + len(rows))
    )
    encoded = encode(MappedChunk("", frame, {}), SEA).encoded
    expected = [{k: int(v) if k == "gender" else v for k, v in row.items()} for row in rows]
    assert [json.loads(customer) for customer in encoded] == expected


def test_json_is_utf8_without_escapes_and_in_the_contracts_order() -> None:
    frame = columns.frame(
        {
            "last_name": columns.array(["三"]),
            "first_name": columns.array(["张"]),
            "gender": columns.array(["1"]),
        },
        np.array([2]),
    )
    assert encode(MappedChunk("", frame, {}), SEA).encoded == [
        '{"first_name":"张","last_name":"三","gender":1}'.encode()
    ]


def test_a_row_without_the_first_field_is_refused() -> None:
    frame = columns.frame({"first_name": columns.array([None])}, np.array([2]))
    with pytest.raises(ValueError, match="first_name"):
        encode(MappedChunk("", frame, {}), SEA)


def test_the_same_contact_has_the_same_fingerprint_whatever_kind_of_phone_it_is() -> None:
    frame = columns.frame(
        {
            "first_name": columns.array(["a", "b", "c"]),
            "sms_phone": columns.array(["861380", None, ""]),
            "whats_app_phone": columns.array([None, "861380", None]),
            "email": columns.array(["A@x.org", "a@X.org", None]),
        },
        np.array([2, 3, 4]),
    )
    first, second, third = ContactSets(encode(MappedChunk("", frame, {}), SEA).contacts)
    assert set(first) == set(second)
    assert third == ()


@given(st.lists(st.integers(0, 350), max_size=8), st.integers(1, 100))
def test_batches_partition_rows_exactly_and_in_order(sizes: list[int], size: int) -> None:
    batcher = Batcher(size)
    batches = []
    number = 2
    for count in sizes:
        chunk = np.arange(number, number + count)
        number += count
        contacts = np.zeros((count, 1), dtype=np.int64)
        batches += batcher.add(Customers("", chunk, [str(row).encode() for row in chunk], contacts))
    batches += batcher.flush()
    assert [row for batch in batches for row in batch.rows] == list(range(2, number))
    assert [c for batch in batches for c in batch.customers] == [str(n).encode() for n in range(2, number)]
    assert all(len(batch) == size for batch in batches[:-1])
    assert [batch.ordinal for batch in batches] == list(range(1, len(batches) + 1))


def test_a_batch_never_spans_two_sheets() -> None:
    batcher = Batcher(100)
    empty = np.zeros((2, 0), dtype=np.int64)
    batches = list(batcher.add(Customers("A", np.array([2, 3]), [b"1", b"2"], empty)))
    batches += batcher.add(Customers("B", np.array([2, 3]), [b"3", b"4"], empty))
    batches += batcher.flush()
    assert [(batch.sheet, batch.rows) for batch in batches] == [("A", (2, 3)), ("B", (2, 3))]


def test_the_body_is_the_documented_envelope() -> None:
    body = Envelope(Mode.KEEP, "144", '46oKF="s').body([b'{"first_name":"a"}', b'{"first_name":"b"}'])
    assert json.loads(body) == {
        "type": 2,
        "tenant_id": 144,
        "app_key": '46oKF="s',
        "customers": [{"first_name": "a"}, {"first_name": "b"}],
    }
    assert json.loads(Envelope(Mode.UPDATE, "1", "k", True).body([]))["strict_binding"] is True
