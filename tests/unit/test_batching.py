"""Batches partition rows exactly and in order; a body is the documented envelope."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from importer.batching import Batcher, BodyTemplate, Customers
from importer.models import Batch, Mode

NO_FIELDS = np.zeros(400, dtype=np.uint32)


@given(st.lists(st.integers(0, 350), max_size=8), st.integers(1, 100), st.booleans())
def test_batches_partition_rows_exactly_and_in_order(sizes: list[int], size: int, first_alone: bool) -> None:
    batcher = Batcher(size, first_alone=first_alone)
    batches: list[Batch] = []
    number = 2
    for count in sizes:
        chunk = np.arange(number, number + count)
        number += count
        contacts = np.zeros((count, 1), dtype=np.int64)
        batches += batcher.add(
            Customers("", chunk, [str(row).encode() for row in chunk], contacts, NO_FIELDS[:count])
        )
    batches += batcher.flush()
    assert [row for batch in batches for row in batch.rows] == list(range(2, number))
    assert [c for batch in batches for c in batch.customers] == [str(n).encode() for n in range(2, number)]
    assert [len(batch) for batch in batches[:1]] == [1] or not (first_alone and batches)
    assert all(len(batch) == size for batch in batches[first_alone:-1])
    assert [batch.ordinal for batch in batches] == list(range(1, len(batches) + 1))


def test_the_one_that_goes_alone_has_a_contact_if_any_has() -> None:
    batcher = Batcher(100, first_alone=True)
    contacts = np.array([[0], [0], [7], [8]], dtype=np.int64)
    rows = np.arange(2, 6)
    batches = list(batcher.add(Customers("", rows, [b"1", b"2", b"3", b"4"], contacts, NO_FIELDS[:4])))
    batches += batcher.flush()
    assert [(batch.rows, batch.customers) for batch in batches] == [
        ((4,), (b"3",)),
        ((2, 3, 5), (b"1", b"2", b"4")),
    ]


def test_a_batch_never_spans_two_sheets() -> None:
    batcher = Batcher(100)
    empty = np.zeros((2, 0), dtype=np.int64)
    batches = list(batcher.add(Customers("A", np.array([2, 3]), [b"1", b"2"], empty, NO_FIELDS[:2])))
    batches += batcher.add(Customers("B", np.array([2, 3]), [b"3", b"4"], empty, NO_FIELDS[:2]))
    batches += batcher.flush()
    assert [(batch.sheet, batch.rows) for batch in batches] == [("A", (2, 3)), ("B", (2, 3))]


def test_the_body_is_the_documented_envelope() -> None:
    body = BodyTemplate(Mode.KEEP, "144", '46oKF="s').body([b'{"first_name":"a"}', b'{"first_name":"b"}'])
    assert json.loads(body) == {
        "type": 2,
        "tenant_id": 144,
        "app_key": '46oKF="s',
        "customers": [{"first_name": "a"}, {"first_name": "b"}],
    }
    assert json.loads(BodyTemplate(Mode.UPDATE, "1", "k", True).body([]))["strict_binding"] is True
